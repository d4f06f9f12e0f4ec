//! Answers to demands as the health system or a member of staff writes them.

use crate::counterparts::INTERMEDIATE_SERVER;
use crate::counterparts::demands::Demand;
use crate::municipality::{Expected, Fate, MUNICIPALITY, Message};
use jiff::civil::Date;
use serde_json::{Value, json};
use std::collections::BTreeMap;

/// A demand that staff answers.
pub(super) struct Task<'a> {
    /// When it was asked.
    pub(super) day: Date,
    /// The demand.
    pub(super) demand: &'a Demand,
    /// Item of the table of the law.
    pub(super) item: &'static str,
    /// What staff says.
    pub(super) says: Says,
    /// What the answer must show: how it came, whether there is something, and what.
    pub(super) shows: (&'static str, bool, String),
}

/// What an answer says.
pub(super) enum Says {
    /// What was found.
    Records(Vec<Value>),
    /// 提供不可.
    Nothing,
    /// Whether what the 副本 holds may be sent.
    Permitted(bool),
}

/// An answer as the health system writes it.
pub(super) fn message(task: &Task<'_>, by: &str, days: i64, fate: Fate) -> Message {
    let Task { demand, item, .. } = task;
    let (how, available, content) = &task.shows;
    let mut body = json!({"municipalityCode": MUNICIPALITY, "processingNumber": demand.number,
        "legalItem": item, "department": "KENKO-YOBO",
        "person": {"atenaNumber": demand.person, "isNotDisclosed": false}});
    let message_type = match &task.says {
        Says::Permitted(permitted) => {
            put(&mut body, "isPermitted", (*permitted).into());
            "provision.permission.prepared"
        }
        Says::Nothing => {
            put(&mut body, "availability", "not-available".into());
            "provision.answer.prepared"
        }
        Says::Records(records) => {
            put(&mut body, "availability", "provided".into());
            put(&mut body, "records", records.clone().into());
            "provision.answer.prepared"
        }
    };
    let short = demand.number.trim_start_matches('0');
    // What is never sent must not be taken for what is.
    let key = match fate {
        Fate::Delivered => demand.number.clone(),
        _ => format!("{} not sent {days}", demand.number),
    };
    Message {
        id: format!("AN-{short}-{days}"),
        message_type,
        lane: demand.number.clone(),
        operator: by.to_owned(),
        body,
        expects: vec![Expected {
            counterpart: INTERMEDIATE_SERVER,
            operation: "provision",
            key,
            person: demand.person.clone(),
            content: BTreeMap::from([
                ("how", (*how).to_owned()),
                ("available", available.to_string()),
                ("content", content.clone()),
                ("preparer", by.to_owned()),
            ]),
            fate,
        }],
        answer: None,
    }
}

/// Puts a member into a body.
pub(super) fn put(body: &mut Value, name: &str, value: Value) {
    if let Some(map) = body.as_object_mut() {
        map.insert(name.to_owned(), value);
    }
}
