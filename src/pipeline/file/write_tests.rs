//! Writing: every message is visible exactly once, and never in a set that is not whole, whatever
//! happens at whichever step.

use super::make::{self, Made};
use super::testing::{ADAPTER, WITH_RESULTS, World, bundle, persons_of};
use crate::model::codes::message as codes;
use crate::store::{Act, ActVerb};
use crate::transport::place::Place;
use crate::transport::place::memory::{Fate, Memory};
use jiff::Timestamp;
use proptest::prelude::*;
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::time::Duration;

const WAIT: Duration = Duration::from_secs(300);

#[tokio::test]
async fn messages_become_one_set_and_the_marker_is_the_last() {
    let world = World::new(&[]);
    world.post(1..=3).await;
    let mut desk = world.desk();
    desk.pass().await;
    assert!(world.place.files().is_empty(), "the first waits for company");
    world.clock.pass(WAIT);
    desk.pass().await;
    let names = [
        "out/ROWS_20261201_0001_01.csv",
        "out/ROWS_20261201_0001_02.csv",
        "out/TOTAL_0001.json",
        "out/ROWS_0001.manifest",
        "out/ROWS_0001.end",
    ];
    assert_eq!(world.place.shown(), names);
    assert_eq!(world.persons(), [1, 2, 3]);
    let files = world.place.files();
    assert_eq!(&files[names[0]][..], b"who,sum\r\np1,1\r\np2,2\r\n");
    assert_eq!(&files[names[2]][..], br#"{"set":1,"count":3}"#);
    let manifest: Value = serde_json::from_slice(&files[names[3]]).unwrap();
    assert_eq!((&manifest["records"], &manifest["files"][0]["records"]), (&json!(3), &json!(2)));
    assert_eq!(world.states().await, ["delivered"]);
    // Nothing more is written.
    world.write(10).await;
    assert_eq!(world.place.shown().len(), 5);
    world.post(4..=4).await;
    world.write(10).await;
    assert!(world.place.files().contains_key("out/ROWS_0002.end"));
}

#[tokio::test]
async fn a_full_set_waits_for_nobody() {
    let world = World::new(&[("max-items: 100", "max-items: 4")]);
    world.post(1..=9).await;
    let mut desk = world.desk();
    for _ in 0..3 {
        desk.pass().await;
    }
    assert_eq!(world.persons(), [1, 2, 3, 4, 5, 6, 7, 8]);
}

#[tokio::test]
async fn a_record_that_cannot_be_written_harms_only_itself() {
    let world = World::new(&[]);
    world.post([1, 3]).await;
    world.post_as(2, "𠮷").await;
    world.clock.pass(WAIT);
    world.write(2).await;
    assert_eq!(world.persons(), [1, 3]);
    let dead: Vec<_> =
        world.exchanges().await.into_iter().filter(|one| one.state == "dead").collect();
    assert_eq!(dead.len(), 1);
    assert_eq!(dead[0].code.as_deref(), Some(codes::OUTPUT_NOT_ENCODABLE.code));
}

/// Sets at a place, by number: the persons of those with their marker, and whether there is
/// anything of others.
fn judge(files: &BTreeMap<String, bytes::Bytes>, got: &mut Vec<usize>) -> Vec<String> {
    let mut wrong = Vec::new();
    for (path, content) in files.iter().filter(|(path, _)| path.ends_with(".csv")) {
        let set = path.split('_').nth(2).unwrap();
        if files.contains_key(&format!("out/ROWS_{set}.end")) {
            got.extend(persons_of(content));
        } else {
            wrong.push(format!("{path} has no marker"));
        }
    }
    wrong
}

/// The reader of the place: takes whole sets, data first.
fn take_away(place: &Memory) -> Vec<usize> {
    let files = place.files();
    let mut got = Vec::new();
    for path in files.keys().filter(|path| path.ends_with(".end")) {
        let set = path.trim_start_matches("out/ROWS_").trim_end_matches(".end");
        for (path, content) in files.iter().filter(|(path, _)| path.contains(&format!("_{set}"))) {
            if path.ends_with(".csv") {
                got.extend(persons_of(content));
            }
            place.take(path);
        }
        place.take(path);
    }
    got
}

async fn ends_well(fate: Fate, step: usize, reader_is_quick: bool) -> bool {
    let mut world = World::new(&[]);
    world.post(1..=5).await;
    world.clock.pass(WAIT);
    world.place.at(step, fate);
    let mut desk = world.desk();
    let passes = tokio::spawn(async move { desk.pass().await });
    let ends = matches!(fate, Fate::EndsBefore | Fate::EndsAfter);
    while !(passes.is_finished() || ends && world.place.is_stuck()) {
        tokio::task::yield_now().await;
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
    let reached = world.place.steps() >= step;
    passes.abort();
    let _ended = passes.await;
    let mut got = if reader_is_quick { take_away(&world.place) } else { Vec::new() };
    world.restart().await;
    world.write(30).await;
    let wrong = judge(&world.place.files(), &mut got);
    got.sort_unstable();
    let about = format!("{fate:?} at {step}, quick {reader_is_quick}: {:?}", world.place.shown());
    assert_eq!(wrong, [] as [String; 0], "{about}");
    assert_eq!(got, [1, 2, 3, 4, 5], "{about}");
    assert_eq!(world.states().await, ["delivered"], "{about}");
    assert_eq!(world.notes(), [] as [&str; 0], "{about}");
    reached
}

#[tokio::test]
async fn whatever_happens_at_whichever_step_all_is_there_exactly_once() {
    for fate in [Fate::Fails, Fate::AnswerLost, Fate::EndsBefore, Fate::EndsAfter] {
        for quick in [false, true] {
            let mut step = 1;
            while ends_well(fate, step, quick).await {
                step += 1;
            }
            assert_eq!(step, 7, "three files, total, manifest, marker");
        }
    }
}

#[tokio::test]
async fn what_is_not_ours_is_not_touched_and_a_person_decides() {
    let world = World::new(&[]);
    world.post(1..=2).await;
    world.clock.pass(WAIT);
    // Appears after numbering was decided.
    let mut desk = world.desk();
    world.place.put("out/ROWS_20261201_0001_01.csv", "who,sum\r\np9,9\r\n");
    desk.pass().await;
    assert_eq!(world.place.files()["out/ROWS_20261201_0001_01.csv"], "who,sum\r\np9,9\r\n");
    assert_eq!(world.states().await, ["delivered"], "numbering goes on after what is seen");
    assert!(world.place.files().contains_key("out/ROWS_0002.end"));
    world.place.put("out/ROWS_20261201_0003_01.csv", "who,sum\r\np9,9\r\n");
    world.post(3..=3).await;
    world.clock.pass(WAIT);
    desk.pass().await;
    assert_eq!(world.states().await, ["delivered", "unknown"]);
    assert_eq!(world.notes(), [codes::FILE_CONFLICT.code]);
    let open = world.exchanges().await.into_iter().find(|one| one.state == "unknown").unwrap();
    act(&world, open.id, ActVerb::ConfirmNotApplied).await;
    world.write(10).await;
    assert_eq!(world.states().await, ["delivered"]);
    assert!(world.place.files().contains_key("out/ROWS_0004.end"));
    assert!(!world.place.files().contains_key("out/ROWS_0003.end"));
}

async fn act(world: &World, exchange: i64, verb: ActVerb) {
    let act = Act {
        exchange,
        verb,
        operator: "o".to_owned(),
        reason: "r".to_owned(),
        at: Timestamp::UNIX_EPOCH,
        bundle: None,
        brings: Default::default(),
    };
    assert!(world.cx.store.act(act).await.unwrap().is_some());
}

#[tokio::test]
async fn a_set_that_lost_an_exchange_is_taken_back_and_the_rest_goes_on() {
    let world = World::new(&[]);
    world.post(1..=5).await;
    world.clock.pass(WAIT);
    world.place.at(3, Fate::Fails);
    world.desk().pass().await;
    assert_eq!(world.place.files().len(), 2);
    assert_eq!(world.states().await, ["unknown"]);
    let first = world.exchanges().await.remove(0);
    assert_eq!(first.code.as_deref(), Some(codes::SET_WAITS.code));
    act(&world, first.id, ActVerb::Discard).await;
    world.write(20).await;
    assert_eq!(world.states().await, ["delivered", "discarded"]);
    let mut got = Vec::new();
    assert_eq!(judge(&world.place.files(), &mut got), [] as [String; 0]);
    got.sort_unstable();
    assert_eq!(got, [2, 3, 4, 5]);
    assert!(!world.place.files().contains_key("out/ROWS_20261201_0001_01.csv"));
}

#[tokio::test]
async fn at_a_time_of_day_a_set_is_written_even_an_empty_one() {
    let gather = (
        "gather: {max-items: 100, max-wait: 5m}",
        "gather: {at: [\"06:00\", \"18:30\"], empty: true}",
    );
    let world = World::new(&[gather]);
    world.post(1..=2).await;
    world.write(29).await;
    assert!(world.place.files().is_empty(), "18:00 is over, 18:30 is not there");
    world.write(3).await;
    assert!(world.place.files().contains_key("out/ROWS_0001.end"));
    world.clock.set("2026-12-02T06:00");
    world.write(3).await;
    let empty = &world.place.files()["out/ROWS_20261202_0002_01.csv"];
    assert_eq!(&empty[..], b"who,sum\r\n");
    assert!(!world.place.files().contains_key("out/ROWS_0003.end"));
}

#[tokio::test]
async fn with_results_an_exchange_waits_until_a_file_speaks_of_it() {
    let world = World::new(&WITH_RESULTS);
    world.post(1..=3).await;
    world.clock.pass(WAIT);
    world.write(2).await;
    assert_eq!(world.states().await, ["waiting-result"]);
    let mut clerk = world.clerk("hear");
    world.place.put("results/RESULT_0001.csv", "record,state\r\n1,ok\r\n3,bad\r\n9,ok\r\n");
    clerk.pass().await;
    assert_eq!(world.states().await, ["waiting-result"], "no marker yet");
    world.place.put("results/RESULT_0001.end", "");
    clerk.pass().await;
    let states: Vec<String> = world.exchanges().await.into_iter().map(|one| one.state).collect();
    assert_eq!(states, ["delivered", "waiting-result", "dead"]);
    assert_eq!(world.place.read("results/done/RESULT_0001.csv", 100).await.unwrap(), None);
    assert!(world.place.files().contains_key("done/RESULT_0001.csv"));
    // Too long without a result: a person.
    world.clock.pass(Duration::from_secs(25 * 3_600));
    clerk.pass().await;
    assert_eq!(world.states().await, ["dead", "delivered", "unknown"]);
}

fn set(records: usize, split: usize) -> (Vec<Value>, Vec<Made>) {
    let bundle = bundle(&[("split: 2", &format!("split: {split}"))]).unwrap();
    let rule = bundle.adapters["desk"].operations["put"].file_out.as_ref().unwrap();
    let records: Vec<Value> =
        (0..records).map(|n| json!({"who": format!("p{n}"), "sum": n})).collect();
    let made = make::make(rule, 1, Timestamp::UNIX_EPOCH, &records).unwrap();
    (records, made)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(32))]
    /// Every record is in exactly one file, in order, and no two files have one name.
    #[test]
    fn sets_hold_every_record_once(records in 0_usize..60, split in 1_usize..20) {
        let (all, made) = set(records, split);
        let parts: Vec<&Made> = made.iter().filter(|file| file.records.is_some()).collect();
        prop_assert_eq!(parts.len(), records.div_ceil(split).max(1));
        let found: Vec<usize> = parts.iter().flat_map(|file| persons_of(&file.content)).collect();
        prop_assert_eq!(found, (0..all.len()).collect::<Vec<_>>());
        let mut names: Vec<&str> = made.iter().map(|file| file.path.as_str()).collect();
        names.sort_unstable();
        names.dedup();
        prop_assert_eq!(names.len(), made.len());
    }
}

#[test]
fn mistakes_in_definitions_are_told() {
    let told = |from: &str, to: &str| {
        assert!(ADAPTER.contains(from), "{from}");
        bundle(&[(from, to)]).err().unwrap_or_default()
    };
    for (from, to, code) in [
        (
            "{set:4}_{part:2}.csv\"\n      format: csv\n      schema: desk/rows@1\n      record: desk/row@1\n      split",
            "x.csv\"\n      format: csv\n      schema: desk/rows@1\n      record: desk/row@1\n      split",
            "A501",
        ),
        (
            "      manifest: \"ROWS_{set:4}.manifest\"\n      marker: \"ROWS_{set:4}.end\"\n",
            "",
            "A502",
        ),
        ("record: desk/row@1\n      split", "record: desk/total@1\n      split", "A503"),
        ("folder: out", "folder: ../out", "A504"),
        ("    gather:", "    results: take\n    gather:", "A505"),
        (
            "record: {kind: 送付}}",
            "record: {kind: 送付}, reply: {type: order.done, mapping: row-to-order}}",
            "A203",
        ),
        ("    gather:", "    every: 1m\n    gather:", "A203"),
        ("    place: tray\n    files:\n      folder: out", "    files:\n      folder: out", "A202"),
        ("mapping: file-to-total", "mapping: order-to-row", "A206"),
        (
            "format: csv\n      schema: desk/rows@1\n      record: desk/row@1\n      split",
            "format: cvs\n      schema: desk/rows@1\n      record: desk/row@1\n      split",
            "A102",
        ),
    ] {
        let problems = told(from, to);
        assert!(problems.contains(&format!("error[{code}]")), "{code}: {problems}");
    }
}
