//! RabbitMQ over AMQP 0-9-1: one connection to consume, one to publish, each with a supervisor
//! of its own.
//!
//! The client library's automatic recovery is not used: it hides redeliveries and lets
//! acknowledgements reach the wrong channel. Any error and any end of a stream drops the
//! connection; the supervisor connects again, audits the topology, sets the prefetch and consumes.
//! Nothing is ever handed back to the broker in order to retry: waiting happens in the store.

mod connection;
pub mod consumer;
pub mod delivery;
pub mod failure;
pub mod publisher;
pub mod topology;
mod window;

pub use consumer::{Acknowledger, Control, Receipt, Source};
pub use delivery::{Delivery, Properties, Undeliverable};
pub use publisher::AmqpPublisher;
pub use topology::Names;

use crate::model::codes::transport as codes;
use crate::model::{Code, Secret};
use crate::transport::https::Identity;
use lapin::uri::{AMQPScheme, AMQPUri};
use std::fmt;
use std::net::IpAddr;
use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;

/// No step of the conversation with the broker may take longer; a confirm that never comes would
/// otherwise hang for ever.
pub const STEP_TIMEOUT: Duration = Duration::from_secs(10);

/// Deliveries held unacknowledged per queue unless the configuration says otherwise.
pub const DEFAULT_PREFETCH: u16 = 512;

/// Where the broker is and what its things are called.
#[derive(Clone, Debug)]
pub struct Settings {
    /// `amqps://user:password@host:port/vhost`; `amqp://` only to the loopback address.
    pub url: Secret<String>,
    /// Certificate authority of the broker, PEM; the only one trusted. Required by `amqps`.
    pub ca: Option<Vec<u8>>,
    /// Our certificate, for a broker that asks for one.
    pub identity: Option<Identity>,
    /// Largest number of unacknowledged deliveries per queue.
    pub prefetch: u16,
    /// Exchanges and queues.
    pub names: Names,
    /// Paused for so long, the consumer gives back everything, so that another one may take it;
    /// `None` where there is no other. The broker counts what is given back against its delivery
    /// limit, so short pauses give nothing back.
    pub hand_over: Option<Duration>,
    /// Settings that take the place of these for the next connection.
    pub renewal: Renewal,
}

/// Hands new credentials to connections that are yet to be opened; those that are open stay.
#[derive(Clone, Debug, Default)]
pub struct Renewal(Arc<RwLock<Option<Box<Settings>>>>);

impl Renewal {
    /// From now on connections are opened with these. They have passed `Settings::check`.
    pub fn set(&self, settings: Settings) {
        *self.0.write().unwrap_or_else(PoisonError::into_inner) = Some(Box::new(settings));
    }
}

impl Settings {
    /// Settings with the default prefetch and the default names (`watashi.…`).
    pub fn new(url: Secret<String>) -> Settings {
        let (ca, identity, names) = (None, None, Names::default());
        let renewal = Renewal::default();
        let (prefetch, hand_over) = (DEFAULT_PREFETCH, None);
        Settings { url, ca, identity, prefetch, names, hand_over, renewal }
    }

    /// What the next connection is opened with.
    fn latest(&self) -> Settings {
        let renewed = self.renewal.0.read().unwrap_or_else(PoisonError::into_inner);
        renewed.as_deref().unwrap_or(self).clone()
    }

    /// Says what is wrong with them, without connecting.
    pub fn check(&self) -> Result<(), BrokerError> {
        self.uri().map(|_| ())
    }

    /// Where the broker is: `host:port`, the virtual host, the login.
    ///
    /// # Errors
    /// `N107` for a URL that cannot be used.
    pub fn location(&self) -> Result<(String, String, String), BrokerError> {
        let uri = self.uri()?;
        let server = format!("{}:{}", uri.authority.host.to_ascii_lowercase(), uri.authority.port);
        Ok((server, uri.vhost, uri.authority.userinfo.username))
    }

    fn uri(&self) -> Result<AMQPUri, BrokerError> {
        let broken = |detail: &str| BrokerError::new(&codes::BROKER_SETTINGS, detail);
        // The parser's own error may quote the URL and with it the password.
        let mut uri: AMQPUri =
            self.url.expose().parse().map_err(|_| broken("url is not an AMQP URL"))?;
        match uri.scheme {
            AMQPScheme::AMQPS if self.ca.is_none() => Err(broken("amqps needs ca")),
            AMQPScheme::AMQP if !is_loopback(&uri.authority.host) => {
                Err(broken("amqp without TLS leaves this machine"))
            }
            _ => {
                uri.query.heartbeat.get_or_insert(HEARTBEAT_SECONDS);
                Ok(uri)
            }
        }
    }
}

/// A dead peer is noticed after twice this time.
const HEARTBEAT_SECONDS: u16 = 20;

fn is_loopback(host: &str) -> bool {
    let bare = host.trim_start_matches('[').trim_end_matches(']');
    bare == "localhost" || bare.parse::<IpAddr>().is_ok_and(|address| address.is_loopback())
}

/// What the broker connection is doing, for readiness.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Status {
    /// A connection is open and the topology was found right.
    pub connected: bool,
    /// Deliveries can arrive; always false for a publisher and while paused.
    pub consuming: bool,
    /// Why not, with safe text; cleared when it works again.
    pub cause: Option<(&'static Code, String)>,
}

/// Why something with the broker did not work, in safe words.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BrokerError {
    /// The registered code (`N1…`).
    pub code: &'static Code,
    /// Kinds, names of exchanges and queues, the broker's reply code and text; never a body or a
    /// credential.
    pub detail: String,
}

impl BrokerError {
    pub(crate) fn new(code: &'static Code, detail: impl Into<String>) -> BrokerError {
        BrokerError { code, detail: detail.into() }
    }
}

impl fmt::Display for BrokerError {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{} {}: {}", self.code, self.code.title, self.detail)
    }
}

impl std::error::Error for BrokerError {}

#[cfg(test)]
mod tests {
    use super::*;

    fn settings(url: &str, ca: bool) -> Settings {
        let mut settings = Settings::new(Secret::new(url.to_owned()));
        settings.ca = ca.then(Vec::new);
        settings
    }

    #[test]
    fn plain_connections_stay_on_the_machine() {
        for url in ["amqp://127.0.0.1:5672", "amqp://localhost", "amqp://u:p@[::1]:1/v"] {
            assert_eq!(settings(url, false).check(), Ok(()), "{url}");
        }
        for url in ["amqp://192.0.2.1", "amqp://broker.example", "amqp://localhost.example"] {
            let error = settings(url, false).check().expect_err(url);
            assert_eq!(error.code.code, "N107");
        }
    }

    #[test]
    fn tls_needs_an_authority_and_errors_hide_the_password() {
        assert!(settings("amqps://broker.example", false).check().is_err());
        assert!(settings("amqps://broker.example", true).check().is_ok());
        let error = settings("amqp://user:hunter2@host:notaport", false).check().unwrap_err();
        assert!(!error.to_string().contains("hunter2"));
        assert!(
            !format!("{:?}", settings("amqp://u:hunter2@localhost", false)).contains("hunter2")
        );
    }
}
