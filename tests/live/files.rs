//! Files at real places: a folder, a strict object storage, a real sshd; and the gateway killed at
//! every step of a set.

use crate::setup;
use crate::town::{Town, patiently, until};
use bytes::Bytes;
use serde_json::{Value, json};
use std::fs;
use std::net::TcpListener;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use tokio::io::{AsyncBufReadExt, BufReader};
use watashi::model::Secret;
use watashi::model::clock::SystemClock;
use watashi::transport::https::{AllowList, HttpsSettings, HttpsTarget};
use watashi::transport::place::folder::Folder;
use watashi::transport::place::s3::{ObjectStorage, Settings};
use watashi::transport::place::sftp::Sftp;
use watashi::transport::place::{Place, Written};

fn folder() -> PathBuf {
    static COUNT: AtomicUsize = AtomicUsize::new(0);
    let number = COUNT.fetch_add(1, Ordering::SeqCst);
    let name = format!("watashi-live-{}-files-{number}", std::process::id());
    let folder = std::env::temp_dir().join(name);
    fs::create_dir_all(&folder).unwrap();
    folder
}

/// What every place promises.
async fn conform(place: &dyn Place) {
    let names = |entries: Vec<watashi::transport::place::Entry>| -> Vec<(String, u64)> {
        entries.into_iter().map(|entry| (entry.name, entry.size)).collect()
    };
    assert_eq!(names(place.list("out").await.unwrap()), []);
    assert_eq!(place.read("out/a.csv", 10).await.unwrap(), None);
    let content = |text: &'static str| Bytes::from_static(text.as_bytes());
    assert_eq!(place.write("out/a.csv", content("one")).await.unwrap(), Written::New);
    assert_eq!(place.write("out/a.csv", content("two")).await.unwrap(), Written::Exists);
    assert_eq!(place.read("out/a.csv", 3).await.unwrap().unwrap(), "one", "never replaced");
    assert_eq!(place.read("out/a.csv", 2).await.unwrap_err().code.code, "N405");
    for name in ["d", "b", "e", "c"] {
        let path = format!("out/{name}.csv");
        assert_eq!(place.write(&path, Bytes::new()).await.unwrap(), Written::New);
    }
    let listed: Vec<String> =
        names(place.list("out").await.unwrap()).into_iter().map(|(name, _)| name).collect();
    assert_eq!(listed, ["a.csv", "b.csv", "c.csv", "d.csv", "e.csv"]);
    // Longer than any block or window on the way.
    let long: Bytes = (0..3_000_000_u32).map(|n| (n % 251) as u8).collect();
    place.write("out/long.bin", long.clone()).await.unwrap();
    assert_eq!(place.read("out/long.bin", long.len()).await.unwrap().unwrap(), long);
    place.rename("out/a.csv", "done/a.csv").await.unwrap();
    place.rename("out/a.csv", "done/a.csv").await.unwrap();
    assert_eq!(place.read("out/a.csv", 10).await.unwrap(), None);
    assert_eq!(place.read("done/a.csv", 10).await.unwrap().unwrap(), "one");
    // The same content on both sides: the crash between copy and removal.
    place.write("out/a.csv", content("one")).await.unwrap();
    place.rename("out/a.csv", "done/a.csv").await.unwrap();
    assert_eq!(place.read("out/a.csv", 10).await.unwrap(), None);
    // Another content: nothing is lost.
    place.write("out/a.csv", content("new")).await.unwrap();
    assert_eq!(place.rename("out/a.csv", "done/a.csv").await.unwrap_err().code.code, "N402");
    assert_eq!(place.read("out/a.csv", 10).await.unwrap().unwrap(), "new");
    assert_eq!(place.read("done/a.csv", 10).await.unwrap().unwrap(), "one");
    place.remove("out/a.csv").await.unwrap();
    place.remove("out/a.csv").await.unwrap();
    assert_eq!(place.read("out/a.csv", 10).await.unwrap(), None);
    assert!(place.write("../x", content("x")).await.is_err());
}

#[tokio::test]
async fn a_folder_keeps_the_promises_of_a_place() {
    setup();
    let root = folder();
    let place = Folder::new(&root).unwrap();
    conform(&place).await;
    let names: Vec<String> = fs::read_dir(root.join("out"))
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    assert!(names.iter().all(|name| !name.starts_with('.')), "{names:?}");
    std::os::unix::fs::symlink("/etc", root.join("in")).unwrap();
    assert_eq!(place.list("in").await.unwrap_err().code.code, "N402");
    assert_eq!(place.read("in/hostname", 100).await.unwrap_err().code.code, "N402");
    fs::remove_dir_all(&root).unwrap();
}

/// The simulated storage; gone with the test.
struct Storage {
    _process: tokio::process::Child,
    address: String,
    folder: PathBuf,
}

impl Storage {
    async fn start(faults: &str) -> Storage {
        setup();
        let folder = folder();
        let mut process = tokio::process::Command::new(crate::crossing::simulators())
            .args(["storage", "--faults", faults, "--folder"])
            .arg(&folder)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .kill_on_drop(true)
            .spawn()
            .unwrap();
        let mut lines = BufReader::new(process.stdout.take().unwrap()).lines();
        let line = patiently("storage", lines.next_line()).await.unwrap().unwrap();
        let address = line.strip_prefix("storage ").unwrap().to_owned();
        Storage { _process: process, address, folder }
    }

    fn place(&self, secret: &str, bucket: &str) -> ObjectStorage {
        let ca = fs::read(self.folder.join("storage-ca.pem")).unwrap();
        let url: url::Url = self.address.parse().unwrap();
        let host = format!("{}:{}", url.host_str().unwrap(), url.port().unwrap());
        let mut settings = HttpsSettings::new("storage", url, ca);
        settings.addresses =
            AllowList { networks: vec!["127.0.0.1".parse().unwrap()], ..AllowList::default() };
        let target = HttpsTarget::new(settings, Arc::new(SystemClock)).unwrap();
        let settings = Settings {
            host,
            bucket: bucket.to_owned(),
            prefix: "city/131237".to_owned(),
            region: "jp-east-1".to_owned(),
            access_key: "watashi-test".to_owned(),
            secret_key: Secret::new(secret.as_bytes().to_vec()),
        };
        ObjectStorage::new(Arc::new(target), settings, Arc::new(SystemClock))
    }
}

const SECRET: &str = "not-a-secret-but-long-enough";

#[tokio::test]
async fn an_object_storage_keeps_the_promises_of_a_place() {
    let storage = Storage::start("").await;
    conform(&storage.place(SECRET, "municipality")).await;
    for place in [storage.place("another", "municipality"), storage.place(SECRET, "other")] {
        assert_eq!(place.list("").await.unwrap_err().code.code, "N402");
        assert_eq!(place.read("a", 10).await.unwrap_err().code.code, "N402", "not `absent`");
        assert_eq!(place.write("a", Bytes::new()).await.unwrap_err().code.code, "N402");
    }
}

#[tokio::test]
async fn a_lost_answer_of_the_storage_is_found_there() {
    let storage = Storage::start("1=cut-after,3=503,4=cut-before").await;
    let place = storage.place(SECRET, "municipality");
    let content = Bytes::from_static(b"one");
    assert_eq!(place.write("a", content.clone()).await.unwrap_err().code.code, "N401");
    assert_eq!(place.write("a", content.clone()).await.unwrap(), Written::Exists);
    assert_eq!(place.read("a", 10).await.unwrap_err().code.code, "N401");
    assert_eq!(place.read("a", 10).await.unwrap_err().code.code, "N401");
    assert_eq!(place.read("a", 10).await.unwrap().unwrap(), content);
}

/// An sshd of our own on a free port of the loopback.
struct Server {
    process: Child,
    folder: PathBuf,
    port: u16,
    user: String,
}

impl Server {
    async fn start() -> Server {
        setup();
        let folder = folder();
        fs::set_permissions(&folder, fs::Permissions::from_mode(0o700)).unwrap();
        for name in ["host", "client", "stranger"] {
            let made = Command::new("ssh-keygen")
                .args(["-q", "-t", "ed25519", "-N", "", "-f"])
                .arg(folder.join(name))
                .status();
            assert!(made.unwrap().success());
        }
        let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        fs::copy(folder.join("client.pub"), folder.join("authorized")).unwrap();
        for (name, key) in [("known", "host.pub"), ("wrong", "stranger.pub")] {
            let key = fs::read_to_string(folder.join(key)).unwrap();
            fs::write(folder.join(name), format!("[127.0.0.1]:{port} {key}")).unwrap();
        }
        fs::create_dir(folder.join("place")).unwrap();
        let shown = folder.display();
        let config = format!(
            "Port {port}\nListenAddress 127.0.0.1\nHostKey {shown}/host\nPidFile none\n\
             AuthorizedKeysFile {shown}/authorized\nStrictModes no\nUsePAM no\n\
             PasswordAuthentication no\nKbdInteractiveAuthentication no\n\
             PermitRootLogin prohibit-password\nSubsystem sftp internal-sftp\n\
             ForceCommand internal-sftp\nLogLevel ERROR\n"
        );
        fs::write(folder.join("config"), config).unwrap();
        let user = Command::new("id").arg("-un").output().unwrap();
        let user = String::from_utf8(user.stdout).unwrap().trim().to_owned();
        if user == "root" {
            // sshd wants it when it begins as root.
            fs::create_dir_all("/run/sshd").unwrap();
        }
        let process = Command::new("/usr/sbin/sshd")
            .args(["-D", "-e", "-f"])
            .arg(folder.join("config"))
            .stdin(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let server = Server { process, folder, port, user };
        until("sshd", || async {
            tokio::net::TcpStream::connect(("127.0.0.1", port)).await.ok().map(drop)
        })
        .await;
        server
    }

    fn place(&self, key: &str, known_hosts: &str) -> Sftp {
        Sftp {
            host: "127.0.0.1".to_owned(),
            port: self.port,
            user: self.user.clone(),
            key: self.folder.join(key),
            known_hosts: self.folder.join(known_hosts),
            root: self.folder.join("place").display().to_string(),
            ssh: PathBuf::from("/usr/bin/ssh"),
        }
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
        let _ = fs::remove_dir_all(&self.folder);
    }
}

#[tokio::test]
async fn a_server_by_sftp_keeps_the_promises_of_a_place() {
    let server = Server::start().await;
    conform(&server.place("client", "known")).await;
}

#[tokio::test]
async fn nothing_is_said_to_a_server_that_is_not_known_nor_as_a_stranger() {
    let server = Server::start().await;
    let place = server.place("client", "wrong");
    assert_eq!(place.write("a", Bytes::new()).await.unwrap_err().code.code, "N406");
    let place = server.place("stranger", "known");
    assert_eq!(place.list("").await.unwrap_err().code.code, "N402");
    let place = Sftp { port: 1, ..server.place("client", "known") };
    assert_eq!(place.list("").await.unwrap_err().code.code, "N401");
    let odd = Sftp { host: "-oProxyCommand=x".to_owned(), ..server.place("client", "known") };
    assert!(!odd.is_safe());
}

/// A town whose subjects go into files of a folder at once, and whose daily file is read.
async fn town_of_files(kind: &str) -> Town {
    let town = Town::new().await;
    use_files(&town, kind);
    town
}

/// Has subjects go into files of a folder at once, and the daily file read.
pub fn use_files(town: &Town, kind: &str) {
    for name in ["adapters", "schemas", "mappings"] {
        crate::copy::copy(&Path::new(env!("CARGO_MANIFEST_DIR")).join(name), &town.path(name));
    }
    let name = "adapters/reservation/adapter.yaml";
    let text = town
        .read(name)
        .replace("      at: [\"04:00\"]\n      empty: true", "      max-wait: 1s")
        .replace("split: 10000", "split: 2");
    assert!(text.contains("max-wait: 1s"));
    town.write(name, &text);
    let name = "adapters/public-assistance/adapter.yaml";
    town.write(name, &town.read(name).replace("every: 5m", "every: 100ms"));
    let config = town.read("watashi.toml");
    let at = config.find("enabled = [").unwrap();
    let end = at + config[at..].find('\n').unwrap();
    let routes = "enabled = [\"subject-to-reservation-file\", \"welfare-status-to-health\"]";
    let config = config.replace(&config[at..end], routes);
    let folder = format!("folder = \"{}\"", env!("CARGO_MANIFEST_DIR"));
    let mut config = config.replace(&folder, "folder = \".\"");
    for (adapter, place) in [("reservation", "extracts"), ("public-assistance", "daily")] {
        fs::create_dir(town.path(place)).unwrap();
        let lines = kind.replace("PLACE", place);
        config.push_str(&format!("\n[counterpart.{adapter}.place.{place}]\n{lines}\n"));
    }
    town.write("watashi.toml", &config);
}

pub const FOLDER: &str = "kind = \"folder\"\npath = \"PLACE\"";

/// The numbers of all subjects in sets that have their marker, and what is in none.
pub fn sets(folder: &Path) -> (Vec<String>, Vec<String>) {
    let Ok(entries) = fs::read_dir(folder) else { return (Vec::new(), Vec::new()) };
    let names: Vec<String> =
        entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    let (mut whole, mut rest) = (Vec::new(), Vec::new());
    for name in names.iter().filter(|name| name.ends_with(".csv")) {
        let marker = format!("{}.end", name.rsplit_once('_').unwrap().0);
        let text = fs::read(folder.join(name)).unwrap();
        let rows = text.split(|byte| *byte == b'\n').skip(1).filter(|row| !row.is_empty());
        let numbers = rows.map(|row| {
            String::from_utf8_lossy(row.split(|byte| *byte == b',').next().unwrap()).into_owned()
        });
        if names.contains(&marker) { whole.extend(numbers) } else { rest.extend(numbers) }
    }
    whole.sort();
    (whole, rest)
}

/// Three persons, as they come from the health system.
pub async fn subjects(town: &Town) -> Vec<Value> {
    let one = town.messages("subject.registered", None).await.remove(0);
    let person = |number: usize| {
        let mut one = one.clone();
        one["subjectId"] = json!(format!("S-{number}"));
        one["person"]["atenaNumber"] = json!(format!("{number:015}"));
        one
    };
    (1..=3).map(person).collect()
}

#[tokio::test]
async fn killed_at_every_step_of_a_set_each_message_is_in_one_whole_set() {
    let points = [
        "deliver:before-intent",
        "intend:after-commit",
        "deliver:after-intent",
        "file:planned",
        "file:hidden-written",
        "file:hidden-synced",
        "file:shown",
        "file:folder-synced",
        "file:shown@2",
        "file:folder-synced@3",
        "file:before-last",
        "file:all-written",
        "settle:before-write",
        "settle:after-commit",
        "file:settled",
    ];
    let town = town_of_files(FOLDER).await;
    let subjects = subjects(&town).await;
    let mut expected = Vec::new();
    for (point, round) in points.iter().zip(0..) {
        let plan = if point.contains('@') { (*point).to_owned() } else { format!("{point}@1") };
        let mut gateway = town.start_with(&[("WATASHI_CRASH_AT", &plan)]).await;
        let health = town.health();
        for subject in &subjects {
            let mut subject = subject.clone();
            let id = format!("S-{round}-{}", subject["subjectId"].as_str().unwrap());
            subject["subjectId"] = json!(id);
            // One that ended before it said 202 was not told that it has it.
            let posted = health.try_post("subject.registered", &id, &subject).await;
            if posted.is_some_and(|answer| answer.status == 202) {
                expected.push(id);
            }
        }
        gateway.ended().await;
        let (_, before) = sets(&town.path("extracts/subjects"));
        let gateway = town.start().await;
        until("all delivered", || async {
            let exchanges = town.exchanges().await;
            let open = exchanges
                .iter()
                .any(|one| one["state"] != "delivered" && one["state"] != "discarded");
            (!open).then_some(())
        })
        .await;
        let (mut whole, rest) = sets(&town.path("extracts/subjects"));
        let all = whole.len();
        whole.dedup();
        assert_eq!(whole.len(), all, "{point}: doubled");
        assert_eq!(rest, [] as [String; 0], "{point}: without marker; before {before:?}");
        let lost: Vec<&String> = expected.iter().filter(|id| !whole.contains(id)).collect();
        assert_eq!(lost, [] as [&String; 0], "{point}");
        assert_eq!(gateway.stop().await, Some(0));
    }
    assert!(expected.len() > points.len(), "{expected:?}");
    assert_eq!(town.run(&["log", "verify"]).await.code, 0);
}

/// Writes the daily file of a day, with twenty persons; gives its name.
pub fn daily(folder: &Path, day: usize) -> String {
    let rows: String = (1..=20).map(|n| format!("{:015},1,20260401,\r\n", day * 100 + n)).collect();
    let name = format!("SEIHO_KUBUN_202612{day:02}");
    let text = format!("atenaNumber,status,from,to\r\n{rows}");
    fs::write(folder.join(format!("{name}.csv")), text).unwrap();
    fs::write(folder.join(format!("{name}.end")), "").unwrap();
    name
}

#[tokio::test]
async fn killed_at_every_step_of_a_file_each_record_is_one_message() {
    let town = town_of_files(FOLDER).await;
    let points = [
        "accept:before-commit",
        "accept:after-commit",
        "file:accepted",
        "file:finishing",
        "file:moved-there",
        "file:moved",
    ];
    let folder = town.path("daily/statuses");
    fs::create_dir(&folder).unwrap();
    for (point, day) in points.iter().zip(1..) {
        let name = daily(&folder, day);
        let mut gateway = town.start_with(&[("WATASHI_CRASH_AT", &format!("{point}@1"))]).await;
        gateway.ended().await;
        let gateway = town.start().await;
        until("taken", || async {
            let exchanges = town.exchanges().await;
            let delivered = exchanges.iter().filter(|one| one["state"] == "delivered").count();
            assert!(exchanges.len() <= 20 * day, "{point}: doubled");
            let is_away = fs::read_dir(&folder).unwrap().count() == 0;
            (delivered == 20 * day && is_away).then_some(())
        })
        .await;
        assert!(town.path(&format!("daily/done/{name}.csv")).is_file(), "{point}");
        assert_eq!(gateway.stop().await, Some(0));
    }
}

#[tokio::test]
async fn a_set_goes_through_sftp_and_check_says_whether_it_can() {
    let server = Server::start().await;
    let shown = server.folder.display();
    let kind = format!(
        "kind = \"sftp\"\nhost = \"127.0.0.1\"\nport = {}\nuser = \"{}\"\nkey = \"{shown}/client\"\n\
         known-hosts = \"{shown}/known\"\npath = \"{shown}/place\"",
        server.port, server.user
    );
    let town = town_of_files(&kind).await;
    let checked = town.run(&["check"]).await;
    assert!(
        checked.out.contains("ok      reservation: place extracts: 0 files"),
        "{}",
        checked.out
    );
    let gateway = town.start().await;
    for subject in subjects(&town).await {
        let id = subject["subjectId"].as_str().unwrap().to_owned();
        assert_eq!(town.health().post("subject.registered", &id, &subject).await.status, 202);
    }
    for number in 1..=3 {
        town.until_state(&format!("S-{number}"), "delivered").await;
    }
    let (whole, rest) = sets(&server.folder.join("place/subjects"));
    assert_eq!((whole, rest), (vec!["S-1".to_owned(), "S-2".to_owned(), "S-3".to_owned()], vec![]));
    assert_eq!(gateway.stop().await, Some(0));
}
