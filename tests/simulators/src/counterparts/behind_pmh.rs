//! What is behind PMH (numbers 22 to 26 of the assessment's 別添1): who numbers, who links, and who
//! looks and enters by a pseudonym alone.
//!
//! ```text
//! PMH ── 個人番号, 基本5情報 ──▶ 医療保険者等向け中間サーバー ── 紐付番号, PMH-ID ──▶ オンライン資格確認等システム
//!  ▲ ◀── PMH-ID ───────────────┘                                                     │ 仮名識別子, PMH-ID
//!  └──── PMH仮名識別子, PMH-ID ──── マイナポータル ◀─────────────────────────────────────┘
//!           ▲ PMH仮名識別子            ▲ シリアル番号
//!           └────────────────────────┴── residents, 医療機関用アプリ
//! ```
//!
//! The 個人番号 goes no farther than the first arrow: every other hand-over is searched for one.
//! What was asked is worked out when its time has come and somebody asks PMH: nothing runs by itself.

use crate::counterparts::behind_pmh_numbering::{Insurers, Portal, Qualification};
use crate::counterparts::holdings::{Holdings, Item};
use crate::counterparts::ledger::{Applied, Ledger};
use crate::counterparts::times::written;
use crate::counterparts::waiting::Waiting;
use crate::counterparts::{Behaviour, Knowledge, PMH};
use crate::municipality::MUNICIPALITY;
use crate::numbers::contains_my_number;
use crate::random::{Random, hash};
use serde_json::{Value, json};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// Name of the 医療保険者等向け中間サーバー, by which its closures are known.
pub const INSURERS: &str = "medical-insurers";

/// The longest time a numbering takes where time is simulated, in minutes.
const LONGEST_NUMBERING: i64 = 40 * 60;

/// The words of the ledger for 基本5情報.
pub const BASIC: [&str; 5] = ["name", "kana", "address", "birth", "sex"];

/// A person as those behind PMH know them before the first message; each of them knows its part.
#[derive(Clone, Debug, Default)]
pub struct Insured {
    /// 基本5情報 at the 医療保険者等向け中間サーバー, by the words of [`BASIC`].
    pub basic: BTreeMap<&'static str, String>,
    /// 紐付番号.
    pub linkage: String,
    /// The PMH-ID they have, or will be given.
    pub pmh_id: String,
    /// Whether another municipality had them numbered before.
    pub is_numbered: bool,
    /// 仮名識別子 at the オンライン資格確認等システム.
    pub pseudonym: String,
    /// シリアル番号 of the certificate on their card.
    pub serial: String,
    /// The PMH仮名識別子 that マイナポータル makes.
    pub pmh_pseudonym: String,
}

/// See the module.
pub struct Behind {
    pub(super) ledger: Arc<Ledger>,
    pub(super) knowledge: Arc<Knowledge>,
    seed: u64,
    longest_task_ms: u64,
    state: Mutex<State>,
}

/// A 対象者, as PMH holds them.
#[derive(Clone, Debug, Default)]
pub(super) struct Subject {
    /// 予防接種対象者番号.
    pub number: String,
    /// 個人番号, as it was last sent.
    pub my_number: String,
    basic: BTreeMap<&'static str, String>,
    /// 不開示フラグ.
    pub is_hidden: bool,
    is_removed: bool,
    pmh_id: Option<String>,
    /// 制御フラグ that are set.
    pub flags: BTreeSet<String>,
}

/// A numbering that PMH has asked for.
struct Request {
    due_ms: i64,
    /// 予防接種対象者番号.
    subject: String,
    /// 宛名番号.
    person: String,
    my_number: String,
    basic: BTreeMap<&'static str, String>,
}

#[derive(Default)]
pub(super) struct State {
    insurers: Insurers,
    qualification: Qualification,
    pub(super) portal: Portal,
    requests: Vec<Request>,
    asked: usize,
    /// By 宛名番号.
    pub(super) subjects: BTreeMap<String, Subject>,
    /// PMH-ID by PMH仮名識別子.
    by_pseudonym: BTreeMap<String, String>,
    /// 宛名番号 by PMH-ID.
    by_pmh_id: BTreeMap<String, String>,
    /// The newest state of what was registered, with its revision and its person, by kind and id.
    pub(super) registered: BTreeMap<(&'static str, String), Registered>,
    /// Keys of the notices that were taken back.
    pub(super) cancelled: BTreeSet<String>,
    /// 宛名番号, 履歴ID and dose of the records that clinics entered, by 予防接種記録ID.
    pub(super) entered: BTreeMap<String, (String, u64, Value)>,
    downloads: Vec<Waiting>,
}

/// The newest state of something.
pub(super) struct Registered {
    revision: u64,
    /// 宛名番号; of a notice the PMH仮名識別子; of a ひな形 nobody.
    pub person: String,
    /// As in the ledger.
    pub content: BTreeMap<String, String>,
}

impl State {
    /// 宛名番号 and subject behind a PMH仮名識別子.
    pub(super) fn behind(&self, pmh_pseudonym: &str) -> Option<(&str, &Subject)> {
        let pmh_id = self.by_pseudonym.get(pmh_pseudonym)?;
        let person = self.by_pmh_id.get(pmh_id)?;
        self.subjects.get(person).map(|subject| (person.as_str(), subject))
    }

    /// The newest state of a thing.
    pub(super) fn newest(&self, kind: &'static str, id: &str) -> Option<&Registered> {
        self.registered.get(&(kind, id.to_owned()))
    }

    /// Puts a document where the municipality fetches it; `series` is that of its 連携番号.
    pub(super) fn put(&mut self, series: &str, at_ms: i64, mut document: Value) {
        let count = self.downloads.iter().filter(|one| one.number.starts_with(series)).count();
        let number = format!("{series}{:06}", count + 1);
        set(&mut document, "downloadNumber", json!(number));
        set(&mut document, "municipalityCode", json!(MUNICIPALITY));
        self.downloads.push(Waiting { number, at: written(at_ms), document });
    }
}

/// Sets a member of an object.
pub(super) fn set(document: &mut Value, name: &str, value: Value) {
    if let Some(map) = document.as_object_mut() {
        map.insert(name.to_owned(), value);
    }
}

impl Behind {
    /// Knows the insured of `knowledge`. With none, nobody is numbered and every pseudonym is good.
    pub fn new(ledger: Arc<Ledger>, knowledge: Arc<Knowledge>, behaviour: &Behaviour) -> Self {
        let insured = &knowledge.insured;
        let state = State {
            insurers: Insurers::new(insured),
            qualification: Qualification::new(insured),
            portal: Portal::new(insured),
            ..State::default()
        };
        let (seed, longest_task_ms) = (behaviour.seed, behaviour.longest_task_ms);
        Behind { ledger, knowledge, seed, longest_task_ms, state: Mutex::new(state) }
    }

    pub(super) fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Whether anything is behind PMH in this run.
    pub fn is_played(&self) -> bool {
        !self.knowledge.insured.is_empty()
    }

    /// Whether PMH can take this now, by what it and those behind it know.
    ///
    /// # Errors
    /// The code with which it is refused.
    pub fn accepts(&self, applied: &Applied) -> Result<(), &'static str> {
        self.advance();
        let state = self.state();
        let (id, revision) = parts(&applied.key);
        let text = |name: &str| applied.content.get(name).map(String::as_str).unwrap_or_default();
        match applied.operation {
            "notice" if self.is_played() && state.behind(&applied.person).is_none() => {
                return Err("E3002");
            }
            "questionnaire" | "control" => {
                let subject = state.subjects.get(&applied.person);
                if subject.is_none_or(|one| one.my_number != text("my_number")) {
                    return Err("E0303");
                }
                let template = state.newest("questionnaire-template", text("template"));
                let known = template.is_some_and(|one| !one.is_deleted());
                if applied.operation == "questionnaire" && !known {
                    return Err("E0304");
                }
            }
            "notice-cancel" => {
                let there = state.newest("notice", text("notice")).is_some();
                if !there || state.cancelled.contains(text("notice")) {
                    return Err("E0306");
                }
            }
            _ => {}
        }
        let newest = state.newest(applied.operation, id);
        // 対象者 and 接種記録 are taken in any order: the highest number counts.
        let ordered = !matches!(applied.operation, "subject" | "record");
        if ordered && newest.is_some_and(|one| one.revision > revision) {
            let problem = "an older state after a newer one";
            self.ledger.violation(PMH, applied.operation, problem, false);
            return Err("E0305");
        }
        Ok(())
    }

    /// Something was registered at PMH; a new or corrected 対象者 without PMH-ID has to be numbered.
    pub fn registered(&self, applied: &Applied) {
        let (id, revision) = parts(&applied.key);
        let mut state = self.state();
        let Applied { operation, person, content, .. } = applied;
        let newest = state.newest(operation, id).map_or(0, |one| one.revision);
        if revision < newest {
            return;
        }
        let one = Registered { revision, person: person.clone(), content: content.clone() };
        state.registered.insert((operation, id.to_owned()), one);
        match *operation {
            "subject" => self.subject(&mut state, id, person, content),
            "control" => control(&mut state, person, content),
            "notice-cancel" => state.cancelled.extend(content.get("notice").cloned()),
            _ => {}
        }
    }

    fn subject(
        &self,
        state: &mut State,
        number: &str,
        person: &str,
        content: &BTreeMap<String, String>,
    ) {
        let text = |name: &str| content.get(name).cloned().unwrap_or_default();
        let subject = state.subjects.entry(person.to_owned()).or_default();
        subject.number = number.to_owned();
        subject.my_number = text("my_number");
        subject.is_removed = text("operation") == "2";
        if subject.is_removed {
            return;
        }
        subject.is_hidden = text("not_disclosed") == "1";
        subject.basic = BASIC.map(|name| (name, text(name))).into();
        if !self.is_played() || subject.pmh_id.is_some() {
            return;
        }
        let (my_number, basic) = (subject.my_number.clone(), subject.basic.clone());
        state.asked += 1;
        let due_ms = self.due(&format!("{number} {}", state.asked));
        let (subject, person) = (number.to_owned(), person.to_owned());
        state.requests.push(Request { due_ms, subject, person, my_number, basic });
    }

    /// When a numbering that is asked for now is answered.
    fn due(&self, request: &str) -> i64 {
        let times = &self.knowledge.times;
        let mut random = Random::new(self.seed ^ hash(request.as_bytes()), "numbering");
        let takes = match times.timed {
            true => random.between(60, LONGEST_NUMBERING) * 60_000,
            false => random.between(0, i64::try_from(self.longest_task_ms).unwrap_or(0)),
        };
        let asked = times.open_from(INSURERS, crate::clock::now_ms());
        times.open_from(INSURERS, asked.saturating_add(takes))
    }

    /// Does all whose time has come.
    pub(super) fn advance(&self) {
        let mut state = self.state();
        let now = crate::clock::now_ms();
        let (due, later) =
            std::mem::take(&mut state.requests).into_iter().partition(|one| one.due_ms <= now);
        state.requests = later;
        let mut due: Vec<Request> = due;
        due.sort_by_key(|one| one.due_ms);
        for request in due {
            self.number(&mut state, request);
        }
    }

    /// 22 and 23 for one person.
    fn number(&self, state: &mut State, request: Request) {
        let Request { due_ms, subject, person, my_number, basic } = request;
        let held = state.subjects.get(&person);
        if held.is_none_or(|one| one.pmh_id.is_some() || one.is_removed) {
            return;
        }
        let mut document = json!({"municipalityIdentityKey": person, "subjectNumber": subject});
        match state.insurers.number(&my_number, &basic) {
            Err(code) => {
                let result = if code == "E0501" { "3" } else { "9" };
                set(&mut document, "result", json!(result));
                set(&mut document, "errorCode", json!(code));
            }
            Ok(numbered) => {
                let pmh_id = numbered.pmh_id.clone();
                let told = json!({"linkage": numbered.linkage, "pmhId": pmh_id});
                if self.hands_over("オンライン資格確認等システム", &told) {
                    let pseudonym = state.qualification.link(&numbered.linkage);
                    let told = json!({"pseudonym": pseudonym, "pmhId": pmh_id});
                    if self.hands_over("マイナポータル", &told)
                        && let Some(made) = pseudonym.and_then(|one| state.portal.link(&one))
                    {
                        state.by_pseudonym.insert(made, pmh_id.clone());
                    }
                }
                if let Some(subject) = state.subjects.get_mut(&person) {
                    subject.pmh_id = Some(pmh_id.clone());
                }
                state.by_pmh_id.insert(pmh_id.clone(), person);
                set(&mut document, "pmhId", json!(pmh_id));
                set(&mut document, "result", json!(if numbered.is_new { "1" } else { "2" }));
            }
        }
        state.put("PI-", due_ms, document);
    }

    /// Whether something may go to those who have no 個人番号; if not, that is a leak.
    pub(super) fn hands_over(&self, to: &str, told: &Value) -> bool {
        let leaks = contains_my_number(told.to_string().as_bytes(), &self.knowledge.my_numbers);
        if leaks {
            self.ledger.violation(PMH, to, "個人番号 on the way to who may not have it", true);
        }
        !leaks
    }

    /// Whether a PMH仮名識別子 is somebody's; with nothing behind PMH every one is.
    pub fn knows(&self, pmh_pseudonym: &str) -> bool {
        self.advance();
        !self.is_played() || self.state().portal.has_made(pmh_pseudonym)
    }

    /// What waits for the municipality, in the order of coming.
    pub fn downloads(&self) -> Vec<Waiting> {
        self.advance();
        let mut downloads = self.state().downloads.clone();
        downloads.sort_by(|one, other| one.at.cmp(&other.at));
        downloads
    }

    /// How many numberings are not answered yet.
    pub fn pending(&self) -> usize {
        self.advance();
        self.state().requests.len()
    }

    /// Who is linked: by 予防接種対象者番号 the PMH-ID, and the PMH仮名識別子 that leads there.
    pub fn holdings(&self) -> Holdings {
        self.advance();
        let state = self.state();
        let mut holdings = Holdings::default();
        for (pmh_pseudonym, pmh_id) in &state.by_pseudonym {
            let Some((person, subject)) = state.behind(pmh_pseudonym) else { continue };
            let item = [("person", person), ("id", pmh_id), ("pseudonym", pmh_pseudonym)];
            let item: Item =
                item.map(|(name, text)| (name.to_owned(), text.to_owned())).into_iter().collect();
            holdings.put("link", &subject.number, item);
        }
        let mut results: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
        for told in state.downloads.iter().filter(|one| one.number.starts_with("PI-")) {
            results.entry(part(told, "subjectNumber")).or_default().push(part(told, "result"));
        }
        for (subject, results) in results {
            let item = Item::from([("results".to_owned(), results.join(" "))]);
            holdings.put("numbering", subject, item);
        }
        holdings
    }

    /// What it handed out and nobody may take, by 連携番号, with the reason that staff must be told:
    /// numberings without a PMH-ID, and what came with the 個人番号 of somebody else.
    pub fn refusals(&self) -> Holdings {
        let state = self.state();
        let mut holdings = Holdings::default();
        let altered = |told: &Waiting| {
            let ids = ["vaccinationRecordId", "answerId"].map(|name| part(told, name));
            ids.iter().any(|id| self.knowledge.altered.contains(*id))
        };
        for told in &state.downloads {
            let (kind, reason) = match part(told, "result") {
                "3" => ("numbering", "BASIC_INFO_MISMATCH"),
                "9" => ("numbering", "NUMBERING_FAILED"),
                _ if altered(told) => ("altered", "G308"),
                _ => continue,
            };
            let item = Item::from([("reason".to_owned(), reason.to_owned())]);
            holdings.put(kind, &told.number, item);
        }
        holdings
    }
}

impl Registered {
    /// Whether its newest state says that it is gone.
    pub(super) fn is_deleted(&self) -> bool {
        self.text("deleted") == "1" || self.text("operation") == "2"
    }

    /// One field.
    pub(super) fn text(&self, name: &str) -> &str {
        self.content.get(name).map(String::as_str).unwrap_or_default()
    }
}

fn part<'a>(told: &'a Waiting, name: &str) -> &'a str {
    told.document.get(name).and_then(Value::as_str).unwrap_or_default()
}

fn control(state: &mut State, person: &str, content: &BTreeMap<String, String>) {
    let text = |name: &str| content.get(name).cloned().unwrap_or_default();
    if let Some(subject) = state.subjects.get_mut(person) {
        match text("set") == "1" {
            true => subject.flags.insert(text("flag")),
            false => subject.flags.remove(&text("flag")),
        };
    }
}

/// Id and revision of a business key.
fn parts(key: &str) -> (&str, u64) {
    let (id, revision) = key.rsplit_once('/').unwrap_or((key, "1"));
    (id, revision.parse().unwrap_or(0))
}
