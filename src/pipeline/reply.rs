//! Reply: what upstream gets of a counterpart's answer, once the request is known to be applied.

use super::context::Context;
use super::map;
use super::settle::{Decided, outgoing_id};
use crate::adapter::{Reply, Route};
use crate::mapping::Mapping;
use crate::model::codes::message as codes;
use crate::model::{Class, Code, Failure, Secret, Stage};
use crate::record::Kind;
use crate::store::{Claimed, NewOutgoing, Next};
use crate::telemetry::names;

/// Applied, with proof; the answer for upstream, if the route has one, goes with it.
pub fn applied(
    claimed: &Claimed,
    route: &Route,
    document: Option<&serde_json::Value>,
    cx: &Context,
) -> Decided {
    let Some(reply) = &route.reply else { return Decided::of(Next::Delivered) };
    let unmapped = |detail: &str| (&codes::REPLY_NOT_MAPPED, detail.to_owned());
    let mapped = document
        .ok_or_else(|| unmapped("the answer has no document"))
        .and_then(|document| answer_for(claimed, route, &reply.mapping, document, cx))
        .and_then(|output| serde_json::to_vec(&output).map_err(|_| unmapped("not JSON")));
    match mapped {
        Ok(body) => {
            let obtained = route.record.as_ref().filter(|rule| rule.kind == Kind::Request);
            let kind = obtained.map(|_| Kind::Obtain);
            let outbox = vec![message(claimed, reply, body)];
            Decided { outbox, kind, ..Decided::of(Next::Delivered) }
        }
        Err((code, detail)) => {
            let action = code.remedy;
            tracing::error!(
                code = code.code,
                route = route.name,
                exchange = claimed.id,
                detail,
                action,
                "no answer for upstream was made"
            );
            if *code == codes::REPLY_REFUSED {
                metrics::counter!(names::REPLIES_REFUSED, "route" => route.name.clone())
                    .increment(1);
            }
            let failure = Failure { code, stage: Stage::Settle, class: Class::Unknown, detail };
            Decided::of(Next::Unknown { due: None, failure })
        }
    }
}

/// The message that upstream gets.
pub(super) fn message(claimed: &Claimed, reply: &Reply, body: Vec<u8>) -> NewOutgoing {
    let key = claimed.envelope.reply_to.clone();
    NewOutgoing {
        routing_key: key.unwrap_or_else(|| reply.message_type.clone()),
        message_id: outgoing_id(claimed, "re"),
        message_type: reply.message_type.clone(),
        correlation_id: Some(claimed.envelope.message_id.as_str().to_owned()),
        content_type: "application/json".to_owned(),
        body: Secret::new(body),
    }
}

/// The answer for upstream; a mapping that sees the request gets the one that was sent, made again
/// from the same original under the same definitions.
pub(super) fn answer_for(
    claimed: &Claimed,
    route: &Route,
    mapping: &Mapping,
    document: &serde_json::Value,
    cx: &Context,
) -> Result<serde_json::Value, (&'static Code, String)> {
    let unmapped = |failure: Failure| (&codes::REPLY_NOT_MAPPED, failure.detail);
    let mut meta = map::meta(claimed);
    if mapping.request.is_some() {
        meta.request = Some(map::sent(claimed, route, cx).map_err(unmapped)?);
    }
    map::run(mapping, document, &meta).map_err(|failure| {
        // Refused by the author's own word, not failed.
        let refused = *failure.code == codes::MAPPING_REFUSED;
        if refused { (&codes::REPLY_REFUSED, failure.detail) } else { unmapped(failure) }
    })
}
