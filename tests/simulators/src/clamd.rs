//! A simulated clamd on the loopback: reads strictly, knows two signatures, fails as it is told.
//!
//! It speaks `zPING`, `zVERSION` and `zINSTREAM` as the manual of clamd describes them; any other
//! command is `UNKNOWN COMMAND`. It finds its test signatures anywhere in what is streamed, where
//! the real one finds the EICAR file only as a whole.

use crate::Trouble;
use crate::random::hash;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;

/// What it finds as `Test.Watashi.Malware`: a text that nobody else looks for.
pub const MALWARE: &str = "watashi-test-malware";
/// What it cannot look into, as clamd with `AlertEncrypted yes` says of an archive with password.
pub const LOCKED: &str = "watashi-test-locked";
/// What it says of itself.
pub const VERSION: &str = "ClamAV 1.4.6/1/Mon Nov 23 08:00:00 2026";

/// The EICAR test file, put together so that this program is not taken for it.
pub fn eicar() -> String {
    let parts = ["X5O!P%@AP[4\\PZX54(P^)7CC)7}$", "EICAR-STANDARD-ANTIVIRUS", "-TEST-FILE!$H+H*"];
    parts.concat()
}

/// How it behaves.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub enum Manner {
    /// As it should.
    #[default]
    Right,
    /// It takes so long for each content.
    Slow(Duration),
    /// It ends each scan without a word.
    Cut,
    /// It answers each scan with an error.
    Error,
    /// A share of the scans is cut or answered with an error, by a seed.
    Faulty {
        /// The seed.
        seed: u64,
        /// The share, 0 to 1.
        share: f64,
    },
}

/// What is known of it from outside.
pub struct Clamd {
    /// Where it listens.
    pub address: SocketAddr,
    /// Largest content it takes: `StreamMaxLength`.
    limit: usize,
    manner: Mutex<Manner>,
    scans: AtomicU64,
    findings: AtomicU64,
}

impl Clamd {
    /// Listens on a free port of the loopback; it lives in `tasks`.
    pub async fn start(limit: usize, tasks: &mut JoinSet<()>) -> Result<Arc<Clamd>, Trouble> {
        let listener = TcpListener::bind(("127.0.0.1", 0)).await?;
        let clamd = Arc::new(Clamd {
            address: listener.local_addr()?,
            limit,
            manner: Mutex::default(),
            scans: AtomicU64::new(0),
            findings: AtomicU64::new(0),
        });
        let served = Arc::clone(&clamd);
        tasks.spawn(async move {
            let mut connections = JoinSet::new();
            loop {
                tokio::select! {
                    accepted = listener.accept() => {
                        let Ok((stream, _)) = accepted else { continue };
                        let clamd = Arc::clone(&served);
                        // A connection that breaks is the caller's affair.
                        connections.spawn(async move { drop(clamd.serve(stream).await) });
                    }
                    Some(_) = connections.join_next() => {}
                }
            }
        });
        Ok(clamd)
    }

    /// From now on it behaves like this.
    pub fn set(&self, manner: Manner) {
        *self.manner.lock().unwrap_or_else(std::sync::PoisonError::into_inner) = manner;
    }

    /// Contents it was given, and those in which it found something.
    pub fn counts(&self) -> (u64, u64) {
        (self.scans.load(Ordering::Acquire), self.findings.load(Ordering::Acquire))
    }

    /// One connection, one command.
    async fn serve(&self, mut stream: TcpStream) -> std::io::Result<()> {
        let answer = match self.command(&mut stream).await?.as_slice() {
            b"zPING" => "PONG".to_owned(),
            b"zVERSION" => VERSION.to_owned(),
            b"zINSTREAM" => match self.scan(&mut stream).await? {
                Some(verdict) => verdict,
                None => return Ok(()),
            },
            _ => "UNKNOWN COMMAND".to_owned(),
        };
        stream.write_all(answer.as_bytes()).await?;
        stream.write_all(b"\0").await?;
        stream.shutdown().await?;
        // What it did not want to hear is still on its way: a reset would take the answer away.
        let mut rest = stream.take(64 << 20);
        tokio::io::copy(&mut rest, &mut tokio::io::sink()).await.map(drop)
    }

    /// A command that begins with `z` ends with a zero byte.
    async fn command(&self, stream: &mut TcpStream) -> std::io::Result<Vec<u8>> {
        let mut command = Vec::new();
        while command.len() < 64 {
            match stream.read_u8().await? {
                0 => break,
                byte => command.push(byte),
            }
        }
        Ok(command)
    }

    /// What is answered to a stream; `None`: nothing.
    async fn scan(&self, stream: &mut TcpStream) -> std::io::Result<Option<String>> {
        let mut content = Vec::new();
        loop {
            let length = stream.read_u32().await? as usize;
            if length == 0 {
                break;
            }
            if content.len() + length > self.limit {
                return Ok(Some("INSTREAM size limit exceeded. ERROR".to_owned()));
            }
            let start = content.len();
            content.resize(start + length, 0);
            if let Some(chunk) = content.get_mut(start..) {
                stream.read_exact(chunk).await?;
            }
        }
        let number = self.scans.fetch_add(1, Ordering::AcqRel);
        match self.manner_of(number) {
            Manner::Cut => return Ok(None),
            Manner::Error => return Ok(Some("stream: Can't allocate memory ERROR".to_owned())),
            Manner::Slow(time) => tokio::time::sleep(time).await,
            Manner::Right | Manner::Faulty { .. } => {}
        }
        let holds = |text: &str| content.windows(text.len()).any(|one| one == text.as_bytes());
        let found = match () {
            () if holds(&eicar()) => "Eicar-Test-Signature",
            () if holds(MALWARE) => "Test.Watashi.Malware",
            () if holds(LOCKED) => "Heuristics.Encrypted.Zip",
            () => return Ok(Some("stream: OK".to_owned())),
        };
        self.findings.fetch_add(1, Ordering::AcqRel);
        Ok(Some(format!("stream: {found} FOUND")))
    }

    fn manner_of(&self, number: u64) -> Manner {
        let manner = *self.manner.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        let Manner::Faulty { seed, share } = manner else { return manner };
        let dice = hash(format!("{seed}:clamd:{number}").as_bytes());
        #[expect(clippy::cast_precision_loss, reason = "a share")]
        let hit = (dice >> 11) as f64 / (1_u64 << 53) as f64;
        match () {
            () if hit < share / 2.0 => Manner::Cut,
            () if hit < share => Manner::Error,
            () => Manner::Right,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{Clamd, LOCKED, MALWARE, Manner, VERSION, eicar};
    use std::net::SocketAddr;
    use std::time::Duration;
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    use tokio::net::TcpStream;
    use tokio::task::JoinSet;

    async fn ask(address: SocketAddr, command: &[u8], chunks: &[&[u8]]) -> String {
        let mut stream = TcpStream::connect(address).await.unwrap();
        stream.write_all(command).await.unwrap();
        for chunk in chunks {
            let length = u32::try_from(chunk.len()).unwrap();
            // It may have had enough.
            let _sent = stream.write_all(&length.to_be_bytes()).await;
            let _sent = stream.write_all(chunk).await;
        }
        let mut answer = String::new();
        stream.read_to_string(&mut answer).await.unwrap();
        answer
    }

    #[tokio::test]
    async fn it_speaks_as_clamd_does() {
        let mut tasks = JoinSet::new();
        let clamd = Clamd::start(1_000, &mut tasks).await.unwrap();
        let at = clamd.address;
        assert_eq!(ask(at, b"zPING\0", &[]).await, "PONG\0");
        assert_eq!(ask(at, b"zVERSION\0", &[]).await, format!("{VERSION}\0"));
        assert_eq!(ask(at, b"zSCAN /etc\0", &[]).await, "UNKNOWN COMMAND\0");
        let scan = async |parts: &[&[u8]]| ask(at, b"zINSTREAM\0", parts).await;
        assert_eq!(scan(&[b"fine", b""]).await, "stream: OK\0");
        assert_eq!(scan(&[b""]).await, "stream: OK\0");
        let (first, rest) = MALWARE.as_bytes().split_at(7);
        assert_eq!(scan(&[first, rest, b""]).await, "stream: Test.Watashi.Malware FOUND\0");
        let eicar = eicar();
        assert_eq!(eicar.len(), 68);
        assert_eq!(scan(&[eicar.as_bytes(), b""]).await, "stream: Eicar-Test-Signature FOUND\0");
        let locked = scan(&[LOCKED.as_bytes(), b""]).await;
        assert_eq!(locked, "stream: Heuristics.Encrypted.Zip FOUND\0");
        let large = scan(&[&[b'x'; 999], b"xx"]).await;
        assert_eq!(large, "INSTREAM size limit exceeded. ERROR\0");
        assert_eq!(clamd.counts(), (5, 3));
        clamd.set(Manner::Cut);
        assert_eq!(scan(&[b"fine", b""]).await, "");
        clamd.set(Manner::Error);
        assert_eq!(scan(&[b"fine", b""]).await, "stream: Can't allocate memory ERROR\0");
        clamd.set(Manner::Slow(Duration::from_millis(1)));
        assert_eq!(scan(&[b"fine", b""]).await, "stream: OK\0");
        clamd.set(Manner::Faulty { seed: 1, share: 0.2 });
        let mut words = std::collections::BTreeSet::new();
        for _ in 0..60 {
            words.insert(scan(&[b"fine", b""]).await);
        }
        assert_eq!(words.len(), 3, "each kind happens: {words:?}");
    }
}
