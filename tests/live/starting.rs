//! The gateway is started while its database is down: it waits, says why, and goes on unaided.

use crate::database::Server;
use crate::setup;
use crate::town::{Town, until};
use serde_json::Value;

/// Why it is not ready, as a list of codes and details.
fn causes(ready: &Value) -> String {
    let told = |cause: &Value| format!("{} {} {}", cause["what"], cause["code"], cause["detail"]);
    ready["causes"].as_array().unwrap().iter().map(told).collect::<Vec<_>>().join("; ")
}

#[tokio::test]
async fn started_while_the_database_is_down_it_waits_and_goes_on_unaided() {
    setup();
    let mut server = Server::start().await;
    let town = Town::on_postgres(&server, "60s").await;
    server.crash();

    let gateway = town.launch().await;
    let ready = until("the cause", || async {
        let ready = gateway.ready().await;
        causes(&ready).contains("T211").then_some(ready)
    })
    .await;
    assert!(causes(&ready).contains("starting"), "{ready}");
    let refused = gateway.get("/api/v1/counts").await;
    assert_eq!(refused["status"], 503, "nobody acts on a store that was not looked at: {refused}");

    server.resume().await;
    until("ready", || async { (gateway.ready().await["ready"] == true).then_some(()) }).await;
    let notice = town.messages("notice.requested", Some("osr")).await.remove(0);
    assert_eq!(town.health().post("notice.requested", "d1", &notice).await.status, 202);
    town.until_state("d1", "delivered").await;
    assert_eq!(gateway.stop().await, Some(0));
}

#[tokio::test]
async fn while_it_waits_for_the_database_a_signal_ends_it() {
    setup();
    let mut server = Server::start().await;
    let town = Town::on_postgres(&server, "60s").await;
    server.crash();
    let gateway = town.launch().await;
    until("the cause", || async { causes(&gateway.ready().await).contains("T211").then_some(()) })
        .await;
    assert_eq!(gateway.stop().await, Some(0));
}
