//! Connections to one counterpart: opened when needed, used again while they are fresh.
//!
//! A connection is driven by the task that waits for its answer, so an exchange needs no second
//! task and no word between the two. Between exchanges nobody drives it: what happened meanwhile is
//! seen before it is used again, and a sweep takes leave of those that were idle for too long.

use super::failure::{self, before};
use super::resolve::{AllowList, ResolveError};
use crate::model::codes::transport as codes;
use crate::transport::SendError;
use axum::http::{Request, Response};
use bytes::Bytes;
use http_body_util::Full;
use hyper::body::{Body, Frame, Incoming};
use hyper::client::conn::http1;
use hyper_util::rt::TokioIo;
use rustls::ClientConfig;
use rustls::pki_types::ServerName;
use std::future::poll_fn;
use std::net::SocketAddr;
use std::pin::{Pin, pin};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::task::{Context, Poll};
use std::time::Duration;
use tokio::net::TcpStream;
use tokio::time::Instant;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;
use url::{Host, Url};

type Driver = http1::Connection<TokioIo<TlsStream<TcpStream>>, Full<Bytes>>;

/// How long a connection may take to say farewell.
const FAREWELL: Duration = Duration::from_secs(1);

/// Where connections lead, and those that wait for their next request.
pub(super) struct Connections {
    host: String,
    port: u16,
    name: ServerName<'static>,
    addresses: Arc<AllowList>,
    connector: TlsConnector,
    connect_timeout: Duration,
    idle_timeout: Duration,
    idle: Arc<Mutex<Idle>>,
}

#[derive(Default)]
struct Idle {
    /// The one used last is on top, so that those not needed grow old.
    connections: Vec<(Connection, Instant)>,
    swept: bool,
}

/// One connection that is not shared: one request at a time.
pub(super) struct Connection {
    sender: http1::SendRequest<Full<Bytes>>,
    driver: Box<Driver>,
    is_over: bool,
}

/// Why there is no head of an answer.
pub(super) enum Lost {
    /// Nothing of the request was written, it comes back: the connection had ended before, and
    /// with this.
    Unused(Box<Request<Full<Bytes>>>, hyper::Error),
    /// The request may have been taken.
    Error(hyper::Error),
}

fn locked(idle: &Mutex<Idle>) -> MutexGuard<'_, Idle> {
    idle.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Connections {
    /// Those to the host of `base`; `None` without a host that a certificate could name.
    pub fn new(
        base: &Url,
        tls: ClientConfig,
        addresses: Arc<AllowList>,
        connect_timeout: Duration,
        idle_timeout: Duration,
    ) -> Option<Connections> {
        let host = match base.host()? {
            Host::Domain(name) => name.to_owned(),
            Host::Ipv4(address) => address.to_string(),
            Host::Ipv6(address) => address.to_string(),
        };
        Some(Connections {
            name: ServerName::try_from(host.clone()).ok()?,
            host,
            port: base.port_or_known_default()?,
            addresses,
            connector: TlsConnector::from(Arc::new(tls)),
            connect_timeout,
            idle_timeout,
            idle: Arc::default(),
        })
    }

    /// One that was used before and still stands.
    pub async fn idle(&self) -> Option<Connection> {
        loop {
            let (mut connection, since) = locked(&self.idle).connections.pop()?;
            if since.elapsed() < self.idle_timeout && connection.is_ready().await {
                return Some(connection);
            }
        }
    }

    /// A new one; whatever fails here, nothing of a request was sent.
    pub async fn open(&self) -> Result<Connection, SendError> {
        let connecting = self.connect();
        let connected = tokio::time::timeout(self.connect_timeout, connecting).await;
        connected.unwrap_or_else(|_| Err(before(&codes::CONNECT_TIMEOUT, "connecting")))
    }

    async fn connect(&self) -> Result<Connection, SendError> {
        let found = self.addresses.resolve(&self.host).await.map_err(|error| match error {
            ResolveError::Refused => before(&codes::ADDRESS_REFUSED, "no allowed address"),
            ResolveError::Unknown => before(&codes::NAME_UNRESOLVED, "name not found"),
        })?;
        let stream = self.reach(&found).await?;
        // Requests are written whole: waiting for more to send would only delay them.
        let _ = stream.set_nodelay(true);
        let secured = self.connector.connect(self.name.clone(), stream).await;
        let stream = secured.map_err(|error| failure::while_connecting(&error))?;
        let (sender, driver) = http1::handshake(TokioIo::new(stream))
            .await
            .map_err(|error| failure::while_connecting(&error))?;
        Ok(Connection { sender, driver: Box::new(driver), is_over: false })
    }

    /// The first address that answers; each may take its share of the time.
    async fn reach(&self, found: &[std::net::SocketAddr]) -> Result<TcpStream, SendError> {
        let share = self.connect_timeout / u32::try_from(found.len()).unwrap_or(u32::MAX).max(1);
        let mut failed = before(&codes::CONNECT_TIMEOUT, "connecting");
        for address in found {
            let address = SocketAddr::new(address.ip(), self.port);
            match tokio::time::timeout(share, TcpStream::connect(address)).await {
                Ok(Ok(stream)) => return Ok(stream),
                Ok(Err(error)) => failed = failure::while_connecting(&error),
                Err(_) => failed = before(&codes::CONNECT_TIMEOUT, "connecting"),
            }
        }
        Err(failed)
    }

    /// Keeps a connection whose answer was read to its end, if it may be used again.
    pub async fn keep(&self, mut connection: Connection) {
        if self.idle_timeout.is_zero() || poll_fn(|cx| connection.turn(cx)).await {
            return;
        }
        let mut idle = locked(&self.idle);
        idle.connections.push((connection, Instant::now()));
        if !std::mem::replace(&mut idle.swept, true) {
            tokio::spawn(sweep(Arc::downgrade(&self.idle), self.idle_timeout));
        }
    }
}

/// Closes what was idle for too long; ends when nothing is left.
async fn sweep(idle: Weak<Mutex<Idle>>, timeout: Duration) {
    loop {
        tokio::time::sleep(timeout).await;
        let Some(idle) = idle.upgrade() else { return };
        let old = {
            let mut idle = locked(&idle);
            // The oldest lie at the bottom.
            let fresh = idle.connections.iter().take_while(|(_, since)| since.elapsed() >= timeout);
            let count = fresh.count();
            let old: Vec<_> = idle.connections.drain(..count).collect();
            if idle.connections.is_empty() && old.is_empty() {
                idle.swept = false;
                return;
            }
            old
        };
        for (connection, _) in old {
            connection.close().await;
        }
    }
}

impl Connection {
    /// Drives it as far as it goes now; true when it has ended.
    fn turn(&mut self, cx: &mut Context<'_>) -> Poll<bool> {
        if !self.is_over {
            self.is_over = Pin::new(&mut *self.driver).poll(cx).is_ready();
        }
        Poll::Ready(self.is_over)
    }

    async fn is_ready(&mut self) -> bool {
        poll_fn(|cx| {
            let Poll::Ready(false) = self.turn(cx) else { return Poll::Ready(false) };
            Poll::Ready(matches!(self.sender.poll_ready(cx), Poll::Ready(Ok(()))))
        })
        .await
    }

    /// Sends a request and waits for the head of its answer.
    pub async fn send(
        &mut self,
        request: Request<Full<Bytes>>,
    ) -> Result<Response<Incoming>, Lost> {
        let mut answer = pin!(self.sender.try_send_request(request));
        let (driver, is_over) = (&mut self.driver, &mut self.is_over);
        let sent = poll_fn(|cx| {
            if !*is_over {
                *is_over = Pin::new(&mut **driver).poll(cx).is_ready();
            }
            // A connection that has ended has told so to whoever waits for an answer.
            answer.as_mut().poll(cx)
        });
        sent.await.map_err(|mut lost| match lost.take_message() {
            Some(request) => Lost::Unused(Box::new(request), lost.into_error()),
            None => Lost::Error(lost.into_error()),
        })
    }

    /// The next part of an answer's body; `None` at its end.
    pub async fn next(&mut self, body: &mut Incoming) -> Option<hyper::Result<Frame<Bytes>>> {
        poll_fn(|cx| {
            let mut body = Pin::new(&mut *body);
            // Asking for more is what lets the connection read on.
            if let Poll::Ready(frame) = body.as_mut().poll_frame(cx) {
                return Poll::Ready(frame);
            }
            let Poll::Ready(_) = self.turn(cx) else { return Poll::Pending };
            body.poll_frame(cx)
        })
        .await
    }

    /// Ends it with a word of farewell.
    async fn close(self) {
        let Connection { sender, driver, is_over } = self;
        drop(sender);
        if !is_over {
            let _ = tokio::time::timeout(FAREWELL, driver).await;
        }
    }
}
