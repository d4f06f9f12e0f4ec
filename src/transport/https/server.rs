//! The listeners: TLS for what comes in, plain for the loopback operations port.
//!
//! Slow or greedy clients are bounded here: number of connections, time for the handshake, time
//! for the head of a request. Bounds on bodies belong to the routes.

use super::tls::{PeerName, ServerTls, TlsError, peer_name, server_config};
use crate::transport::{Shutdown, stopped};
use axum::Router;
use axum::body::Body;
use axum::extract::ConnectInfo;
use axum::http::Request;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use rustls::pki_types::CertificateDer;
use std::net::SocketAddr;
use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Semaphore;
use tokio::task::JoinSet;
use tokio_rustls::TlsAcceptor;
use tower::ServiceExt;

/// Limit for the TLS handshake.
const HANDSHAKE_TIMEOUT: Duration = Duration::from_secs(5);
/// Limit for the head of a request; also how long an idle connection is kept.
const HEAD_TIMEOUT: Duration = Duration::from_secs(10);
/// Connections served at once; more wait in the kernel's queue.
const MAX_CONNECTIONS: usize = 256;
/// How long requests under way may take after the word to stop.
const DRAIN: Duration = Duration::from_secs(10);
/// Pause after the system refused a connection, e.g. for lack of file descriptors.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

/// Request extension: who the client is by its certificate; `None` when it showed none.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PeerCertificate(pub Option<PeerName>);

/// Request extension: the certificate the client showed, with the intermediates behind it; empty
/// when it showed none.
#[derive(Clone, Debug, Default)]
pub struct PeerChain(pub Arc<[CertificateDer<'static>]>);

/// The certificates of a listener; renewed ones count for connections that are yet to come.
#[derive(Clone)]
pub struct Certificates(Arc<RwLock<TlsAcceptor>>);

impl std::fmt::Debug for Certificates {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str("Certificates")
    }
}

impl Certificates {
    /// The first ones.
    ///
    /// # Errors
    /// Certificates or keys that cannot be used.
    pub fn new(tls: &ServerTls) -> Result<Certificates, TlsError> {
        Ok(Certificates(Arc::new(RwLock::new(acceptor(tls)?))))
    }

    /// Others in their place.
    ///
    /// # Errors
    /// As `new`; the old ones stay.
    pub fn renew(&self, tls: &ServerTls) -> Result<(), TlsError> {
        let renewed = acceptor(tls)?;
        *self.0.write().unwrap_or_else(PoisonError::into_inner) = renewed;
        Ok(())
    }

    fn acceptor(&self) -> TlsAcceptor {
        self.0.read().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

fn acceptor(tls: &ServerTls) -> Result<TlsAcceptor, TlsError> {
    Ok(TlsAcceptor::from(Arc::new(server_config(tls)?)))
}

/// Serves HTTPS until told to stop, then lets requests under way end for a bounded time. Every
/// request carries `PeerCertificate`, `PeerChain` and `ConnectInfo<SocketAddr>` as extensions.
pub async fn serve(
    listener: TcpListener,
    certificates: Certificates,
    router: Router,
    shutdown: Shutdown,
) {
    accept(listener, Some(certificates), router, shutdown).await;
}

/// Serves HTTP without TLS, for listeners on the loopback address.
pub async fn serve_plain(listener: TcpListener, router: Router, shutdown: Shutdown) {
    accept(listener, None, router, shutdown).await;
}

async fn accept(
    listener: TcpListener,
    certificates: Option<Certificates>,
    router: Router,
    mut shutdown: Shutdown,
) {
    let places = Arc::new(Semaphore::new(MAX_CONNECTIONS));
    let mut connections = JoinSet::new();
    loop {
        let place = tokio::select! {
            place = Arc::clone(&places).acquire_owned() => place,
            () = stopped(&mut shutdown) => break,
        };
        let accepted = tokio::select! {
            accepted = listener.accept() => accepted,
            () = stopped(&mut shutdown) => break,
        };
        while connections.try_join_next().is_some() {}
        match accepted {
            Ok((stream, from)) => {
                let acceptor = certificates.as_ref().map(Certificates::acceptor);
                let (router, shutdown) = (router.clone(), shutdown.clone());
                connections.spawn(async move {
                    connection(stream, from, acceptor, router, shutdown).await;
                    drop(place);
                });
            }
            Err(error) => {
                let code = crate::model::codes::transport::LISTENER_FAILED.code;
                tracing::warn!(code, kind = %error.kind(), "connection refused by the system");
                tokio::time::sleep(ACCEPT_PAUSE).await;
            }
        }
    }
    drop(listener);
    let all = async { while connections.join_next().await.is_some() {} };
    // What is not over by then is cut off when the set is dropped.
    let _ = tokio::time::timeout(DRAIN, all).await;
}

async fn connection(
    stream: TcpStream,
    from: SocketAddr,
    acceptor: Option<TlsAcceptor>,
    router: Router,
    shutdown: Shutdown,
) {
    let Some(acceptor) = acceptor else {
        let nobody = (PeerCertificate(None), PeerChain::default());
        return converse(stream, from, nobody, router, shutdown).await;
    };
    let handshake = acceptor.accept(stream).into_fallible();
    match tokio::time::timeout(HANDSHAKE_TIMEOUT, handshake).await {
        Ok(Ok(stream)) => {
            let chain = stream.get_ref().1.peer_certificates().unwrap_or_default();
            let peer = PeerCertificate(chain.first().and_then(peer_name));
            let chain = chain.iter().map(|one| one.clone().into_owned()).collect();
            converse(stream, from, (peer, PeerChain(chain)), router, shutdown).await;
        }
        Ok(Err((error, stream))) => {
            tracing::debug!(kind = %error.kind(), "handshake failed");
            let _ = tokio::time::timeout(HANDSHAKE_TIMEOUT, linger(stream)).await;
        }
        Err(_) => tracing::debug!("handshake took too long"),
    }
}

/// Reads what a refused client has sent already. Closing over unread data would reset the
/// connection, and the client might never see the alert that tells it why.
async fn linger(mut stream: TcpStream) {
    let _ = stream.shutdown().await;
    let mut rest = [0_u8; 1024];
    for _ in 0..64 {
        match stream.read(&mut rest).await {
            Ok(0) | Err(_) => return,
            Ok(_) => {}
        }
    }
}

async fn converse(
    stream: impl AsyncRead + AsyncWrite + Unpin + Send + 'static,
    from: SocketAddr,
    (peer, chain): (PeerCertificate, PeerChain),
    router: Router,
    mut shutdown: Shutdown,
) {
    let service = service_fn(move |request: Request<Incoming>| {
        let mut request = request.map(Body::new);
        request.extensions_mut().insert(peer.clone());
        request.extensions_mut().insert(chain.clone());
        request.extensions_mut().insert(ConnectInfo(from));
        router.clone().oneshot(request)
    });
    let connection = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(HEAD_TIMEOUT)
        .serve_connection(TokioIo::new(stream), service);
    tokio::pin!(connection);
    let ended = tokio::select! {
        ended = connection.as_mut() => ended,
        () = stopped(&mut shutdown) => {
            connection.as_mut().graceful_shutdown();
            connection.await
        }
    };
    if ended.is_err() {
        tracing::debug!("connection broken by the client");
    }
}
