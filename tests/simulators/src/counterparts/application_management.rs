//! The simulated 申請管理: status changes of electronic applications.

use crate::counterparts::faults::{Caution, Repertoire};
use crate::counterparts::holdings::Holdings;
use crate::counterparts::json::{self, Check, refuse};
use crate::counterparts::ledger::{Applied, Cause, Ledger};
use crate::counterparts::xml::Form;
use crate::counterparts::{APPLICATION_MANAGEMENT, Answer, Counterpart, Credentials};
use crate::counterparts::{Knowledge, Received};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde::Deserialize;
use serde_json::json;
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

#[derive(Clone, Deserialize, PartialEq)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct StatusChange {
    reception_number: String,
    status_key: String,
    sequence: u64,
    status: String,
    comment: Option<String>,
    changed_at: String,
}

#[derive(Default)]
struct State {
    /// Changes by statusKey.
    changes: BTreeMap<String, StatusChange>,
    /// Newest sequence by 受付番号.
    newest: BTreeMap<String, u64>,
}

/// See the module.
pub struct ApplicationManagement {
    ledger: Arc<Ledger>,
    knowledge: Arc<Knowledge>,
    authorization: String,
    state: Mutex<State>,
}

impl ApplicationManagement {
    /// Knows the applications of `knowledge`.
    pub fn new(ledger: Arc<Ledger>, knowledge: Arc<Knowledge>, credentials: &Credentials) -> Self {
        let pair = format!("{}:{}", credentials.management_id, credentials.management_password);
        let authorization = format!("Basic {}", STANDARD.encode(pair));
        ApplicationManagement { ledger, knowledge, authorization, state: Mutex::default() }
    }

    fn change(&self, request: &Received) -> Result<Answer, Answer> {
        let change: StatusChange = json::read(request)?;
        let mut check = Check::default();
        check.form("receptionNumber", &change.reception_number, Form::Identifier(64));
        check.form("statusKey", &change.status_key, Form::Identifier(64));
        check.that("sequence", change.sequence >= 1);
        check.form("status", &change.status, Form::OneOf(&["01", "02", "03", "04", "05"]));
        check.optional("comment", change.comment.as_ref(), Form::Text(500));
        check.that("changedAt", change.changed_at.parse::<jiff::Timestamp>().is_ok());
        check.end()?;
        let mut known = self.knowledge.applications.iter();
        if !known.any(|one| one.reception_number == change.reception_number) {
            return Ok(result("E1001", &change.status_key));
        }
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        match state.changes.get(&change.status_key) {
            Some(before) if *before == change => return Ok(result("0000", &change.status_key)),
            Some(_) => return Err(refuse(409, "E1003", "the same statusKey with other content")),
            None => {}
        }
        let newest = state.newest.get(&change.reception_number).copied().unwrap_or(0);
        if newest >= change.sequence {
            return Ok(result("E1002", &change.status_key)
                .violating("an older sequence arrived after a newer one"));
        }
        state.newest.insert(change.reception_number.clone(), change.sequence);
        state.changes.insert(change.status_key.clone(), change.clone());
        let received_ms = request.received_ms;
        let cause = Cause { received_ms, idempotency_key: self.idempotency_key(request) };
        let content = BTreeMap::from([
            ("sequence".to_owned(), change.sequence.to_string()),
            ("status".to_owned(), change.status.clone()),
        ]);
        let (key, person) = (change.status_key.clone(), change.reception_number);
        let applied = Applied { operation: "status", key, person, content };
        self.ledger.apply(APPLICATION_MANAGEMENT, &cause, applied);
        Ok(result("0000", &change.status_key))
    }
}

impl Counterpart for ApplicationManagement {
    fn name(&self) -> &'static str {
        APPLICATION_MANAGEMENT
    }

    /// The newest status of each application.
    fn holdings(&self) -> Holdings {
        let state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        let mut changes: Vec<&StatusChange> = state.changes.values().collect();
        changes.sort_by_key(|change| change.sequence);
        let mut holdings = Holdings::default();
        for change in changes {
            let item = BTreeMap::from([
                ("sequence".to_owned(), change.sequence.to_string()),
                ("status".to_owned(), change.status.clone()),
            ]);
            holdings.put("status", &change.reception_number, item);
        }
        holdings
    }

    fn repertoire(&self) -> Repertoire {
        Repertoire::default()
    }

    fn caution(&self, _request: &Received) -> Caution {
        Caution::None
    }

    fn answer(&self, request: &Received) -> Answer {
        if request.header("authorization") != Some(self.authorization.as_str()) {
            return refuse(401, "E0401", "no or wrong basic credentials");
        }
        match (request.method.as_str(), request.path.as_str(), request.query.as_str()) {
            ("POST", "/application-status", "") => {
                self.change(request).unwrap_or_else(|refusal| refusal)
            }
            _ => refuse(404, "E0404", "no such path"),
        }
    }

    fn busy_body(&self, _request: &Received) -> Answer {
        Answer::json(503, &json!({"code": "E9000", "message": "busy"}))
    }

    fn expire_token(&self, request: &Received) -> Answer {
        self.busy_body(request)
    }
}

fn result(code: &str, status_key: &str) -> Answer {
    match code {
        "0000" => {
            let receipt = format!("R{:016x}", crate::random::hash(status_key.as_bytes()));
            Answer::json(200, &json!({"resultCode": code, "receiptId": receipt}))
        }
        _ => Answer::json(200, &json!({"resultCode": code})),
    }
}
