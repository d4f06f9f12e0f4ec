//! Opening a connection, bounding each step, and the pauses between attempts.

use super::failure;
use super::{BrokerError, STEP_TIMEOUT, Settings};
use crate::model::codes::transport as codes;
use crate::transport::https::tls;
use backon::{BackoffBuilder, ExponentialBuilder};
use futures_util::StreamExt;
use futures_util::stream::BoxStream;
use lapin::tcp::RustlsConnector;
use lapin::types::ShortString;
use lapin::uri::{AMQPScheme, AMQPUri};
use lapin::{AsyncTcpStream, Connect, Connection, ConnectionProperties, Event};
use std::net::SocketAddr;
use std::time::Duration;

/// First pause between two attempts to connect; doubled up to half the cap, plus jitter.
const FIRST_PAUSE: Duration = Duration::from_millis(200);
/// No pause is longer.
const LONGEST_PAUSE: Duration = Duration::from_secs(10);

/// Runs one step of the conversation, bounded in time.
pub(super) async fn step<T>(
    name: &'static str,
    future: impl Future<Output = lapin::Result<T>>,
) -> Result<T, BrokerError> {
    match tokio::time::timeout(STEP_TIMEOUT, future).await {
        Ok(Ok(value)) => Ok(value),
        Ok(Err(error)) => Err(failure::of(name, &error)),
        Err(_) => Err(failure::timed_out(name)),
    }
}

/// A new connection; `purpose` is shown in the broker's list of connections.
pub(super) async fn open(settings: &Settings, purpose: &str) -> Result<Connection, BrokerError> {
    let settings = &settings.latest();
    let uri = settings.uri()?;
    let name = format!("{} {purpose}", settings.names.incoming);
    // Automatic recovery stays off: see the module's page.
    let properties = ConnectionProperties::default().with_connection_name(name.into());
    match uri.scheme {
        AMQPScheme::AMQP => step("connect", uri.connect(properties)).await,
        AMQPScheme::AMQPS => open_tls(settings, uri, properties).await,
    }
}

/// Trusts the configured authority and nobody else; the library's own TLS settings would add it
/// to the machine's.
async fn open_tls(
    settings: &Settings,
    uri: AMQPUri,
    properties: ConnectionProperties,
) -> Result<Connection, BrokerError> {
    let broken = |detail: String| BrokerError::new(&codes::BROKER_SETTINGS, detail);
    let authority = settings.ca.as_deref().unwrap_or_default();
    let config = tls::client_config(authority, settings.identity.as_ref())
        .map_err(|error| broken(error.to_string()))?;
    let connector = RustlsConnector::from(config);
    let runtime = lapin::runtime::default_runtime().map_err(|e| failure::of("connect", &e))?;
    let host = (uri.authority.host.as_str(), uri.authority.port);
    let resolve = async { Ok(tokio::net::lookup_host(host).await?.collect::<Vec<SocketAddr>>()) };
    let addresses = step("resolve", resolve).await?;
    let connect = Connection::connector(
        uri,
        runtime,
        async move |uri, runtime| {
            let stream = AsyncTcpStream::connect(&runtime, addresses.clone()).await?;
            Ok(stream.into_rustls(&connector, &uri.authority.host).await?)
        },
        properties,
    );
    step("connect", connect).await
}

/// The connection's news; an `Event::Error` or the end of the stream means that it is lost.
pub(super) fn events(connection: &Connection) -> BoxStream<'static, Event> {
    connection.events_listener().boxed()
}

/// Ends a connection in good order; whoever asks is leaving anyway, so failures are of no use.
pub(super) async fn close(connection: &Connection) {
    let _ = step("close", connection.close(200, ShortString::default())).await;
}

/// Jittered pauses between attempts to connect, without end.
pub(super) fn pauses() -> impl Iterator<Item = Duration> + Send {
    ExponentialBuilder::default()
        .with_min_delay(FIRST_PAUSE)
        .with_max_delay(LONGEST_PAUSE / 2)
        .with_jitter()
        .without_max_times()
        .build()
        .map(|pause| pause.min(LONGEST_PAUSE))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_grow_to_the_cap_and_never_end() {
        let pauses: Vec<Duration> = pauses().take(100).collect();
        assert_eq!(pauses.len(), 100);
        assert!(pauses.iter().all(|pause| (FIRST_PAUSE..=LONGEST_PAUSE).contains(pause)));
        assert!(pauses.last().is_some_and(|pause| *pause >= LONGEST_PAUSE / 2));
    }
}
