//! How requests are authorised, and the cache of tokens.
//!
//! One token per target. It is renewed when 80 % of its life are over, by one caller at a time:
//! while the old one is still good the others go on with it, else they wait for the one under way
//! and share its outcome.

use super::client::Wire;
use super::failure::before;
use crate::model::codes::transport as codes;
use crate::model::{Clock, Secret};
use crate::transport::{Method, Request, Response, SendError};
use aws_lc_rs::{hmac, rand};
use axum::http::header::{AUTHORIZATION, HeaderName, HeaderValue};
use base64::Engine;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use bytes::Bytes;
use serde_json::{Value, json};
use std::fmt::Write as _;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use tokio::time::Instant;
use url::form_urlencoded;

/// Limit for fetching a token.
const TOKEN_TIMEOUT: Duration = Duration::from_secs(10);
/// Largest token answer, in bytes.
const TOKEN_SIZE: usize = 64 * 1024;
/// Life of a token whose answer does not name one.
const ASSUMED_LIFE: Duration = Duration::from_secs(600);
/// A longer life is taken as this.
const LONGEST_LIFE: Duration = Duration::from_secs(24 * 60 * 60);
/// Life of a signed assertion, in seconds.
const ASSERTION_LIFE: i64 = 60;

/// What we are known by at a counterpart.
#[derive(Clone, Debug)]
pub struct Credentials {
    /// Client id or user.
    pub id: Secret<String>,
    /// Client secret or password.
    pub secret: Secret<String>,
}

/// How requests to a counterpart are authorised.
#[derive(Clone, Debug, Default)]
pub enum AuthSettings {
    /// Not at all, beyond the client certificate.
    #[default]
    None,
    /// HTTP Basic (RFC 7617).
    Basic(Credentials),
    /// OAuth 2 client credentials, the client named by HTTP Basic (RFC 6749 section 2.3.1).
    ClientSecretBasic {
        /// Who we are.
        credentials: Credentials,
        /// Path of the token endpoint, relative to the base URL.
        token_path: String,
        /// Scope asked for; empty for none.
        scope: String,
    },
    /// OAuth 2 client credentials, the client named by an assertion signed with HS256
    /// (RFC 7523 section 2.2, OpenID Connect Core section 9 "client_secret_jwt").
    ClientSecretJwt {
        /// Who we are; the secret signs.
        credentials: Credentials,
        /// Path of the token endpoint, relative to the base URL.
        token_path: String,
        /// Scope asked for; empty for none.
        scope: String,
    },
    /// A login that answers with a token.
    LoginToken(LoginToken),
}

/// A login of a counterpart's own making.
#[derive(Clone, Debug)]
pub struct LoginToken {
    /// Who we are.
    pub credentials: Credentials,
    /// Method of the login request.
    pub method: Method,
    /// Its path, relative to the base URL.
    pub path: String,
    /// Members of its JSON body; `{client-id}` and `{client-secret}` are replaced.
    pub body: Vec<(String, String)>,
    /// Member of the answer that holds the token.
    pub token_field: String,
    /// Header that carries it, e.g. `X-Auth-Token`.
    pub header: String,
    /// Text before the token in that header; may be empty.
    pub prefix: String,
}

/// A header value that authorises, and how long.
#[derive(Clone)]
struct Token {
    name: HeaderName,
    value: HeaderValue,
    renew_at: Instant,
    ends_at: Instant,
}

#[derive(Default)]
struct Cache {
    token: Option<Token>,
    /// Fetches that have ended, and how the last one failed.
    fetches: u64,
    failure: Option<SendError>,
}

/// Authorises requests to one counterpart.
pub(super) struct Auth {
    settings: AuthSettings,
    clock: Arc<dyn Clock>,
    cache: Mutex<Cache>,
    /// Held while a token is fetched.
    fetching: tokio::sync::Mutex<()>,
}

impl Auth {
    pub fn new(settings: AuthSettings, clock: Arc<dyn Clock>) -> Auth {
        Auth { settings, clock, cache: Mutex::default(), fetching: tokio::sync::Mutex::default() }
    }

    /// The header to send, if any; fetches a token when there is none that is good.
    pub async fn header(
        &self,
        wire: &Wire,
    ) -> Result<Option<(HeaderName, HeaderValue)>, SendError> {
        match &self.settings {
            AuthSettings::None => Ok(None),
            AuthSettings::Basic(credentials) => {
                let (id, secret) = (credentials.id.expose(), credentials.secret.expose());
                Ok(Some((AUTHORIZATION, basic(id, secret)?)))
            }
            _ => self.token(wire).await.map(|token| Some((token.name, token.value))),
        }
    }

    /// Drops the token.
    pub fn forget(&self) {
        self.cache().token = None;
    }

    fn cache(&self) -> MutexGuard<'_, Cache> {
        // Whoever panicked while holding it left it whole: every change is one assignment.
        self.cache.lock().unwrap_or_else(PoisonError::into_inner)
    }

    async fn token(&self, wire: &Wire) -> Result<Token, SendError> {
        let (token, seen) = {
            let cache = self.cache();
            (cache.token.clone(), cache.fetches)
        };
        let now = Instant::now();
        let good = token.filter(|token| now < token.ends_at);
        let turn = match &good {
            Some(token) if now < token.renew_at => return Ok(token.clone()),
            Some(token) => match self.fetching.try_lock() {
                Ok(turn) => turn,
                Err(_) => return Ok(token.clone()),
            },
            None => self.fetching.lock().await,
        };
        if let Some(shared) = self.ended_since(seen) {
            return shared;
        }
        let fetched = self.fetch(wire).await;
        let mut cache = self.cache();
        cache.fetches += 1;
        match &fetched {
            Ok(token) => {
                cache.token = Some(token.clone());
                cache.failure = None;
            }
            Err(error) => cache.failure = Some(error.clone()),
        }
        drop(cache);
        drop(turn);
        // An early renewal that fails leaves the old token in use until its end.
        fetched.or_else(|error| good.ok_or(error))
    }

    /// The outcome of a fetch that ended while we waited for our turn.
    fn ended_since(&self, seen: u64) -> Option<Result<Token, SendError>> {
        let cache = self.cache();
        if cache.fetches == seen {
            return None;
        }
        match (&cache.token, &cache.failure) {
            (_, Some(failure)) => Some(Err(failure.clone())),
            (Some(token), None) => Some(Ok(token.clone())),
            (None, None) => None,
        }
    }

    async fn fetch(&self, wire: &Wire) -> Result<Token, SendError> {
        let (request, authorisation) = self.question(wire)?;
        let answer = wire.exchange(request, authorisation).await.map_err(|error| {
            // Whatever happened to the token request, the request proper was not sent.
            before(&codes::TOKEN_UNREACHABLE, format!("{}: {}", error.code, error.detail))
        })?;
        match answer.status {
            200..=299 => self.read(&answer),
            400 | 401 | 403 => {
                Err(before(&codes::TOKEN_REFUSED, format!("status {}", answer.status)))
            }
            status => Err(before(&codes::TOKEN_UNREACHABLE, format!("status {status}"))),
        }
    }

    fn question(
        &self,
        wire: &Wire,
    ) -> Result<(Request, Option<(HeaderName, HeaderValue)>), SendError> {
        match &self.settings {
            AuthSettings::ClientSecretBasic { credentials, token_path, scope } => {
                let encode = |text: &str| {
                    form_urlencoded::byte_serialize(text.as_bytes()).collect::<String>()
                };
                let id = encode(credentials.id.expose());
                let secret = encode(credentials.secret.expose());
                let body = grant(scope, &[]);
                Ok((form(token_path, body), Some((AUTHORIZATION, basic(&id, &secret)?))))
            }
            AuthSettings::ClientSecretJwt { credentials, token_path, scope } => {
                let base = wire.base.as_str().trim_end_matches('/');
                let audience = format!("{base}{token_path}");
                let assertion =
                    assertion(credentials, &audience, self.clock.now().as_second(), &nonce()?);
                let body = grant(
                    scope,
                    &[
                        (
                            "client_assertion_type",
                            "urn:ietf:params:oauth:client-assertion-type:jwt-bearer",
                        ),
                        ("client_assertion", &assertion),
                    ],
                );
                Ok((form(token_path, body), None))
            }
            AuthSettings::LoginToken(login) => Ok((login_request(login), None)),
            AuthSettings::None | AuthSettings::Basic(_) => {
                Err(before(&codes::TOKEN_UNREADABLE, "no token is used here"))
            }
        }
    }

    fn read(&self, answer: &Response) -> Result<Token, SendError> {
        let unreadable = |detail: &str| before(&codes::TOKEN_UNREADABLE, detail);
        let (field, header, prefix) = match &self.settings {
            AuthSettings::LoginToken(login) => {
                (login.token_field.as_str(), login.header.as_str(), login.prefix.as_str())
            }
            _ => ("access_token", "authorization", "Bearer "),
        };
        let document: Value =
            serde_json::from_slice(&answer.body).map_err(|_| unreadable("not JSON"))?;
        let token = document
            .get(field)
            .and_then(Value::as_str)
            .filter(|token| !token.is_empty())
            .ok_or_else(|| unreadable("no token in it"))?;
        let name =
            HeaderName::from_bytes(header.as_bytes()).map_err(|_| unreadable("header's name"))?;
        let mut value = HeaderValue::from_str(&format!("{prefix}{token}"))
            .map_err(|_| unreadable("token is not a header value"))?;
        value.set_sensitive(true);
        let life = life(&document);
        let now = Instant::now();
        Ok(Token { name, value, renew_at: now + life.mul_f64(0.8), ends_at: now + life })
    }
}

/// `expires_in` (OAuth) or `expiresIn`, in seconds, as a number or digits.
fn life(document: &Value) -> Duration {
    let named = document.get("expires_in").or_else(|| document.get("expiresIn"));
    let seconds = named.and_then(|value| match value {
        Value::String(digits) => digits.parse().ok(),
        other => other.as_u64(),
    });
    seconds.map_or(ASSUMED_LIFE, Duration::from_secs).min(LONGEST_LIFE)
}

fn basic(id: &str, secret: &str) -> Result<HeaderValue, SendError> {
    let value = format!("Basic {}", STANDARD.encode(format!("{id}:{secret}")));
    let mut value = HeaderValue::from_str(&value)
        .map_err(|_| before(&codes::REQUEST_MALFORMED, "credentials"))?;
    value.set_sensitive(true);
    Ok(value)
}

fn grant(scope: &str, more: &[(&str, &str)]) -> String {
    let mut form = form_urlencoded::Serializer::new(String::new());
    form.append_pair("grant_type", "client_credentials").extend_pairs(more);
    if !scope.is_empty() {
        form.append_pair("scope", scope);
    }
    form.finish()
}

fn form(path: &str, body: String) -> Request {
    token_request(Method::Post, path, "application/x-www-form-urlencoded", body.into())
}

fn login_request(login: &LoginToken) -> Request {
    let fill = |template: &str| {
        template
            .replace("{client-id}", login.credentials.id.expose())
            .replace("{client-secret}", login.credentials.secret.expose())
    };
    let members = login.body.iter().map(|(name, value)| (name.clone(), fill(value).into()));
    let body = Value::Object(members.collect()).to_string();
    token_request(login.method, &login.path, "application/json", body.into())
}

fn token_request(method: Method, path: &str, content_type: &str, body: Bytes) -> Request {
    Request {
        method,
        path: path.to_owned(),
        headers: vec![
            ("content-type".to_owned(), content_type.to_owned()),
            ("accept".to_owned(), "application/json".to_owned()),
        ],
        body,
        timeout: TOKEN_TIMEOUT,
        max_response: TOKEN_SIZE,
    }
}

/// Sixteen random bytes in hex, so that no assertion is used twice.
fn nonce() -> Result<String, SendError> {
    let mut bytes = [0_u8; 16];
    rand::fill(&mut bytes).map_err(|_| before(&codes::TOKEN_UNREACHABLE, "no random numbers"))?;
    let mut text = String::with_capacity(32);
    for byte in bytes {
        // Writing to a string cannot fail.
        let _ = write!(text, "{byte:02x}");
    }
    Ok(text)
}

/// The signed assertion (RFC 7519, RFC 7523 section 3).
fn assertion(credentials: &Credentials, audience: &str, now: i64, nonce: &str) -> String {
    let id = credentials.id.expose();
    let header = json!({ "alg": "HS256", "typ": "JWT" });
    let claims = json!({
        "iss": id, "sub": id, "aud": audience, "jti": nonce,
        "iat": now, "exp": now.saturating_add(ASSERTION_LIFE),
    });
    let part = |value: Value| URL_SAFE_NO_PAD.encode(value.to_string());
    let signed = format!("{}.{}", part(header), part(claims));
    let key = hmac::Key::new(hmac::HMAC_SHA256, credentials.secret.expose().as_bytes());
    let signature = hmac::sign(&key, signed.as_bytes());
    format!("{signed}.{}", URL_SAFE_NO_PAD.encode(signature))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn credentials(id: &str, secret: &str) -> Credentials {
        Credentials { id: Secret::new(id.to_owned()), secret: Secret::new(secret.to_owned()) }
    }

    #[test]
    fn basic_is_the_example_of_rfc_7617() {
        let value = basic("Aladdin", "open sesame").unwrap();
        assert_eq!(value.to_str().unwrap(), "Basic QWxhZGRpbjpvcGVuIHNlc2FtZQ==");
        assert!(value.is_sensitive());
    }

    #[test]
    fn assertions_verify_and_carry_the_claims() {
        let assertion = assertion(&credentials("me", "key"), "https://x/token", 1000, "n1");
        let parts: Vec<&str> = assertion.split('.').collect();
        let [header, claims, signature] = parts[..] else { panic!("three parts") };
        let key = hmac::Key::new(hmac::HMAC_SHA256, b"key");
        let signature = URL_SAFE_NO_PAD.decode(signature).unwrap();
        hmac::verify(&key, format!("{header}.{claims}").as_bytes(), &signature).unwrap();
        let claims: Value =
            serde_json::from_slice(&URL_SAFE_NO_PAD.decode(claims).unwrap()).unwrap();
        let expected = json!({
            "iss": "me", "sub": "me", "aud": "https://x/token", "jti": "n1", "iat": 1000, "exp": 1060,
        });
        assert_eq!(claims, expected);
    }

    #[test]
    fn nonces_differ() {
        assert_ne!(nonce().unwrap(), nonce().unwrap());
    }

    #[test]
    fn login_bodies_are_json_whatever_the_secret_holds() {
        let login = LoginToken {
            credentials: credentials("me", "quote\" and {client-id}"),
            method: Method::Post,
            path: "/login".to_owned(),
            body: vec![
                ("id".to_owned(), "{client-id}".to_owned()),
                ("password".to_owned(), "{client-secret}".to_owned()),
            ],
            token_field: "token".to_owned(),
            header: "X-Auth-Token".to_owned(),
            prefix: String::new(),
        };
        let body: Value = serde_json::from_slice(&login_request(&login).body).unwrap();
        assert_eq!(body, json!({ "id": "me", "password": "quote\" and {client-id}" }));
    }

    #[test]
    fn lives_are_read_and_bounded() {
        assert_eq!(life(&json!({ "expires_in": 60 })).as_secs(), 60);
        assert_eq!(life(&json!({ "expiresIn": "90" })).as_secs(), 90);
        assert_eq!(life(&json!({})), ASSUMED_LIFE);
        assert_eq!(life(&json!({ "expires_in": u64::MAX })), LONGEST_LIFE);
    }
}
