//! A small municipality in a temporary folder: one counterpart, one route, one mapping, keys.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use std::io::{BufRead, BufReader};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use watashi::model::Secret;
use watashi::store::Keys;

const ORDER: &str = r#"{
  "$schema": "https://json-schema.org/draft/2020-12/schema",
  "title": "order", "x-message-types": ["order.placed"],
  "type": "object", "additionalProperties": false, "required": ["town", "person", "amount"],
  "properties": {
    "town": {"type": "string", "maxLength": 6},
    "person": {"type": "string", "maxLength": 20},
    "amount": {"type": "integer"},
    "note": {"type": "string", "maxLength": 20}
  }
}"#;

const PARCEL: &str = r#"{
  "$schema": "https://json-schema.org/draft/2020-12/schema",
  "title": "parcel",
  "type": "object", "additionalProperties": false, "required": ["who", "sum"],
  "properties": {"who": {"type": "string", "maxLength": 20}, "sum": {"type": "integer"}}
}"#;

const ANSWER: &str = r#"{
  "$schema": "https://json-schema.org/draft/2020-12/schema",
  "title": "answer",
  "type": "object", "additionalProperties": false, "required": ["result"],
  "properties": {"result": {"type": "string", "maxLength": 20}}
}"#;

const MAPPING: &str = "\
mapping: order-to-parcel
from: shop/order@1
to: post/parcel@1
rules:
  who: person
  sum: 'if(note == \"forbidden\", reject(\"NOT-ALLOWED\", \"by rule\"), amount)'
";

const CASE: &str = "\
case: a plain order
input: {town: '131237', person: 山田, amount: 3}
expected: {who: 山田, sum: 3}
";

const ADAPTER: &str = r#"adapter: post
title: {ja: 郵便, en: Post}
operations:
  place:
    title: {ja: 引受, en: Place}
    interaction: request-reply
    unknown: resend
    request: {method: POST, path: /place, format: json, schema: post/parcel@1, idempotency-header: Idempotency-Key}
    response: {format: json, schema: post/answer@1}
    outcomes:
      - {status: [200], when: 'result == "ok"', then: applied}
routes:
  placing:
    on: [order.placed]
    operation: place
    mapping: order-to-parcel
    ordering-key: person
    subject: person
    municipality: town
    admits: []
    record: {kind: 送付}
    basis: {law: 例規第1条}
"#;

const CONFIG: &str = r#"[gateway]
name = "test"
municipalities = ["131237"]

[routes]
enabled = ["placing"]

[store]
path = "watashi.db"

[keys]
current = "k1"
k1 = "file:k1"

[ops]
listen = "127.0.0.1:1"

[counterpart.post]
base-url = "https://127.0.0.1:1"
ca = "file:ca.pem"
addresses = ["127.0.0.1"]
"#;

/// A message that the route takes.
pub const MESSAGE: &str = r#"{"town":"131237","person":"山田","amount":3}"#;

/// What a run of the binary left behind.
#[derive(Debug)]
pub struct Ran {
    /// Exit code.
    pub code: i32,
    /// Standard output.
    pub out: String,
    /// Standard error.
    pub err: String,
}

impl Ran {
    /// Standard output as JSON.
    pub fn json(&self) -> serde_json::Value {
        serde_json::from_str(&self.out).unwrap_or_else(|error| panic!("{error}: {self:?}"))
    }
}

/// A folder that goes away with the test.
pub struct Folder {
    path: PathBuf,
}

impl Folder {
    /// An empty folder.
    pub fn empty() -> Folder {
        static COUNT: AtomicU64 = AtomicU64::new(0);
        let number = COUNT.fetch_add(1, Ordering::Relaxed);
        let name = format!("watashi-commands-{}-{number}", std::process::id());
        let path = std::env::temp_dir().join(name);
        std::fs::create_dir_all(&path).unwrap();
        Folder { path }
    }

    /// Definitions without a configuration.
    pub fn definitions() -> Folder {
        let folder = Folder::empty();
        folder.write("schemas/shop/order/1.schema.json", ORDER);
        folder.write("schemas/post/parcel/1.schema.json", PARCEL);
        folder.write("schemas/post/answer/1.schema.json", ANSWER);
        folder.write("mappings/order-to-parcel/mapping.yaml", MAPPING);
        folder.write("mappings/order-to-parcel/cases/plain.yaml", CASE);
        folder.write("adapters/post/adapter.yaml", ADAPTER);
        folder
    }

    /// Definitions, configuration and keys; no store yet.
    pub fn whole() -> Folder {
        let folder = Folder::definitions();
        folder.write("watashi.toml", CONFIG);
        folder.write("k1", &STANDARD.encode([7; 32]));
        folder.close("k1");
        folder
    }

    /// Writes a file, with the folders it lies in.
    pub fn write(&self, name: &str, text: &str) {
        let path = self.path.join(name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, text).unwrap();
    }

    /// Replaces `old`, which must be there, in a file.
    pub fn change(&self, name: &str, old: &str, new: &str) {
        let text = self.read(name);
        assert!(text.contains(old), "{name} has no {old:?}");
        self.write(name, &text.replacen(old, new, 1));
    }

    /// The text of a file.
    pub fn read(&self, name: &str) -> String {
        std::fs::read_to_string(self.path.join(name)).unwrap()
    }

    /// A path in the folder.
    pub fn path(&self, name: &str) -> PathBuf {
        self.path.join(name)
    }

    /// Makes a file its owner's only.
    #[cfg(unix)]
    pub fn close(&self, name: &str) {
        use std::os::unix::fs::PermissionsExt;
        let permissions = std::fs::Permissions::from_mode(0o600);
        std::fs::set_permissions(self.path.join(name), permissions).unwrap();
    }

    /// Lets the gateway run: a certificate authority, and an ops listener of its own with a token.
    pub fn listen(&self) {
        let key = rcgen::KeyPair::generate().unwrap();
        let ca = rcgen::CertificateParams::new(vec!["ca".to_owned()]).unwrap();
        self.write("ca.pem", &ca.self_signed(&key).unwrap().pem());
        let free = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
        let listen = format!("listen = \"{free}\"\ntoken = \"file:token\"");
        self.change("watashi.toml", "listen = \"127.0.0.1:1\"", &listen);
        self.write("token", "t0ken");
        self.close("token");
    }

    /// The keys of the configuration.
    pub fn keys(&self) -> Arc<Keys> {
        let masters = vec![("k1".to_owned(), Secret::new(vec![7; 32]))];
        Arc::new(Keys::from_masters("k1", masters).unwrap())
    }

    /// Runs the binary in this folder.
    pub fn run(&self, arguments: &[&str]) -> Ran {
        self.run_with_input(arguments, "")
    }

    /// Starts the binary and waits for a line on standard error that holds `sign`.
    pub fn start(&self, arguments: &[&str], sign: &str) -> Running {
        let mut child = Command::new(env!("CARGO_BIN_EXE_watashi"))
            .args(arguments)
            .current_dir(&self.path)
            .env_remove("WATASHI_CONFIG")
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let mut lines = BufReader::new(child.stderr.take().unwrap()).lines();
        let running = Running(child);
        let mut seen = String::new();
        while !seen.contains(sign) {
            let line = lines.next().unwrap_or_else(|| panic!("ended before {sign}: {seen}"));
            seen.push_str(&line.unwrap());
        }
        // Read on, so that the pipe neither fills up nor breaks.
        std::thread::spawn(move || lines.for_each(drop));
        running
    }

    /// Runs the binary in this folder with standard input.
    pub fn run_with_input(&self, arguments: &[&str], input: &str) -> Ran {
        use std::io::Write;
        let mut child = Command::new(env!("CARGO_BIN_EXE_watashi"))
            .args(arguments)
            .current_dir(&self.path)
            .env_remove("WATASHI_CONFIG")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        // A command that does not read its input may be gone already.
        let _ = child.stdin.take().unwrap().write_all(input.as_bytes());
        let output = child.wait_with_output().unwrap();
        Ran {
            code: output.status.code().unwrap_or(-1),
            out: String::from_utf8(output.stdout).unwrap(),
            err: String::from_utf8(output.stderr).unwrap(),
        }
    }
}

/// A command that runs until it is dropped.
pub struct Running(Child);

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.path);
    }
}
