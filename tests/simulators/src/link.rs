//! A TCP relay that can delay, cut and black-hole what passes: a bad network for tests.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::task::JoinHandle;

/// How the link behaves from now on, also for connections that are open.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub struct Weather {
    /// Every chunk is held this long, in each direction.
    pub delay: Duration,
    /// Nothing passes any more; connections stay open (a half-open network).
    pub swallow: bool,
    /// Open connections are closed and new ones are closed at once.
    pub cut: bool,
}

/// A running relay; it ends with this value.
pub struct Link {
    address: SocketAddr,
    weather: Arc<watch::Sender<Weather>>,
    task: JoinHandle<()>,
}

impl Link {
    /// Listens on a free loopback port and relays to `target`.
    pub async fn open(target: SocketAddr) -> std::io::Result<Link> {
        let listener = TcpListener::bind(("127.0.0.1", 0)).await?;
        let address = listener.local_addr()?;
        let weather = Arc::new(watch::Sender::new(Weather::default()));
        let shared = Arc::clone(&weather);
        let task = tokio::spawn(async move {
            while let Ok((near, _)) = listener.accept().await {
                if shared.borrow().cut {
                    continue;
                }
                tokio::spawn(relay(near, target, shared.subscribe()));
            }
        });
        Ok(Link { address, weather, task })
    }

    /// Where to connect instead of the target.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Changes the weather.
    pub fn set(&self, weather: Weather) {
        self.weather.send_replace(weather);
    }
}

impl Drop for Link {
    fn drop(&mut self) {
        self.weather.send_replace(Weather { cut: true, ..Weather::default() });
        self.task.abort();
    }
}

async fn relay(near: TcpStream, target: SocketAddr, mut weather: watch::Receiver<Weather>) {
    let Ok(far) = TcpStream::connect(target).await else { return };
    let (near_read, near_write) = near.into_split();
    let (far_read, far_write) = far.into_split();
    let there = pump(near_read, far_write, weather.clone());
    let back = pump(far_read, near_write, weather.clone());
    tokio::select! {
        _ = weather.wait_for(|now| now.cut) => {}
        _ = async { tokio::join!(there, back) } => {}
    }
}

async fn pump(
    mut from: tokio::net::tcp::OwnedReadHalf,
    mut to: tokio::net::tcp::OwnedWriteHalf,
    mut weather: watch::Receiver<Weather>,
) {
    let mut chunk = vec![0; 16 * 1024];
    while let Ok(length @ 1..) = from.read(&mut chunk).await {
        let delay = weather.borrow().delay;
        if !delay.is_zero() {
            tokio::time::sleep(delay).await;
        }
        // A swallowed chunk waits; it passes when the weather clears, as TCP would resend it.
        if weather.wait_for(|now| !now.swallow).await.is_err() {
            return;
        }
        let Some(bytes) = chunk.get(..length) else { return };
        if to.write_all(bytes).await.is_err() {
            return;
        }
    }
    let _ = to.shutdown().await;
}

#[cfg(test)]
mod tests {
    use super::*;

    async fn echo() -> SocketAddr {
        let listener = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
        let address = listener.local_addr().unwrap();
        tokio::spawn(async move {
            while let Ok((mut stream, _)) = listener.accept().await {
                tokio::spawn(async move {
                    let (mut read, mut write) = stream.split();
                    let _ = tokio::io::copy(&mut read, &mut write).await;
                });
            }
        });
        address
    }

    #[tokio::test]
    async fn it_relays_then_swallows_then_lets_pass_then_cuts() {
        let link = Link::open(echo().await).await.unwrap();
        let mut stream = TcpStream::connect(link.address()).await.unwrap();
        let mut answer = [0; 2];
        stream.write_all(b"ab").await.unwrap();
        stream.read_exact(&mut answer).await.unwrap();
        assert_eq!(&answer, b"ab");

        link.set(Weather { swallow: true, ..Weather::default() });
        stream.write_all(b"cd").await.unwrap();
        let waited = tokio::time::timeout(Duration::from_millis(50), stream.read(&mut answer));
        assert!(waited.await.is_err(), "nothing may pass");
        link.set(Weather::default());
        stream.read_exact(&mut answer).await.unwrap();
        assert_eq!(&answer, b"cd");

        link.set(Weather { cut: true, ..Weather::default() });
        assert!(matches!(stream.read(&mut answer).await, Ok(0) | Err(_)), "the connection ends");
    }
}
