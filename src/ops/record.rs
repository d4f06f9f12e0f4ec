//! Acts on the record: that somebody looked at it is an entry itself.

use super::Ops;
use super::acts::{check_words, store_down};
use super::problem::Problem;
use crate::record::{Draft, Kind, Phase};
use axum::Json;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode};
use jiff::Timestamp;
use serde_json::{Value, json};
use std::sync::Arc;

/// Somebody looks at entries of the record, or counts what was carried.
#[derive(Debug, serde::Deserialize, serde::Serialize)]
#[serde(deny_unknown_fields)]
pub struct Access {
    /// `record-disclosed`, `record-exported`, `reconciled` or `counts-made`.
    pub act: String,
    /// Pseudonym, when it is one person's entries.
    #[serde(default)]
    pub subject: Option<String>,
    /// How many entries are shown, findings a comparison has, or messages were counted.
    pub count: u64,
    /// Of a comparison: which one, as `ADAPTER/NAME`; of counts: which, and of which month.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub about: Option<String>,
    /// Who.
    pub operator: String,
    /// Why.
    pub reason: String,
}

impl Access {
    /// The words an act may have.
    pub const ACTS: [&str; 4] =
        ["record-disclosed", "record-exported", "reconciled", "counts-made"];

    /// Its entry.
    pub fn draft(self, at: Timestamp) -> Draft {
        let count = self.count;
        let reference = match self.about {
            Some(about) if self.act == "counts-made" => format!("{about}, messages: {count}"),
            Some(about) => format!("{about}: {count}"),
            None => format!("entries: {count}"),
        };
        Draft {
            outcome: Some(self.act),
            subject: self.subject.map(Into::into),
            reference: Some(reference),
            operator: Some(self.operator.into()),
            reason: Some(self.reason),
            ..Draft::new(Kind::Operate, Phase::Noted, at)
        }
    }
}

/// Writes the entry of an access.
pub async fn access(
    State(ops): State<Arc<Ops>>,
    headers: HeaderMap,
    Json(access): Json<Access>,
) -> Result<Json<Value>, Problem> {
    ops.authorise(&headers)?;
    let refused = |title| Problem::plain(StatusCode::UNPROCESSABLE_ENTITY, title);
    check_words(&access.operator, &access.reason).map_err(refused)?;
    let hex = |text: &String| text.len() == 32 && text.bytes().all(|b| b.is_ascii_hexdigit());
    let name = |text: &String| {
        let plain =
            |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || matches!(b, b'-' | b'/' | b' ');
        text.len() <= 200 && text.bytes().all(plain)
    };
    let known = Access::ACTS.contains(&access.act.as_str());
    if !known || !access.subject.iter().all(hex) || !access.about.iter().all(name) {
        return Err(refused("not an act on the record"));
    }
    let at = ops.cx.clock.now();
    ops.cx.store.note(vec![access.draft(at)]).await.map_err(store_down)?;
    Ok(Json(json!({ "recorded": true })))
}
