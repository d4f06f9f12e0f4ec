//! The command line as an operator meets it: a store with messages of every fate.

use crate::fixture::{Folder, MESSAGE};
use serde_json::json;
use std::sync::Arc;
use watashi::model::codes::{message as message_codes, transport as transport_codes};
use watashi::model::{Class, Envelope, Failure, MessageId, Secret, Stage, State};
use watashi::record::{Draft, Kind, Phase};
use watashi::store::sqlite::Options;
use watashi::store::{
    AttemptResult, Claim, Intent, Keys, NewExchange, NewMessage, Next, Settlement, SqliteStore,
    Store,
};

pub const WHO: [&str; 4] = ["--operator", "sato", "--reason", "checked by phone"];

#[test]
fn what_is_missing_is_named_with_what_to_do() {
    let folder = Folder::whole();
    let ran = folder.run(&["status"]);
    assert_eq!(ran.code, 69);
    assert!(ran.err.starts_with("error: there is no store `"), "{}", ran.err);
    assert!(ran.err.contains("hint: `watashi run` makes it"), "{}", ran.err);

    let folder = with_store();
    std::fs::remove_file(folder.path("k1")).unwrap();
    let ran = folder.run(&["status"]);
    assert_eq!(ran.code, 78);
    assert!(ran.err.starts_with("error: C201 secret not readable: "), "{}", ran.err);

    let folder = Folder::definitions();
    let ran = folder.run(&["run"]);
    assert_eq!(ran.code, 78);
    assert!(ran.err.starts_with("error: there is no configuration `watashi.toml`\nhint: "));
    assert_eq!(folder.run(&["broker", "check", "-c", "nowhere.toml"]).code, 78);
}

#[cfg(unix)]
#[test]
fn a_key_that_others_can_read_is_refused() {
    use std::os::unix::fs::PermissionsExt;
    let folder = with_store();
    let open = std::fs::Permissions::from_mode(0o644);
    std::fs::set_permissions(folder.path("k1"), open).unwrap();
    let ran = folder.run(&["status"]);
    assert_eq!(ran.code, 78);
    assert!(ran.err.contains("C202"), "{}", ran.err);
    assert!(ran.err.contains("hint: chmod 0400"), "{}", ran.err);
}

#[test]
fn instances_that_share_a_store_sign_with_a_key_that_is_named() {
    let folder = with_store();
    let text = folder.read("watashi.toml");
    let url = "url = \"file:store-url\"";
    folder.write("watashi.toml", &text.replace("path = \"watashi.db\"", url));
    let ran = folder.run(&["check"]);
    assert_ne!(ran.code, 0);
    assert!(ran.err.contains("C212") && ran.err.contains("signing-key"), "{}", ran.err);
}

#[test]
fn another_key_is_not_the_stores_own() {
    let folder = with_store();
    folder.write("k1", "CAgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAg=");
    let ran = folder.run(&["status"]);
    assert_eq!(ran.code, 78, "{}", ran.err);
    assert!(ran.err.starts_with("error: T107 "), "{}", ran.err);
}

/// Three messages: one delivered, one dead, one unknown that only a person can resolve.
pub fn with_store() -> Folder {
    let folder = Folder::whole();
    let runtime = tokio::runtime::Runtime::new().unwrap();
    runtime.block_on(async {
        let path = folder.path("watashi.db");
        let store = SqliteStore::open(&path, folder.keys(), Options::default()).unwrap();
        for id in ["good", "bad", "lost"] {
            store.accept(message(&folder, id)).await.unwrap();
        }
        let claim = Claim {
            counterpart: "post".to_owned(),
            operation: "place".to_owned(),
            states: vec![State::Received],
            now: "2026-06-02T00:00:00Z".parse().unwrap(),
            limit: 10,
            exclude: Default::default(),
        };
        for claimed in store.claim(claim).await.unwrap() {
            let at = "2026-06-01T00:01:00Z".parse().unwrap();
            let intent = Intent {
                exchange: claimed.id,
                fence: claimed.fence,
                request_digest: String::new(),
                at,
                record: Some(draft(Phase::Intended, claimed.envelope.message_id.as_str())),
            };
            assert_eq!(store.intend(vec![intent]).await.unwrap(), [true]);
            let (next, outcome) = match claimed.envelope.message_id.as_str() {
                "good" => (Next::Delivered, "applied"),
                "bad" => (Next::Dead(failure(&message_codes::REFUSED, Class::Never)), "refused"),
                _ => {
                    let failure = failure(&transport_codes::ANSWER_TIMEOUT, Class::Unknown);
                    (Next::Unknown { due: None, failure }, "unknown")
                }
            };
            let settlement = Settlement {
                exchange: claimed.id,
                fence: claimed.fence + 1,
                at,
                attempt: Some(AttemptResult {
                    outcome,
                    http_status: Some(200),
                    response_digest: None,
                }),
                next,
                clear_maybe_applied: outcome == "refused",
                record: vec![draft(Phase::Outcome, claimed.envelope.message_id.as_str())],
                outbox: Vec::new(),
            };
            store.settle(vec![settlement].into()).await.unwrap();
        }
        store.close().await.unwrap();
    });
    folder
}

pub fn message(folder: &Folder, id: &str) -> NewMessage {
    let keys = folder.keys();
    NewMessage {
        fingerprint: keys.fingerprint("order.placed", id.as_bytes()),
        body: Secret::new(MESSAGE.as_bytes().to_vec()),
        exchanges: vec![exchange(&keys, id)],
        record: Vec::new(),
        if_reused: None,
        envelope: Arc::new(envelope(id)),
    }
}

/// The envelope of a message of the fixture's route.
pub fn envelope(id: &str) -> Envelope {
    Envelope {
        source: "shop".into(),
        message_id: MessageId::parse(id).unwrap(),
        message_type: "order.placed".into(),
        content_type: "application/json".to_owned(),
        correlation_id: None,
        reply_to: None,
        traceparent: None,
        operator: None,
        municipality: Some("131237".into()),
        accepted_at: "2026-06-01T00:00:00Z".parse().unwrap(),
    }
}

/// Its exchange, in a lane of its own.
pub fn exchange(keys: &Keys, id: &str) -> NewExchange {
    NewExchange {
        route: "placing".into(),
        counterpart: "post".into(),
        operation: "place".into(),
        lane: keys.lane("post", id),
        idempotency_key: keys.idempotency_key("post", "shop", id, "placing").into(),
        subject: Some(keys.subject("山田").into()),
        failure: None,
        announce: None,
        supersedes: None,
        bundle: "b".into(),
        first: None,
        approval: None,
        opens: None,
    }
}

fn failure(code: &'static watashi::model::Code, class: Class) -> Failure {
    Failure { code, stage: Stage::Deliver, class, detail: "status 400".to_owned() }
}

fn draft(phase: Phase, id: &str) -> Draft {
    Draft {
        message_id: id.into(),
        route: "placing".into(),
        subject: Some(if id == "good" { "0a" } else { "0b" }.repeat(16).into()),
        ..Draft::new(Kind::Send, phase, "2026-06-01T00:01:00Z".parse().unwrap())
    }
}

#[test]
fn status_counts_and_measures_the_record() {
    let folder = with_store();
    let page = folder.run(&["status", "--json"]).json();
    assert_eq!(page["counts"].as_array().unwrap().len(), 3);
    assert_eq!(page["record"], json!({"entries": 6}));
    assert_eq!(page["backlog"]["post"], 1, "{page}");
    let ran = folder.run(&["status"]);
    assert!(
        ran.out.contains("not ended, by counterpart: post 1\nrecord: 6 entries\n"),
        "{}",
        ran.out
    );
}

#[test]
fn a_trace_tells_the_life_of_a_message_in_order() {
    let folder = with_store();
    let ran = folder.run(&["trace", "good"]);
    assert_eq!(ran.code, 0, "{}", ran.err);
    let steps =
        ["accepted", "attempt 1 begun", "attempt 1 ended: applied (status 200)", "delivered"];
    let mut at = 0;
    for step in steps {
        let found = ran.out[at..].find(step);
        at += found.unwrap_or_else(|| panic!("{step:?} is missing or too early in {}", ran.out));
    }
    assert!(ran.out.contains(": 送付 intended\n"), "{}", ran.out);
    let page = folder.run(&["trace", "bad", "--json"]).json();
    assert_eq!(page["exchanges"][0]["exchange"]["state"], "dead");
    assert_eq!(page["record"].as_array().unwrap().len(), 2);
    let ran = folder.run(&["trace", "goood"]);
    assert_eq!((ran.code, ran.out.as_str()), (1, ""));
    assert!(ran.err.starts_with("error: there is no message `goood`\nhint: "), "{}", ran.err);
}

#[test]
fn exchanges_are_listed_by_message_state_and_route() {
    let folder = with_store();
    let count = |arguments: &[&str]| folder.run(arguments).json().as_array().unwrap().len();
    assert_eq!(count(&["list", "exchanges", "--json"]), 3);
    assert_eq!(count(&["list", "--message", "bad", "--json"]), 1);
    assert_eq!(count(&["list", "exchanges", "--state", "delivered", "--json"]), 1);
    assert_eq!(count(&["list", "exchanges", "--limit", "2", "--json"]), 2);
    assert!(folder.run(&["list", "--route", "other"]).err.contains("no exchanges"));
}

#[test]
fn replays_are_planned_shown_and_changed_as_tasks() {
    let folder = with_store();
    let act = |arguments: &[&str]| folder.run(&[arguments, &WHO].concat());
    // Wrong arguments are told before anything is done.
    assert_eq!(folder.run(&["replay", "new"]).code, 2);
    assert_eq!(act(&["replay", "new", "--state", "unknown"]).code, 2);
    assert_eq!(act(&["replay", "new", "--rate", "0"]).code, 2);
    assert_eq!(act(&["replay", "new", "--from", "yesterday"]).code, 2);
    assert_eq!(act(&["replay", "start"]).code, 2);
    let nothing = act(&["replay", "new", "--code", "G999"]);
    assert_eq!(nothing.code, 1);
    assert!(nothing.err.contains("G601") && nothing.err.contains("nothing matches"));

    let made = act(&["replay", "new", "--request", "once"]);
    assert_eq!(made.code, 0, "{}", made.err);
    assert_eq!(made.out, "task 1\nitems       1\nfirst       2\n");
    let again = act(&["replay", "new", "--request", "once"]);
    assert!(again.out.starts_with("task 1 (made before)\n"), "{}", again.out);
    let listed = folder.run(&["replay", "list", "--json"]).json();
    assert_eq!(
        (listed[0]["state"].as_str(), listed[0]["waiting"].as_u64()),
        (Some("draft"), Some(1))
    );
    assert!(!folder.run(&["replay", "show", "1"]).out.contains("山田"));
    assert_eq!(folder.run(&["replay", "show", "9"]).code, 1);

    let paused = act(&["replay", "pause", "1"]);
    assert_eq!((paused.code, paused.out.as_str()), (1, ""), "a draft cannot be paused");
    let started = act(&["replay", "start", "1"]);
    assert_eq!(started.out, "task 1 is now running\n", "{}", started.err);
    assert_eq!(act(&["replay", "cancel", "1"]).out, "task 1 is now cancelled\n");
    let acts = folder.run(&["log", "find", "--kind", "操作", "--json"]).json();
    let words: Vec<&str> = acts
        .as_array()
        .unwrap()
        .iter()
        .map(|one| one["entry"]["outcome"].as_str().unwrap())
        .collect();
    assert_eq!(words, ["replay-task-draft", "replay-task-start", "replay-task-cancel"]);
    assert_eq!(act(&["reload"]).code, 69, "no gateway runs");
}

#[test]
fn what_waits_for_a_person_is_listed_shown_and_acted_on() {
    let folder = with_store();
    let found = folder.run(&["dlq", "list", "--json"]).json();
    let ids: Vec<i64> =
        found.as_array().unwrap().iter().map(|one| one["id"].as_i64().unwrap()).collect();
    assert_eq!(ids.len(), 2);
    let by = |state: &str| {
        let one = found.as_array().unwrap().iter().find(|one| one["state"] == state).unwrap();
        one["id"].as_i64().unwrap().to_string()
    };
    let (dead, lost) = (by("dead"), by("unknown"));
    assert_eq!(folder.run(&["dlq", "list", "--code", "X999"]).code, 2);
    let shown = folder.run(&["dlq", "show", &dead]);
    assert!(shown.out.contains("state           dead\n"), "{}", shown.out);
    assert!(!shown.out.contains("山田"));

    // Without saying who and why nothing is done.
    assert_eq!(folder.run(&["dlq", "replay", &dead]).code, 2);
    let ran =
        folder.run(&["dlq", "replay", &dead, "--operator", "sato", "--reason", "012345678901"]);
    assert_eq!((ran.code, ran.out.as_str()), (2, ""));
    assert_eq!(folder.run(&["dlq", "confirm", &lost, WHO[0], WHO[1], WHO[2], WHO[3]]).code, 2);

    let act = |arguments: &[&str]| folder.run(&[arguments, &WHO].concat());
    let ran = act(&["dlq", "replay", &dead]);
    assert_eq!((ran.code, ran.out), (0, format!("{dead} is now received\n")), "{}", ran.err);
    let ran = act(&["dlq", "replay", &lost]);
    assert_eq!(ran.code, 1);
    let why = "it is unknown; this act is for exchanges that are dead\n";
    assert_eq!(ran.err, format!("error: exchange {lost}: {why}"));
    let ran = act(&["dlq", "confirm", &lost, "--applied"]);
    assert_eq!((ran.code, ran.out), (0, format!("{lost} is now delivered\n")));
    let ran = act(&["dlq", "discard", "999"]);
    assert_eq!(
        (ran.code, ran.err.as_str()),
        (1, "error: exchange 999: there is no such exchange\n")
    );

    let acts = folder.run(&["log", "find", "--kind", "操作", "--json"]).json();
    let words: Vec<&str> = acts
        .as_array()
        .unwrap()
        .iter()
        .map(|one| one["entry"]["outcome"].as_str().unwrap())
        .collect();
    assert_eq!(words, ["replay", "confirm-applied"]);
    assert_eq!(acts[0]["entry"]["operator"], "sato");
}

/// A message that no route took when it came.
fn add_unrouted(folder: &Folder, id: &str, message_type: &str) {
    let mut message = message(folder, id);
    Arc::make_mut(&mut message.envelope).message_type = message_type.into();
    for exchange in &mut message.exchanges {
        exchange.failure = Some(failure(&message_codes::UNKNOWN_TYPE, Class::Never));
        for name in [&mut exchange.route, &mut exchange.counterpart, &mut exchange.operation] {
            *name = Arc::default();
        }
    }
    tokio::runtime::Runtime::new().unwrap().block_on(async {
        let path = folder.path("watashi.db");
        let store = SqliteStore::open(&path, folder.keys(), Options::default()).unwrap();
        store.accept(message).await.unwrap();
        store.close().await.unwrap();
    });
}

#[test]
fn a_message_without_a_route_is_replayed_once_there_is_one() {
    let folder = with_store();
    add_unrouted(&folder, "early", "order.placed");
    let replay = || folder.run(&[&["dlq", "replay", "4"][..], &WHO].concat());
    folder.change("watashi.toml", "enabled = [\"placing\"]", "enabled = []");
    let ran = replay();
    assert_eq!((ran.code, ran.out.as_str()), (1, ""), "{}", ran.err);
    assert!(ran.err.starts_with("error: exchange 4: G104 unknown message type"), "{}", ran.err);
    folder.change("watashi.toml", "enabled = []", "enabled = [\"placing\"]");
    let ran = replay();
    assert_eq!((ran.code, ran.out.as_str()), (0, "4 is now received\n"), "{}", ran.err);
    let ran = replay();
    assert_eq!(
        ran.err,
        "error: exchange 4: it is received; this act is for exchanges that are dead\n"
    );
    let shown = folder.run(&["dlq", "show", "4"]).out;
    assert!(shown.contains("route           placing\n"), "{shown}");
    let acts = folder.run(&["log", "find", "--kind", "操作", "--json"]).json();
    assert_eq!(acts.as_array().unwrap().len(), 1);
    assert_eq!(acts[0]["entry"]["outcome"], "replay");
    assert_eq!(acts[0]["entry"]["operator"], "sato");
}

#[test]
fn looking_at_a_body_is_recorded() {
    let folder = with_store();
    assert_eq!(folder.run(&["dlq", "show", "1", "--body"]).code, 2);
    let ran = folder.run(&[&["dlq", "show", "1", "--body"][..], &WHO].concat());
    assert_eq!((ran.code, ran.out.as_str()), (0, MESSAGE), "{}", ran.err);
    let acts = folder.run(&["log", "find", "--kind", "操作", "--json"]).json();
    assert_eq!(acts[0]["entry"]["outcome"], "body-viewed");
}

#[test]
fn acts_need_a_way_to_the_gateway_that_has_the_store() {
    let folder = with_store();
    let path = folder.path("watashi.db");
    let held = SqliteStore::open(&path, folder.keys(), Options::default()).unwrap();
    let ran = folder.run(&[&["dlq", "discard", "2"][..], &WHO].concat());
    assert_eq!(ran.code, 69);
    assert!(ran.err.contains("acts through it need `ops.token`"), "{}", ran.err);
    folder.change(
        "watashi.toml",
        "listen = \"127.0.0.1:1\"",
        "listen = \"127.0.0.1:1\"\ntoken = \"file:token\"",
    );
    folder.write("token", "t0ken");
    folder.close("token");
    let ran = folder.run(&[&["dlq", "discard", "2"][..], &WHO].concat());
    assert_eq!(ran.code, 69);
    assert!(ran.err.contains("the gateway's ops listener 127.0.0.1:1"), "{}", ran.err);
    assert!(!ran.err.contains("t0ken"));
    // Reading goes on beside it.
    assert_eq!(folder.run(&["dlq", "list"]).code, 0);
    drop(held);
}

#[test]
fn acts_go_through_the_gateway_that_runs() {
    let folder = with_store();
    add_unrouted(&folder, "early", "order.placed");
    add_unrouted(&folder, "odd", "order.plcaed");
    folder.listen();
    let gateway = folder.start(&["run"], "\"started\"");
    let ran = folder.run(&[&["dlq", "discard", "2", "3", "999"][..], &WHO].concat());
    assert_eq!(ran.out, "2 is now discarded\n3 is now discarded\n", "{}", ran.err);
    assert_eq!(ran.code, 1);
    assert!(ran.err.starts_with("error: exchange 999: "), "{}", ran.err);
    let ran = folder.run(&[&["dlq", "replay", "4", "5"][..], &WHO].concat());
    assert_eq!((ran.code, ran.out.as_str()), (1, "4 is now received\n"), "{}", ran.err);
    let why = "G104 unknown message type: did you mean `order.placed`?\n";
    assert_eq!(ran.err, format!("error: exchange 5: {why}"));
    let ran = folder.run(&[&["dlq", "show", "1", "--body"][..], &WHO].concat());
    assert_eq!((ran.code, ran.out.as_str()), (0, MESSAGE), "{}", ran.err);
    folder.write("token", "another");
    let ran = folder.run(&[&["dlq", "discard", "1"][..], &WHO].concat());
    assert_eq!(ran.code, 69);
    assert!(ran.err.contains("`ops.token` here and in the running gateway differ"), "{}", ran.err);
    drop(gateway);
}

#[test]
fn the_broker_definitions_are_exported_offline() {
    let folder = Folder::empty();
    let page = folder.run(&["broker", "export", "--vhost", "town"]).json();
    assert_eq!(page["queues"][0]["vhost"], "town", "{page}");
    let folder = Folder::whole();
    let ran = folder.run(&["broker", "check"]);
    assert_eq!(ran.code, 78);
    assert!(ran.err.starts_with("error: the configuration has no `[amqp]` section\nhint: "));
    folder.write(
        "watashi.toml",
        &format!("{}\n[amqp]\nurl = \"amqp://127.0.0.1:1\"\n", folder.read("watashi.toml")),
    );
    let ran = folder.run(&["broker", "check"]);
    assert_eq!(ran.code, 69, "{}", ran.err);
    assert!(ran.err.starts_with("error: N101 broker unreachable"), "{}", ran.err);
}
