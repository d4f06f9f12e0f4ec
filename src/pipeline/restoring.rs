//! The worst day of the store: it is lost, an old backup is put back, and upstream posts everything
//! again. The counterpart counts what it applied.

use super::testing::{Harness, is_at_rest};
use crate::record::RecordRow;
use crate::store::{Act, ActVerb, ExchangeView, Ghost, NewEpoch};
use crate::transport::{Request, Response, SendError, fake};
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

/// What the counterpart applied, by idempotency key.
type Effects = Arc<Mutex<BTreeMap<String, u32>>>;

/// A counterpart that recognises a repetition only for persons whose name begins with `resend`,
/// answers questions about keys, and applies everything else as often as it comes.
fn counterpart(effects: &Effects, request: &Request) -> Result<Response, SendError> {
    let mut effects = effects.lock().unwrap();
    if let Some(key) = request.path.strip_prefix("/ask/") {
        return Ok(match effects.contains_key(key) {
            true => fake::json(200, r#"{"result":"known"}"#),
            false => fake::json(404, r#"{"result":"unknown"}"#),
        });
    }
    let key = request.headers.iter().find(|(name, _)| name == "Idempotency-Key");
    let key = key.map(|(_, key)| key.clone()).unwrap();
    let recognises = String::from_utf8_lossy(&request.body).contains("\"resend");
    let count = effects.entry(key).or_default();
    if *count == 0 || !recognises {
        *count += 1;
    }
    Ok(fake::json(200, r#"{"result":"ok"}"#))
}

const KINDS: [(&str, &str); 3] =
    [("order.placed", "resend"), ("order.asked", "ask"), ("order.manual", "person")];

/// Three messages of each kind, two of them of one person.
async fn post(harness: &Harness, wave: &str) {
    for (message_type, kind) in KINDS {
        for number in 0..3 {
            let person = format!("{kind}-{wave}-{}", number / 2);
            let body = format!(r#"{{"person":"{person}","amount":{number}}}"#);
            harness.post(message_type, &format!("{wave}-{kind}-{number}"), &body).await;
        }
    }
}

fn new_epoch(harness: &Harness, entries: Vec<RecordRow>) -> NewEpoch {
    NewEpoch {
        at: harness.cx.clock.now(),
        operator: "sato".to_owned(),
        reason: "disk lost".to_owned(),
        ghosts: Ghost::of(&entries),
        entries,
        checkpoints: Vec::new(),
        head: None,
    }
}

/// Runs until nothing moves but for a person.
async fn rest(harness: &Harness) {
    let waits = |view: &ExchangeView| view.state == "held" && view.operation == "manual";
    harness.run_until(|all| all.iter().all(|view| is_at_rest(view) || waits(view))).await;
}

/// State of each exchange by message.
async fn states(harness: &Harness) -> BTreeMap<String, String> {
    let views = harness.exchanges().await;
    views.into_iter().map(|view| (view.message_id, view.state)).collect()
}

async fn confirm(harness: &Harness, id: &str, verb: ActVerb) {
    let act = Act {
        exchange: harness.exchange(id).await.id,
        verb,
        operator: "sato".to_owned(),
        reason: "looked at the counterpart".to_owned(),
        at: harness.cx.clock.now(),
        bundle: None,
        brings: Default::default(),
    };
    assert!(harness.cx.store.act(act).await.unwrap().is_some(), "{id}");
}

/// Loses the store after a backup and gives what stands at the end, with the record or without.
async fn worst_day(with_record: bool) -> (Harness, Effects) {
    let effects = Effects::default();
    let harness = Harness::new();
    let applied = Arc::clone(&effects);
    harness.target.always(move |request| counterpart(&applied, request));

    post(&harness, "ended").await;
    harness.settle().await;
    // Accepted, not sent yet: the last of the backup.
    post(&harness, "waiting").await;
    let size = harness.cx.store.tree().await.unwrap().size();
    let backup = harness.backup("old.db");

    // Life goes on: what waited is sent, and more comes.
    harness.settle().await;
    post(&harness, "lost").await;
    harness.settle().await;
    assert_eq!(effects.lock().unwrap().len(), 27);
    assert!(effects.lock().unwrap().values().all(|count| *count == 1));
    let after = i64::try_from(size).unwrap();
    let entries = harness.cx.store.record(after, 10_000).await.unwrap();
    let entries = if with_record { entries } else { Vec::new() };

    let epoch = new_epoch(&harness, entries);
    let harness = harness.restore(&backup, epoch).await;
    for wave in ["ended", "waiting", "lost"] {
        post(&harness, wave).await;
    }
    rest(&harness).await;
    (harness, effects)
}

#[tokio::test]
async fn nothing_is_applied_twice_after_an_old_backup_was_put_back() {
    let (harness, effects) = worst_day(false).await;
    assert_eq!(effects.lock().unwrap().len(), 27);
    let twice: Vec<u32> = effects.lock().unwrap().values().copied().collect();
    assert!(twice.iter().all(|count| *count == 1), "{twice:?}");
    for (id, state) in states(&harness).await {
        let expected = match id.split('-').collect::<Vec<_>>()[..] {
            ["ended", ..] | [_, "resend" | "ask", _] => "delivered",
            // The second message of the first person waits behind the first.
            [_, "person", "1"] => "held",
            _ => "unknown",
        };
        assert_eq!(state, expected, "{id}");
    }
    // A person looks at the counterpart.
    for id in ["waiting-person-0", "waiting-person-2", "lost-person-2"] {
        confirm(&harness, id, ActVerb::ConfirmApplied).await;
    }
    rest(&harness).await;
    let state = states(&harness).await.remove("waiting-person-1").unwrap();
    assert_eq!(state, "unknown", "it wakes with its doubt");
    assert!(effects.lock().unwrap().values().all(|count| *count == 1));
}

#[tokio::test]
async fn what_is_new_while_the_restore_is_not_complete_is_sent_once() {
    let (harness, effects) = worst_day(false).await;
    let at = harness.cx.clock.now();
    for (message_type, kind) in KINDS {
        let body = format!(r#"{{"person":"{kind}-new","amount":1}}"#);
        harness.post(message_type, &format!("new-{kind}"), &body).await;
    }
    rest(&harness).await;
    let found = states(&harness).await;
    assert_eq!(found["new-resend"], "delivered");
    assert_eq!(found["new-ask"], "delivered", "asked, not there, sent");
    assert_eq!(found["new-person"], "unknown");
    assert_eq!(effects.lock().unwrap().len(), 29);
    confirm(&harness, "new-person", ActVerb::ConfirmNotApplied).await;
    harness.cx.store.complete_restore("sato".into(), "all posted".into(), at).await.unwrap();
    harness.post("order.manual", "later", r#"{"person":"later","amount":1}"#).await;
    rest(&harness).await;
    let found = states(&harness).await;
    assert_eq!((&*found["new-person"], &*found["later"]), ("delivered", "delivered"));
    assert_eq!(effects.lock().unwrap().len(), 31);
    assert!(effects.lock().unwrap().values().all(|count| *count == 1));
}

#[tokio::test]
async fn the_record_tells_what_was_applied_so_that_nobody_need_ask() {
    let (harness, effects) = worst_day(true).await;
    let found = states(&harness).await;
    assert!(found.values().all(|state| state == "delivered"), "{found:?}");
    assert_eq!(found.len(), 27);
    assert!(effects.lock().unwrap().values().all(|count| *count == 1));
    let requests = harness.target.requests().len();
    assert_eq!(requests, 27, "neither asked nor sent again");
    let rows = harness.cx.store.record(0, 10_000).await.unwrap();
    assert_eq!(crate::record::verify(rows).first_bad, None);
}

#[tokio::test]
async fn a_purge_takes_what_is_old_and_is_recorded() {
    use super::purge::{Retention, once};
    use std::time::Duration;
    let harness = Harness::new();
    harness.target.always_json(200, r#"{"result":"ok"}"#);
    for number in 0..5 {
        let body = format!(r#"{{"person":"p{number}","amount":1}}"#);
        harness.post("order.placed", &format!("m{number}"), &body).await;
    }
    harness.settle().await;
    harness.post("order.placed", "waiting", r#"{"person":"late","amount":1}"#).await;
    let (_stop, stopped) = tokio::sync::watch::channel(false);
    let year = Duration::from_secs(366 * 86_400);
    let keep = Retention { bodies: year, answers: year, messages: year };
    let entries = harness.record().await.len();
    let counts = once(&harness.cx, &keep, &stopped).await.unwrap();
    assert!(counts.iter().all(|(_, rows)| *rows == 0));
    assert_eq!(harness.record().await.len(), entries, "nothing was done, nothing is told");
    // All that has ended is older than nothing at all.
    tokio::time::sleep(Duration::from_millis(5)).await;
    let none = Retention { bodies: Duration::ZERO, ..keep };
    let counts = once(&harness.cx, &none, &stopped).await.unwrap();
    assert_eq!(counts.iter().map(|(_, rows)| *rows).collect::<Vec<_>>(), [5, 0, 0]);
    let rows = harness.cx.store.record(0, 1_000).await.unwrap();
    let last = &rows.last().unwrap().entry;
    assert!(last.contains("\"purged\"") && last.contains("bodies 5; answers 0"), "{last}");
    assert_eq!(crate::record::verify(rows).first_bad, None);
    harness.settle().await;
    assert_eq!(harness.exchange("waiting").await.state, "delivered", "it kept its body");
}
