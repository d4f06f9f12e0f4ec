//! Backup and restore as an operator meets them.

use crate::fixture::{Folder, Ran};
use crate::operating::{WHO, with_store};

fn states(folder: &Folder) -> Vec<String> {
    let listed = folder.run(&["list", "exchanges", "--json"]).json();
    let all = listed.as_array().unwrap();
    all.iter().map(|one| one["state"].as_str().unwrap().to_owned()).collect()
}

fn restore(folder: &Folder, arguments: &[&str]) -> Ran {
    folder.run(&[&["restore"], arguments, &WHO].concat())
}

fn lose_the_store(folder: &Folder) {
    for name in ["watashi.db", "watashi.db-wal", "watashi.db-shm"] {
        let _ = std::fs::remove_file(folder.path(name));
    }
}

#[test]
fn a_lost_store_comes_back_from_its_backup() {
    let folder = with_store();
    std::fs::create_dir(folder.path("backups")).unwrap();
    let ran = folder.run(&["backup", "backups"]);
    assert_eq!(ran.code, 0, "{}", ran.err);
    let file = ran.out.trim().to_owned();
    assert!(file.starts_with("backups/watashi-") && file.ends_with("Z.db"), "{file}");
    assert!(ran.err.contains("epoch 1"), "{}", ran.err);
    let ran = folder.run(&["backup", &file]);
    assert_eq!(ran.code, 69);
    assert!(ran.err.starts_with("error: T601 "), "{}", ran.err);
    assert_eq!(folder.run(&["backup", "--check", &file]).code, 0);

    let ran = restore(&folder, &[&file]);
    assert!(ran.err.starts_with("error: T603 "), "not over a store: {}", ran.err);
    lose_the_store(&folder);
    let before = ["delivered", "dead", "unknown"];
    let ran = restore(&folder, &[&file]);
    assert_eq!((ran.code, ran.out.as_str()), (0, "epoch 2\n"), "{}", ran.err);
    assert_eq!(states(&folder), before);
    let found = folder.run(&["log", "find", "--json"]).json();
    let last = found.as_array().unwrap().last().unwrap();
    assert_eq!(last["entry"]["outcome"], "restore");
    assert_eq!(last["entry"]["operator"], "sato");

    assert_eq!(restore(&folder, &["--complete"]).code, 0);
    let again = restore(&folder, &["--complete"]);
    assert_eq!(again.code, 1, "nothing waits for it any more: {}", again.err);
    let ran = restore(&folder, &["--adopt"]);
    assert_eq!((ran.code, ran.out.as_str()), (0, "epoch 3\n"), "{}", ran.err);
}

#[test]
fn the_exported_record_is_taken_over() {
    let folder = with_store();
    assert_eq!(folder.run(&["backup", "old.db"]).code, 0);
    let given_up = folder.run(&[&["dlq", "discard", "2"][..], &WHO].concat());
    assert_eq!(given_up.code, 0, "{}", given_up.err);
    std::fs::create_dir(folder.path("export")).unwrap();
    let export = [&["log", "export"][..], &WHO].concat();
    assert_eq!(folder.run(&[&export[..], &["--output", "export/all.jsonl"]].concat()).code, 0);
    let exported = folder.read("export/all.jsonl");

    lose_the_store(&folder);
    let ran = restore(&folder, &["old.db", "--record", "export"]);
    assert_eq!(ran.code, 0, "{}", ran.err);
    assert!(ran.err.contains("ended by what the record tells: 1"), "{}", ran.err);
    assert_eq!(states(&folder)[1], "discarded", "as the record says");
    let now = folder.run(&export).out;
    assert!(now.starts_with(&exported), "the record goes on from where it was");
    assert_eq!(folder.run(&["log", "verify"]).code, 0);

    lose_the_store(&folder);
    let short: Vec<&str> = exported.lines().collect();
    folder.write("export/all.jsonl", &short[..1].join("\n"));
    folder.write("export/rest.jsonl", "no line of an export\n");
    let ran = restore(&folder, &["old.db", "--record", "export"]);
    assert_eq!(ran.code, 3);
    assert!(ran.err.starts_with("error: T402 "), "{}", ran.err);
    assert!(!folder.path("watashi.db").exists());
}

#[test]
fn a_damaged_backup_is_an_integrity_error() {
    let folder = with_store();
    assert_eq!(folder.run(&["backup", "old.db"]).code, 0);
    let mut bytes = std::fs::read(folder.path("old.db")).unwrap();
    let middle = bytes.len() / 2;
    bytes[middle] ^= 1;
    std::fs::write(folder.path("old.db"), bytes).unwrap();
    let ran = folder.run(&["backup", "--check", "old.db"]);
    assert_eq!(ran.code, 3);
    assert!(ran.err.starts_with("error: T604 "), "{}", ran.err);
    lose_the_store(&folder);
    assert_eq!(restore(&folder, &["old.db"]).code, 3);
    std::fs::remove_file(folder.path("old.db.manifest.json")).unwrap();
    let ran = restore(&folder, &["old.db"]);
    assert_eq!(ran.code, 3);
    assert!(ran.err.starts_with("error: T602 "), "{}", ran.err);
}
