//! The record as an operator, an auditor and a stranger meet it.

use crate::fixture::Folder;
use crate::operating::{WHO, with_store};
use serde_json::{Value, json};
use std::process::Command;
use std::sync::Arc;
use std::time::Duration;
use watashi::archive::Archive;
use watashi::model::{Clock, Secret};
use watashi::pipeline::seal::{Sealer, Watch};
use watashi::record::checkpoint::Signer;
use watashi::record::note::SigningKey;
use watashi::store::SqliteStore;
use watashi::store::sqlite::Options;

struct At(&'static str);

impl Clock for At {
    fn now(&self) -> jiff::Timestamp {
        self.0.parse().unwrap()
    }
}

/// Seals what the store holds at an instant, and exports it where the configuration says so.
fn seal(folder: &Folder, at: &'static str, archive: Option<&str>) {
    seal_with(folder, "record.key", at, archive);
}

/// The same with a signing key in that file.
pub fn seal_with(folder: &Folder, key: &str, at: &'static str, archive: Option<&str>) {
    let runtime = tokio::runtime::Runtime::new().unwrap();
    runtime.block_on(async {
        let path = folder.path("watashi.db");
        let key = Secret::new(folder.read(key));
        let sealer = Sealer {
            store: SqliteStore::open(&path, folder.keys(), Options::default()).unwrap(),
            clock: Arc::new(At(at)),
            signer: Signer::new(SigningKey::parse(&key).unwrap(), None).unwrap(),
            archive: archive.map(|name| Archive::new(folder.path(name))),
            grace: Duration::from_secs(60),
            sealing: Arc::default(),
        };
        sealer.seal(&mut Watch::default(), true).await.unwrap();
        sealer.export().await;
        assert!(sealer.sealing.notes().is_empty());
        sealer.store.close().await.unwrap();
    });
}

/// A store with a sealed record, and `record.pub` beside it.
fn with_sealed_record() -> Folder {
    let folder = with_store();
    let ran = folder.run(&["keys", "new-signing", "log.example/a", "--output", "record.key"]);
    assert_eq!(ran.code, 0, "{}", ran.err);
    folder.write("record.pub", &ran.out);
    let text = folder.read("watashi.toml");
    let record = "[record]\nsigning-key = \"file:record.key\"\nexport = \"archive\"\n";
    folder.write("watashi.toml", &format!("{text}\n{record}"));
    seal(&folder, "2026-06-01T03:00:00Z", None);
    folder
}

#[test]
fn entries_are_found_by_every_filter() {
    let folder = with_store();
    folder.write("person", "山田\n");
    let count = |arguments: &[&str]| folder.run(arguments).json().as_array().unwrap().len();
    assert_eq!(count(&["log", "find", "--message", "good", "--json"]), 2);
    assert_eq!(count(&["log", "find", "--subject", &"0B".repeat(16), "--json"]), 4);
    assert_eq!(count(&["log", "find", "--from", "2026-06-02", "--json"]), 0);
    assert_eq!(count(&["log", "find", "--from", "2026-06-01", "--to", "2026-06-02", "--json"]), 6);
    assert_eq!(count(&["log", "find", "--person", "person", "--json"]), 0);
    assert_eq!(folder.run(&["log", "find", "--kind", "送布"]).code, 2);
    assert_eq!(folder.run(&["log", "find", "--from", "yesterday"]).code, 2);
    assert_eq!(folder.run_with_input(&["log", "find", "--person", "-"], "").code, 2);
    assert_eq!(folder.run(&["log", "find", "--person", "missing"]).code, 69);
}

#[test]
fn a_stranger_verifies_segments_with_a_public_key_alone() {
    let folder = with_sealed_record();
    let ran = folder.run(&["log", "verify"]);
    assert_eq!((ran.code, ran.out.as_str()), (0, "verified: 7 entries\n"), "{}", ran.err);
    assert!(ran.err.contains("sealed up to 7"), "{}", ran.err);
    std::fs::create_dir(folder.path("segments")).unwrap();
    let ran = folder.run(&["log", "export-segments", "segments"]);
    assert_eq!(ran.code, 0, "{}", ran.err);
    assert_eq!(folder.run(&["keys", "public"]).out, folder.read("record.pub"));

    let stranger = Folder::empty();
    std::fs::create_dir(stranger.path("seen")).unwrap();
    stranger.write("record.pub", &folder.read("record.pub"));
    let name = "record-2026-06-01-000000000001-000000000007.jsonl";
    for file in [name, "checkpoint"] {
        let text = folder.read(&format!("segments/{file}"));
        stranger.write(&format!("seen/{file}"), &text);
    }
    let verify = ["log", "verify", "seen", "--key", "record.pub"];
    let ran = stranger.run(&verify);
    let good = "verified: 7 entries in 1 segment of log.example/a\n";
    assert_eq!((ran.code, ran.out.as_str()), (0, good), "{}", ran.err);
    let alone = |arguments: &[&str]| {
        Command::new(env!("CARGO_BIN_EXE_watashi-verify"))
            .args(arguments)
            .current_dir(stranger.path("."))
            .env_clear()
            .output()
            .unwrap()
    };
    let output = alone(&["seen", "--key", "record.pub"]);
    assert_eq!((output.status.code(), output.stdout), (Some(0), good.as_bytes().to_vec()));

    let path = format!("seen/{name}");
    let text = stranger.read(&path);
    stranger.write(&path, &text.replace("\"bad\"", "\"bat\""));
    let ran = stranger.run(&verify);
    assert_eq!(ran.code, 3);
    let expected = format!(
        "error: {name}: T401 the record is broken: the entry was changed; its hash is as it was recorded\n\
         first bad sequence: 2; no entry is proven\nhint: keep the files as evidence\n"
    );
    let bad = folder.run(&["log", "find", "--message", "bad", "--json"]).json();
    let expected = expected.replace("sequence: 2", &format!("sequence: {}", bad[0]["sequence"]));
    assert_eq!(ran.err, expected);
    let output = alone(&["seen", "--key", "record.pub", "--json"]);
    assert_eq!(output.status.code(), Some(3));
    let page: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(page["first_bad"], bad[0]["sequence"]);

    stranger.write(&path, &text);
    stranger.run(&["keys", "new-signing", "log.example/a", "--output", "other.key"]);
    let other = stranger.run(&["keys", "new-signing", "log.example/a", "--output", "third.key"]);
    stranger.write("other.pub", &other.out);
    let ran = stranger.run(&["log", "verify", "seen", "--key", "other.pub"]);
    assert_eq!(ran.code, 3);
    assert!(ran.err.contains("no known key signed it"), "{}", ran.err);
    stranger.write("other.pub", "none\n");
    assert_eq!(stranger.run(&["log", "verify", "seen", "--key", "other.pub"]).code, 78);
    assert_eq!(stranger.run(&["log", "verify", "gone", "--key", "record.pub"]).code, 69);
    assert_eq!(stranger.run(&["log", "verify", "seen"]).code, 2);
}

#[test]
fn a_disclosure_and_an_export_are_entries_themselves() {
    let folder = with_store();
    folder.write("person", "山田\n");
    let disclose = ["log", "disclose", "--subject", "person", "--format", "csv", "--ja"];
    let ran = folder.run(&[&disclose[..], &WHO].concat());
    assert_eq!(ran.code, 0, "{}", ran.err);
    assert!(ran.out.starts_with("\u{feff}\"番号\",\"日時\""), "{}", ran.out);
    assert_eq!(folder.run(&disclose).code, 2, "who and why are needed");
    let numbered = [&disclose[..], &["--operator", "sato", "--reason", "123456789018"]].concat();
    assert_eq!(folder.run(&numbered).code, 2, "a number does not go into the record");
    let export = [&["log", "export", "--from", "2026-06-01", "--output", "all.jsonl"][..], &WHO];
    assert_eq!(folder.run(&export.concat()).code, 0);
    let again = folder.run(&export.concat());
    assert_eq!(again.code, 69);
    assert!(again.err.ends_with("hint: an export is never overwritten\n"), "{}", again.err);
    assert_eq!(folder.read("all.jsonl").lines().count(), 7);
    let acts = folder.run(&["log", "find", "--kind", "操作", "--json"]).json();
    let acts: Vec<(&Value, &Value)> = acts
        .as_array()
        .unwrap()
        .iter()
        .map(|act| (&act["entry"]["outcome"], &act["entry"]["reference"]))
        .collect();
    let (disclosed, exported) = (json!("record-disclosed"), json!("record-exported"));
    let counts = [json!("entries: 0"), json!("entries: 7"), json!("entries: 8")];
    let expected = [(&disclosed, &counts[0]), (&exported, &counts[1]), (&exported, &counts[2])];
    assert_eq!(acts, expected);
    let own = folder.run(&[&disclose[..], &WHO].concat()).out;
    assert_eq!(own.lines().count(), 2, "the first disclosure is among what is disclosed: {own}");
}

#[test]
fn whole_years_are_pruned_when_they_were_exported_and_kept_long_enough() {
    let folder = with_sealed_record();
    let prune = |year: &str| folder.run(&[&["log", "prune", "--before", year][..], &WHO].concat());
    let refused = prune("2027");
    assert_eq!(refused.code, 69);
    assert!(refused.err.contains("7 years are kept: not before April 2034"), "{}", refused.err);
    assert!(prune("2015").err.contains("there is nothing from before April 2015"));
    assert_eq!(prune("year").code, 2);
    assert_eq!(folder.run(&["log", "verify"]).code, 0, "nothing was pruned");
}
