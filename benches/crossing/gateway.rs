//! The gateway under test: the program itself, with a configuration and definitions of its own.

use crate::process::Forwarder;
use crate::{common, pki};
use std::path::Path;
use std::process::Stdio;
use tokio::process::Command;

/// Writes definitions, keys and `watashi.toml` into `folder`, beside the certificates.
pub fn prepare(folder: &Path, url: &str, port: u16, in_flight: usize) {
    common::lay_out(folder);
    // 32 bytes in base64; it seals synthetic data only.
    pki::write(&folder.join("k1"), "YmVuY2htYXJrLWJlbmNobWFyay1iZW5jaG1hcmstMDE=\n");
    pki::write(&folder.join("amqp-url"), url);
    let municipality = common::MUNICIPALITY;
    let text = format!(
        r#"[gateway]
name = "bench"
municipalities = ["{municipality}"]

[definitions]
folder = "definitions"

[routes]
enabled = ["record-to-sink"]

[store]
path = "watashi.db"
max-backlog = 10000000

[keys]
current = "k1"
k1 = "file:k1"

[amqp]
url = "file:amqp-url"

[ops]
listen = "127.0.0.1:0"

[counterpart.sink]
base-url = "https://127.0.0.1:{port}"
ca = "file:ca.pem"
client-certificate = "file:client.pem"
client-key = "file:client.key"
addresses = ["127.0.0.1"]
concurrency = {in_flight}
"#
    );
    pki::write(&folder.join("watashi.toml"), &text);
}

/// `watashi broker apply`.
pub async fn apply_topology(folder: &Path) {
    succeed(command(folder).args(["broker", "apply"])).await;
}

/// `watashi run`, its log in the folder: writing it is one of its duties. The store is new for
/// every round.
pub fn start(folder: &Path) -> Forwarder {
    for name in ["watashi.db", "watashi.db-wal", "watashi.db-shm"] {
        let _ = std::fs::remove_file(folder.join(name));
    }
    let log = std::fs::File::create(folder.join("log")).unwrap();
    Forwarder::start(command(folder).arg("run").stdout(Stdio::null()).stderr(log))
}

/// `watashi log verify`: the record of the round is whole.
pub async fn verify_record(folder: &Path) {
    succeed(command(folder).args(["log", "verify"])).await;
}

fn command(folder: &Path) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_watashi"));
    command.arg("--config").arg(folder.join("watashi.toml")).stdin(Stdio::null());
    command
}

async fn succeed(command: &mut Command) {
    let output = command.output().await.unwrap();
    assert!(
        output.status.success(),
        "{:?} ended with {}:\n{}{}",
        command.as_std().get_args().collect::<Vec<_>>(),
        output.status,
        String::from_utf8_lossy(&output.stdout),
        String::from_utf8_lossy(&output.stderr),
    );
}
