//! Asking a counterpart whether it could be reached, without sending it anything of a message.

use super::client::HttpsTarget;
use super::failure::{before, tls_kind};
use super::resolve::ResolveError;
use super::tls::certificate_end;
use crate::model::TokenFor;
use crate::model::codes::transport as codes;
use crate::transport::SendError;
use jiff::Timestamp;
use rustls::pki_types::ServerName;
use std::collections::BTreeSet;
use std::net::SocketAddr;
use std::sync::Arc;
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;

/// What a probe found.
#[derive(Clone, Debug)]
pub struct Probe {
    /// The address that was connected to.
    pub address: SocketAddr,
    /// When the counterpart's certificate ends.
    pub certificate_until: Option<Timestamp>,
    /// The protocol agreed on, e.g. `TLSv1_3`.
    pub protocol: String,
    /// Whether credentials could be turned into every token that is wanted; `Ok` too where none is.
    pub token: Result<(), SendError>,
}

/// Connects, shakes hands and fetches a token for each of `wanted`, `None` being the usual one.
///
/// With TLS 1.3 a counterpart judges our certificate only after the handshake, so a refused
/// certificate shows in `token` or in the first request.
///
/// # Errors
/// The first step that failed, with the code a request would have had.
pub async fn probe(
    target: &HttpsTarget,
    wanted: &BTreeSet<Option<Arc<TokenFor>>>,
) -> Result<Probe, SendError> {
    let wire = &target.wire;
    let host = wire.base.host_str().unwrap_or_default();
    let bare = host.trim_start_matches('[').trim_end_matches(']');
    let port = wire.base.port_or_known_default().unwrap_or(443);
    let addresses = wire.addresses.resolve(bare).await.map_err(|error| match error {
        ResolveError::Refused => before(&codes::ADDRESS_REFUSED, "no allowed address"),
        ResolveError::Unknown => before(&codes::NAME_UNRESOLVED, "name not found"),
    })?;
    let addresses: Vec<_> =
        addresses.into_iter().map(|address| SocketAddr::new(address.ip(), port)).collect();
    let name = ServerName::try_from(bare.to_owned())
        .map_err(|_| before(&codes::NAME_UNRESOLVED, "not a host name"))?;
    let connector = TlsConnector::from(Arc::new(wire.tls.clone()));
    let shake = async {
        let stream = TcpStream::connect(&addresses[..])
            .await
            .map_err(|error| before(&codes::CONNECT_FAILED, error.kind().to_string()))?;
        let address = stream
            .peer_addr()
            .map_err(|error| before(&codes::CONNECT_FAILED, error.kind().to_string()))?;
        let stream = connector.connect(name, stream).await.map_err(|error| {
            let tls = error.get_ref().and_then(|inner| inner.downcast_ref::<rustls::Error>());
            before(&codes::TLS_FAILED, tls.map_or(error.kind().to_string(), tls_kind))
        })?;
        Ok((address, stream))
    };
    let (address, stream) = tokio::time::timeout(wire.connect_timeout, shake)
        .await
        .map_err(|_| before(&codes::CONNECT_TIMEOUT, "connecting"))??;
    let session = stream.get_ref().1;
    let mut token = Ok(());
    for one in wanted {
        token = token.and(target.auth.header(wire, one.as_deref()).await.map(|_| ()));
    }
    let certificate = session.peer_certificates().and_then(<[_]>::first);
    Ok(Probe {
        address,
        certificate_until: certificate.and_then(certificate_end),
        protocol: session.protocol_version().map(|v| format!("{v:?}")).unwrap_or_default(),
        token,
    })
}
