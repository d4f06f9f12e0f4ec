//! The gateway under test: the program itself, with a configuration and definitions of its own.

use crate::process::Forwarder;
use crate::{common, pki};
use std::path::Path;
use std::process::Stdio;
use tokio::process::Command;

/// The program under test.
const PROGRAM: &str = env!("CARGO_BIN_EXE_watashi");

/// Where the gateway sends to.
pub struct Counterpart<'a> {
    /// Name of its adapter.
    pub name: &'a str,
    /// The one route that is on.
    pub route: &'a str,
    /// Where it listens, on 127.0.0.1.
    pub port: u16,
    /// Further lines of its section.
    pub more: String,
}

/// Writes definitions, keys and `watashi.toml` into `folder`, beside the certificates.
pub fn prepare(folder: &Path, url: &str, port: u16, in_flight: usize) {
    common::lay_out(folder);
    let more = format!("concurrency = {in_flight}");
    configure(folder, url, &Counterpart { name: "sink", route: "record-to-sink", port, more });
}

/// One store of several instances.
pub struct Shared {
    /// Where PostgreSQL is.
    pub url: String,
    /// PEM of the authority that signed its certificate.
    pub authority: String,
}

/// Writes the configuration of one of several instances; without a shared store it has its own.
pub async fn prepare_instance(
    folder: &Path,
    sink: (&str, u16),
    in_flight: usize,
    number: usize,
    shared: Option<&Shared>,
) {
    let (url, port) = sink;
    let more = format!("concurrency = {in_flight}");
    configure(folder, url, &Counterpart { name: "sink", route: "record-to-sink", port, more });
    let file = folder.join("watashi.toml");
    let mut text = std::fs::read_to_string(&file).unwrap();
    text = text.replace("name = \"bench\"", &format!("name = \"bench-{number}\""));
    if let Some(shared) = shared {
        pki::write(&folder.join("store-url"), &shared.url);
        pki::write(&folder.join("store-ca.pem"), &shared.authority);
        let store = "url = \"file:store-url\"\nca = \"file:store-ca.pem\"";
        text = text.replace("path = \"watashi.db\"", store);
        text.push_str("\n[record]\nsigning-key = \"file:record-key\"\n");
        let key = folder.join("record-key");
        if !key.exists() {
            let make = ["keys", "new-signing", "bench.example/131237", "--output"];
            succeed(Command::new(PROGRAM).args(make).arg(key)).await;
        }
    }
    pki::write(&folder.join(instance(number)), &text);
}

fn instance(number: usize) -> String {
    format!("watashi-{number}.toml")
}

/// `watashi run` of one instance.
pub fn start_instance(folder: &Path, number: usize) -> Forwarder {
    let log = std::fs::File::create(folder.join(format!("log-{number}"))).unwrap();
    let mut command = Command::new(PROGRAM);
    command.arg("--config").arg(folder.join(instance(number))).arg("run");
    Forwarder::start(command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(log))
}

/// Takes away what the last round left.
pub fn clear(folder: &Path) {
    for name in ["watashi.db", "watashi.db-wal", "watashi.db-shm"] {
        let _ = std::fs::remove_file(folder.join(name));
    }
}

/// Writes keys and `watashi.toml` beside definitions and certificates.
pub fn configure(folder: &Path, url: &str, counterpart: &Counterpart<'_>) {
    // 32 bytes in base64; it seals synthetic data only.
    pki::write(&folder.join("k1"), "YmVuY2htYXJrLWJlbmNobWFyay1iZW5jaG1hcmstMDE=\n");
    pki::write(&folder.join("amqp-url"), url);
    let municipality = common::MUNICIPALITY;
    let Counterpart { name, route, port, more } = counterpart;
    let text = format!(
        r#"[gateway]
name = "bench"
municipalities = ["{municipality}"]

[definitions]
folder = "definitions"

[routes]
enabled = ["{route}"]

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

[counterpart.{name}]
base-url = "https://127.0.0.1:{port}"
ca = "file:ca.pem"
client-certificate = "file:client.pem"
client-key = "file:client.key"
addresses = ["127.0.0.1"]
{more}
"#
    );
    pki::write(&folder.join("watashi.toml"), &text);
}

/// `watashi broker apply`.
pub async fn apply_topology(folder: &Path) {
    succeed(command(Path::new(PROGRAM), folder).args(["broker", "apply"])).await;
}

/// `watashi run`, its log in the folder: writing it is one of its duties. The store is new for
/// every round. `program` is another build of it.
pub fn start(folder: &Path, program: Option<&Path>) -> Forwarder {
    clear(folder);
    let log = std::fs::File::create(folder.join("log")).unwrap();
    let program = program.unwrap_or(Path::new(PROGRAM));
    Forwarder::start(command(program, folder).arg("run").stdout(Stdio::null()).stderr(log))
}

/// `watashi log verify`: the record of the round is whole.
pub async fn verify_record(folder: &Path) {
    succeed(command(Path::new(PROGRAM), folder).args(["log", "verify"])).await;
}

fn command(program: &Path, folder: &Path) -> Command {
    let mut command = Command::new(program);
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
