//! The simulated マイナポータル as far as notices go (provisional): taken by 仮名識別子, shown later, then read
//! or not. It tells of the end of a piece of work when it is told whom to call.

use crate::counterparts::behind_pmh::Behind;
use crate::counterparts::faults::{Caution, Repertoire};
use crate::counterparts::holdings::Holdings;
use crate::counterparts::json::{self, Check, refuse};
use crate::counterparts::ledger::{Applied, Cause, Ledger};
use crate::counterparts::pmh_items::Content;
use crate::counterparts::times::written;
use crate::counterparts::tokens::{self, Tokens};
use crate::counterparts::xml::Form;
use crate::counterparts::{Answer, Behaviour, Counterpart, Credentials, Knowledge};
use crate::counterparts::{MYNAPORTAL, Received, waiting};
use crate::random::{Random, hash};
use serde::Deserialize;
use serde_json::json;
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};
use std::time::Duration;

const TOKEN: &str = "/oauth2/token";
const NOTICES: &str = "/notices";
const EVENTS: &str = "/notice-events/";
/// How often it calls at most, and the pause between two calls.
const CALLS: usize = 5;
const CALLED_AGAIN: Duration = Duration::from_millis(300);

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Notice {
    pseudonym: String,
    notice_key: String,
    title: String,
    message: String,
    language: Option<String>,
    show_from: Option<String>,
    show_until: Option<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct List {
    since: String,
    page: usize,
}

impl Notice {
    fn check(&self, check: &mut Check) {
        check.form("pseudonym", &self.pseudonym, Form::Identifier(64));
        check.form("noticeKey", &self.notice_key, Form::Identifier(40));
        check.form("title", &self.title, Form::Text(100));
        check.form("message", &self.message, Form::Text(2_000));
        check.optional("language", self.language.as_ref(), Form::Identifier(11));
        check.optional("showFrom", self.show_from.as_ref(), Form::Date);
        check.optional("showUntil", self.show_until.as_ref(), Form::Date);
    }

    fn applied(self) -> Applied {
        let mut content = Content::default();
        content.put("title", &self.title);
        content.put("text", &self.message);
        content.maybe("from", self.show_from);
        content.maybe("until", self.show_until);
        let (key, person) = (self.notice_key, self.pseudonym);
        Applied { operation: "portal-notice", key, person, content: content.0 }
    }
}

/// A piece of work.
struct Work {
    applied: Applied,
    /// 掲載済 `03`, 宛先なし `08` or エラー `09`, and when; `None`: 処理中.
    ended: Option<(&'static str, i64)>,
}

#[derive(Default)]
struct State {
    /// By 処理ID.
    work: BTreeMap<String, Work>,
    /// 処理ID by noticeKey.
    by_key: BTreeMap<String, String>,
}

struct Shared {
    ledger: Arc<Ledger>,
    knowledge: Arc<Knowledge>,
    behind: Arc<Behind>,
    state: Mutex<State>,
    caller: OnceLock<Caller>,
    told: Mutex<BTreeMap<u16, usize>>,
}

/// How it tells the gateway that a piece of work has ended.
#[derive(Clone)]
pub struct Caller {
    /// Shows its certificate.
    pub client: reqwest::Client,
    /// Where it calls.
    pub url: String,
    /// What it shows beside.
    pub token: String,
}

/// See the module.
pub struct Mynaportal {
    shared: Arc<Shared>,
    credentials: Credentials,
    tokens: Tokens,
    seed: u64,
    longest_task_ms: u64,
}

impl Shared {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Ends a piece of work: who is nobody's gets nothing shown, and some fail.
    fn end(&self, process: &str, cause: &Cause) {
        let mut state = self.state();
        let Some(work) = state.work.get_mut(process) else { return };
        let refused = format!("portal-notice:{}", work.applied.key);
        let status = match self.behind.knows(&work.applied.person) {
            _ if self.knowledge.refused.contains_key(&refused) => "09",
            true => "03",
            false => "08",
        };
        if status != "09" {
            let mut applied = work.applied.clone();
            applied.content.insert("status".to_owned(), status.to_owned());
            self.ledger.apply(MYNAPORTAL, cause, applied);
        }
        work.ended = Some((status, crate::clock::now_ms()));
    }

    /// Tells of it until it is heard, a few times. What becomes of that does not matter, because the
    /// status is asked for; a call that overtakes the answer to the notice is nobody's.
    async fn tell(&self, process: &str) {
        let Some(Caller { client, url, token }) = self.caller.get() else { return };
        let completed_at = written(crate::clock::now_ms());
        let body = json!({"processId": process, "completedAt": completed_at}).to_string();
        for _ in 0..CALLS {
            let request = client.post(url).bearer_auth(token).body(body.clone());
            let answer = request.header("content-type", "application/json").send().await;
            let status = answer.map_or(0, |answer| answer.status().as_u16());
            *self.told().entry(status).or_default() += 1;
            if status == 200 {
                return;
            }
            tokio::time::sleep(CALLED_AGAIN).await;
        }
    }

    fn told(&self) -> MutexGuard<'_, BTreeMap<u16, usize>> {
        self.told.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Mynaportal {
    /// Starts with nothing shown.
    pub fn new(
        ledger: Arc<Ledger>,
        knowledge: Arc<Knowledge>,
        credentials: &Credentials,
        behaviour: &Behaviour,
        behind: Arc<Behind>,
    ) -> Self {
        let (state, caller, told) = Default::default();
        Mynaportal {
            shared: Arc::new(Shared { ledger, knowledge, behind, state, caller, told }),
            credentials: credentials.clone(),
            tokens: Tokens::new(behaviour.seed, 60),
            seed: behaviour.seed,
            longest_task_ms: behaviour.longest_task_ms,
        }
    }

    /// Tells of completed work from now on; a second caller is not taken.
    pub fn call(&self, caller: Caller) {
        let _ = self.shared.caller.set(caller);
    }

    /// How often each status was the answer to such a call; 0: there was none.
    pub fn told(&self) -> BTreeMap<u16, usize> {
        self.shared.told().clone()
    }

    fn notice(&self, request: &Received) -> Result<Answer, Answer> {
        let key = self.idempotency_key(request);
        if !Form::Identifier(128).fits(&key) {
            return Err(refuse(400, "E0203", "Idempotency-Key is missing or malformed"));
        }
        let notice: Notice = json::read(request)?;
        let mut check = Check::default();
        notice.check(&mut check);
        check.end()?;
        let applied = notice.applied();
        let mut state = self.shared.state();
        if let Some(process) = state.by_key.get(&applied.key) {
            let same = state.work.get(process).is_some_and(|work| {
                (&work.applied.person, &work.applied.content) == (&applied.person, &applied.content)
            });
            return match same {
                true => Ok(Answer::json(202, &json!({"processId": process}))),
                false => Err(refuse(409, "E0302", "the same noticeKey with other content")),
            };
        }
        let process = format!("W{:08}", state.work.len() + 1);
        state.by_key.insert(applied.key.clone(), process.clone());
        state.work.insert(process.clone(), Work { applied, ended: None });
        drop(state);
        let answer = Answer::json(202, &json!({"processId": process}));
        let cause = Cause { received_ms: request.received_ms, idempotency_key: key };
        let mut random = Random::new(self.seed ^ hash(process.as_bytes()), "portal");
        let delay = Duration::from_millis(random.word() % (self.longest_task_ms + 1));
        let shared = Arc::clone(&self.shared);
        tokio::spawn(async move {
            tokio::time::sleep(delay).await;
            shared.end(&process, &cause);
            shared.tell(&process).await;
        });
        Ok(answer)
    }

    fn status(&self, process: &str) -> Answer {
        let state = self.shared.state();
        let Some(work) = state.work.get(process) else {
            return Answer::json(404, &json!({"errorCode": "E0404", "message": "no such work"}));
        };
        let (status, at) = work.ended.unwrap_or_else(|| ("02", crate::clock::now_ms()));
        let body = json!({"processId": process, "noticeKey": work.applied.key, "status": status,
            "at": written(at)});
        Answer::json(200, &body)
    }

    /// What became of notices that are shown, when its time has come.
    fn events(&self) -> Vec<waiting::Waiting> {
        let state = self.shared.state();
        let shown = |one: &&waiting::Waiting| {
            let key = one.document.get("noticeKey").and_then(serde_json::Value::as_str);
            let process = key.and_then(|key| state.by_key.get(key));
            let work = process.and_then(|process| state.work.get(process));
            work.and_then(|work| work.ended).is_some_and(|(status, _)| status == "03")
        };
        self.shared.knowledge.portal_events.iter().filter(shown).cloned().collect()
    }

    fn event(&self, request: &Received, rest: &str) -> Result<Answer, Answer> {
        let (all, times) = (self.events(), &self.shared.knowledge.times);
        if request.method == "GET" {
            return match waiting::one(&all, times, rest) {
                Some(one) => Ok(Answer::json(200, &one.document)),
                None => Err(refuse(404, "E0404", "no such event")),
            };
        }
        let list: List = json::read(request)?;
        let mut check = Check::default();
        waiting::check(&mut check, &list.since, list.page);
        check.end()?;
        let (page, more) = waiting::page(&all, times, "EV-", &list.since, list.page);
        let events: Vec<_> = page.into_iter().map(|one| json!({"eventId": one.number})).collect();
        Ok(Answer::json(200, &json!({"events": events, "hasMore": more})))
    }

    fn authorised(&self, request: &Received) -> Option<Answer> {
        match bearer(request) {
            None => Some(refuse(401, "E0401", "no bearer token")),
            Some(token) if self.tokens.accepts(token) => None,
            Some(_) => Some(expired()),
        }
    }
}

impl Counterpart for Mynaportal {
    fn name(&self) -> &'static str {
        MYNAPORTAL
    }

    /// Every notice that was taken and did not fail, with its state.
    fn holdings(&self) -> Holdings {
        let mut holdings = Holdings::default();
        for work in self.shared.state().work.values() {
            let mut item = work.applied.content.clone();
            let (status, _) = work.ended.unwrap_or(("02", 0));
            if status == "09" {
                continue;
            }
            item.insert("status".to_owned(), status.to_owned());
            holdings.put("portal-notice", &work.applied.key, item);
        }
        holdings
    }

    fn repertoire(&self) -> Repertoire {
        Repertoire { busy_body: true, tokens: true }
    }

    fn caution(&self, request: &Received) -> Caution {
        if request.path == TOKEN { Caution::Credentials } else { Caution::None }
    }

    fn answer(&self, request: &Received) -> Answer {
        if !request.query.is_empty() {
            return refuse(400, "E0200", "a query string");
        }
        let (method, path) = (request.method.as_str(), request.path.as_str());
        if (method, path) == ("POST", TOKEN) {
            let (id, secret) =
                (&self.credentials.mynaportal_id, &self.credentials.mynaportal_secret);
            return tokens::grant(request, id, secret, TOKEN, &self.tokens);
        }
        if let Some(refusal) = self.authorised(request) {
            return refusal;
        }
        if let ("POST", NOTICES) = (method, path) {
            return self.notice(request).unwrap_or_else(|refusal| refusal);
        }
        let process = path.strip_prefix(NOTICES).and_then(|rest| rest.strip_prefix('/'));
        if let ("GET", Some(process)) = (method, process) {
            return self.status(process);
        }
        match (method, path.strip_prefix(EVENTS)) {
            ("POST", Some("list")) | ("GET", Some(_)) => {
                let rest = path.strip_prefix(EVENTS).unwrap_or_default();
                self.event(request, rest).unwrap_or_else(|refusal| refusal)
            }
            _ => refuse(404, "E0404", "no such path"),
        }
    }

    fn busy_body(&self, _request: &Received) -> Answer {
        Answer::json(200, &json!({"errorCode": "E9001", "message": "system busy"}))
    }

    fn expire_token(&self, request: &Received) -> Answer {
        if let Some(token) = bearer(request) {
            self.tokens.revoke(token);
        }
        expired()
    }
}

fn expired() -> Answer {
    Answer::json(401, &json!({"errorCode": "E0401", "message": "the token has expired"}))
}

fn bearer(request: &Received) -> Option<&str> {
    request.header("authorization")?.strip_prefix("Bearer ")
}
