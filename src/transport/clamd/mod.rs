//! A scanner that speaks the protocol of clamd: `INSTREAM` and `VERSION`, one connection each.
//!
//! Everything is bounded: connections at once, bytes of the content and of the answer, and the time
//! from the wait for a connection to the last byte. It makes one attempt; who asked tries again.

use super::{Finding, ScanError, Scanner};
use answer::Answer;
use futures_util::future::BoxFuture;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::{TcpStream, UnixStream};
use tokio::sync::Semaphore;

pub mod answer;
#[cfg(test)]
mod tests;

/// Bytes of one chunk of content.
const CHUNK: usize = 64 << 10;
/// Names of findings that say that something could not be looked into: `AlertEncrypted` and
/// `AlertExceedsMax` of clamd.conf.
const NOT_LOOKED_INTO: [&str; 2] = ["Heuristics.Encrypted", "Heuristics.Limits"];

/// Where clamd listens. It knows no TLS: what is sent there must not leave the machine.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Address {
    /// A socket of this machine.
    Unix(PathBuf),
    /// The loopback.
    Tcp(SocketAddr),
}

/// How clamd is used.
#[derive(Clone, Debug)]
pub struct Settings {
    /// Where it is.
    pub address: Address,
    /// Largest content that is sent, in bytes; not more than its `StreamMaxLength`.
    pub max_bytes: usize,
    /// Longest time for one content, the wait for a connection included.
    pub timeout: Duration,
    /// Connections at once.
    pub connections: usize,
}

/// A clamd.
#[derive(Debug)]
pub struct Clamd {
    settings: Settings,
    free: Semaphore,
}

impl Clamd {
    /// One with nothing under way.
    pub fn new(settings: Settings) -> Clamd {
        Clamd { free: Semaphore::new(settings.connections.max(1)), settings }
    }

    /// One command: what is written, then what is answered, within the time allowed.
    async fn ask(&self, command: &[u8], content: Option<&[u8]>) -> Result<Vec<u8>, ScanError> {
        let asked = async {
            let _permit = self.free.acquire().await.map_err(|_| down("it is being stopped"))?;
            match &self.settings.address {
                Address::Unix(path) => {
                    let stream = UnixStream::connect(path).await.map_err(|error| unreached(&error));
                    exchange(stream?, command, content).await
                }
                Address::Tcp(address) => {
                    let stream = TcpStream::connect(address).await;
                    exchange(stream.map_err(|error| unreached(&error))?, command, content).await
                }
            }
        };
        let timeout = self.settings.timeout;
        let late = || ScanError::Failed(format!("no verdict within {} s", timeout.as_secs_f32()));
        tokio::time::timeout(timeout, asked).await.map_err(|_| late())?
    }
}

impl Scanner for Clamd {
    fn version(&self) -> BoxFuture<'_, Result<String, ScanError>> {
        Box::pin(async move {
            let answer = self.ask(b"zVERSION\0", None).await.map_err(|error| match error {
                ScanError::Failed(detail) => ScanError::Down(detail),
                other => other,
            })?;
            let version = answer::version(&answer).map(str::to_owned);
            version.ok_or_else(|| down("it does not answer as clamd does"))
        })
    }

    fn scan<'a>(&'a self, content: &'a [u8]) -> BoxFuture<'a, Result<Finding, ScanError>> {
        Box::pin(async move {
            if content.len() > self.settings.max_bytes {
                return Err(ScanError::TooLarge);
            }
            let answer = self.ask(b"zINSTREAM\0", Some(content)).await?;
            match answer::verdict(&answer) {
                Answer::Clean => Ok(Finding::Clean),
                Answer::Found(name) => {
                    let closed = NOT_LOOKED_INTO.iter().any(|start| name.starts_with(start));
                    Ok(if closed { Finding::NotLookedInto(name) } else { Finding::Found(name) })
                }
                Answer::TooLarge => Err(ScanError::TooLarge),
                Answer::Failed => Err(failed("it answered with an error")),
            }
        })
    }
}

fn down(detail: &str) -> ScanError {
    ScanError::Down(detail.to_owned())
}

fn failed(detail: &str) -> ScanError {
    ScanError::Failed(detail.to_owned())
}

fn unreached(error: &std::io::Error) -> ScanError {
    ScanError::Down(error.kind().to_string())
}

async fn exchange(
    mut stream: impl AsyncRead + AsyncWrite + Unpin,
    command: &[u8],
    content: Option<&[u8]>,
) -> Result<Vec<u8>, ScanError> {
    // One that has enough stops reading, and says why: the answer counts, if there is one.
    let written = write(&mut stream, command, content).await;
    match (read(&mut stream).await, written) {
        (Ok(answer), _) => Ok(answer),
        (Err(error), Ok(())) => Err(error),
        (Err(_), Err(error)) => Err(ScanError::Failed(error.kind().to_string())),
    }
}

async fn write(
    stream: &mut (impl AsyncWrite + Unpin),
    command: &[u8],
    content: Option<&[u8]>,
) -> std::io::Result<()> {
    stream.write_all(command).await?;
    if let Some(content) = content {
        for chunk in content.chunks(CHUNK) {
            let length = u32::try_from(chunk.len()).unwrap_or(u32::MAX);
            stream.write_all(&length.to_be_bytes()).await?;
            stream.write_all(chunk).await?;
        }
        stream.write_all(&0_u32.to_be_bytes()).await?;
    }
    stream.flush().await
}

/// The answer up to its zero byte. One that ends without it was cut.
async fn read(stream: &mut (impl AsyncRead + Unpin)) -> Result<Vec<u8>, ScanError> {
    let mut answer = Vec::new();
    let mut piece = [0; 256];
    loop {
        let count = stream.read(&mut piece).await;
        let count = count.map_err(|error| ScanError::Failed(error.kind().to_string()))?;
        let Some(bytes) = piece.get(..count).filter(|bytes| !bytes.is_empty()) else {
            return Err(failed("the answer was cut"));
        };
        match bytes.iter().position(|byte| *byte == 0) {
            Some(end) => {
                answer.extend(bytes.iter().take(end));
                return Ok(answer);
            }
            None => answer.extend_from_slice(bytes),
        }
        if answer.len() > answer::LONGEST {
            return Err(failed("the answer is too long"));
        }
    }
}
