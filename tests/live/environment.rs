//! What goes wrong around the gateway: certificates, tokens, keys, ports, definitions, the broker's
//! queues, a full store. Each is named with its code, and nothing is lost.

use crate::copy::copy;
use crate::services::broker;
use crate::town::{Ran, Town, until};
use lapin::options::QueueDeclareOptions;
use lapin::types::FieldTable;
use lapin::{Connection, ConnectionProperties};
use serde_json::Value;
use std::net::TcpListener;
use std::path::Path;

/// What `watashi run` says when it does not start.
async fn refusal(town: &Town) -> Ran {
    let ran = town.run(&["run"]).await;
    assert_eq!(ran.out, "", "answers and errors go to standard error");
    ran
}

#[tokio::test]
async fn an_expired_certificate_is_named_and_messages_wait() {
    let town = Town::new().await;
    let key = rcgen::KeyPair::generate().unwrap();
    let mut params = rcgen::CertificateParams::new(vec!["watashi".to_owned()]).unwrap();
    params.not_before = rcgen::date_time_ymd(2019, 4, 1);
    params.not_after = rcgen::date_time_ymd(2020, 4, 1);
    let good = [town.read("certificates/client.pem"), town.read("keys/client.pem")];
    town.write("certificates/client.pem", &params.self_signed(&key).unwrap().pem());
    town.write("keys/client.pem", &key.serialize_pem());

    let checked = town.run(&["check"]).await;
    assert_eq!(checked.code, 78, "{}", checked.out);
    let line = "FAILED  pmh: client certificate: C207 certificate not usable: ended 2020-04-01";
    assert!(checked.out.contains(line), "{}", checked.out);

    let gateway = town.start().await;
    let ready = gateway.ready().await;
    let noted = ready["notes"].as_array().unwrap().iter().any(|note| {
        note["owner"] == "pmh"
            && note["detail"] == "certificate expired"
            && note["what"] == "certificate"
    });
    assert!(noted && ready["ready"] == true, "impaired, and the rest goes on: {ready}");
    let notice = town.messages("notice.requested", Some("osr")).await.remove(0);
    assert_eq!(town.health().post("notice.requested", "c1", &notice).await.status, 202);
    let waiting = town.until_state("c1", "waiting-retry").await;
    assert_eq!(waiting["code"], "N206", "{waiting}");
    assert_eq!(gateway.stop().await, Some(0));

    town.write("certificates/client.pem", &good[0]);
    town.write("keys/client.pem", &good[1]);
    let _gateway = town.start().await;
    town.until_state("c1", "delivered").await;
}

#[tokio::test]
async fn a_refused_token_makes_messages_wait_until_the_secret_is_right() {
    let town = Town::new().await;
    let right = town.read("secrets/pmh");
    town.write("secrets/pmh", "not-the-secret");
    let checked = town.run(&["check"]).await;
    assert!(checked.out.contains("FAILED  pmh: https://"), "{}", checked.out);
    assert!(checked.out.contains("N222 "), "{}", checked.out);
    assert!(!(checked.out + &checked.err).contains("not-the-secret"));

    let gateway = town.start().await;
    let notice = town.messages("notice.requested", Some("pmh")).await.remove(0);
    assert_eq!(town.health().post("notice.requested", "t1", &notice).await.status, 202);
    let waiting = town.until_state("t1", "waiting-retry").await;
    assert_eq!(waiting["code"], "N222", "{waiting}");
    assert_eq!(gateway.stop().await, Some(0));

    town.write("secrets/pmh", &right);
    let _gateway = town.start().await;
    town.until_state("t1", "delivered").await;
}

#[tokio::test]
async fn a_full_store_refuses_the_new_loses_nothing_and_goes_on_with_more_room() {
    let town = Town::new().await;
    town.configure("store", "max-bytes = 2000000");
    let gateway = town.start().await;
    let health = town.health();
    let mut notice = town.messages("notice.requested", Some("osr")).await.remove(0);
    notice["body"] = "予".repeat(2_000).into();
    let mut accepted = 0;
    let refused = loop {
        notice["noticeId"] = format!("F{accepted}").into();
        let answer = health.post("notice.requested", &format!("f{accepted}"), &notice).await;
        if answer.status != 202 {
            break answer;
        }
        accepted += 1;
    };
    assert_eq!((refused.status, refused.code.as_str()), (503, "T201"), "{}", refused.text);
    assert!(accepted > 5, "{accepted}");
    let ready = until("not ready", || async {
        let ready = gateway.ready().await;
        (ready["ready"] == false).then_some(ready)
    })
    .await;
    assert_eq!(ready["causes"][0]["what"], "accepting", "{ready}");
    assert_eq!(ready["causes"][0]["code"], "T201", "{ready}");
    let refused = health.post("notice.requested", "later", &notice).await;
    assert_eq!((refused.status, refused.code.as_str()), (503, "T201"), "{}", refused.text);
    // What was accepted has room to end.
    delivered(&town, accepted).await;
    assert_eq!(gateway.stop().await, Some(0));

    let config = town.read("watashi.toml");
    town.write("watashi.toml", &config.replace("max-bytes = 2000000", "max-bytes = 50000000"));
    let gateway = town.start().await;
    let last = health.post("notice.requested", &format!("f{accepted}"), &notice).await;
    assert_eq!(last.status, 202, "{}", last.text);
    delivered(&town, accepted + 1).await;
    assert_eq!(gateway.stop().await, Some(0));
    assert_eq!(town.run(&["log", "verify"]).await.code, 0);
}

async fn delivered(town: &Town, count: usize) {
    until("all delivered", || async {
        let exchanges = town.exchanges().await;
        assert_eq!(exchanges.len(), count);
        exchanges.iter().all(|one| one["state"] == "delivered").then_some(())
    })
    .await;
}

#[tokio::test]
async fn a_key_that_is_missing_or_open_to_others_stops_the_start() {
    let town = Town::new().await;
    for name in ["keys/k1", "keys/client.pem", "keys/server.pem", "secrets/ops-token"] {
        let content = town.read(name);
        town.mode(name, 0o644);
        let ran = refusal(&town).await;
        assert_eq!(ran.code, 78, "{name}: {}", ran.err);
        assert!(ran.err.contains("error: C202 secret readable by others: "), "{name}: {}", ran.err);
        assert!(ran.err.contains(&format!("{name} has mode 0644")), "{name}: {}", ran.err);
        assert!(ran.err.contains("\nhint: chmod 0400"), "{name}: {}", ran.err);
        std::fs::remove_file(town.path(name)).unwrap();
        let ran = refusal(&town).await;
        assert_eq!(ran.code, 78, "{name}: {}", ran.err);
        assert!(ran.err.contains("error: C201 secret not readable: "), "{name}: {}", ran.err);
        assert!(ran.err.contains(&format!("{name}: entity not found")), "{name}: {}", ran.err);
        town.write(name, &content);
    }
    let gateway = town.start().await;
    assert_eq!(gateway.stop().await, Some(0));
}

#[tokio::test]
async fn a_port_in_use_is_named() {
    let town = Town::new().await;
    for section in ["ops", "ingest"] {
        let address = town.listen(section);
        let held = TcpListener::bind(&address).unwrap();
        let ran = refusal(&town).await;
        assert_eq!(ran.code, 69, "{section}: {}", ran.err);
        assert!(
            ran.err.contains(&format!("error: C208 address in use: {address}")),
            "{section}: {}",
            ran.err
        );
        drop(held);
    }
}

#[tokio::test]
async fn with_a_typo_or_two_routes_of_one_name_it_does_not_start() {
    let town = Town::new().await;
    for folder in ["adapters", "schemas", "mappings"] {
        copy(&Path::new(env!("CARGO_MANIFEST_DIR")).join(folder), &town.path(folder));
    }
    let config = town.read("watashi.toml");
    let folder = format!("folder = \"{}\"", env!("CARGO_MANIFEST_DIR"));
    town.write("watashi.toml", &config.replace(&folder, "folder = \".\""));
    let gateway = town.start().await;
    assert_eq!(gateway.stop().await, Some(0));

    let name = "adapters/pmh/adapter.yaml";
    let right = town.read(name);
    town.write(name, &right.replacen("    interaction:", "    interacton:", 1));
    let line = right.lines().position(|line| line.starts_with("    interaction:")).unwrap() + 1;
    let ran = refusal(&town).await;
    assert_eq!(ran.code, 78, "{}", ran.err);
    assert!(ran.err.contains(&format!("--> {name}:{line}:5\n")), "{}", ran.err);
    assert!(ran.err.contains("hint: did you mean `interaction`?"), "{}", ran.err);

    town.write(name, &right.replacen("  notice-to-pmh:", "  notice-to-osr:", 1));
    let line = right.lines().position(|line| line == "  notice-to-pmh:").unwrap() + 1;
    let ran = refusal(&town).await;
    assert_eq!(ran.code, 78, "{}", ran.err);
    assert!(ran.err.contains("route `notice-to-osr` is also declared by"), "{}", ran.err);
    assert!(ran.err.contains(&format!("--> {name}:{line}:3\n")), "{}", ran.err);
}

#[tokio::test]
async fn check_is_green_when_everything_is_there() {
    let town = Town::new().await;
    let url = broker().await.virtual_host("check");
    town.write("secrets/amqp", &url);
    town.configure("amqp", "url = \"file:secrets/amqp\"");

    let missing = town.run(&["check"]).await;
    assert_eq!(missing.code, 78, "{}", missing.out);
    assert!(missing.out.contains("FAILED  broker: N111 "), "{}", missing.out);
    assert!(missing.out.contains("watashi broker apply"), "{}", missing.out);
    assert!(missing.err.ends_with("1 failed\n"), "{}", missing.err);

    assert_eq!(town.run(&["broker", "check"]).await.code, 78);
    let applied = town.run(&["broker", "apply"]).await;
    assert_eq!(applied.code, 0, "{}", applied.err);
    assert!(applied.out.contains("created    queue watashi.ingest\n"), "{}", applied.out);
    let right = town.run(&["broker", "check"]).await;
    assert_eq!(right.code, 0, "{}{}", right.out, right.err);
    let exported = town.run(&["broker", "export"]).await.json();
    for queue in exported["queues"].as_array().unwrap() {
        let line = format!("queue {}\n", queue["name"].as_str().unwrap());
        assert!(right.out.contains(&line), "{line} is exported and not checked: {}", right.out);
    }

    let green = town.run(&["check"]).await;
    assert_eq!(green.code, 0, "{}", green.out);
    assert!(green.out.lines().all(|line| line.starts_with("ok      ")), "{}", green.out);
    for what in ["definitions", "keys and store", "ingest certificate", "broker", "pmh: https://"] {
        assert!(green.out.contains(&format!("ok      {what}")), "{what}: {}", green.out);
    }
    let gateway = town.start().await;
    let beside = town.run(&["check"]).await;
    assert_eq!(beside.code, 0, "beside a running gateway: {}", beside.out);
    assert_eq!(gateway.stop().await, Some(0));
}

#[tokio::test]
async fn a_queue_of_another_kind_is_named_with_what_to_do() {
    let town = Town::new().await;
    let url = broker().await.virtual_host("classic");
    town.write("secrets/amqp", &url);
    town.configure("amqp", "url = \"file:secrets/amqp\"");
    let connection = Connection::connect(&url, ConnectionProperties::default()).await.unwrap();
    let channel = connection.create_channel().await.unwrap();
    let classic = QueueDeclareOptions { durable: true, ..QueueDeclareOptions::default() };
    let declare = channel.queue_declare("watashi.ingest".into(), classic, FieldTable::default());
    declare.await.unwrap();

    for act in ["apply", "check"] {
        let ran = town.run(&["broker", act]).await;
        assert_eq!(ran.code, 78, "{act}: {}", ran.err);
        assert!(ran.out.contains("DIFFERENT  queue watashi.ingest"), "{act}: {}", ran.out);
        assert!(ran.err.contains("error: N112 "), "{act}: {}", ran.err);
        assert!(ran.err.contains("inequivalent arg"), "{act}: {}", ran.err);
        assert!(ran.err.contains("\nhint: "), "{act}: {}", ran.err);
    }
    let gateway = town.start().await;
    let ready = until("cause", || async {
        let ready = gateway.ready().await;
        (ready["causes"][0]["code"] == "N112").then_some(ready)
    })
    .await;
    assert_eq!(ready["ready"], false, "{ready}");
    assert_eq!(gateway.stop().await, Some(0));
}

#[tokio::test]
async fn asked_to_stop_it_finishes_what_it_sends() {
    let town = Town::new().await;
    let gateway = town.start().await;
    let health = town.health();
    let notice = town.messages("notice.requested", Some("osr")).await.remove(0);
    for number in 0..30 {
        let mut notice = notice.clone();
        notice["noticeId"] = format!("S{number}").into();
        let posted = health.post("notice.requested", &format!("s{number}"), &notice).await;
        assert_eq!(posted.status, 202);
    }
    assert_eq!(gateway.stop().await, Some(0));
    let status = town.run(&["status", "--json"]).await.json();
    let counts: &Vec<Value> = status["counts"].as_array().unwrap();
    assert!(counts.iter().all(|count| count["state"] != "sending"), "{status}");
    let total: u64 = counts.iter().map(|count| count["count"].as_u64().unwrap()).sum();
    assert_eq!(total, 30, "{status}");
    let _gateway = town.start().await;
    delivered(&town, 30).await;
}
