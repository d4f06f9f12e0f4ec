//! Reading: every record becomes a message exactly once, bad ones are told by line and column, bad
//! files are put aside whole.

use super::manifest::{Listed, Manifest};
use super::testing::{World, bundle};
use crate::codec::signed::Trust;
use crate::codec::signed::testing::{Authority, Form, NODE, Signer, package, town};
use crate::model::codes::message as codes;
use crate::pipeline::context::Counterpart;
use crate::pipeline::hex_digest;
use crate::transport::fake::FakeScanner;
use crate::transport::place::memory::Fate;
use base64::Engine;
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

const FILE: &str = "ROWS_20261201_0001_01.csv";

/// Puts a file there with its manifest.
fn send(world: &World, text: &str, records: u64) {
    let manifest = Manifest {
        form: super::manifest::FORM.to_owned(),
        set: 1,
        at: "2026-12-01T18:00:00+09:00".to_owned(),
        records,
        files: vec![Listed {
            name: FILE.to_owned(),
            bytes: text.len() as u64,
            records: Some(records),
            sha256: hex_digest(text.as_bytes()),
        }],
    };
    world.place.put(&format!("in/{FILE}"), text);
    let manifest = String::from_utf8(manifest.to_bytes().unwrap()).unwrap();
    world.place.put("in/ROWS_0001.manifest", &manifest);
}

fn rows(count: usize) -> String {
    let rows = (1..=count).map(|n| format!("p{n},{n}\r\n"));
    std::iter::once("who,sum\r\n".to_owned()).chain(rows).collect()
}

#[tokio::test]
async fn records_become_messages_and_the_file_goes_away() {
    let world = World::new(&[]);
    send(&world, &rows(3), 3);
    world.clerk("take").pass().await;
    let exchanges = world.exchanges().await;
    assert_eq!(exchanges.len(), 3);
    assert!(exchanges.iter().all(|one| one.route == "in" && one.source == "desk"));
    let files: Vec<String> = world.place.files().into_keys().collect();
    assert_eq!(files, [format!("done/{FILE}")]);
    // The same file once more, under the same name: nothing new.
    world.place.take(&format!("done/{FILE}"));
    send(&world, &rows(3), 3);
    world.clerk("take").pass().await;
    assert_eq!(world.exchanges().await.len(), 3);
}

#[tokio::test]
async fn a_bad_record_is_told_by_line_and_column_without_its_value() {
    let world = World::new(&[]);
    send(&world, "who,sum\r\np1,1\r\np2,secret\r\np3,5000\r\np4,4\r\n", 4);
    world.clerk("take").pass().await;
    let exchanges = world.exchanges().await;
    assert_eq!(exchanges.len(), 4);
    let dead: Vec<String> = exchanges.into_iter().filter_map(|one| one.detail).collect();
    assert_eq!(dead.len(), 2, "{dead:?}");
    assert!(dead[0].starts_with(&format!("{FILE}:3:2 ")), "{dead:?}");
    assert!(dead[1].starts_with(&format!("{FILE}:4:2 ")), "{dead:?}");
    assert!(!dead.join(" ").contains("secret") && !dead.join(" ").contains("5000"));
    assert!(world.place.files().contains_key(&format!("done/{FILE}")));
}

#[tokio::test]
async fn a_bad_record_refuses_the_whole_file_where_that_is_declared() {
    let world =
        World::new(&[("whole: {manifest", "on-bad-record: refuse-file\n      whole: {manifest")]);
    send(&world, "who,sum\r\np1,1\r\np2,secret\r\n", 2);
    world.clerk("take").pass().await;
    assert_eq!(world.exchanges().await.len(), 0);
    assert!(world.place.files().contains_key(&format!("aside/{FILE}")));
    assert_eq!(world.notes(), [codes::FILE_REFUSED.code]);
}

#[tokio::test]
async fn a_file_that_is_not_what_its_manifest_says_is_put_aside() {
    for (text, records, change) in
        [(rows(3), 4, ""), (rows(3), 3, "p9,9\r\n"), ("who,su\r\np1,1\r\n".to_owned(), 1, "")]
    {
        let world = World::new(&[]);
        send(&world, &text, records);
        world.place.put(&format!("in/{FILE}"), &(text + change));
        world.clerk("take").pass().await;
        assert_eq!(world.exchanges().await.len(), 0);
        let files: Vec<String> = world.place.files().into_keys().collect();
        assert_eq!(files, [format!("aside/{FILE}")]);
        assert_eq!(world.notes().len(), 1);
    }
}

#[tokio::test]
async fn whatever_happens_at_whichever_step_every_record_is_one_message() {
    for fate in [Fate::Fails, Fate::AnswerLost, Fate::EndsBefore, Fate::EndsAfter] {
        for step in 1..=3 {
            let mut world = World::new(&[]);
            send(&world, &rows(5), 5);
            world.place.at(step, fate);
            let mut clerk = world.clerk("take");
            let pass = tokio::spawn(async move { clerk.pass().await });
            while !pass.is_finished() && !world.place.is_stuck() {
                tokio::time::sleep(Duration::from_millis(1)).await;
            }
            pass.abort();
            let _ended = pass.await;
            world.restart().await;
            let mut clerk = world.clerk("take");
            for _ in 0..3 {
                clerk.pass().await;
            }
            let about = format!("{fate:?} at {step}: {:?}", world.place.files());
            assert_eq!(world.exchanges().await.len(), 5, "{about}");
            let files: Vec<String> = world.place.files().into_keys().collect();
            assert_eq!(files, [format!("done/{FILE}")], "{about}");
            assert_eq!(world.notes(), [] as [&str; 0], "{about}");
        }
    }
}

#[tokio::test]
async fn a_file_that_still_grows_is_left_alone() {
    let world = World::new(&[(
        "{manifest: \"ROWS_{set:4}.manifest\"}\n    expect",
        "{still: 2m}\n    expect",
    )]);
    let mut clerk = world.clerk("take");
    let path = format!("in/{FILE}");
    for count in 1..=3 {
        world.place.put(&path, &rows(count));
        clerk.pass().await;
        world.clock.pass(Duration::from_secs(60));
    }
    assert_eq!(world.exchanges().await.len(), 0);
    clerk.pass().await;
    world.clock.pass(Duration::from_secs(60));
    clerk.pass().await;
    assert_eq!(world.exchanges().await.len(), 3);
}

#[tokio::test]
async fn a_late_and_a_short_file_are_told() {
    let world = World::new(&[]);
    let mut clerk = world.clerk("take");
    clerk.pass().await;
    assert_eq!(world.notes(), [] as [&str; 0], "nothing was expected before we looked");
    world.clock.set("2026-12-02T06:01");
    clerk.pass().await;
    assert_eq!(world.notes(), [codes::FILE_LATE.code]);
    send(&world, &rows(10), 10);
    clerk.pass().await;
    clerk.pass().await;
    assert_eq!(world.notes(), [] as [&str; 0]);
    world.clock.set("2026-12-03T05:00");
    world.place.take(&format!("done/{FILE}"));
    send(&world, &rows(4), 4);
    clerk.pass().await;
    assert_eq!(world.notes(), [codes::FILE_SHORT.code]);
    assert_eq!(world.exchanges().await.len(), 14, "it is taken all the same");
    world.clock.set("2026-12-03T07:00");
    clerk.pass().await;
    assert_eq!(world.notes(), [codes::FILE_SHORT.code], "it came in time");
}

/// Header and trailer are no records: what they promise is held to, and places count from the file's
/// first line.
#[tokio::test]
async fn header_and_trailer_frame_the_records() {
    let world = World::new(&[(
        "      whole: {manifest",
        "      header: {format: json, schema: desk/total@1}\n      trailer: {format: json, schema: desk/total@1, count: count}\n      whole: {manifest",
    )]);
    let mut clerk = world.clerk("take");
    let framed = |rows: &str, count: usize| {
        format!("{{\"set\":1,\"count\":0}}\n{rows}{{\"set\":1,\"count\":{count}}}\r\n")
    };
    let bad = rows(2).replace("p2,2", "p2,secret");
    for (text, exchanges, to) in [
        (framed(&rows(3), 3), 3, "done"),
        (framed(&bad, 2), 5, "done"),
        (framed(&rows(3), 4), 5, "aside"),
        (rows(3), 5, "aside"),
        (String::new(), 5, "aside"),
    ] {
        send(&world, &text, if to == "done" { text.lines().count() as u64 - 3 } else { 3 });
        clerk.pass().await;
        assert_eq!(world.exchanges().await.len(), exchanges, "{text}");
        assert!(world.place.files().contains_key(&format!("{to}/{FILE}")), "{text}");
        world.place.take(&format!("{to}/{FILE}"));
    }
    let details: Vec<String> =
        world.exchanges().await.into_iter().filter_map(|one| one.detail).collect();
    assert!(details[0].starts_with(&format!("{FILE}:4:2 ")), "{details:?}");
}

/// R12: one short file does not become what is usual; several do.
#[tokio::test]
async fn r12_what_is_usual_is_told_from_several_files() {
    let world = World::new(&[]);
    let mut clerk = world.clerk("take");
    for (count, short) in
        [(10, false), (10, false), (4, true), (4, true), (9, false), (4, true), (4, false)]
    {
        send(&world, &rows(count), count as u64);
        clerk.pass().await;
        let expected: &[&str] = if short { &[codes::FILE_SHORT.code] } else { &[] };
        assert_eq!(world.notes(), expected, "{count} records");
        world.place.take(&format!("done/{FILE}"));
    }
}

/// R12: a place that cannot be looked at does not keep a missing file from being told.
#[tokio::test]
async fn r12_a_missing_file_is_told_when_its_place_is_down() {
    let world = World::new(&[]);
    let mut clerk = world.clerk("take");
    clerk.pass().await;
    world.clock.set("2026-12-02T06:01");
    world.place.goes_down();
    clerk.pass().await;
    let notes = world.notes();
    assert!(notes.contains(&codes::FILE_LATE.code) && notes.len() == 2, "{notes:?}");
}

/// S8: what has a name of its own is taken once, in whatever file it comes; the same name with other
/// content is put aside.
#[tokio::test]
async fn a_record_that_names_itself_is_one_message_in_any_file() {
    let world = World::new(&[("whole: {manifest", "id: who\n      whole: {manifest")]);
    let mut clerk = world.clerk("take");
    for (text, expected) in
        [(rows(3), 3), (rows(4), 4), ("who,sum\r\np2,2\r\np5,5\r\n".to_owned(), 5)]
    {
        let count = text.lines().count() as u64 - 1;
        send(&world, &text, count);
        clerk.pass().await;
        assert_eq!(world.exchanges().await.len(), expected, "{text}");
        world.place.take(&format!("done/{FILE}"));
    }
    send(&world, "who,sum\r\np2,7\r\n", 1);
    clerk.pass().await;
    let exchanges = world.exchanges().await;
    let dead = exchanges.iter().filter(|one| one.state == "dead").count();
    assert_eq!((exchanges.len(), dead), (6, 1), "put aside, not taken for the same");
}

/// The drawer of files with a scanner of the test.
fn scanned(changes: &[(&str, &str)]) -> (World, Arc<FakeScanner>) {
    let mut world = World::new(changes);
    let scanner = Arc::new(FakeScanner::default());
    let cx = Arc::get_mut(&mut world.cx).expect("nobody else has it yet");
    cx.scanner = Some(scanner.clone());
    (world, scanner)
}

const SCAN: (&str, &str) = ("    type: order.taken\n", "    type: order.taken\n    scan: {}\n");

#[tokio::test]
async fn a_file_with_malware_is_put_aside_before_any_record_of_it_goes_on() {
    let (world, scanner) = scanned(&[SCAN]);
    let text = format!("who,sum\r\np1,1\r\n{},2\r\n", FakeScanner::BAD);
    send(&world, &text, 2);
    world.clerk("take").pass().await;
    assert_eq!(world.exchanges().await.len(), 0);
    assert!(world.place.files().contains_key(&format!("aside/{FILE}")));
    assert_eq!(world.notes(), ["G861"]);
    assert_eq!(scanner.scanned(), [text.into_bytes()]);
}

#[tokio::test]
async fn a_file_waits_where_it_is_until_it_can_be_scanned() {
    let (world, scanner) = scanned(&[SCAN]);
    send(&world, &rows(3), 3);
    scanner.set_down(true);
    for _ in 0..3 {
        world.clerk("take").pass().await;
        assert_eq!(world.exchanges().await.len(), 0);
        assert!(world.place.files().contains_key(&format!("in/{FILE}")));
        assert!(world.notes().contains(&"G865"));
    }
    scanner.set_down(false);
    world.clerk("take").pass().await;
    let exchanges = world.exchanges().await;
    assert_eq!(exchanges.len(), 3);
    assert!(exchanges.iter().all(|one| one.route == "in"));
    assert!(world.notes().is_empty());
    // One entry tells by what it was scanned, for the file as a whole.
    let rows = world.cx.store.record(0, 100).await.unwrap();
    let scans = rows.iter().filter(|row| row.entry.contains("\"outcome\":\"scanned\"")).count();
    assert_eq!(scans, 1);
}

/// A file within a record is scanned as the file it is, and with it the whole file is refused.
#[tokio::test]
async fn files_in_records_are_scanned_decoded() {
    let members = (
        "\"who\": {\"type\": \"string\", \"minLength\": 1, \"maxLength\": 20}",
        "\"who\": {\"type\": \"string\", \"minLength\": 1, \"contentEncoding\": \"base64\"}",
    );
    let who = ("person: who", "person: '\"x\"'");
    let (world, scanner) =
        scanned(&[(SCAN.0, "    type: order.taken\n    scan: {files: [who]}\n"), members, who]);
    let encoded = base64::engine::general_purpose::STANDARD.encode(FakeScanner::BAD);
    send(&world, &format!("who,sum\r\nYQ==,1\r\n{encoded},2\r\n"), 2);
    world.clerk("take").pass().await;
    assert_eq!(world.exchanges().await.len(), 0);
    assert!(world.place.files().contains_key(&format!("aside/{FILE}")));
    assert_eq!(world.notes(), ["G861"]);
    assert_eq!(scanner.scanned().get(1).map(Vec::as_slice), Some(&b"a"[..]));
}

/// `take` reads signed papers, each a message of its own.
const SIGNED: [(&str, &str); 4] = [
    (
        "      name: \"ROWS_{date}_{set:4}_{part:2}.csv\"\n      format: csv\n      schema: desk/rows@1\n      \
         record: desk/row@1\n      whole: {manifest: \"ROWS_{set:4}.manifest\"}\n",
        "      name: \"PAPER_{set:4}.xml\"\n      format: xml\n      schema: desk/results@1\n      each: file\n      \
         whole: {marker: \"PAPER_{set:4}.end\"}\n      signature: {kind: xml-dsig, trust: offices, \
         node: package/application, namespace: 'urn:t'}\n",
    ),
    (
        r#""type": "array", "x-csv": {"header": true}, "items": {"$ref": "../result/1.schema.json"}"#,
        r#""x-xml": {"root": "application", "namespace": "urn:t"}, "x-message-types": ["order.taken"],
  "type": "object", "additionalProperties": false, "required": ["id", "name", "sum"],
  "properties": {"id": {"type": "string", "maxLength": 20, "xml": {"attribute": true, "name": "Id"}},
    "name": {"type": "string", "minLength": 1, "maxLength": 20}, "sum": {"type": "string", "maxLength": 20}}"#,
    ),
    ("row-to-order\nfrom: desk/row@1", "row-to-order\nfrom: desk/results@1"),
    ("rules: {person: who, amount: sum}", "rules: {person: name, amount: '7'}"),
];

fn believe(world: &World, trust: Trust) {
    let old = world.cx.counterpart("desk").unwrap();
    let next = Counterpart::new(Arc::clone(&old.adapter), Arc::clone(&old.target));
    let stores = BTreeMap::from([("offices".to_owned(), Arc::new(trust))]);
    world
        .cx
        .counterparts
        .replace([Arc::new(next.with_files(old.files.clone()).with_trust(stores))]);
}

#[tokio::test]
async fn r17_a_file_with_a_bad_signature_never_goes_on() {
    let town = town();
    let form = Form { uri: "#a1".to_owned(), ..Form::default() };
    let good = package(NODE, &town.signer.sign(NODE, &form));
    let stranger = Authority::new("よその認証局").issue(7, |_| {});
    let withdrawn = town.authority.issue(9, |_| {});
    let forged = NODE.replace("太郎", "花子");
    let wrapped = format!("{}<old>{NODE}</old>", forged.replace("a1", "x"));
    let signed = |signer: &Signer| package(NODE, &signer.sign(NODE, &form));
    for (paper, expected) in [
        (good.clone(), None),
        (package(NODE, ""), Some("G851")),
        (good.replace("太郎", "花子"), Some("G852")),
        (package(&wrapped, &town.signer.sign(NODE, &form)), Some("G853")),
        (signed(&stranger), Some("G855")),
        (signed(&withdrawn), Some("G857")),
        ("{".to_owned(), Some("G859")),
    ] {
        let world = World::new(&SIGNED);
        let list = town.authority.list(30, &[9]);
        believe(&world, Trust::new(std::slice::from_ref(&town.authority.der), &[list]).unwrap());
        world.clock.set("2026-06-03T12:00");
        world.place.put("in/PAPER_0001.xml", &paper);
        world.place.put("in/PAPER_0001.end", "");
        world.clerk("take").pass().await;
        let exchanges = world.exchanges().await;
        let folder = if expected.is_none() { "done" } else { "aside" };
        let files: Vec<String> = world.place.files().into_keys().collect();
        assert_eq!(files, [format!("{folder}/PAPER_0001.xml")], "{expected:?}");
        assert_eq!(world.notes(), expected.into_iter().collect::<Vec<_>>());
        let rows = world.cx.store.record(0, 100).await.unwrap();
        let refused =
            rows.iter().filter(|row| row.entry.contains("\"outcome\":\"refused\"")).count();
        match expected {
            None => assert_eq!((exchanges.len(), exchanges[0].route.as_str()), (1, "in")),
            Some(_) => assert_eq!((exchanges.len(), refused), (0, 1)),
        }
    }
}

#[tokio::test]
async fn a_signed_file_waits_where_it_is_while_the_lists_are_old() {
    let town = town();
    let form = Form { uri: "#a1".to_owned(), ..Form::default() };
    let world = World::new(&SIGNED);
    world.clock.set("2026-06-03T12:00");
    world.place.put("in/PAPER_0001.xml", &package(NODE, &town.signer.sign(NODE, &form)));
    world.place.put("in/PAPER_0001.end", "");
    let authorities = [town.authority.der.clone()];
    for trust in [None, Some(Trust::new(&authorities, &[town.authority.list(2, &[])]).unwrap())] {
        if let Some(trust) = trust {
            believe(&world, trust);
        }
        world.clerk("take").pass().await;
        assert_eq!(world.exchanges().await.len(), 0);
        assert!(world.place.files().contains_key("in/PAPER_0001.xml"));
        assert_eq!(world.notes(), ["G858"]);
    }
    believe(&world, town.authority.trust());
    world.clerk("take").pass().await;
    assert_eq!(world.exchanges().await.len(), 1);
    assert!(world.notes().is_empty());
}

#[test]
fn what_must_be_signed_is_xml_and_says_by_whom() {
    let whole = "      whole: {manifest: \"ROWS_{set:4}.manifest\"}\n";
    let told = |signature: &str| {
        let demanded = format!("{whole}      signature: {signature}\n");
        bundle(&[(whole, &demanded)]).unwrap_err()
    };
    let csv = told("{kind: xml-dsig, trust: offices, node: a}");
    assert!(csv.contains("error[A102]") && csv.contains("`csv` is not allowed here"), "{csv}");
    let nobody = told("{kind: xml-dsig, node: a}");
    assert!(nobody.contains("`trust`"), "{nobody}");
    let within = told("{kind: xml-dsig, trust: offices, node: a, document: b}");
    assert!(within.contains("`document`"), "{within}");
}
