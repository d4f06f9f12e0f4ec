//! Definitions, certificates and secrets change while the gateway runs: what is wrong is refused
//! and told, what is right counts without a restart, and no message is lost.

use crate::copy::copy;
use crate::town::{Gateway, Ran, Town, until};
use serde_json::Value;
use std::path::Path;

/// A town with definitions of its own and a token for acts.
async fn own_definitions() -> Town {
    let town = Town::new().await;
    for folder in ["adapters", "schemas", "mappings"] {
        copy(&Path::new(env!("CARGO_MANIFEST_DIR")).join(folder), &town.path(folder));
    }
    let config = town.read("watashi.toml");
    let folder = format!("folder = \"{}\"", env!("CARGO_MANIFEST_DIR"));
    town.write("watashi.toml", &config.replace(&folder, "folder = \".\""));
    if !town.read("watashi.toml").contains("\ntoken = ") {
        town.write("keys/ops", "an-ops-token");
        town.configure("ops", "token = \"file:keys/ops\"");
    }
    town
}

async fn reload(town: &Town) -> Ran {
    town.run(&["reload", "--operator", "sato", "--reason", "様式の変更", "--json"]).await
}

async fn noted(gateway: &Gateway, code: &str) -> bool {
    let ready = gateway.ready().await;
    ready["notes"].as_array().unwrap().iter().any(|note| note["code"] == code)
}

async fn until_noted(gateway: &Gateway, code: &str, wanted: bool) {
    until(&format!("{code} {wanted}"), || async {
        (noted(gateway, code).await == wanted).then_some(())
    })
    .await;
}

#[tokio::test]
async fn definitions_are_swapped_as_a_whole_or_not_at_all() {
    let town = own_definitions().await;
    let gateway = town.start().await;
    let mut notices = town.messages("notice.requested", Some("pmh")).await;
    let health = town.health();
    let mut post = async |id: &str| {
        let notice = notices.pop().unwrap();
        assert_eq!(health.post("notice.requested", id, &notice).await.status, 202);
        town.until_state(id, "delivered").await["bundle"].as_str().unwrap().to_owned()
    };
    let first = post("r1").await;

    let name = "adapters/pmh/adapter.yaml";
    let right = town.read(name);
    town.write(name, &right.replacen("    interaction:", "    interacton:", 1));
    let refused = reload(&town).await;
    assert_eq!(refused.code, 78, "{refused:?}");
    let page = refused.json();
    assert_eq!((&page["taken"], &page["after"]), (&Value::Bool(false), &page["before"]));
    assert!(page["problems"].as_str().unwrap().contains("interacton"), "{page}");
    assert!(noted(&gateway, "C302").await);
    assert_eq!(post("r2").await, first, "everything goes on by the old ones");

    // A case that fails stands in the way as an error of the definitions does.
    town.write(name, &right);
    let broken = "mappings/notice-to-pmh/cases/zz-broken.yaml";
    let case = "case: cannot be\ninput: {}\nexpect: {\"no\": \"such\"}\n";
    town.write(broken, case);
    let refused = reload(&town).await;
    assert_eq!(refused.code, 78, "{refused:?}");
    std::fs::remove_file(town.path(broken)).unwrap();

    town.write(name, &format!("# another layout\n{right}"));
    let taken = reload(&town).await;
    assert_eq!(taken.code, 0, "{taken:?}");
    let page = taken.json();
    assert_eq!(page["before"], first.as_str());
    assert!(!page["changed"].as_array().unwrap().is_empty(), "{page}");
    assert!(page["added"].as_array().unwrap().is_empty(), "{page}");
    assert!(!noted(&gateway, "C302").await);
    let second = post("r3").await;
    assert_eq!(page["after"], second.as_str());

    // The signal does the same; the record tells of both.
    town.write(name, &right);
    gateway.signal("HUP").await;
    until("the first definitions again", || async {
        let version = gateway.get("/version").await;
        (version["bundle"] == first.as_str()).then_some(())
    })
    .await;
    let log =
        town.run(&["log", "export", "--operator", "auditor", "--reason", "yearly audit"]).await;
    let changes: Vec<&str> =
        log.out.lines().filter(|line| line.contains("\"definitions\"")).collect();
    assert_eq!(changes.len(), 3, "{}", log.err);
    assert!(changes[1].contains("sato") && changes[1].contains(&second), "{changes:?}");
    assert!(changes[2].contains("SIGHUP") && changes[2].contains(&first), "{changes:?}");
    assert_eq!(gateway.stop().await, Some(0));
}

#[tokio::test]
async fn a_client_certificate_is_renewed_without_a_restart() {
    let town = Town::new().await;
    let key = rcgen::KeyPair::generate().unwrap();
    let mut params = rcgen::CertificateParams::new(vec!["watashi".to_owned()]).unwrap();
    params.not_before = rcgen::date_time_ymd(2019, 4, 1);
    params.not_after = rcgen::date_time_ymd(2020, 4, 1);
    let good = [town.read("certificates/client.pem"), town.read("keys/client.pem")];
    town.write("certificates/client.pem", &params.self_signed(&key).unwrap().pem());
    town.write("keys/client.pem", &key.serialize_pem());
    let gateway = town.start().await;
    let notice = town.messages("notice.requested", Some("osr")).await.remove(0);
    assert_eq!(town.health().post("notice.requested", "c1", &notice).await.status, 202);
    town.until_state("c1", "waiting-retry").await;

    // Half of a pair is no pair: the old one stays, until the other half is there.
    town.write("certificates/client.pem", &good[0]);
    until_noted(&gateway, "C303", true).await;
    town.write("keys/client.pem", &good[1]);
    until_noted(&gateway, "C303", false).await;
    town.until_state("c1", "delivered").await;
    assert!(!town.read("logs/gateway").contains("PRIVATE"));
    assert_eq!(gateway.stop().await, Some(0));
}

#[tokio::test]
async fn a_secret_is_renewed_without_a_restart() {
    let town = Town::new().await;
    let right = town.read("secrets/pmh");
    town.write("secrets/pmh", "not-the-secret");
    let gateway = town.start().await;
    let notice = town.messages("notice.requested", Some("pmh")).await.remove(0);
    assert_eq!(town.health().post("notice.requested", "t1", &notice).await.status, 202);
    town.until_state("t1", "waiting-retry").await;
    // A secret that others may read is not taken over.
    town.write("secrets/pmh", &right);
    town.mode("secrets/pmh", 0o644);
    until_noted(&gateway, "C303", true).await;
    town.mode("secrets/pmh", 0o600);
    until_noted(&gateway, "C303", false).await;
    town.until_state("t1", "delivered").await;
    assert!(!town.read("logs/gateway").contains(right.trim()));
    assert_eq!(gateway.stop().await, Some(0));
}

#[tokio::test]
async fn the_listeners_certificate_and_tokens_are_renewed() {
    let town = Town::new().await;
    town.write("keys/sender", "token-one");
    town.configure("ingest", "tokens = {sender = \"file:keys/sender\"}");
    let gateway = town.start().await;
    let mut notices = town.messages("notice.requested", Some("osr")).await;
    let mut post = async |token: &str, id: &str| {
        let notice = notices.pop().unwrap();
        town.stranger(Some(token)).post("notice.requested", id, &notice).await.status
    };
    assert_eq!(post("token-one", "l1").await, 202);
    let config: toml::Table = town.read("watashi.toml").parse().unwrap();
    let file = config["ingest"]["certificate"].as_str().unwrap().trim_start_matches("file:");
    let good = town.read(file);
    town.write(file, "no certificate at all");
    until_noted(&gateway, "C303", true).await;
    assert_eq!(post("token-one", "l2").await, 202, "the old certificate still serves");
    town.write(file, &good);
    until_noted(&gateway, "C303", false).await;
    town.write("keys/sender", "token-two");
    until("the new token", || async {
        let again = town.messages("notice.requested", Some("osr")).await.remove(0);
        let answer = town.stranger(Some("token-two")).post("notice.requested", "l3", &again).await;
        (answer.status == 202).then_some(())
    })
    .await;
    assert_eq!(post("token-one", "l4").await, 401);
    assert_eq!(gateway.stop().await, Some(0));
}
