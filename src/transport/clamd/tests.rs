//! The client against a clamd of the test's own making, played byte by byte.

use super::{Address, Clamd, Settings};
use crate::transport::{Finding, ScanError, Scanner};
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream, UnixListener};
use tokio::sync::Semaphore;

const MAX: usize = 1 << 20;

fn settings(address: Address) -> Settings {
    Settings { address, max_bytes: MAX, timeout: Duration::from_secs(20), connections: 2 }
}

fn clamd(address: Address) -> Clamd {
    Clamd::new(settings(address))
}

async fn listener() -> (TcpListener, SocketAddr) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    (listener, address)
}

/// What one command consists of: the command, and what was streamed after it.
async fn received(stream: &mut (impl AsyncReadExt + Unpin)) -> (Vec<u8>, Vec<u8>) {
    let mut command = Vec::new();
    loop {
        match stream.read_u8().await.unwrap() {
            0 => break,
            byte => command.push(byte),
        }
    }
    let mut content = Vec::new();
    if command == b"zINSTREAM" {
        loop {
            let length = stream.read_u32().await.unwrap();
            if length == 0 {
                break;
            }
            let mut chunk = vec![0; length as usize];
            stream.read_exact(&mut chunk).await.unwrap();
            content.extend(chunk);
        }
    }
    (command, content)
}

/// One connection, answered with these bytes, in two pieces.
async fn answered(answer: &'static [u8], content: &[u8]) -> Result<Finding, ScanError> {
    let (listener, address) = listener().await;
    let expected = content.to_vec();
    let server = tokio::spawn(async move {
        let (mut stream, _) = listener.accept().await.unwrap();
        let (command, content) = received(&mut stream).await;
        assert_eq!(command, b"zINSTREAM");
        assert!(content == expected, "other content than was given");
        let (first, rest) = answer.split_at(answer.len() / 2);
        // A client that has heard enough goes away.
        let _sent = stream.write_all(first).await;
        let _sent = stream.flush().await;
        tokio::task::yield_now().await;
        let _sent = stream.write_all(rest).await;
    });
    let result = clamd(Address::Tcp(address)).scan(content).await;
    server.await.unwrap();
    result
}

#[tokio::test]
async fn content_arrives_whole_and_the_verdict_is_read() {
    let large: Vec<u8> = (0..MAX).map(|at| (at % 251) as u8).collect();
    for content in [&b""[..], b"x", &large] {
        assert_eq!(answered(b"stream: OK\0", content).await, Ok(Finding::Clean));
    }
    let found = answered(b"stream: Eicar-Signature FOUND\0", b"x").await;
    assert_eq!(found, Ok(Finding::Found("Eicar-Signature".to_owned())));
    for name in ["Heuristics.Encrypted.PDF", "Heuristics.Limits.Exceeded.MaxScanSize"] {
        let answer = format!("stream: {name} FOUND\0").into_bytes().leak();
        let closed = answered(answer, b"x").await;
        assert_eq!(closed, Ok(Finding::NotLookedInto(name.to_owned())));
    }
    let too_large = answered(b"INSTREAM size limit exceeded. ERROR\0", b"x").await;
    assert_eq!(too_large, Err(ScanError::TooLarge));
}

/// Nothing that is not a whole verdict is one.
#[tokio::test]
async fn what_is_cut_or_means_nothing_is_no_verdict() {
    for answer in [
        &b""[..],
        b"stream: OK",
        b"stream: O",
        b"stream: Can't open file ERROR\0",
        b"UNKNOWN COMMAND\0",
        b"\0",
        b"stream: OK\n\0",
    ] {
        let result = answered(answer, b"x").await;
        assert!(matches!(result, Err(ScanError::Failed(_))), "{answer:?}: {result:?}");
    }
    let endless = vec![b'x'; 5_000].leak();
    assert!(matches!(answered(endless, b"x").await, Err(ScanError::Failed(_))));
}

/// It stops reading in the middle and says why: the answer counts, not the broken pipe.
#[tokio::test]
async fn one_that_has_enough_is_heard() {
    let folder = std::env::temp_dir().join(format!("watashi-clamd-{}", std::process::id()));
    std::fs::create_dir_all(&folder).unwrap();
    let path = folder.join("clamd.ctl");
    let listener = UnixListener::bind(&path).unwrap();
    let server = tokio::spawn(async move {
        let (mut stream, _) = listener.accept().await.unwrap();
        let mut begun = [0; 1_000];
        stream.read_exact(&mut begun).await.unwrap();
        stream.write_all(b"INSTREAM size limit exceeded. ERROR\0").await.unwrap();
    });
    let result = clamd(Address::Unix(path)).scan(&vec![1; MAX]).await;
    server.await.unwrap();
    std::fs::remove_dir_all(&folder).unwrap();
    assert_eq!(result, Err(ScanError::TooLarge));
}

#[tokio::test]
async fn what_is_larger_than_allowed_is_not_even_sent() {
    // Nobody listens there: it would be told as down.
    let nobody = Address::Unix("/nonexistent/clamd.ctl".into());
    assert_eq!(clamd(nobody).scan(&vec![1; MAX + 1]).await, Err(ScanError::TooLarge));
}

#[tokio::test]
async fn one_that_is_not_there_is_down() {
    let (listener, address) = listener().await;
    drop(listener);
    for address in [Address::Tcp(address), Address::Unix("/nonexistent/clamd.ctl".into())] {
        let clamd = clamd(address);
        assert!(matches!(clamd.scan(b"x").await, Err(ScanError::Down(_))));
        assert!(matches!(clamd.version().await, Err(ScanError::Down(_))));
    }
}

#[tokio::test]
async fn one_that_says_nothing_is_not_waited_for() {
    let (listener, address) = listener().await;
    let silent = async {
        let (stream, _) = listener.accept().await.unwrap();
        std::future::pending::<()>().await;
        drop(stream);
    };
    let mut settings = settings(Address::Tcp(address));
    settings.timeout = Duration::from_millis(250);
    let clamd = Clamd::new(settings);
    let result = tokio::select! {
        result = clamd.scan(b"x") => result,
        () = silent => unreachable!(),
    };
    assert_eq!(result, Err(ScanError::Failed("no verdict within 0.25 s".to_owned())));
}

#[tokio::test]
async fn versions_are_asked_for() {
    for (answer, good) in [
        (&b"ClamAV 1.4.6/27826/Mon Nov 23 08:00:00 2026\0"[..], true),
        (b"PONG\0", false),
        (b"ClamAV 1.4.6", false),
    ] {
        let (listener, address) = listener().await;
        let server = tokio::spawn(async move {
            let (mut stream, _) = listener.accept().await.unwrap();
            assert_eq!(received(&mut stream).await.0, b"zVERSION");
            stream.write_all(answer).await.unwrap();
        });
        let version = clamd(Address::Tcp(address)).version().await;
        server.await.unwrap();
        assert_eq!(version.is_ok(), good, "{version:?}");
        assert!(good || matches!(version, Err(ScanError::Down(_))));
    }
}

/// Two connections are allowed: a third scan waits until one of them has ended.
#[tokio::test]
async fn connections_are_bounded() {
    let (listener, address) = listener().await;
    let (open, most) = (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicUsize::new(0)));
    let go = Arc::new(Semaphore::new(0));
    let serve = |mut stream: TcpStream| {
        let (open, most, go) = (Arc::clone(&open), Arc::clone(&most), Arc::clone(&go));
        async move {
            most.fetch_max(open.fetch_add(1, Ordering::SeqCst) + 1, Ordering::SeqCst);
            received(&mut stream).await;
            if open.load(Ordering::SeqCst) == 2 {
                go.add_permits(6);
            }
            go.acquire().await.unwrap().forget();
            open.fetch_sub(1, Ordering::SeqCst);
            stream.write_all(b"stream: OK\0").await.unwrap();
        }
    };
    let clamd = clamd(Address::Tcp(address));
    let scans = futures_util::future::join_all((0..6).map(|_| clamd.scan(b"x")));
    let served = async {
        let mut tasks = Vec::new();
        for _ in 0..6 {
            let (stream, _) = listener.accept().await.unwrap();
            tasks.push(tokio::spawn(serve(stream)));
        }
        futures_util::future::join_all(tasks).await
    };
    let (results, _) = tokio::join!(scans, served);
    assert!(results.iter().all(|result| *result == Ok(Finding::Clean)));
    assert_eq!(most.load(Ordering::SeqCst), 2);
}
