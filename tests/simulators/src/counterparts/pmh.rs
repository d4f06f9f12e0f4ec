//! The simulated PMH: 対象者, 接種記録, 予診票 (asynchronous tasks with per-item results), notices,
//! ひな形 and 制御フラグ. What comes of them there is played [behind it](crate::counterparts::behind_pmh).

use crate::counterparts::behind_pmh::Behind;
use crate::counterparts::faults::{Caution, Repertoire};
use crate::counterparts::holdings::{Holdings, Item as Held};
use crate::counterparts::json::{self, Check, refuse};
use crate::counterparts::ledger::{Applied, Cause, Ledger};
use crate::counterparts::pmh_downloads;
use crate::counterparts::pmh_items::{Item, NoticeBody, RecordItem, SubjectItem};
use crate::counterparts::pmh_questionnaires::QuestionnaireItem;
use crate::counterparts::pmh_settings::{
    Control, NoticeCancel, NoticeTemplate, QuestionnaireTemplate, Single,
};
use crate::counterparts::tokens::{self, Tokens};
use crate::counterparts::xml::Form;
use crate::counterparts::{Answer, Behaviour, Counterpart, Credentials, Knowledge, PMH, Received};
use crate::random::{Random, hash};
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

const TOKEN_PATH: &str = "/oauth2/token";
const SUBJECTS: &str = "/vaccination/subject-registration-tasks";
const RECORDS: &str = "/vaccination/record-registration-tasks";
const QUESTIONNAIRES: &str = "/vaccination/questionnaire-registration-tasks";
const NOTICES: &str = "/vaccination/notices";
const NOTICE_CANCELLATIONS: &str = "/vaccination/notice-cancellations";
const QUESTIONNAIRE_TEMPLATES: &str = "/vaccination/questionnaire-templates";
const NOTICE_TEMPLATES: &str = "/vaccination/notice-templates";
const CONTROL_FLAGS: &str = "/vaccination/control-flags";
/// Kinds of what it holds.
const KINDS: [&str; 8] = [
    "subject",
    "record",
    "questionnaire",
    "notice",
    "questionnaire-template",
    "notice-template",
    "control",
    "notice-cancel",
];
const MAX_ITEMS: usize = 100;

struct Task {
    body_hash: u64,
    results: Option<Vec<Value>>,
}

#[derive(Default)]
struct State {
    tasks: BTreeMap<String, Task>,
    /// Task id by path and Idempotency-Key.
    by_key: BTreeMap<String, String>,
    /// Content by business key: `subject:…`, `record:…`, `notice:…` and so on, by kind.
    applied: BTreeMap<String, BTreeMap<String, String>>,
}

/// See the module.
pub struct Pmh {
    shared: Arc<Shared>,
    credentials: Credentials,
    tokens: Tokens,
    seed: u64,
    longest_task_ms: u64,
}

struct Shared {
    ledger: Arc<Ledger>,
    knowledge: Arc<Knowledge>,
    behind: Arc<Behind>,
    state: Mutex<State>,
}

impl Shared {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn apply(&self, state: &mut State, key: String, cause: &Cause, applied: Applied) {
        state.applied.insert(key, applied.content.clone());
        self.behind.registered(&applied);
        self.ledger.apply(PMH, cause, applied);
    }

    /// Applies the items of a task, each on its own, and closes the task.
    fn complete(&self, task: &str, items: Vec<(String, Applied)>, cause: &Cause) {
        let mut state = self.state();
        let mut results = Vec::new();
        for (number, (key, applied)) in items.into_iter().enumerate() {
            let number = number + 1;
            let known = state.applied.get(&key);
            if let Some(code) = self.knowledge.refused.get(&key) {
                results.push(json!({"itemNumber": number, "status": "error", "errorCode": code}));
                continue;
            }
            if known.is_some_and(|before| *before != applied.content) {
                let problem = "the same item and revision arrived with other content";
                self.ledger.violation(PMH, "task item", problem, false);
                results
                    .push(json!({"itemNumber": number, "status": "error", "errorCode": "E0302"}));
                continue;
            }
            if known.is_none() {
                if let Err(code) = self.behind.accepts(&applied) {
                    results
                        .push(json!({"itemNumber": number, "status": "error", "errorCode": code}));
                    continue;
                }
                self.apply(&mut state, key, cause, applied);
            }
            results.push(json!({"itemNumber": number, "status": "registered"}));
        }
        if let Some(task) = state.tasks.get_mut(task) {
            task.results = Some(results);
        }
    }
}

impl Pmh {
    /// Starts with nothing registered.
    pub fn new(
        ledger: Arc<Ledger>,
        knowledge: Arc<Knowledge>,
        credentials: &Credentials,
        behaviour: &Behaviour,
        behind: Arc<Behind>,
    ) -> Self {
        Pmh {
            shared: Arc::new(Shared { ledger, knowledge, behind, state: Mutex::default() }),
            credentials: credentials.clone(),
            tokens: Tokens::new(behaviour.seed, 60),
            seed: behaviour.seed,
            longest_task_ms: behaviour.longest_task_ms,
        }
    }

    fn token(&self, request: &Received) -> Answer {
        let (id, secret) = (&self.credentials.pmh_id, &self.credentials.pmh_secret);
        tokens::grant(request, id, secret, TOKEN_PATH, &self.tokens)
    }

    fn register<T: Item>(&self, request: &Received) -> Result<Answer, Answer> {
        let key = request.header("idempotency-key").unwrap_or_default();
        if !Form::Identifier(128).fits(key) {
            return Err(refuse(400, "E0203", "Idempotency-Key is missing or malformed"));
        }
        let items: Vec<T> = json::read(request)?;
        if items.is_empty() {
            return Err(refuse(400, "E0204", "an empty array"));
        }
        if items.len() > MAX_ITEMS {
            return Err(refuse(413, "E0413", "more than 100 items"));
        }
        let mut check = Check::default();
        items.iter().for_each(|item| item.check(&mut check));
        check.end()?;
        let place = format!("{} {key}", request.path);
        let body_hash = hash(&request.body);
        let mut state = self.shared.state();
        if let Some(task_id) = state.by_key.get(&place) {
            let same = state.tasks.get(task_id).is_some_and(|task| task.body_hash == body_hash);
            return match same {
                true => Ok(Answer::json(202, &json!({"taskId": task_id}))),
                false => Err(refuse(422, "E0205", "the same Idempotency-Key with another body")),
            };
        }
        let task_id = format!("T{:08}", state.tasks.len() + 1);
        state.tasks.insert(task_id.clone(), Task { body_hash, results: None });
        state.by_key.insert(place, task_id.clone());
        drop(state);
        self.schedule(&task_id, items.into_iter().map(Item::applied).collect(), request, key);
        Ok(Answer::json(202, &json!({"taskId": task_id})))
    }

    fn schedule(
        &self,
        task_id: &str,
        items: Vec<(String, Applied)>,
        request: &Received,
        key: &str,
    ) {
        let cause = Cause { received_ms: request.received_ms, idempotency_key: key.to_owned() };
        let mut random = Random::new(self.seed ^ hash(task_id.as_bytes()), "task");
        let delay = Duration::from_millis(random.word() % (self.longest_task_ms + 1));
        let (shared, task_id) = (Arc::clone(&self.shared), task_id.to_owned());
        tokio::spawn(async move {
            tokio::time::sleep(delay).await;
            shared.complete(&task_id, items, &cause);
        });
    }

    fn task(&self, task_id: &str) -> Answer {
        let state = self.shared.state();
        match state.tasks.get(task_id) {
            None => Answer::json(404, &json!({"code": "E0404", "message": "no such task"})),
            Some(Task { results: None, .. }) => Answer::json(
                200,
                &json!({"taskId": task_id, "status": "processing", "results": []}),
            ),
            Some(Task { results: Some(results), .. }) => Answer::json(
                200,
                &json!({"taskId": task_id, "status": "completed", "results": results}),
            ),
        }
    }

    /// A document that is judged at once.
    fn single<T: Single>(&self, request: &Received) -> Result<Answer, Answer> {
        let document: T = json::read(request)?;
        let mut check = Check::default();
        document.check(&mut check);
        check.end()?;
        let applied = document.applied();
        let key = format!("{}:{}", applied.operation, applied.key);
        let refused = |code: &str| {
            Answer::json(400, &json!({"code": code, "message": "not for this addressee or key"}))
        };
        if let Some(code) = self.shared.knowledge.refused.get(&key) {
            return Ok(refused(code));
        }
        let answer = Answer::json(201, &T::done(&applied));
        let mut state = self.shared.state();
        match state.applied.get(&key) {
            Some(before) if *before != applied.content => {
                return Err(refuse(409, "E0302", "the same key with other content"));
            }
            Some(_) => {}
            None => {
                if let Err(code) = self.shared.behind.accepts(&applied) {
                    return Ok(refused(code));
                }
                let received_ms = request.received_ms;
                let cause = Cause { received_ms, idempotency_key: self.idempotency_key(request) };
                self.shared.apply(&mut state, key, &cause, applied);
            }
        }
        Ok(answer)
    }

    fn authorised(&self, request: &Received) -> Option<Answer> {
        match bearer(request) {
            None => Some(refuse(401, "E0401", "no bearer token")),
            Some(token) if self.tokens.accepts(token) => None,
            Some(_) => Some(expired()),
        }
    }
}

impl Counterpart for Pmh {
    fn name(&self) -> &'static str {
        PMH
    }

    fn pending(&self) -> usize {
        self.shared.behind.pending()
    }

    /// The newest revision of each thing, and all notices.
    fn holdings(&self) -> Holdings {
        let state = self.shared.state();
        let mut newest: BTreeMap<(&'static str, &str), (u64, &Held)> = BTreeMap::new();
        for (key, content) in &state.applied {
            let Some((kind, key)) = key.split_once(':') else { continue };
            let (id, revision) = key.split_once('/').unwrap_or((key, "1"));
            let revision = revision.parse().unwrap_or(0);
            let Some(kind) = KINDS.into_iter().find(|one| *one == kind) else { continue };
            let known = newest.entry((kind, id)).or_insert((revision, content));
            if revision >= known.0 {
                *known = (revision, content);
            }
        }
        let mut holdings = Holdings::default();
        for ((kind, id), (_, content)) in newest {
            holdings.put(kind, id, content.clone());
        }
        holdings
    }

    fn repertoire(&self) -> Repertoire {
        Repertoire { busy_body: true, tokens: true }
    }

    fn caution(&self, request: &Received) -> Caution {
        if request.path == TOKEN_PATH {
            return Caution::Credentials;
        }
        if request.method == "GET" {
            return Caution::None;
        }
        let text = String::from_utf8_lossy(&request.body);
        let refused = self.shared.knowledge.refused.keys().any(|key| {
            let (_, key) = key.split_once(':').unwrap_or_default();
            let id = key.split('/').next().unwrap_or_default();
            text.contains(&format!("\"{id}\""))
        });
        if refused { Caution::ProvenOnly } else { Caution::None }
    }

    fn answer(&self, request: &Received) -> Answer {
        if !request.query.is_empty() {
            return refuse(400, "E0200", "a query string");
        }
        if (request.method.as_str(), request.path.as_str()) == ("POST", TOKEN_PATH) {
            return self.token(request);
        }
        if let Some(refusal) = self.authorised(request) {
            return refusal;
        }
        let (behind, times) = (&self.shared.behind, &self.shared.knowledge.times);
        if let Some(answer) = pmh_downloads::answer(request, || behind.downloads(), times) {
            return answer.unwrap_or_else(|refusal| refusal);
        }
        let answer = match (request.method.as_str(), request.path.as_str()) {
            ("POST", SUBJECTS) => self.register::<SubjectItem>(request),
            ("POST", RECORDS) => self.register::<RecordItem>(request),
            ("POST", QUESTIONNAIRES) => self.register::<QuestionnaireItem>(request),
            ("POST", NOTICES) => self.single::<NoticeBody>(request),
            ("POST", NOTICE_CANCELLATIONS) => self.single::<NoticeCancel>(request),
            ("POST", QUESTIONNAIRE_TEMPLATES) => self.single::<QuestionnaireTemplate>(request),
            ("POST", NOTICE_TEMPLATES) => self.single::<NoticeTemplate>(request),
            ("POST", CONTROL_FLAGS) => self.single::<Control>(request),
            ("GET", path) => match path.strip_prefix("/tasks/") {
                Some(task_id) => Ok(self.task(task_id)),
                None => Err(refuse(404, "E0404", "no such path")),
            },
            _ => Err(refuse(404, "E0404", "no such path")),
        };
        answer.unwrap_or_else(|refusal| refusal)
    }

    fn busy_body(&self, _request: &Received) -> Answer {
        Answer::json(200, &json!({"code": "E9001", "message": "system busy, nothing was done"}))
    }

    fn expire_token(&self, request: &Received) -> Answer {
        if let Some(token) = bearer(request) {
            self.tokens.revoke(token);
        }
        expired()
    }

    fn admits_my_number(&self, request: &Received) -> bool {
        [SUBJECTS, RECORDS, QUESTIONNAIRES, CONTROL_FLAGS].contains(&request.path.as_str())
    }
}

fn expired() -> Answer {
    Answer::json(401, &json!({"code": "E0401", "message": "the token has expired"}))
}

fn bearer(request: &Received) -> Option<&str> {
    request.header("authorization")?.strip_prefix("Bearer ")
}
