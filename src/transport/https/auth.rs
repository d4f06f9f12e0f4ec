//! How requests are authorised, and how tokens are fetched.

use super::client::Wire;
use super::failure::before;
use super::tokens::{Fetched, Tokens};
use crate::model::codes::transport as codes;
use crate::model::{Clock, Secret, TokenFor};
use crate::transport::{Method, Request, Response, SendError};
use aws_lc_rs::{hmac, rand};
use axum::http::header::{AUTHORIZATION, HeaderName, HeaderValue};
use base64::Engine;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use bytes::Bytes;
use serde_json::{Value, json};
use std::fmt::Write as _;
use std::sync::Arc;
use std::time::Duration;
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
        /// What for, unless a request says otherwise.
        token: TokenFor,
    },
    /// OAuth 2 client credentials, the client named by an assertion signed with HS256
    /// (RFC 7523 section 2.2, OpenID Connect Core section 9 "client_secret_jwt").
    ClientSecretJwt {
        /// Who we are; the secret signs.
        credentials: Credentials,
        /// Path of the token endpoint, relative to the base URL.
        token_path: String,
        /// What for, unless a request says otherwise.
        token: TokenFor,
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

/// The header that authorises a request, and the number of the token in it.
#[derive(Default)]
pub(super) struct Authorisation {
    /// Header and value; `None`: nothing beyond the client certificate.
    pub header: Option<(HeaderName, HeaderValue)>,
    /// Number of the token; `None`: no token is used.
    pub token: Option<u64>,
}

/// Authorises requests to one counterpart.
pub(super) struct Auth {
    settings: AuthSettings,
    clock: Arc<dyn Clock>,
    tokens: Tokens,
}

impl Auth {
    pub fn new(settings: AuthSettings, clock: Arc<dyn Clock>) -> Auth {
        Auth { settings, clock, tokens: Tokens::default() }
    }

    /// The header to send, if any; fetches a token when there is none that is good.
    pub async fn header(
        &self,
        wire: &Wire,
        wanted: Option<&TokenFor>,
    ) -> Result<Authorisation, SendError> {
        let none = TokenFor::default();
        let usual = match &self.settings {
            AuthSettings::None => return Ok(Authorisation::default()),
            AuthSettings::Basic(credentials) => {
                let (id, secret) = (credentials.id.expose(), credentials.secret.expose());
                let header = Some((AUTHORIZATION, basic(id, secret)?));
                return Ok(Authorisation { header, token: None });
            }
            AuthSettings::ClientSecretBasic { token, .. }
            | AuthSettings::ClientSecretJwt { token, .. } => token,
            AuthSettings::LoginToken(_) => &none,
        };
        let wanted = wanted.unwrap_or(usual);
        let token = self.tokens.get(wanted, self.fetch(wire, wanted)).await?;
        let header = Some((token.name, token.value));
        Ok(Authorisation { header, token: Some(token.number) })
    }

    /// Drops the token of this number.
    pub fn forget(&self, number: u64) {
        self.tokens.forget(number);
    }

    async fn fetch(&self, wire: &Wire, wanted: &TokenFor) -> Result<Fetched, SendError> {
        let (request, authorisation) = self.question(wire, wanted)?;
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
        wanted: &TokenFor,
    ) -> Result<(Request, Option<(HeaderName, HeaderValue)>), SendError> {
        match &self.settings {
            AuthSettings::ClientSecretBasic { credentials, token_path, .. } => {
                let encode = |text: &str| {
                    form_urlencoded::byte_serialize(text.as_bytes()).collect::<String>()
                };
                let id = encode(credentials.id.expose());
                let secret = encode(credentials.secret.expose());
                let body = grant(wanted, &[]);
                Ok((form(token_path, body), Some((AUTHORIZATION, basic(&id, &secret)?))))
            }
            AuthSettings::ClientSecretJwt { credentials, token_path, .. } => {
                let base = wire.base.as_str().trim_end_matches('/');
                let audience = format!("{base}{token_path}");
                let assertion =
                    assertion(credentials, &audience, self.clock.now().as_second(), &nonce()?);
                let body = grant(
                    wanted,
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

    fn read(&self, answer: &Response) -> Result<Fetched, SendError> {
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
        Ok((name, value, life(&document)))
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

fn grant(wanted: &TokenFor, more: &[(&str, &str)]) -> String {
    let mut form = form_urlencoded::Serializer::new(String::new());
    form.append_pair("grant_type", "client_credentials").extend_pairs(more);
    for (name, value) in [("scope", &wanted.scope), ("audience", &wanted.audience)] {
        if !value.is_empty() {
            form.append_pair(name, value);
        }
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
        token: None,
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
