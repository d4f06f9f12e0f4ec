//! Persons of a run: who demanded what is answered, and who agrees to what is prepared. What is tried is the
//! counterpart; everything before it is as it should be.

use super::conformance::SECOND_PERSON;
use crate::adapter::Route;
use crate::model::codes::message as codes;
use crate::model::{Class, Envelope, Failure, MessageId, Secret, Stage};
use crate::pipeline::Context;
use crate::pipeline::approve::{By, approve};
use crate::store::approvals::{ApprovalFilter, NewDemand};
use crate::store::{NewExchange, NewMessage, StoreError};
use serde_json::Value;
use std::sync::Arc;

/// Opens the demand that a document answers, if it must answer one. What brought it ends at once, without
/// a route: it is not what is tried.
pub(super) async fn demand(
    route: &Route,
    document: &Value,
    cx: &Context,
) -> Result<(), StoreError> {
    let answers = route.approval.as_ref().and_then(|rule| rule.answers.as_ref());
    let number = answers.and_then(|answers| answers.number.find(document)?.as_str());
    let (Some(answers), Some(number)) = (answers, number) else { return Ok(()) };
    let fingerprint = cx.keys.fingerprint("demand", number.as_bytes());
    let (stage, class) = (Stage::Accept, Class::Never);
    let failure = Failure { code: &codes::NO_ROUTE_APPLIES, stage, class, detail: String::new() };
    let opens = NewDemand {
        kind: answers.kind.clone(),
        number: number.to_owned(),
        item: String::new(),
        due: None,
    };
    let exchange = NewExchange {
        route: Arc::default(),
        counterpart: route.adapter.name.clone().into(),
        operation: Arc::default(),
        lane: 0,
        idempotency_key: Arc::default(),
        subject: None,
        failure: Some(failure),
        announce: None,
        supersedes: None,
        bundle: cx.bundle().digest().into(),
        first: None,
        approval: None,
        opens: Some(Box::new(opens)),
    };
    let envelope = Envelope {
        source: route.adapter.name.clone().into(),
        message_id: MessageId::from_content(&fingerprint),
        message_type: Arc::default(),
        content_type: String::new(),
        correlation_id: None,
        reply_to: None,
        traceparent: None,
        operator: None,
        municipality: None,
        accepted_at: cx.clock.now(),
    };
    let message = NewMessage {
        envelope: Arc::new(envelope),
        fingerprint,
        body: Secret::new(Vec::new()),
        exchanges: vec![exchange],
        record: Vec::new(),
        if_reused: None,
    };
    cx.store.accept(message).await.map(drop)
}

/// Agrees to everything that waits for a second person.
pub(super) async fn agree(cx: &Context) -> Result<(), StoreError> {
    let filter = ApprovalFilter { waiting: true, ..ApprovalFilter::default() };
    for view in cx.store.approvals(filter).await? {
        let (operator, reason) = (SECOND_PERSON.to_owned(), "simulated".to_owned());
        // One that is refused is seen by what was not sent.
        let _decided = approve(view.exchange, By { operator, reason }, cx).await?;
    }
    Ok(())
}
