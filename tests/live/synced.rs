//! Acknowledged means on the disk: seen from outside, in the system calls of the running gateway.

use crate::services::broker;
use crate::town::{Town, patiently};
use crate::upstream::Upstream;
use std::collections::{HashMap, HashSet};
use std::process::Stdio;
use tokio::io::{AsyncBufReadExt, BufReader};
use tokio::process::{Child, Command};

/// The head of a `basic.ack` frame behind its channel: length 13, class 60, method 80.
const ACK: &str = r"\x00\x00\x00\x0d\x00\x3c\x00\x50";

/// What the trace shows, in its order.
#[derive(Debug, PartialEq, Eq)]
enum Event {
    /// Bytes of the message with this number were written to the log of the database.
    Written(usize),
    /// A sync of that log began, and has ended.
    Synced { began: usize },
    /// An acknowledgement left.
    Acknowledged,
}

fn strace() -> &'static str {
    let path = "/usr/bin/strace";
    assert!(std::path::Path::new(path).exists(), "strace is not installed: run `make setup`");
    path
}

/// Watches a process until it ends; what it does is written to a file.
async fn watch(id: u32, file: &std::path::Path) -> Child {
    let mut child = Command::new(strace())
        .args(["-f", "-xx", "-s", "8300"])
        .args(["-e", "trace=pwrite64,fsync,fdatasync,write,writev,sendto,sendmsg"])
        .args(["-p", &id.to_string(), "-o"])
        .arg(file)
        .stdin(Stdio::null())
        .stderr(Stdio::piped())
        .kill_on_drop(true)
        .spawn()
        .unwrap();
    let mut lines = BufReader::new(child.stderr.take().unwrap()).lines();
    let attached = patiently("strace", lines.next_line()).await.unwrap().unwrap_or_default();
    assert!(attached.contains("attached"), "{attached}");
    // Its later words are of no use, but the pipe must not fill.
    tokio::spawn(async move { while let Ok(Some(_)) = lines.next_line().await {} });
    child
}

/// Descriptors of the database's log in a process.
fn logs_of(id: u32) -> HashSet<String> {
    let entries = std::fs::read_dir(format!("/proc/{id}/fd")).unwrap().map(Result::unwrap);
    let is_log = |entry: &std::fs::DirEntry| {
        std::fs::read_link(entry.path()).is_ok_and(|path| path.to_string_lossy().ends_with("-wal"))
    };
    entries.filter(is_log).map(|entry| entry.file_name().into_string().unwrap()).collect()
}

fn in_hex(text: &str) -> String {
    text.bytes().map(|byte| format!("\\x{byte:02x}")).collect()
}

fn events(trace: &str, logs: &HashSet<String>, ids: &[String]) -> Vec<Event> {
    let ids: Vec<String> = ids.iter().map(|id| in_hex(id)).collect();
    let mut syncing: HashMap<&str, usize> = HashMap::new();
    let mut found = Vec::new();
    for (number, line) in trace.lines().enumerate() {
        let (thread, call) = line.split_once(char::is_whitespace).unwrap_or_default();
        let call = call.trim_start();
        let descriptor = |name: &str| {
            let rest = call.strip_prefix(name)?.strip_prefix('(')?;
            logs.contains(rest.split([',', ')', ' ']).next()?).then_some(())
        };
        let is_sync = descriptor("fsync").or_else(|| descriptor("fdatasync")).is_some();
        if is_sync && call.contains("unfinished") {
            syncing.insert(thread, number);
        } else if is_sync && call.ends_with("= 0") {
            found.push(Event::Synced { began: number });
        } else if call.contains("sync resumed") && call.ends_with("= 0") {
            found.extend(syncing.remove(thread).map(|began| Event::Synced { began }));
        } else if descriptor("pwrite64").is_some() {
            let written = |number: &usize| call.contains(ids[*number].as_str());
            found.extend((0..ids.len()).filter(written).map(Event::Written));
        } else if call.contains(ACK) {
            found.push(Event::Acknowledged);
        }
    }
    found
}

/// The order that must be: written, then a sync that began after it and has ended, then the
/// acknowledgement. Messages come one by one, so the first acknowledgement is the first one's.
fn check(trace: &str, logs: &HashSet<String>, ids: &[String]) {
    let events = events(trace, logs, ids);
    let line_of = |id: &str| {
        let id = in_hex(id);
        trace.lines().position(|line| line.contains("pwrite64(") && line.contains(&id)).unwrap()
    };
    let acknowledged: Vec<usize> =
        (0..events.len()).filter(|at| events[*at] == Event::Acknowledged).collect();
    assert_eq!(acknowledged.len(), ids.len(), "{events:?}");
    for (number, id) in ids.iter().enumerate() {
        let before = &events[..acknowledged[number]];
        let written = before.iter().position(|event| *event == Event::Written(number));
        let written = written.unwrap_or_else(|| panic!("{id}: acknowledged, not written"));
        let line = line_of(id);
        let synced = before[written..]
            .iter()
            .any(|event| matches!(event, Event::Synced { began } if *began > line));
        assert!(synced, "{id}: acknowledged before the sync: {events:?}");
    }
}

#[tokio::test]
async fn nothing_is_acknowledged_before_it_is_synced() {
    let town = Town::new().await;
    let url = broker().await.virtual_host("synced");
    town.write("secrets/amqp", &url);
    town.configure("amqp", "url = \"file:secrets/amqp\"");
    assert_eq!(town.run(&["broker", "apply"]).await.code, 0);
    let gateway = town.start().await;
    let upstream = Upstream::new(&url).await;
    let notices = town.messages("notice.requested", Some("osr")).await;
    let post = async |id: &str, body: &serde_json::Value| {
        let body = body.to_string().into_bytes();
        upstream.post("notice.requested", Some(id), "application/json", &body).await;
        town.until_state(id, "delivered").await;
    };
    // The first one opens what there is to open: only then the log's descriptors are known.
    post("before-the-trace", &notices[0]).await;
    let (id, file) = (gateway.id(), town.path("trace"));
    let logs = logs_of(id);
    assert!(!logs.is_empty(), "the log of the database is open");
    let mut watcher = watch(id, &file).await;
    let ids: Vec<String> = (0..5).map(|number| format!("traced-message-{number}")).collect();
    for (id, notice) in ids.iter().zip(notices.iter().cycle().skip(1)) {
        post(id, notice).await;
    }
    assert_eq!(gateway.stop().await, Some(0));
    patiently("end of the trace", watcher.wait()).await.unwrap();
    check(&std::fs::read_to_string(file).unwrap(), &logs, &ids);
}

/// The check itself can fail.
#[test]
#[should_panic(expected = "acknowledged before the sync")]
fn an_acknowledgement_before_the_sync_is_seen() {
    let id = "m-1".to_owned();
    let written = in_hex(&id);
    let trace = format!(
        "7 fsync(9) = 0\n7 pwrite64(9, \"{written}\", 3, 0) = 3\n7 fsync(9 <unfinished ...>\n\
         8 sendto(4, \"\\x01\\x00\\x01{ACK}\", 21) = 21\n7 <... fsync resumed>) = 0\n"
    );
    check(&trace, &HashSet::from(["9".to_owned()]), &[id]);
}
