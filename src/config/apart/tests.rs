//! Two municipalities on one machine: apart, and not so in every way there is.

use super::*;
use crate::config::load;
use crate::record::note::SigningKey;
use std::path::PathBuf;
use std::sync::atomic::{AtomicU64, Ordering};

/// One folder for both, gone with the test.
struct Machine(PathBuf);

impl Drop for Machine {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

const TOWN: &str = r#"
[gateway]
name = "watashi-CODE"
municipalities = ["CODE"]

[store]
path = "CODE/store/watashi.db"

[record]
signing-key = "file:CODE/record-key"
export = "CODE/record"

[keys]
current = "k1"
k1 = "file:CODE/k1"

[amqp]
url = "file:CODE/amqp"

[ingest]
listen = "127.0.0.1:PORT3"
certificate = "file:CODE/ingest.pem"
key = "file:CODE/ingest-key"
client-ca = "file:CODE/clients.pem"
tokens = { health = "file:CODE/token" }

[ops]
listen = "127.0.0.1:PORT0"
token = "file:CODE/ops-token"

[counterpart.post]
base-url = "https://post.example"
ca = "file:ca.pem"
client-key = "file:CODE/post-key"
client-certificate = "file:CODE/post.pem"
client-id = "id-CODE"
client-secret = "file:CODE/post-secret"
addresses = ["192.0.2.1"]

[counterpart.files.place.drop]
kind = "folder"
path = "CODE/drop"

[counterpart.files.place.bucket]
kind = "s3"
endpoint = "https://s3.example"
ca = "file:ca.pem"
addresses = ["192.0.2.2"]
bucket = "watashi"
prefix = "town/CODE"
access-key = "key-CODE"
secret-key = "file:CODE/s3"

[counterpart.files.place.far]
kind = "sftp"
host = "files.example"
user = "user-CODE"
key = "CODE/ssh"
known-hosts = "known"
path = "/in/CODE"
"#;

const A: &str = "131237";
const B: &str = "131130";

impl Machine {
    fn new() -> Machine {
        static NUMBER: AtomicU64 = AtomicU64::new(0);
        let number = NUMBER.fetch_add(1, Ordering::Relaxed);
        let name = format!("watashi-apart-{}-{number}", std::process::id());
        let machine = Machine(std::env::temp_dir().join(name));
        for (code, port) in [(A, "700"), (B, "800")] {
            for folder in ["store", "record", "drop"] {
                std::fs::create_dir_all(machine.0.join(code).join(folder)).unwrap();
            }
            let plain =
                ["ingest-key", "token", "ops-token", "post-key", "post-secret", "s3", "ssh"];
            for name in plain {
                machine.keep(code, name, &format!("{name} of {code}"));
            }
            machine.keep(code, "k1", &base64_of(port.as_bytes()[0]));
            machine.keep(code, "amqp", &format!("amqp://u{code}:p{code}@127.0.0.1:5672/{code}"));
            let clients =
                format!("-----BEGIN CERTIFICATE-----\n{code}\n-----END CERTIFICATE-----\n");
            machine.keep(code, "clients.pem", &clients);
            let seed = [port.as_bytes()[0]; 32];
            let key = SigningKey::text_of(&format!("log.example/{code}"), &seed).unwrap();
            machine.keep(code, "record-key", key.expose());
            let text = TOWN.replace("CODE", code).replace("PORT", port);
            std::fs::write(machine.file(code), text).unwrap();
        }
        machine
    }

    fn file(&self, code: &str) -> PathBuf {
        self.0.join(format!("{code}.toml"))
    }

    fn keep(&self, code: &str, name: &str, text: &str) {
        let path = self.0.join(code).join(name);
        std::fs::write(&path, text).unwrap();
        #[cfg(unix)]
        {
            use std::os::unix::fs::PermissionsExt as _;
            std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o600)).unwrap();
        }
    }

    /// The second configuration with one text in the place of another.
    fn change(&self, old: &str, new: &str) {
        let text = std::fs::read_to_string(self.file(B)).unwrap();
        assert!(text.contains(old), "{old}");
        std::fs::write(self.file(B), text.replace(old, new)).unwrap();
    }

    fn compare(&self, facts: &dyn Facts) -> Vec<Diagnostic> {
        let configs = [A, B].map(|code| {
            let (config, problems) = load(&self.file(code));
            config.unwrap_or_else(|| panic!("{problems:?}"))
        });
        let compared = compare(&configs, Some(facts));
        assert!(compared.holdings > 30, "{}", compared.holdings);
        compared.problems
    }

    fn codes(&self) -> Vec<&'static str> {
        self.compare(&Owners).iter().map(|problem| problem.code.code).collect()
    }
}

fn base64_of(fill: u8) -> String {
    use base64::Engine as _;
    base64::engine::general_purpose::STANDARD.encode([fill; 32])
}

/// Each municipality has a user of its own.
struct Owners;

impl Facts for Owners {
    fn rights(&self, path: &Path) -> Option<Rights> {
        let owned = |code: &str| path.iter().any(|part| part == code);
        let user = if owned(A) { 1_001 } else { 1_002 };
        Some(Rights { user, group: user, mode: 0o750 })
    }
}

struct Everywhere(Rights);

impl Facts for Everywhere {
    fn rights(&self, _path: &Path) -> Option<Rights> {
        Some(self.0)
    }
}

#[test]
fn two_that_are_apart_have_nothing_to_be_told_of() {
    let machine = Machine::new();
    assert!(machine.codes().is_empty(), "{:?}", machine.compare(&Owners));
}

#[test]
fn everything_that_is_shared_is_told_of_at_its_place() {
    for (old, new, code) in [
        ("\"131130\"]", "\"131130\", \"131237\"]", "C401"),
        ("name = \"watashi-131130\"", "name = \"watashi-131237\"", "C409"),
        ("131130/store", "131237/store", "C406"),
        ("131130/store", "131237/store/inner", "C406"),
        ("\"131130/record\"", "\"131237/drop\"", "C406"),
        ("\"131130/drop\"", "\"131237\"", "C406"),
        ("file:131130/k1", "file:131237/k1", "C403"),
        ("file:131130/token", "file:131237/ops-token", "C403"),
        ("file:131130/ingest-key", "file:131237/ingest-key", "C403"),
        ("file:131130/post-secret", "file:131237/post-secret", "C403"),
        ("\"131130/ssh\"", "\"131237/ssh\"", "C403"),
        ("file:131130/s3", "file:131237/s3", "C403"),
        ("127.0.0.1:8003", "127.0.0.1:7003", "C405"),
        ("127.0.0.1:8003", "0.0.0.0:7000", "C405"),
        ("id-131130", "id-131237", "C407"),
        ("key-131130", "key-131237", "C407"),
        ("user-131130", "user-131237", "C407"),
        ("town/131130", "town/131237", "C406"),
        ("town/131130", "town", "C406"),
        ("/in/131130", "/in/131237/more", "C406"),
        ("file:131130/clients.pem", "file:131237/clients.pem", "C408"),
        ("file:131130/ops-token", "env:TOKEN", "C411"),
        ("file:131130/ops-token", "file:131130/nothing", "C411"),
    ] {
        let machine = Machine::new();
        machine.change(old, new);
        let problems = machine.compare(&Owners);
        let found = problems.iter().find(|problem| problem.code.code == code);
        let found = found.unwrap_or_else(|| panic!("{old} -> {new}: {problems:?}"));
        let file = &found.location.file;
        assert!(file.path.ends_with("131130.toml"), "where it comes the second time");
        let (line, _) = file.position(found.location.span.start);
        assert!(file.text.lines().nth(line - 1).unwrap().contains(new), "{new}: line {line}");
        if code != "C411" {
            assert!(found.message.contains("131237.toml:"), "{}", found.message);
        }
        assert_eq!(found.hint.as_deref(), Some(found.code.remedy));
        // A folder of the other's has the other's user, too.
        let rest = problems.iter().filter(|problem| problem.code.code != "C410");
        assert_eq!(rest.count(), 1, "{problems:?}");
    }
}

#[test]
fn what_keys_hold_is_compared_and_not_their_names() {
    let machine = Machine::new();
    machine.keep(B, "k1", &format!("{}\n", base64_of(b'7')));
    assert_eq!(machine.codes(), ["C403"], "the same bytes in another file");
    let machine = Machine::new();
    let same = SigningKey::text_of("log.example/other", &[b'7'; 32]).unwrap();
    machine.keep(B, "record-key", same.expose());
    assert_eq!(machine.codes(), ["C403"], "the same key under another name");
    let machine = Machine::new();
    let named = SigningKey::text_of("log.example/131237", &[1; 32]).unwrap();
    machine.keep(B, "record-key", named.expose());
    assert_eq!(machine.codes(), ["C409"], "two logs of one name");
}

#[test]
fn a_broker_has_a_virtual_host_and_a_user_for_each() {
    for (url, expected) in [
        ("amqp://u131130:p131130@127.0.0.1:5672/131237", "C404"),
        ("amqp://u131237:p131130@127.0.0.1:5672/131130", "C407"),
        ("amqp://u131130:p131237@127.0.0.1:5672/131130", "C403"),
        ("amqp://u131130:p131130@10.0.0.1:5672/131130", "C411"),
    ] {
        let machine = Machine::new();
        machine.keep(B, "amqp", url);
        assert_eq!(machine.codes(), [expected], "{url}");
    }
    let machine = Machine::new();
    machine.keep(B, "amqp", "amqp://u131237:p131130@127.0.0.1:5673/131237");
    assert!(machine.codes().is_empty(), "another broker is another one");
}

#[test]
fn databases_are_compared_by_server_and_name() {
    let urls = [
        ("postgresql://b:pb@127.0.0.1/a", vec!["C402"]),
        ("postgresql://b:pb@127.0.0.1:5432,127.0.0.2/a", vec!["C402"]),
        ("postgresql://a:pb@127.0.0.1/b", vec!["C407"]),
        ("postgresql://b:pa@127.0.0.1/b", vec!["C403"]),
        ("postgresql://b:pb@127.0.0.1/b", vec![]),
        ("postgresql://a:pb@127.0.0.1:5433/a", vec![]),
    ];
    for (url, expected) in urls {
        let machine = Machine::new();
        for (code, url) in [(A, "postgresql://a:pa@127.0.0.1/a"), (B, url)] {
            let text = std::fs::read_to_string(machine.file(code)).unwrap();
            let path = format!("path = \"{code}/store/watashi.db\"");
            let changed = text.replace(&path, &format!("url = \"file:{code}/url\""));
            assert_ne!(text, changed);
            std::fs::write(machine.file(code), changed).unwrap();
            machine.keep(code, "url", url);
        }
        assert_eq!(machine.codes(), expected, "{url}");
    }
}

#[test]
fn users_of_the_system_are_apart_too() {
    let machine = Machine::new();
    let one_user = Everywhere(Rights { user: 1, group: 1, mode: 0o700 });
    let problems = machine.compare(&one_user);
    assert_eq!(problems.len(), 3, "store, record, drop: {problems:?}");
    assert!(problems.iter().all(|problem| problem.code.code == "C410"));
    struct OneGroup(u32);
    impl Facts for OneGroup {
        fn rights(&self, path: &Path) -> Option<Rights> {
            Owners.rights(path).map(|rights| Rights { group: 5, mode: self.0, ..rights })
        }
    }
    assert_eq!(machine.compare(&OneGroup(0o750)).len(), 3);
    assert_eq!(machine.compare(&OneGroup(0o700)).len(), 0);
    struct Open;
    impl Facts for Open {
        fn rights(&self, path: &Path) -> Option<Rights> {
            Owners.rights(path).map(|rights| Rights { mode: 0o755, ..rights })
        }
    }
    let problems = machine.compare(&Open);
    assert_eq!(problems.len(), 6);
    assert!(problems[0].message.contains("mode 0755"), "{}", problems[0].message);
    struct Nothing;
    impl Facts for Nothing {
        fn rights(&self, _path: &Path) -> Option<Rights> {
            None
        }
    }
    assert!(machine.compare(&Nothing).iter().all(|problem| problem.code.code == "C411"));
}

#[test]
fn no_finding_shows_what_a_secret_holds() {
    let machine = Machine::new();
    for name in ["token", "ops-token", "post-secret", "ingest-key", "s3"] {
        machine.keep(A, name, "the same secret");
        machine.keep(B, name, "the same secret");
    }
    machine.keep(B, "amqp", "amqp://u131130:p131237@127.0.0.1:5672/131130");
    let problems = machine.compare(&Owners);
    assert!(problems.len() >= 6);
    let shown = crate::diagnostic::render::text(&problems);
    assert!(!shown.contains("the same secret") && !shown.contains("p131237"), "{shown}");
}
