//! Sealing: when it signs, what it refuses to sign, what leaves the machine, and when sending stops.

use super::seal::{Sealer, Sealing, Watch, check};
use super::testing::Harness;
use crate::archive::prune::{Asked, plan};
use crate::archive::{Archive, verify};
use crate::model::clock::Clock;
use crate::model::codes::store as codes;
use crate::record::checkpoint::{Signer, open};
use crate::record::note::{SigningKey, VerifyingKey};
use crate::record::{Checkpoint, Draft, Head, Kind, Phase};
use crate::store::Store as _;
use crate::store::record::tree_at;
use crate::store::sqlite::tests::Folder;
use jiff::Timestamp;
use std::sync::{Arc, Mutex};
use std::time::Duration;

/// A clock that tests move.
struct Hand(Mutex<Timestamp>);

impl Hand {
    fn set(&self, at: &str) {
        *self.0.lock().unwrap() = at.parse().unwrap();
    }
}

impl Clock for Hand {
    fn now(&self) -> Timestamp {
        *self.0.lock().unwrap()
    }
}

fn key(number: u8) -> SigningKey {
    SigningKey::parse(&SigningKey::text_of("log.example/a", &[number; 32]).unwrap()).unwrap()
}

struct Town {
    folder: Folder,
    clock: Arc<Hand>,
    sealer: Sealer,
    watch: Watch,
}

impl Town {
    fn new(with_archive: bool) -> Town {
        let folder = Folder::new();
        let clock = Arc::new(Hand(Mutex::new("2026-06-01T03:00:00Z".parse().unwrap())));
        let archive = folder.file().with_file_name("archive");
        std::fs::create_dir(&archive).unwrap();
        let sealer = Sealer {
            store: folder.open(),
            clock: clock.clone(),
            signer: Signer::new(key(1), None).unwrap(),
            archive: with_archive.then(|| Archive::new(archive)),
            grace: Duration::from_secs(4 * 3_600),
            sealing: Arc::default(),
        };
        Town { folder, clock, sealer, watch: Watch::default() }
    }

    async fn write(&self, count: usize) {
        let draft = Draft::new(Kind::System, Phase::Noted, self.clock.now());
        self.sealer.store.note(vec![draft; count]).await.unwrap();
    }

    async fn seal(&mut self) {
        self.sealer.seal(&mut self.watch, true).await.unwrap();
    }

    async fn judge(&mut self) -> Option<&'static str> {
        self.sealer.judge(&mut self.watch).await;
        self.sealer.sealing.stops_sending().map(|refusal| refusal.code.code)
    }

    async fn sizes(&self) -> Vec<u64> {
        let all = self.sealer.store.checkpoints(0, 1_000).await.unwrap();
        all.iter().map(|checkpoint| checkpoint.head.size).collect()
    }

    fn archive(&self) -> &Archive {
        self.sealer.archive.as_ref().unwrap()
    }

    fn files(&self) -> Vec<String> {
        let names = self.archive().folder().read_dir().unwrap();
        let mut names: Vec<String> =
            names.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
        names.sort();
        names
    }

    fn verify(&self) -> Result<u64, String> {
        let keys: Vec<VerifyingKey> = vec![key(1).public().clone(), key(2).public().clone()];
        let report = verify::folder(self.archive(), &keys, &[]).unwrap();
        report.finding.map_or(Ok(report.head.size), |finding| Err(format!("{finding:?}")))
    }
}

#[tokio::test]
async fn a_thousand_entries_are_sealed_at_once_and_few_soon() {
    let mut town = Town::new(false);
    town.write(3).await;
    town.sealer.seal(&mut town.watch, false).await.unwrap();
    assert!(town.sizes().await.is_empty(), "they wait for more, for less than a second");
    town.write(1_000).await;
    town.sealer.seal(&mut town.watch, false).await.unwrap();
    assert_eq!(town.sizes().await, [1_004], "with the entry that names the key");
    let keys = [key(1).public().clone()];
    let all = town.sealer.store.checkpoints(0, 10).await.unwrap();
    let opened = open(&all[0].note, &keys).unwrap();
    let tree = town.sealer.store.tree().await.unwrap();
    assert_eq!(opened.head, Head { size: 1_004, root: tree.root() });
    check(&town.sealer).await.unwrap();
}

#[tokio::test]
async fn checkpoints_are_kept_as_far_apart_as_a_thousand_entries_or_a_day() {
    let mut town = Town::new(false);
    for _ in 0..6 {
        town.write(400).await;
        town.seal().await;
    }
    assert_eq!(town.sizes().await, [801, 1_601, 2_401]);
    town.clock.set("2026-06-01T14:59:59Z");
    town.write(1).await;
    town.seal().await;
    town.clock.set("2026-06-01T15:00:00Z");
    town.write(1).await;
    town.seal().await;
    town.clock.set("2026-06-01T15:00:01Z");
    town.write(1).await;
    town.seal().await;
    assert_eq!(town.sizes().await, [801, 1_601, 2_402, 2_404], "the last one of the day stays");
}

#[tokio::test]
async fn a_key_changes_at_its_time_with_an_entry_that_both_sign() {
    let mut town = Town::new(false);
    town.write(1).await;
    town.seal().await;
    let from = "2026-06-01T06:00:00Z".parse().unwrap();
    town.sealer.signer = Signer::new(key(1), Some((key(2), from))).unwrap();
    town.write(1).await;
    town.seal().await;
    town.clock.set("2026-06-01T06:00:00Z");
    town.write(1).await;
    town.seal().await;
    let last = town.sealer.store.last_checkpoints(1).await.unwrap().remove(0);
    for number in [1, 2] {
        let keys = [key(number).public().clone()];
        assert_eq!(open(&last.note, &keys).unwrap().unknown, 1, "both signed");
    }
    let rows = town.sealer.store.record(0, 100).await.unwrap();
    let named: Vec<usize> = rows
        .iter()
        .enumerate()
        .filter(|(_, row)| row.entry.contains("\"outcome\":\"signing-key\""))
        .map(|(index, _)| index)
        .collect();
    assert_eq!(named, [1, 4], "once per key");
    assert!(rows[4].entry.contains(&key(2).public().to_string()));
    town.write(1).await;
    town.seal().await;
    let last = town.sealer.store.last_checkpoints(1).await.unwrap().remove(0);
    let keys = [key(2).public().clone()];
    assert_eq!(open(&last.note, &keys).unwrap().unknown, 0);
    let other = SigningKey::text_of("log.example/b", &[3; 32]).unwrap();
    let other = SigningKey::parse(&other).unwrap();
    assert!(Signer::new(key(1), Some((other, from))).is_none(), "a log has one origin");
}

#[tokio::test]
async fn nothing_is_signed_that_contradicts_a_checkpoint() {
    let mut town = Town::new(true);
    town.write(5).await;
    town.seal().await;
    town.sealer.export().await;
    check(&town.sealer).await.unwrap();
    let refused = |head: Head, signer: SigningKey| {
        let note = Checkpoint::sign(head, &[&signer], Timestamp::UNIX_EPOCH).note;
        town.archive().put_newest(&note).unwrap();
        check(&town.sealer)
    };
    let root = town.sealer.store.tree().await.unwrap().root();
    let good = Head { size: 6, root };
    let other = Head { size: 6, root: [9; 32] };
    let longer = Head { size: 7, root };
    for (head, number, expected) in
        [(other, 1, "another root"), (longer, 1, "7 entries"), (other, 9, "another root")]
    {
        let error = refused(head, key(number)).await.unwrap_err();
        assert_eq!(error.code, &codes::RECORD_FORKED);
        assert!(error.detail.contains(expected), "{}", error.detail);
    }
    refused(good, key(9)).await.unwrap();
    let foreign = SigningKey::text_of("log.example/b", &[1; 32]).unwrap();
    let foreign = refused(good, SigningKey::parse(&foreign).unwrap()).await.unwrap_err();
    assert_eq!(foreign.code.code, "T410");
    town.archive().put_newest("none").unwrap();
    assert_eq!(check(&town.sealer).await.unwrap_err().code, &codes::RECORD_FORKED);
    // A checkpoint in the store counts as well.
    let town = Town::new(false);
    town.write(3).await;
    let checkpoint = Checkpoint::sign(Head { size: 3, root: [1; 32] }, &[&key(1)], Timestamp::MIN);
    let at = town.clock.now();
    town.sealer.store.put_checkpoint(Checkpoint { at, ..checkpoint }, None).await.unwrap();
    assert_eq!(check(&town.sealer).await.unwrap_err().code, &codes::RECORD_FORKED);
}

#[tokio::test]
async fn days_become_segments_and_the_rest_small_ones_always_the_same() {
    let mut town = Town::new(true);
    for at in ["2026-06-01T03:00:00Z", "2026-06-01T14:59:00Z", "2026-06-01T15:01:00Z"] {
        town.clock.set(at);
        town.write(3).await;
        town.seal().await;
        town.sealer.export().await;
    }
    let small = |first: u64, last: u64| format!("record-{first:012}-{last:012}.jsonl");
    // The day ended a minute ago: its own segment comes a little later.
    assert_eq!(town.files(), ["checkpoint", &small(1, 4), &small(5, 7), &small(8, 10)]);
    assert_eq!(town.verify(), Ok(10));
    town.clock.set("2026-06-01T15:05:00Z");
    town.sealer.export().await;
    let day = "record-2026-06-01-000000000001-000000000007.jsonl";
    assert_eq!(town.files(), ["checkpoint", &small(8, 10), day]);
    assert_eq!(town.verify(), Ok(10));
    let read = |town: &Town, name: &str| {
        std::fs::read_to_string(town.archive().folder().join(name)).unwrap()
    };
    let (once, newest) = (read(&town, day), read(&town, "checkpoint"));
    assert!(newest.starts_with("log.example/a\n10\n"), "{newest}");
    std::fs::remove_file(town.archive().folder().join(day)).unwrap();
    std::fs::remove_file(town.archive().folder().join(small(8, 10))).unwrap();
    town.sealer.export().await;
    assert_eq!(read(&town, day), once, "the same bytes whenever it is exported");
    assert_eq!(town.verify(), Ok(10));
    // Seen at once when a file is changed.
    std::fs::write(town.archive().folder().join(day), once.replacen("系", "送", 1)).unwrap();
    assert!(town.verify().unwrap_err().contains("Entry"), "{:?}", town.verify());
}

#[tokio::test]
async fn sending_stops_when_the_record_cannot_leave_and_goes_on_by_itself() {
    let mut town = Town::new(true);
    town.write(2).await;
    town.seal().await;
    town.sealer.export().await;
    assert_eq!(town.judge().await, None);
    let folder = town.archive().folder().to_owned();
    let away = folder.with_file_name("unmounted");
    std::fs::rename(&folder, &away).unwrap();
    town.write(1).await;
    town.seal().await;
    town.sealer.export().await;
    let notes = |sealing: &Sealing| -> Vec<_> {
        sealing.notes().iter().map(|note| note.code.code).collect()
    };
    assert_eq!(notes(&town.sealer.sealing), ["T405"]);
    town.clock.set("2026-06-01T06:59:00Z");
    assert_eq!(town.judge().await, None, "within the grace");
    town.clock.set("2026-06-01T07:01:00Z");
    assert_eq!(town.judge().await, Some("T406"));
    std::fs::rename(&away, &folder).unwrap();
    town.sealer.export().await;
    assert_eq!(town.judge().await, None);
    assert!(notes(&town.sealer.sealing).is_empty());
    assert_eq!(town.verify(), Ok(4));
    drop(town.folder);
}

/// Years go from the store and, by hand, from the archive; what is left still verifies.
#[tokio::test]
async fn whole_years_are_pruned_after_their_retention_when_they_were_exported() {
    let mut town = Town::new(true);
    for at in ["2018-06-01T03:00:00Z", "2019-02-01T03:00:00Z", "2019-06-01T03:00:00Z"] {
        town.clock.set(at);
        town.write(3).await;
        town.seal().await;
    }
    let keys = [key(1).public().clone()];
    let planned = |town: &Town| {
        let asked = Asked {
            before: 2019,
            keep_years: 7,
            operator: "sato".to_owned(),
            reason: "the period ended".to_owned(),
            now: town.clock.now(),
        };
        let (store, archive) = (Arc::clone(&town.sealer.store), town.archive().clone());
        let keys = keys.clone();
        async move { plan(&*store, &archive, &keys, asked).await }
    };
    town.clock.set("2026-03-31T14:59:59Z");
    let early = planned(&town).await.unwrap_err();
    assert_eq!(early.code, &codes::PRUNING_REFUSED);
    assert!(early.detail.contains("not before April 2026"), "{}", early.detail);
    town.clock.set("2026-03-31T15:00:00Z");
    let kept_here = planned(&town).await.unwrap_err();
    assert!(kept_here.detail.contains("not all exported"), "{}", kept_here.detail);
    town.sealer.export().await;
    let all = town.sealer.store.tree().await.unwrap();
    let plan = planned(&town).await.unwrap();
    assert_eq!((plan.first, plan.tree.size(), plan.segments.len()), (1, 7, 2));
    assert!(town.sealer.store.prune(plan.tree, plan.note).await.unwrap());
    let rows = town.sealer.store.record(0, 100).await.unwrap();
    assert_eq!(rows.first().unwrap().sequence, 8);
    assert_eq!(tree_at(&*town.sealer.store, 10).await.unwrap(), all);
    assert!(planned(&town).await.unwrap_err().detail.contains("nothing from before"));
    for name in plan.segments {
        std::fs::remove_file(town.archive().folder().join(name)).unwrap();
    }
    assert!(town.verify().unwrap_err().contains("Beginning"), "nothing tells of it yet");
    town.seal().await;
    town.sealer.export().await;
    assert_eq!(town.verify(), Ok(11), "the entry that tells of it is signed");
    check(&town.sealer).await.unwrap();
    // A restart continues the tree from what was pruned.
    let Town { folder, sealer, .. } = town;
    let before = sealer.store.tree().await.unwrap();
    drop(sealer);
    assert_eq!(folder.open().tree().await.unwrap(), before);
}

/// What a stranger needs are segments and a public key: bodies, salts, sealing keys and pseudonym
/// keys may be gone for ever.
#[tokio::test]
async fn the_record_verifies_after_bodies_and_keys_are_destroyed() {
    let harness = Harness::new();
    harness.target.always_json(200, r#"{"result":"ok"}"#);
    harness.post("order.placed", "m1", r#"{"person":"a","amount":1}"#).await;
    harness.settle().await;
    let mut town = Town::new(true);
    town.sealer.store = Arc::clone(&harness.cx.store);
    let rows = town.sealer.store.record(0, 10).await.unwrap();
    assert!(
        rows[0].entry.contains("\"commitment\":\"") && rows[0].entry.contains("\"subject\":\"")
    );
    town.seal().await;
    town.sealer.export().await;
    // The store with its bodies, and the keys of this process, are gone with the harness.
    town.sealer.store = town.folder.open();
    drop(harness);
    assert_eq!(town.verify(), Ok(3));
}

#[tokio::test]
async fn workers_send_nothing_while_the_record_is_unsealed() {
    let harness = Harness::new();
    let sealer = Sealer {
        store: Arc::clone(&harness.cx.store),
        clock: Arc::clone(&harness.cx.clock),
        signer: Signer::new(key(1), None).unwrap(),
        archive: None,
        grace: Duration::ZERO,
        sealing: Arc::clone(&harness.cx.sealing),
    };
    let draft = Draft::new(Kind::System, Phase::Noted, Timestamp::UNIX_EPOCH);
    sealer.store.note(vec![draft]).await.unwrap();
    sealer.judge(&mut Watch::default()).await;
    harness.target.always_json(200, r#"{"result":"ok"}"#);
    harness.post("order.placed", "m1", r#"{"person":"a","amount":1}"#).await;
    let looks = std::cell::Cell::new(0);
    let waits = |exchanges: &[crate::store::ExchangeView]| {
        assert!(exchanges.iter().all(|exchange| exchange.state == "received"));
        looks.set(looks.get() + 1);
        looks.get() > 20
    };
    harness.run_until(waits).await;
    assert!(harness.target.requests().is_empty());
    sealer.seal(&mut Watch::default(), true).await.unwrap();
    sealer.judge(&mut Watch::default()).await;
    harness.settle().await;
    assert_eq!(harness.target.requests().len(), 1);
}
