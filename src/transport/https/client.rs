//! The client to one counterpart: exactly one attempt per call, bounded in time and size.

use super::auth::{Auth, AuthSettings};
use super::connections::{Connection, Connections, Lost};
use super::failure::{after, before, while_reading, while_sending};
use super::resolve::AllowList;
use super::tls::{self, Identity};
use crate::model::codes::transport as codes;
use crate::model::{Clock, Code};
use crate::transport::{Method, Request, Response, SendError, Target};
use axum::http::header::{
    ACCEPT, CONTENT_TYPE, HOST, HeaderMap, HeaderName, HeaderValue, RETRY_AFTER,
};
use axum::http::{self, Uri};
use bytes::{Bytes, BytesMut};
use futures_util::future::BoxFuture;
use http_body_util::Full;
use hyper::body::{Body, Incoming};
use jiff::Timestamp;
use rustls::ClientConfig;
use std::collections::HashMap;
use std::fmt;
use std::net::IpAddr;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use url::{Host, Url};

/// Default limit for connecting including the TLS handshake.
pub const CONNECT_TIMEOUT: Duration = Duration::from_secs(3);
/// Default idle time after which a pooled connection is closed. It should be below the
/// counterpart's, because a request written into a connection that is just being closed looks
/// like a lost answer.
pub const POOL_IDLE_TIMEOUT: Duration = Duration::from_secs(10);
/// What a deadline must leave for the exchange itself beyond connecting.
const LEAST_AFTER_CONNECT: Duration = Duration::from_millis(500);
/// A longer `Retry-After` is taken as this.
const LONGEST_RETRY_AFTER: Duration = Duration::from_secs(24 * 60 * 60);

/// Where a counterpart is and how to speak to it.
#[derive(Clone, Debug)]
pub struct HttpsSettings {
    /// The adapter's name, for logs.
    pub name: String,
    /// `https://host[:port][/base]`; no query, no user.
    pub base_url: Url,
    /// The counterpart's certificate authority, PEM; the only one trusted.
    pub ca_pem: Vec<u8>,
    /// Our certificate and key, where the counterpart wants one.
    pub identity: Option<Identity>,
    /// Which addresses the host may have.
    pub addresses: AllowList,
    /// Limit for connecting including the TLS handshake.
    pub connect_timeout: Duration,
    /// How long unused connections are kept.
    pub pool_idle_timeout: Duration,
    /// How requests are authorised.
    pub auth: AuthSettings,
}

impl HttpsSettings {
    /// Settings with default limits, no certificate of our own, no authorisation and public
    /// addresses only.
    pub fn new(name: impl Into<String>, base_url: Url, ca_pem: Vec<u8>) -> HttpsSettings {
        HttpsSettings {
            name: name.into(),
            base_url,
            ca_pem,
            identity: None,
            addresses: AllowList::default(),
            connect_timeout: CONNECT_TIMEOUT,
            pool_idle_timeout: POOL_IDLE_TIMEOUT,
            auth: AuthSettings::None,
        }
    }
}

/// Settings that cannot be used, in safe words (code `N231`, or `N203` for a refused address).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SettingsError {
    /// The registered code.
    pub code: &'static Code,
    /// Which entry, and why.
    pub detail: String,
}

impl fmt::Display for SettingsError {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{} {}: {}", self.code, self.code.title, self.detail)
    }
}

impl std::error::Error for SettingsError {}

/// One counterpart over HTTPS.
pub struct HttpsTarget {
    pub(super) wire: Wire,
    pub(super) auth: Auth,
}

impl fmt::Debug for HttpsTarget {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("HttpsTarget").field("name", &self.wire.name).finish_non_exhaustive()
    }
}

impl HttpsTarget {
    /// Builds the client; nothing is connected.
    ///
    /// # Errors
    /// A base URL that is not https or holds a user, query or fragment; a literal address that is
    /// not allowed; certificates or keys that cannot be read.
    pub fn new(
        settings: HttpsSettings,
        clock: Arc<dyn Clock>,
    ) -> Result<HttpsTarget, SettingsError> {
        let auth = Auth::new(settings.auth.clone(), Arc::clone(&clock));
        Ok(HttpsTarget { wire: Wire::new(settings, clock)?, auth })
    }

    /// The adapter's name.
    pub fn name(&self) -> &str {
        &self.wire.name
    }

    async fn attempt(&self, request: Request) -> Result<Response, SendError> {
        let authorised = self.auth.header(&self.wire, request.token.as_deref()).await?;
        let answer = self.wire.exchange(request, authorised.header).await?;
        Ok(Response { token: authorised.token, ..answer })
    }
}

impl Target for HttpsTarget {
    fn send(&self, request: Request) -> BoxFuture<'_, Result<Response, SendError>> {
        Box::pin(self.attempt(request))
    }

    fn forget_token(&self, number: u64) {
        self.auth.forget(number);
    }
}

/// Requests and answers, without authorisation.
pub(super) struct Wire {
    pub name: String,
    pub base: Url,
    pub tls: ClientConfig,
    pub addresses: Arc<AllowList>,
    pub connect_timeout: Duration,
    /// The `Host` of every request.
    host: HeaderValue,
    connections: Connections,
    clock: Arc<dyn Clock>,
    /// Targets of paths seen before: most operations have one path, and parsing it anew for every
    /// request costs more than mapping a small document.
    located: Mutex<HashMap<String, Uri>>,
}

/// Paths remembered; those with a ticket in them would fill it, so it stops taking more.
const LOCATED: usize = 64;

impl Wire {
    fn new(settings: HttpsSettings, clock: Arc<dyn Clock>) -> Result<Wire, SettingsError> {
        let unusable =
            |detail: String| SettingsError { code: &codes::COUNTERPART_SETTINGS, detail };
        let base = check_base(settings.base_url, &settings.addresses)?;
        let tls = tls::client_config(&settings.ca_pem, settings.identity.as_ref())
            .map_err(|error| unusable(error.to_string()))?;
        let addresses = Arc::new(settings.addresses);
        let no_host = || unusable("base-url: needs a host".to_owned());
        let host = match (base.host_str(), base.port()) {
            (Some(host), Some(port)) => format!("{host}:{port}"),
            (host, _) => host.ok_or_else(no_host)?.to_owned(),
        };
        let (connect_timeout, idle) = (settings.connect_timeout, settings.pool_idle_timeout);
        let allowed = Arc::clone(&addresses);
        Ok(Wire {
            name: settings.name,
            host: HeaderValue::try_from(host).map_err(|_| no_host())?,
            connections: Connections::new(&base, tls.clone(), allowed, connect_timeout, idle)
                .ok_or_else(no_host)?,
            base,
            tls,
            addresses,
            connect_timeout,
            clock,
            located: Mutex::default(),
        })
    }

    /// One request and its whole answer.
    pub async fn exchange(
        &self,
        request: Request,
        authorisation: Option<(HeaderName, HeaderValue)>,
    ) -> Result<Response, SendError> {
        let target = self.locate(&request.path)?;
        let mut headers = check_headers(&request.headers)?;
        if let Some((name, value)) = authorisation {
            headers.insert(name, value);
        }
        headers.entry(ACCEPT).or_insert(HeaderValue::from_static("*/*"));
        headers.insert(HOST, self.host.clone());
        let mut asking = http::Request::new(Full::new(request.body));
        *asking.method_mut() = match request.method {
            Method::Get => http::Method::GET,
            Method::Post => http::Method::POST,
            Method::Put => http::Method::PUT,
            Method::Delete => http::Method::DELETE,
        };
        *asking.uri_mut() = target;
        *asking.headers_mut() = headers;
        // A deadline that ends while connecting could not be told from a lost answer.
        let deadline = request.timeout.max(self.connect_timeout + LEAST_AFTER_CONNECT);
        let mut answering = false;
        let asked = self.ask(asking, request.max_response, &mut answering);
        let in_time = tokio::time::timeout(deadline, asked).await;
        in_time.unwrap_or_else(|_| {
            let detail = if answering { "answer incomplete" } else { "no answer" };
            Err(after(&codes::ANSWER_TIMEOUT, detail))
        })
    }

    /// `answering` is set when the head of the answer is there.
    async fn ask(
        &self,
        mut asking: http::Request<Full<Bytes>>,
        most: usize,
        answering: &mut bool,
    ) -> Result<Response, SendError> {
        // One that ended unnoticed gives the request back as it was: not a byte of it was written.
        while let Some(mut connection) = self.connections.idle().await {
            match connection.send(asking).await {
                Ok(answer) => {
                    *answering = true;
                    return self.read(connection, answer, most).await;
                }
                Err(Lost::Unused(unused, _)) => asking = *unused,
                Err(Lost::Error(error)) => return Err(while_sending(&error)),
            }
        }
        let mut connection = self.connections.open().await?;
        match connection.send(asking).await {
            Ok(answer) => {
                *answering = true;
                self.read(connection, answer, most).await
            }
            // Also one that ended before the request was on its way: what it ended with says why.
            Err(Lost::Unused(_, error) | Lost::Error(error)) => Err(while_sending(&error)),
        }
    }

    async fn read(
        &self,
        mut connection: Connection,
        answer: http::Response<Incoming>,
        most: usize,
    ) -> Result<Response, SendError> {
        let too_large = || after(&codes::ANSWER_TOO_LARGE, format!("over {most} bytes"));
        let (head, mut incoming) = answer.into_parts();
        if incoming.size_hint().lower() > most as u64 {
            return Err(too_large());
        }
        let mut whole = Bytes::new();
        while let Some(frame) = connection.next(&mut incoming).await {
            let frame = frame.map_err(|error| while_reading(&error))?;
            let Ok(part) = frame.into_data() else { continue };
            if whole.len() + part.len() > most {
                return Err(too_large());
            }
            whole = match whole.is_empty() {
                true => part,
                false => {
                    let mut longer = BytesMut::from(whole);
                    longer.extend_from_slice(&part);
                    longer.freeze()
                }
            };
        }
        self.connections.keep(connection).await;
        Ok(Response {
            status: head.status.as_u16(),
            content_type: media_type(&head.headers),
            retry_after: retry_after(&head.headers, self.clock.now()),
            body: whole,
            token: None,
        })
    }

    /// What the request line names, provided that the full URL says exactly what was asked for: a
    /// dot segment or a fragment would silently change it.
    fn locate(&self, path: &str) -> Result<Uri, SendError> {
        let mut located = self.located.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(url) = located.get(path) {
            return Ok(url.clone());
        }
        let url = self.parse(path)?;
        if located.len() < LOCATED {
            located.insert(path.to_owned(), url.clone());
        }
        Ok(url)
    }

    fn parse(&self, path: &str) -> Result<Uri, SendError> {
        let malformed = || before(&codes::REQUEST_MALFORMED, "path");
        if !path.starts_with('/') {
            return Err(malformed());
        }
        let whole = format!("{}{path}", self.base.as_str().trim_end_matches('/'));
        let url = Url::parse(&whole).map_err(|_| malformed())?;
        let unchanged = url.as_str() == whole && url.fragment().is_none();
        if !unchanged {
            return Err(malformed());
        }
        Uri::try_from(&url[url::Position::BeforePath..]).map_err(|_| malformed())
    }
}

fn check_base(base: Url, addresses: &AllowList) -> Result<Url, SettingsError> {
    let refuse =
        |code, detail: &str| Err(SettingsError { code, detail: format!("base-url: {detail}") });
    let unusable = |detail| refuse(&codes::COUNTERPART_SETTINGS, detail);
    if base.scheme() != "https" {
        return unusable("must be https");
    }
    if !base.username().is_empty() || base.password().is_some() {
        return unusable("must not hold a user or password");
    }
    if base.query().is_some() || base.fragment().is_some() {
        return unusable("must not hold a query or fragment");
    }
    let literal = match base.host() {
        None => return unusable("needs a host"),
        Some(Host::Domain(_)) => None,
        Some(Host::Ipv4(address)) => Some(IpAddr::V4(address)),
        Some(Host::Ipv6(address)) => Some(IpAddr::V6(address)),
    };
    if literal.is_some_and(|address| !addresses.permits(address)) {
        return refuse(&codes::ADDRESS_REFUSED, "its address is not in addresses");
    }
    Ok(base)
}

fn check_headers(headers: &[(String, String)]) -> Result<HeaderMap, SendError> {
    let mut checked = HeaderMap::with_capacity(headers.len() + 1);
    for (name, value) in headers {
        // The value stays out of the error: it may be what an attacker sent.
        let malformed = |_| before(&codes::REQUEST_MALFORMED, format!("header {name:?}"));
        let key = HeaderName::from_bytes(name.as_bytes())
            .map_err(|_| before(&codes::REQUEST_MALFORMED, "a header's name"))?;
        checked.append(key, HeaderValue::from_str(value).map_err(malformed)?);
    }
    Ok(checked)
}

fn media_type(headers: &HeaderMap) -> String {
    let value = headers.get(CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
    value.split(';').next().unwrap_or_default().trim().to_ascii_lowercase()
}

/// `Retry-After` in seconds or as an HTTP date (RFC 9110 section 10.2.3).
fn retry_after(headers: &HeaderMap, now: Timestamp) -> Option<Duration> {
    let value = headers.get(RETRY_AFTER)?.to_str().ok()?.trim();
    let delay = if value.bytes().all(|byte| byte.is_ascii_digit()) {
        Duration::from_secs(value.parse().ok()?)
    } else {
        let at = jiff::fmt::rfc2822::DateTimeParser::new().parse_timestamp(value).ok()?;
        Duration::try_from(at.duration_since(now)).unwrap_or(Duration::ZERO)
    };
    Some(delay.min(LONGEST_RETRY_AFTER))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn waits(value: &'static str) -> Option<u64> {
        let now: Timestamp = "2026-06-01T00:00:00Z".parse().unwrap();
        let headers = HeaderMap::from_iter([(RETRY_AFTER, HeaderValue::from_static(value))]);
        retry_after(&headers, now).map(|delay| delay.as_secs())
    }

    #[test]
    fn retry_after_is_seconds_or_a_date() {
        assert_eq!(waits("120"), Some(120));
        assert_eq!(waits("Mon, 01 Jun 2026 00:02:00 GMT"), Some(120));
        assert_eq!(waits("Sun, 31 May 2026 23:00:00 GMT"), Some(0));
        assert_eq!(waits("9999999"), Some(86_400));
        for unreadable in ["", "soon", "-1", "1.5", "99999999999999999999999"] {
            assert_eq!(waits(unreadable), None, "{unreadable:?}");
        }
    }

    #[test]
    fn media_types_lose_parameters_and_case() {
        let of = |value| {
            media_type(&HeaderMap::from_iter([(CONTENT_TYPE, HeaderValue::from_static(value))]))
        };
        assert_eq!(of("Application/JSON; charset=utf-8"), "application/json");
        assert_eq!(media_type(&HeaderMap::new()), "");
    }

    #[test]
    fn base_urls_are_checked() {
        let check = |text: &str| {
            check_base(Url::parse(text).unwrap(), &AllowList::default())
                .map_err(|error| error.code.code)
        };
        assert!(check("https://counterpart.example/base").is_ok());
        assert_eq!(check("http://counterpart.example"), Err("N231"));
        assert_eq!(check("https://user:pw@counterpart.example"), Err("N231"));
        assert_eq!(check("https://counterpart.example/?q"), Err("N231"));
        for literal in
            ["https://127.0.0.1", "https://[::1]", "https://2130706433", "https://169.254.169.254"]
        {
            assert_eq!(check(literal), Err("N203"), "{literal}");
        }
    }

    #[test]
    fn header_values_cannot_break_out() {
        let check = |name: &str, value: &str| {
            check_headers(&[(name.to_owned(), value.to_owned())]).map_err(|error| error.detail)
        };
        assert!(check("X-A", "fine").is_ok());
        let error = check("X-A", "a\r\nX-B: secret").unwrap_err();
        assert!(!error.contains("secret"));
        assert!(check("X A", "a").is_err());
        assert!(check("X-A", "a\0b").is_err());
    }
}
