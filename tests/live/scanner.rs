//! A real clamd with a database of our own: two signatures, no network.

use crate::setup;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use std::fs;
use std::os::unix::net::UnixStream;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};
use watashi::transport::clamd::{Address, Clamd, Settings};
use watashi::transport::{Finding, ScanError, Scanner};

/// How long clamd may take to load two signatures; a guard against hanging.
const PATIENCE: Duration = Duration::from_secs(60);

/// `watashi-test-malware`, anywhere in a file.
const ANYWHERE: &str = "Watashi.Test.Malware:0:*:776174617368692d746573742d6d616c77617265\n";
/// The EICAR test file, by its digest and length.
const EICAR: &str = "44d88612fea8a8f36de82e1278abb02f:68:Watashi.Test.Eicar\n";
/// An archive whose one file holds that text, compressed.
const ARCHIVE: &str = "UEsDBBQAAAAIAAAAIVzJYXTdGgAAAH0AAAABAAAAYStPLEkszsjULUktLtHNTcwpTyxKVSinkyAAUEsBAhQDFAAAAAgAAAAhXMlhdN0aAAAAfQAAAAEAAAAAAAAAAAAAAIABAAAAAGFQSwUGAAAAAAEAAQAvAAAAOQAAAAAA";
/// An archive that says that its one file is protected by a password.
const LOCKED: &str = "UEsDBBQAAQAAAAAAIVxj53uDGgAAABoAAAABAAAAYTAxMjM0NTY3ODlhYmNkZWZnaGlqa2xtbm9wUEsBAhQDFAABAAAAAAAhXGPne4MaAAAAGgAAAAEAAAAAAAAAAAAAAIABAAAAAGFQSwUGAAAAAAEAAQAvAAAAOQAAAAAA";

struct Daemon {
    folder: PathBuf,
    child: Child,
}

impl Daemon {
    fn start() -> Daemon {
        let name = format!("watashi-live-{}-clamd", std::process::id());
        let folder = std::env::temp_dir().join(name);
        fs::create_dir_all(folder.join("signatures")).unwrap();
        fs::write(folder.join("signatures/test.ndb"), ANYWHERE).unwrap();
        fs::write(folder.join("signatures/test.hdb"), EICAR).unwrap();
        let shown = folder.display();
        let settings = format!(
            "LocalSocket {shown}/clamd.ctl\nDatabaseDirectory {shown}/signatures\nForeground yes\n\
             LogFile {shown}/log\nStreamMaxLength 1M\nAlertEncrypted yes\nAlertExceedsMax yes\n\
             MaxThreads 2\n"
        );
        let file = folder.join("clamd.conf");
        fs::write(&file, settings).unwrap();
        let child = Command::new("/usr/sbin/clamd")
            .arg("-c")
            .arg(&file)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .expect("clamd is there: scripts/setup installs it");
        let daemon = Daemon { folder, child };
        let begun = Instant::now();
        while UnixStream::connect(daemon.socket()).is_err() {
            assert!(begun.elapsed() < PATIENCE, "clamd does not listen");
            std::thread::sleep(Duration::from_millis(20));
        }
        daemon
    }

    fn socket(&self) -> PathBuf {
        self.folder.join("clamd.ctl")
    }
}

impl Drop for Daemon {
    fn drop(&mut self) {
        let _ended = self.child.kill();
        let _ended = self.child.wait();
        let _removed = fs::remove_dir_all(&self.folder);
    }
}

#[tokio::test]
async fn a_real_clamd_is_understood() {
    setup();
    let daemon = Daemon::start();
    let settings = Settings {
        address: Address::Unix(daemon.socket()),
        max_bytes: 4 << 20,
        timeout: Duration::from_secs(60),
        connections: 2,
    };
    let clamd = Clamd::new(settings);
    let version = clamd.version().await.unwrap();
    assert!(version.starts_with("ClamAV "), "{version}");
    let found = |name: &str| Ok(Finding::Found(format!("{name}.UNOFFICIAL")));
    let malware = found("Watashi.Test.Malware");
    for clean in [&b""[..], b"hello", &[b'x'; 900_000]] {
        assert_eq!(clamd.scan(clean).await, Ok(Finding::Clean), "{} bytes", clean.len());
    }
    assert_eq!(clamd.scan(b"before watashi-test-malware after").await, malware);
    // Put together, so that this program is not taken for it.
    let eicar = ["X5O!P%@AP[4\\PZX54(P^)7CC)7}$EICAR-STANDARD", "-ANTIVIRUS-TEST-FILE!$H+H*"];
    assert_eq!(clamd.scan(eicar.concat().as_bytes()).await, found("Watashi.Test.Eicar"));
    assert_eq!(clamd.scan(&STANDARD.decode(ARCHIVE).unwrap()).await, malware);
    let locked = clamd.scan(&STANDARD.decode(LOCKED).unwrap()).await;
    assert_eq!(locked, Ok(Finding::NotLookedInto("Heuristics.Encrypted.Zip".to_owned())));
    // Beyond its StreamMaxLength it stops reading, and says why.
    assert_eq!(clamd.scan(&vec![b'x'; 3 << 20]).await, Err(ScanError::TooLarge));
    assert_eq!(clamd.scan(&vec![b'x'; 5 << 20]).await, Err(ScanError::TooLarge));
    let many = futures_util::future::join_all((0..8).map(|_| clamd.scan(b"hello"))).await;
    assert!(many.iter().all(|one| *one == Ok(Finding::Clean)));
    drop(daemon);
    assert!(matches!(clamd.scan(b"hello").await, Err(ScanError::Down(_))));
}
