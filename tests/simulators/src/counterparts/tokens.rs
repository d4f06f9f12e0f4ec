//! Tokens handed out by a counterpart, and the signed assertions they are handed out for.

use crate::clock;
use crate::counterparts::json::refuse;
use crate::counterparts::{Answer, Received};
use aws_lc_rs::hmac;
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::Deserialize;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Mutex, PoisonError};

/// The valid tokens of one counterpart.
pub struct Tokens {
    lifetime_ms: i64,
    seed: u64,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    issued: u64,
    /// Until when, and for which scope.
    valid: BTreeMap<String, (i64, String)>,
    assertions: BTreeSet<String>,
}

impl Tokens {
    /// Tokens that live so long, in seconds.
    pub fn new(seed: u64, lifetime_seconds: i64) -> Self {
        Tokens { lifetime_ms: lifetime_seconds * 1_000, seed, state: Mutex::default() }
    }

    /// Lifetime in seconds, as told to the client.
    pub fn lifetime_seconds(&self) -> i64 {
        self.lifetime_ms / 1_000
    }

    /// A new token for a scope.
    pub fn issue(&self, scope: &str) -> String {
        let mut state = self.lock();
        state.issued += 1;
        let number = state.issued;
        let mut random = crate::random::Random::new(self.seed.wrapping_add(number), "tokens");
        let token = format!("{:016x}{:016x}", random.word(), random.word());
        let until = clock::passed_ms() + self.lifetime_ms;
        state.valid.insert(token.clone(), (until, scope.to_owned()));
        token
    }

    /// Whether the token is known and has not expired.
    pub fn accepts(&self, token: &str) -> bool {
        self.lock().valid.get(token).is_some_and(|(until, _)| clock::passed_ms() < *until)
    }

    /// Whether the token is for exactly this scope.
    pub fn is_for(&self, token: &str, scope: &str) -> bool {
        self.lock().valid.get(token).is_some_and(|(_, granted)| granted == scope)
    }

    /// Takes a token back.
    pub fn revoke(&self, token: &str) {
        self.lock().valid.remove(token);
    }

    /// Notes the id of an assertion; false when it was used before.
    pub fn first_use(&self, assertion_id: &str) -> bool {
        self.lock().assertions.insert(assertion_id.to_owned())
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[derive(Deserialize)]
struct JwtHeader {
    alg: String,
}

#[derive(Deserialize)]
struct Claims {
    iss: String,
    sub: String,
    aud: serde_json::Value,
    exp: i64,
    jti: String,
}

/// Answers a request for a token by client credentials with a signed assertion.
pub fn grant(
    request: &Received,
    client_id: &str,
    secret: &str,
    token_path: &str,
    tokens: &Tokens,
) -> Answer {
    let form = form(&request.body);
    let field = |name: &str| form.get(name).map(String::as_str).unwrap_or_default();
    let media = request.header("content-type").unwrap_or_default();
    if !media.to_ascii_lowercase().starts_with("application/x-www-form-urlencoded") {
        return refuse(415, "invalid_request", "the token request is not a form");
    }
    if field("grant_type") != "client_credentials" {
        return refuse(400, "unsupported_grant_type", "grant_type is not client_credentials");
    }
    if field("client_assertion_type") != "urn:ietf:params:oauth:client-assertion-type:jwt-bearer" {
        return refuse(400, "invalid_request", "client_assertion_type is not jwt-bearer");
    }
    match check_assertion(field("client_assertion"), client_id, secret, token_path) {
        Err(problem) => refuse(401, "invalid_client", problem),
        Ok(jti) if !tokens.first_use(&jti) => {
            refuse(401, "invalid_client", "the jti was used before")
        }
        Ok(_) => Answer::json(
            200,
            &serde_json::json!({"access_token": tokens.issue(field("scope")), "token_type": "Bearer",
                "expires_in": tokens.lifetime_seconds()}),
        ),
    }
}

/// What is said of an assertion of another time: also where the client's clock was set wrong.
pub const OTHER_CLOCK: &str = "exp is past or more than 10 minutes ahead";

/// Checks a `client_secret_jwt` assertion (RFC 7523, HS256); gives its `jti`.
pub fn check_assertion(
    assertion: &str,
    client_id: &str,
    secret: &str,
    token_path: &str,
) -> Result<String, &'static str> {
    let mut parts = assertion.split('.');
    let (Some(header), Some(payload), Some(signature), None) =
        (parts.next(), parts.next(), parts.next(), parts.next())
    else {
        return Err("the assertion has not three parts");
    };
    let read =
        |part: &str| URL_SAFE_NO_PAD.decode(part).map_err(|_| "the assertion is not base64url");
    let parsed: JwtHeader =
        serde_json::from_slice(&read(header)?).map_err(|_| "the header is not JSON")?;
    if parsed.alg != "HS256" {
        return Err("alg is not HS256");
    }
    let key = hmac::Key::new(hmac::HMAC_SHA256, secret.as_bytes());
    hmac::verify(&key, format!("{header}.{payload}").as_bytes(), &read(signature)?)
        .map_err(|_| "the signature is wrong")?;
    let claims: Claims =
        serde_json::from_slice(&read(payload)?).map_err(|_| "the claims are not as documented")?;
    let audience = match &claims.aud {
        serde_json::Value::String(one) => one.as_str(),
        serde_json::Value::Array(many) => many.first().and_then(|v| v.as_str()).unwrap_or(""),
        _ => "",
    };
    if claims.iss != client_id || claims.sub != client_id {
        return Err("iss or sub is not the client id");
    }
    if !(audience.starts_with("https://") && audience.ends_with(token_path)) {
        return Err("aud is not the token endpoint");
    }
    let fits = |now: i64| claims.exp > now / 1_000 && claims.exp <= now / 1_000 + 600;
    if !clock::lately_ms().into_iter().any(fits) {
        return Err(OTHER_CLOCK);
    }
    Ok(claims.jti)
}

/// Makes an assertion; for tests and for driving the counterparts by hand.
pub fn assertion(client_id: &str, secret: &str, audience: &str, jti: &str) -> String {
    let claims = serde_json::json!({"iss": client_id, "sub": client_id, "aud": audience,
        "exp": clock::now_ms() / 1_000 + 60, "jti": jti});
    let header = URL_SAFE_NO_PAD.encode(br#"{"alg":"HS256","typ":"JWT"}"#);
    let payload = URL_SAFE_NO_PAD.encode(claims.to_string());
    let key = hmac::Key::new(hmac::HMAC_SHA256, secret.as_bytes());
    let signature = hmac::sign(&key, format!("{header}.{payload}").as_bytes());
    format!("{header}.{payload}.{}", URL_SAFE_NO_PAD.encode(signature))
}

/// Fields of an `application/x-www-form-urlencoded` body.
fn form(body: &[u8]) -> BTreeMap<String, String> {
    let text = String::from_utf8_lossy(body).into_owned();
    text.split('&')
        .filter_map(|pair| pair.split_once('='))
        .map(|(name, value)| (decode(name), decode(value)))
        .collect()
}

fn decode(text: &str) -> String {
    let mut bytes = Vec::new();
    let mut rest = text.bytes();
    while let Some(byte) = rest.next() {
        bytes.push(match byte {
            b'+' => b' ',
            b'%' => {
                let hex: String = rest.by_ref().take(2).map(char::from).collect();
                u8::from_str_radix(&hex, 16).unwrap_or(b'?')
            }
            other => other,
        });
    }
    String::from_utf8_lossy(&bytes).into_owned()
}
