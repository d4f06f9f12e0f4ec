//! Two municipalities on one machine and one broker: nobody gets across (R16).

use crate::services::broker;
use crate::town::{Client, Town, until};
use crate::upstream::Upstream;
use lapin::{Connection, ConnectionProperties};
use serde_json::{Value, json};

/// 団体コード of the second town.
const THERE: &str = "131016";

/// Two towns, each with a virtual host, a login in it, and a token of its own; the second one has another
/// 団体コード. Names of virtual hosts begin with `prefix`.
async fn towns(prefix: &str) -> [Town; 2] {
    let towns = [Town::new().await, Town::new().await];
    let text = towns[1].read("watashi.toml");
    assert!(text.contains("\"131237\""), "{text}");
    towns[1].write("watashi.toml", &text.replace("\"131237\"", &format!("\"{THERE}\"")));
    for (number, town) in towns.iter().enumerate() {
        let host = format!("{prefix}-{number}");
        town.write("secrets/amqp", &broker().await.virtual_host(&host));
        town.configure("amqp", "url = \"file:secrets/amqp\"");
        let applied = town.run(&["broker", "apply"]).await;
        assert_eq!(applied.code, 0, "{}", applied.err);
        // From here on with a login that has no rights in the other one's.
        town.write("secrets/amqp", &broker().await.gateway_in(&format!("user-{host}"), &host));
        town.write("secrets/token-own", &format!("the-token-of-{host}"));
        town.configure("ingest", "tokens = { own = \"file:secrets/token-own\" }");
    }
    towns
}

/// A notice of the second town.
async fn notice_of_there(town: &Town) -> Value {
    let mut notice = town.messages("notice.requested", Some("osr")).await.remove(0);
    notice["municipalityCode"] = json!(THERE);
    notice
}

#[tokio::test]
async fn a_login_opens_no_other_virtual_host() {
    let towns = towns("host").await;
    let urls = [0, 1].map(|number| towns[number].read("secrets/amqp"));
    for (own, host) in [(0, "host-1"), (1, "host-0")] {
        let across = urls[own].replace(&format!("/host-{own}"), &format!("/{host}"));
        assert_ne!(across, urls[own]);
        let refused = Connection::connect(&across, ConnectionProperties::default()).await;
        assert!(refused.is_err(), "the broker lets nobody across");
        Connection::connect(&urls[own], ConnectionProperties::default()).await.unwrap();
        // The gateway says so as well, and takes nothing.
        towns[own].write("secrets/amqp", &across);
        let checked = towns[own].run(&["check"]).await;
        assert_ne!(checked.code, 0);
        assert!(checked.out.contains("FAILED  broker: N10"), "{}", checked.out);
    }
}

#[tokio::test]
async fn a_message_of_the_other_one_is_a_dead_letter_and_reaches_nobody() {
    let towns = towns("message").await;
    let gateways = [towns[0].start().await, towns[1].start().await];
    let notice = notice_of_there(&towns[0]).await.to_string();
    let upstream = Upstream::new(&broker().await.url().replace("%2f", "message-0")).await;
    let media = "application/json";
    upstream.post("notice.requested", Some("astray"), media, notice.as_bytes()).await;
    let dead = towns[0].until_state("astray", "dead").await;
    assert_eq!((&dead["code"], &dead["route"]), (&json!("G109"), &json!("")), "{dead}");
    assert!(towns[1].exchanges().await.is_empty(), "nor does it come where it belongs by itself");
    // Where it belongs, it is taken.
    let upstream = Upstream::new(&broker().await.url().replace("%2f", "message-1")).await;
    upstream.post("notice.requested", Some("right"), media, notice.as_bytes()).await;
    until("it is taken", || async {
        let found = towns[1].exchanges().await;
        found.iter().any(|one| one["message_id"] == "right" && one["route"] != "").then_some(())
    })
    .await;
    assert_eq!(towns[0].exchanges().await.len(), 1);
    for gateway in gateways {
        assert_eq!(gateway.stop().await, Some(0));
    }
}

#[tokio::test]
async fn no_certificate_and_no_token_opens_the_other_ones_ingest() {
    let towns = towns("ingest").await;
    let _gateways = [towns[0].start().await, towns[1].start().await];
    let notice = notice_of_there(&towns[0]).await;
    let own = towns[1].stranger(Some("the-token-of-ingest-1"));
    assert_eq!(own.post("notice.requested", "own", &notice).await.status, 202);
    let across = towns[0].stranger(Some("the-token-of-ingest-1"));
    let refused = across.post("notice.requested", "across", &notice).await;
    assert_eq!(refused.status, 401, "{}", refused.text);
    // The other town's certificate is of another authority.
    let pem = towns[1].read("certificates/health.pem") + &towns[1].read("keys/health.pem");
    let stranger = Client::new(&towns[0], Some(&pem), None);
    let answer = stranger.try_post("notice.requested", "certificate", &notice).await;
    assert!(answer.is_none_or(|answer| answer.status == 401), "no handshake, or no right");
    // Who may post here may still not post for the other one.
    let refused = towns[0].health().post("notice.requested", "health", &notice).await;
    assert_eq!((refused.status, refused.code.as_str()), (403, "G109"), "{}", refused.text);
    assert!(towns[0].exchanges().await.is_empty());
}
