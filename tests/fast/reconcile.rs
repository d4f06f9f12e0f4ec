//! Comparisons as an operator meets them, with the definitions that are delivered.

use crate::fixture::{Folder, Ran};
use crate::operating::WHO;
use std::path::Path;
use watashi::record::{Basis, Draft, Kind, Phase};
use watashi::store::sqlite::Options;
use watashi::store::{SqliteStore, Store};

/// The delivered definitions, a store with these entries in its record.
fn folder(entries: Vec<Draft>) -> Folder {
    let folder = Folder::whole();
    let root = env!("CARGO_MANIFEST_DIR");
    let text = folder.read("watashi.toml");
    let post = text.find("[counterpart.post]").unwrap();
    let text = text[..post]
        .replace("[routes]", &format!("[definitions]\nfolder = \"{root}\"\n\n[routes]"))
        .replace("\"placing\"", "\"vaccination-record-to-copy-file\"");
    let place = "[counterpart.intermediate-server-files.place.exchange]\nkind = \"folder\"\npath = \"exchange\"\n";
    folder.write("watashi.toml", &(text + place));
    std::fs::create_dir_all(folder.path("exchange")).unwrap();
    let runtime = tokio::runtime::Runtime::new().unwrap();
    runtime.block_on(async {
        let path = folder.path("watashi.db");
        let store = SqliteStore::open(&path, folder.keys(), Options::default()).unwrap();
        if !entries.is_empty() {
            store.note(entries).await.unwrap();
        }
        store.close().await.unwrap();
    });
    folder
}

fn reconcile(folder: &Folder, arguments: &[&str]) -> Ran {
    folder.run(&[&["reconcile"], arguments, &WHO].concat())
}

const HEAD: &str = "RecordKey,PersonNumber,InformationCode,Revision,State,PublishFrom,TK00008400000010,TK00008400000020,\
TK00008400000030,TK00008400000040,TK00008400000050,TK00008400000060,TK00008400000070,TK00008400000080,TK00008400000090\r\n";

/// A copy as the counterpart holds it.
fn copy(key: &str, revision: u32, lot: &str) -> String {
    format!(
        "{key},123456789012340,TM00000000000084,{revision},1,2026-06-01,010,1,2026-05-20,{lot},0.50,見本小児科,,,\r\n"
    )
}

/// An original, as the health system exports it.
fn original(key: &str, revision: u32, lot: &str, event: &str) -> String {
    let document = serde_json::json!({
        "municipalityCode": "131237", "event": event, "recordId": key, "revision": revision,
        "person": {"atenaNumber": "123456789012340", "name": "山田　花子", "birthDate": "2024-04-01",
            "sex": "female", "isNotDisclosed": false},
        "vaccination": {"vaccineCode": "010", "doseNumber": 1, "date": "2026-05-20", "lotNumber": lot,
            "amountMl": "0.5", "institutionName": "見本小児科", "paper": false},
        "publishFrom": "2026-06-01",
    });
    format!("{document}\n")
}

/// R13: an export of the 副本 is compared with the originals; keys and names of items are told, no
/// value is, and that somebody looked is in the record.
#[test]
fn r13_copies_are_compared_with_the_originals() {
    let folder = folder(Vec::new());
    let theirs = [
        copy("VR-1", 1, "AB123"),
        copy("VR-2", 1, "AB123"),
        copy("VR-3", 1, "SECRET9"),
        copy("VR-5", 1, "AB123"),
        copy("VR-6", 1, "AB123"),
        copy("VR-6", 2, "AB123"),
    ];
    folder.write("theirs.csv", &(HEAD.to_owned() + &theirs.concat()));
    let ours = [
        original("VR-6", 2, "AB123", "corrected"),
        original("VR-1", 1, "ab123", "registered"),
        original("VR-3", 2, "AB123", "corrected"),
        original("VR-4", 1, "AB123", "registered"),
        original("VR-5", 2, "AB123", "withdrawn"),
    ];
    folder.write("ours.jsonl", &ours.concat());
    let sides =
        ["intermediate-server-files/copies", "--theirs", "theirs.csv", "--ours", "ours.jsonl"];
    let ran = reconcile(&folder, &sides);
    assert_eq!(ran.code, 1, "{}", ran.err);
    let shown: Vec<Vec<&str>> =
        ran.out.lines().map(|line| line.split_whitespace().take(2).collect()).collect();
    let found = [
        ["only-theirs", "VR-2"],
        ["differing", "VR-3"],
        ["only-ours", "VR-4"],
        ["differing", "VR-5"],
        ["repeated", "VR-6"],
    ];
    assert_eq!(shown, found, "{}", ran.out);
    assert!(ran.out.contains("VR-3  Revision, TK00008400000040\n"), "{}", ran.out);
    assert!(ran.out.contains("VR-5  Revision, State, TK00008400000010,"), "withdrawn: {}", ran.out);
    for value in ["SECRET9", "AB123", "山田", "123456789012340", "見本小児科"] {
        assert!(!ran.out.contains(value) && !ran.err.contains(value), "{value}: {ran:?}");
    }
    let page = reconcile(&folder, &[&sides[..], &["--json"]].concat()).json();
    assert_eq!(page["counts"]["same"], 1);
    assert_eq!(page["findings"][1]["items"], serde_json::json!(["Revision", "TK00008400000040"]));
    let table = reconcile(&folder, &[&sides[..], &["--format", "csv"]].concat());
    assert!(table.out.starts_with("\u{feff}finding,key,items,place\r\n\"only-theirs\",\"VR-2\","));

    let entries = folder.run(&["log", "find", "--kind", "操作", "--json"]).json();
    let last = &entries.as_array().unwrap().last().unwrap()["entry"];
    assert_eq!(last["outcome"], "reconciled");
    assert_eq!(last["reference"], "intermediate-server-files/copies: 5");
    assert_eq!((&last["operator"], &last["reason"]), (&WHO[1].into(), &WHO[3].into()));

    folder.write("theirs.csv", &(HEAD.to_owned() + &copy("VR-1", 1, "AB123")));
    folder.write("ours.jsonl", &original("VR-1", 1, "AB123", "registered"));
    let ran = reconcile(&folder, &sides);
    assert_eq!((ran.code, ran.out.as_str()), (0, ""), "{}", ran.err);
}

/// A record that cannot be compared is told by its place; a file that is cut off compares nothing.
#[test]
fn r13_what_cannot_be_compared_is_never_taken_for_equal() {
    let folder = folder(Vec::new());
    let sides =
        ["intermediate-server-files/copies", "--theirs", "theirs.csv", "--ours", "ours.jsonl"];
    let bad = copy("VR-2", 1, "AB123").replace(",1,2026-06-01", ",7,2026-06-01");
    folder.write("theirs.csv", &(HEAD.to_owned() + &copy("VR-1", 1, "AB123") + &bad));
    folder.write("ours.jsonl", &(original("VR-1", 1, "AB123", "registered") + "{}\n"));
    let ran = reconcile(&folder, &sides);
    assert_eq!(ran.code, 1, "{}", ran.err);
    let lines: Vec<&str> = ran.out.lines().map(str::trim).collect();
    assert_eq!(lines.len(), 2, "{}", ran.out);
    assert!(
        lines[0].starts_with("unreadable") && lines[0].contains("theirs theirs.csv:3:1 "),
        "{}",
        ran.out
    );
    assert!(lines[1].contains("ours ours.jsonl:2:1 "), "{}", ran.out);

    folder.write("theirs.csv", (HEAD.to_owned() + &copy("VR-1", 1, "AB123")).trim_end());
    let ran = reconcile(&folder, &sides);
    assert_eq!((ran.code, ran.out.as_str()), (78, ""), "{}", ran.err);
    assert!(ran.err.contains("nothing was compared"), "{}", ran.err);
    for (arguments, code) in [
        (&["intermediate-server-files/copys", "--theirs", "theirs.csv"][..], 2),
        (&["intermediate-server-files/copies", "--theirs", "theirs.csv"], 2),
        (&["intermediate-server-files/copies", "--theirs", "none.csv", "--ours", "ours.jsonl"], 69),
    ] {
        assert_eq!(reconcile(&folder, arguments).code, code, "{arguments:?}");
    }
    let unnamed = folder.run(&[&["reconcile"], &sides[..]].concat());
    assert_eq!(unnamed.code, 2, "{}", unnamed.err);
}

const RECORDS: &str = "TM00000000000084";

/// R12, R6: the records of the 中間サーバー are compared with our own by 処理通番.
#[test]
fn r12_records_of_inquiries_are_compared_with_our_own() {
    let of = |kind: Kind,
              operation: &str,
              number: Option<&str>,
              outcome: &str,
              information: &str,
              day: &str| Draft {
        counterpart: "intermediate-server-files".into(),
        operation: operation.into(),
        reference: number.map(str::to_owned),
        outcome: Some(outcome.to_owned()),
        basis: Some(std::sync::Arc::new(Basis {
            law: "番号法".to_owned(),
            table_item: "28".to_owned(),
            affair: String::new(),
            procedure: String::new(),
            inquirer: String::new(),
            provider: String::new(),
            information: information.to_owned(),
        })),
        ..Draft::new(kind, Phase::Outcome, format!("{day}T03:00:00Z").parse().unwrap())
    };
    let entry = |number: Option<&str>, outcome: &str, information: &str, day: &str| {
        of(Kind::Request, "write-inquiries", number, outcome, information, day)
    };
    let tax = "TM00000000000002";
    let folder = folder(vec![
        entry(Some("SN-1"), "applied", tax, "2026-06-01"),
        entry(Some("SN-2"), "applied", tax, "2026-06-01"),
        entry(Some("SN-3"), "applied", tax, "2026-06-02"),
        entry(Some("SN-4"), "refused", tax, "2026-06-02"),
        entry(Some("SN-9"), "applied", tax, "2026-07-01"),
        entry(None, "applied", tax, "2026-06-03"),
        // On-line the answer ends it; its route does not say which of several kinds was asked for.
        of(Kind::Obtain, "inquire", Some("SN-7"), "applied", "by the list", "2026-06-04"),
        of(Kind::Obtain, "read-copy", Some("SN-8"), "applied", tax, "2026-06-04"),
        of(Kind::Provide, "register-provision", Some("SN-A"), "applied", RECORDS, "2026-06-04"),
        of(Kind::Provide, "permit-provision", Some("SN-B"), "applied", RECORDS, "2026-06-04"),
        of(Kind::Provide, "update-copy", Some("SN-C"), "applied", RECORDS, "2026-06-04"),
    ]);
    let row = |number: &str, side: &str, information: &str| {
        let by = if number == "SN-6" { "1" } else { "2" };
        let by = if side == "1" { "" } else { by };
        format!("{number},{side},見本市,試験市,20260601090000000,,{information},0,{by}\r\n")
    };
    let head = "ProcessingNumber,Side,Inquirer,Provider,RequestedAt,ProvidedAt,InformationCode,NotDisclosed,AnsweredBy\r\n";
    let rows = [
        row("SN-1", "1", tax),
        row("SN-2", "1", "TM00000000000001"),
        row("SN-5", "1", tax),
        row("SN-7", "1", tax),
        row("SN-6", "2", RECORDS),
        row("SN-A", "2", RECORDS),
        row("SN-D", "2", RECORDS),
    ];
    folder.write("log.csv", &(head.to_owned() + &rows.concat()));
    let month = ["--from", "2026-06-01", "--to", "2026-07-01"];
    let sides = ["intermediate-server-files/provision-log", "--theirs", "log.csv"];
    let ran = reconcile(&folder, &[&sides[..], &month].concat());
    assert_eq!(ran.code, 1, "{}", ran.err);
    let lines: Vec<String> =
        ran.out.lines().map(|line| line.split_whitespace().collect::<Vec<_>>().join(" ")).collect();
    assert!(
        lines[0].starts_with("unreadable ours entry 6: NO_PROCESSING_NUMBER at "),
        "{}",
        ran.out
    );
    let rest = ["differing SN-2 InformationCode", "only-ours SN-3", "only-theirs SN-5"];
    assert_eq!(lines[1..], rest, "{}", ran.out);
    // What staff answered; what was answered automatically never passed here.
    let sides = ["intermediate-server-files/provisions-by-hand", "--theirs", "log.csv"];
    let ran = reconcile(&folder, &[&sides[..], &month].concat());
    let lines: Vec<String> =
        ran.out.lines().map(|line| line.split_whitespace().collect::<Vec<_>>().join(" ")).collect();
    assert_eq!(lines, ["only-ours SN-B", "only-theirs SN-D"], "{}", ran.err);
}

/// A key that says something of a person, sides that cannot be compared: told with their place.
#[test]
fn a_comparison_that_cannot_be_is_refused_by_lint() {
    let folder = crate::pages::checkout();
    let file = "adapters/intermediate-server-files/adapter.yaml";
    let original = folder.read(file);
    for (old, new, code) in [
        ("key: RecordKey", "key: PersonNumber", "A409"),
        ("key: RecordKey", "key: RecordKye", "A210"),
        (", mapping: vaccination-record-to-copy-export}", "}", "A506"),
        ("mapping: record-entry-to-provision-log", "mapping: provision-log-to-comparison", "A206"),
        ("entries: [求め, 取得]", "entries: [求む]", "A102"),
        ("where-both: [InformationCode]", "where-both: [InformationCod]", "A102"),
    ] {
        folder.change(file, old, new);
        let ran = folder.run(&["lint"]);
        assert_eq!(ran.code, 1, "{old}: {ran:?}");
        let told = format!("{}{}", ran.out, ran.err);
        assert!(told.contains(&format!("error[{code}")) && told.contains(file), "{old}: {told}");
        folder.write(file, &original);
    }
    assert_eq!(folder.run(&["lint"]).code, 0);
}

/// The two adapters of one counterpart may ask for the same.
#[test]
fn permissions_by_file_are_those_on_line() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("adapters");
    let lines = |adapter: &str| -> Vec<String> {
        let text = std::fs::read_to_string(root.join(adapter).join("permissions.yaml")).unwrap();
        text.lines().filter(|line| !line.starts_with('#')).map(str::to_owned).collect()
    };
    assert_eq!(lines("intermediate-server-files"), lines("intermediate-server"));
}
