//! Pulls: what waits at a counterpart comes once, and nothing waits for what cannot come.

use super::pull;
use super::testing::Harness;

/// One of three items is never what was agreed: the others come at once, and it is set aside.
#[tokio::test]
async fn an_item_that_cannot_be_taken_over_keeps_no_other_waiting() {
    let harness = Harness::new();
    harness.target.always(|request| {
        let list = r#"{"results":[{"state":"J1"},{"state":"J2"},{"state":"J3"}]}"#;
        let (kind, body) = match request.path.as_str() {
            "/drawer" => ("application/json", list),
            "/drawer/J2" => ("text/csv", "person\r\nann\r\n"),
            _ => ("text/csv", "person,amount\r\nann,7\r\n"),
        };
        let (content_type, body) = (kind.to_owned(), bytes::Bytes::from(body));
        Ok(crate::transport::Response {
            status: 200,
            content_type,
            retry_after: None,
            body,
            token: None,
        })
    });
    let counterpart = harness.cx.counterpart("post").unwrap();
    let operation = std::sync::Arc::clone(&counterpart.adapter.operations["drawer"]);
    let list = operation.pull.as_ref().unwrap();
    let mut bad = pull::Bad::new();
    for passes in 1..=4 {
        pull::pass(&operation, list, &counterpart, &harness.cx, &mut bad).await.unwrap();
        let arrived: Vec<_> =
            harness.exchanges().await.iter().map(|one| one.message_id.clone()).collect();
        let expected = if passes < 3 { vec!["J1", "J3"] } else { vec!["J1", "J3", "J2"] };
        assert_eq!(arrived, expected, "after {passes} passes");
        assert_eq!(bad.is_empty(), passes >= 3);
        let moved = harness.cx.store.cursor("post/drawer".to_owned()).await.unwrap();
        assert_eq!(moved.is_some(), passes >= 3, "what is tried again must be listed again");
    }
    let aside = harness.exchange("J2").await;
    assert_eq!((aside.state.as_str(), aside.code.as_deref()), ("dead", Some("G404")));
    let asked = harness.target.requests();
    assert_eq!(asked.iter().filter(|request| request.path == "/drawer/J2").count(), 3);
}

/// A counterpart that serves two municipalities hands over what is the other one's: it is set aside under
/// its code, and no route takes it.
#[tokio::test]
async fn what_is_fetched_for_another_municipality_goes_nowhere() {
    let route = "on: order.fetched, operation: place,";
    let named = format!("{route} municipality: '$[0].person',");
    let harness = Harness::tuned(&[(route, named.as_str())]);
    harness.target.always(|request| {
        let list = r#"{"results":[{"state":"J1"},{"state":"J2"}]}"#;
        let (kind, body) = match request.path.as_str() {
            "/drawer" => ("application/json", list),
            "/drawer/J1" => ("text/csv", "person,amount\r\n131130,7\r\n"),
            "/drawer/J2" => ("text/csv", "person,amount\r\n131237,7\r\n"),
            _ => ("application/json", r#"{"result":"ok"}"#),
        };
        let (content_type, body) = (kind.to_owned(), bytes::Bytes::from(body));
        Ok(crate::transport::Response {
            status: 200,
            content_type,
            retry_after: None,
            body,
            token: None,
        })
    });
    let counterpart = harness.cx.counterpart("post").unwrap();
    let operation = std::sync::Arc::clone(&counterpart.adapter.operations["drawer"]);
    let list = operation.pull.as_ref().unwrap();
    let mut bad = pull::Bad::new();
    pull::pass(&operation, list, &counterpart, &harness.cx, &mut bad).await.unwrap();
    harness.settle().await;
    let aside = harness.exchange("J1").await;
    assert_eq!((aside.state.as_str(), aside.code.as_deref()), ("dead", Some("G109")));
    assert_eq!(aside.route, "", "routed nowhere");
    assert_eq!(harness.exchange("J2").await.state, "delivered");
    let sent = harness.target.requests();
    assert_eq!(sent.iter().filter(|request| !request.path.starts_with("/drawer")).count(), 1);
}
