//! Two municipalities on one machine: every way from one into the other that a test can try, and each
//! of them fails with its code (R16).

use crate::fixture::{Folder, MESSAGE};
use crate::operating::{WHO, with_store};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

const HERE: &str = "131237";
const THERE: &str = "131130";

/// A municipality with a store that knows whose it is.
fn here() -> Folder {
    let folder = with_store();
    bind(&folder);
    folder
}

/// A start of the gateway would do the same: the store is opened for writing.
fn bind(folder: &Folder) {
    let ran = folder.run(&[&["restore", "--adopt"][..], &WHO].concat());
    assert_eq!(ran.code, 0, "{}", ran.err);
}

/// The other municipality; `fill` makes its key.
fn there(fill: u8) -> Folder {
    let folder = Folder::whole();
    folder.change("watashi.toml", HERE, THERE);
    folder.change("watashi.toml", "name = \"test\"", "name = \"other\"");
    folder.write("k1", &STANDARD.encode([fill; 32]));
    folder.close("k1");
    folder
}

/// Points the other one's configuration at a store.
fn lead_to(folder: &Folder, store: &str) {
    folder.change("watashi.toml", "path = \"watashi.db\"", &format!("path = \"{store}\""));
}

#[test]
fn r16_a_store_is_opened_for_no_other_municipality() {
    let here = here();
    let store = here.path("watashi.db").display().to_string();
    // With a key of its own, and with the very key of this one.
    for fill in [9, 7] {
        let there = there(fill);
        lead_to(&there, &store);
        for command in [&["status"][..], &["list", "exchanges"], &["log", "verify"]] {
            let ran = there.run(command);
            assert_eq!((ran.code, ran.out.as_str()), (78, ""), "{}", ran.err);
            assert!(ran.err.starts_with("error: T108 "), "{}", ran.err);
            assert!(ran.err.contains("it is of 131237, the configuration of 131130"));
            assert!(ran.err.contains("hint: Point `[store]`"), "{}", ran.err);
        }
        let ran = there.run(&[&["dlq", "discard", "2"][..], &WHO].concat());
        assert!(ran.err.starts_with("error: T108 "), "{}", ran.err);
        let ran = there.run(&["run"]);
        assert_eq!(ran.code, 78, "{}", ran.err);
        assert!(ran.err.contains("T108"), "{}", ran.err);
    }
    assert_eq!(here.run(&["status"]).code, 0, "its own goes on");
}

#[test]
fn a_store_of_before_is_bound_by_who_has_its_keys() {
    let here = with_store();
    let store = here.path("watashi.db").display().to_string();
    let stranger = there(9);
    lead_to(&stranger, &store);
    let ran = stranger.run(&[&["restore", "--adopt"][..], &WHO].concat());
    assert!(ran.err.starts_with("error: T107 "), "it takes over nothing: {}", ran.err);
    bind(&here);
    let stranger = there(7);
    lead_to(&stranger, &store);
    assert!(stranger.run(&["status"]).err.starts_with("error: T108 "));
    // A change of code is said in words, and once done the old one is the stranger.
    stranger.change(
        "watashi.toml",
        "municipalities = [\"131130\"]",
        "municipalities = [\"131130\"]\nformerly = [\"131237\"]",
    );
    bind(&stranger);
    assert_eq!(stranger.run(&["status"]).code, 0);
    assert!(here.run(&["status"]).err.starts_with("error: T108 "));
}

#[test]
fn a_backup_becomes_no_store_of_another_municipality() {
    let here = here();
    assert_eq!(here.run(&["backup", "copy.db"]).code, 0);
    let manifest = here.read("copy.db.manifest.json");
    assert!(manifest.contains("\"municipalities\": \"131237\""), "{manifest}");
    let unsaid = manifest.replace("\"131237\"", "\"\"");
    for (fill, manifest, code) in
        [(9, &manifest, "T108"), (7, &manifest, "T108"), (9, &unsaid, "T107"), (7, &unsaid, "T108")]
    {
        let there = there(fill);
        std::fs::copy(here.path("copy.db"), there.path("copy.db")).unwrap();
        there.write("copy.db.manifest.json", manifest);
        let ran = there.run(&[&["restore", "copy.db"][..], &WHO].concat());
        assert!(ran.err.starts_with(&format!("error: {code} ")), "{fill}: {}", ran.err);
        assert!(!there.path("watashi.db").exists());
    }
}

#[test]
fn a_record_verifies_under_no_key_of_another_municipality() {
    let here = here();
    for (folder, name) in [("here", "log.example/131237"), ("there", "log.example/131130")] {
        let ran = here.run(&["keys", "new-signing", name, "--output", &format!("{folder}.key")]);
        assert_eq!(ran.code, 0, "{}", ran.err);
        here.write(&format!("{folder}.pub"), &ran.out);
    }
    let text = here.read("watashi.toml");
    let record = "[record]\nsigning-key = \"file:here.key\"\n";
    here.write("watashi.toml", &format!("{text}\n{record}"));
    crate::record::seal_with(&here, "here.key", "2026-06-01T03:00:00Z", None);
    std::fs::create_dir(here.path("segments")).unwrap();
    assert_eq!(here.run(&["log", "export-segments", "segments"]).code, 0);
    let ran = here.run(&["log", "verify", "segments", "--key", "here.pub"]);
    assert_eq!(ran.code, 0, "{}", ran.err);
    assert!(ran.out.ends_with(" of log.example/131237\n"), "{}", ran.out);
    let ran = here.run(&["log", "verify", "segments", "--key", "there.pub"]);
    assert_eq!((ran.code, ran.out.as_str()), (78, ""), "{}", ran.err);
    assert!(ran.err.starts_with("error: T410 "), "{}", ran.err);
    assert!(ran.err.contains("it is of `log.example/131237`, the keys of log.example/131130"));

    // Nor is it taken over where the other one's store is put back.
    let there = there(9);
    bind_new(&there);
    assert_eq!(there.run(&["backup", "copy.db"]).code, 0);
    std::fs::remove_file(there.path("watashi.db")).unwrap();
    there.write("there.key", &here.read("there.key"));
    there.close("there.key");
    let text = there.read("watashi.toml");
    there.write("watashi.toml", &format!("{text}\n[record]\nsigning-key = \"file:there.key\"\n"));
    let segments = here.path("segments").display().to_string();
    let restore = ["restore", "copy.db", "--record", &segments];
    let ran = there.run(&[&restore[..], &WHO].concat());
    assert!(ran.err.starts_with("error: T410 "), "{}", ran.err);
}

/// A new store, made as the gateway makes it.
fn bind_new(folder: &Folder) {
    let config = watashi::config::load(&folder.path("watashi.toml")).0.unwrap();
    let keys = std::sync::Arc::new(watashi::config::connect::keys(&config).unwrap());
    let options = watashi::store::sqlite::Options::default();
    drop(watashi::store::SqliteStore::open(&folder.path("watashi.db"), keys, options).unwrap());
}

#[test]
fn r16_a_sealed_body_opens_with_no_key_of_another_municipality() {
    let keys = |folder: &Folder| {
        let config = watashi::config::load(&folder.path("watashi.toml")).0.unwrap();
        watashi::config::connect::keys(&config).unwrap()
    };
    let sealed = keys(&Folder::whole()).seal("body", b"personal").unwrap();
    let refused = keys(&there(9)).open("body", &sealed.0).unwrap_err();
    assert_eq!(refused.code.code, "T304", "the name of the key is the same, the key is not");
}

#[test]
fn r16_a_message_of_another_municipality_is_accepted_at_no_station() {
    let here = Folder::whole();
    here.write("message.json", &MESSAGE.replace(HERE, THERE));
    let ran = here.run(&["try", "placing", "message.json"]);
    assert!(ran.out.contains("accept    FAILED  G109"), "{}{}", ran.out, ran.err);
}

#[test]
fn what_two_configurations_share_is_found_before_they_run() {
    let (here, there) = (here(), there(7));
    there.change("watashi.toml", "127.0.0.1:1\"\n\n[counterpart", "127.0.0.1:2\"\n\n[counterpart");
    let [a, b] = [&here, &there].map(|one| one.path("watashi.toml").display().to_string());
    let ran = here.run(&["check", "--in-containers", "--apart", &a, &b]);
    assert_eq!(ran.code, 78);
    assert!(ran.out.starts_with("NOT SHOWN TO BE APART: 2 configurations"), "{}", ran.out);
    assert!(ran.err.contains("error[C403]: what `keys.k1` holds is also what `keys.k1` holds of "));
    assert!(ran.err.contains(&format!("--> {b}:")), "{}", ran.err);
    there.write("k1", &STANDARD.encode([9; 32]));
    there.close("k1");
    let ran = here.run(&["check", "--in-containers", "--apart", &a, &b]);
    assert_eq!(ran.code, 0, "{}", ran.err);
    assert!(ran.out.starts_with("apart: 2 configurations, "), "{}", ran.out);
    let shown = here.run(&["check", "--in-containers", "--json", "--apart", &a, &b]).json();
    assert_eq!(shown["apart"], true);
    assert_eq!(shown["gateways"][1]["municipalities"][0], THERE);
    // One user runs all tests, so that with owners compared the two are not apart.
    let ran = here.run(&["check", "--apart", &a, &b]);
    assert!(ran.err.contains("error[C410]: "), "{}", ran.err);
    assert_eq!(here.run(&["check", "--apart", &a]).code, 2, "one is nothing to compare");
}
