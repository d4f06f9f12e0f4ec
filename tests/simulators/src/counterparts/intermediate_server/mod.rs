//! The simulated 中間サーバー behind 団体内統合宛名: 副本, お知らせ, 情報照会, 情報提供 (provisional layout).

use crate::counterparts::demands::Demand;
use crate::counterparts::envelope::{self, Problem, refusal, success};
use crate::counterparts::faults::{Caution, Repertoire};
use crate::counterparts::holdings::{Holdings, Item};
use crate::counterparts::ledger::{Applied, Cause, Ledger};
use crate::counterparts::xml::{Element, Fields, Form, escape};
use crate::counterparts::{Answer, Behaviour, Counterpart, INTERMEDIATE_SERVER};
use crate::counterparts::{Knowledge, Received};
use crate::numbers::is_atena_number;
use crate::random::{Random, hash};
use flags::Flag;
use jiff::civil::Date;
use provision::Asked;
use publication::Ended;
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

mod answers;
mod flags;
mod log;
mod provision;
mod publication;

/// Item codes of a 副本 and the name the oracle knows them by, in their order.
const ITEMS: [(&str, &str); 9] = [
    ("TK00008400000010", "vaccine"),
    ("TK00008400000020", "dose"),
    ("TK00008400000030", "date"),
    ("TK00008400000040", "lot"),
    ("TK00008400000050", "amount"),
    ("TK00008400000060", "institution"),
    ("TK00008400000070", "doctor"),
    ("TK00008400000080", "manufacturer"),
    ("TK00008400000090", "circumstances"),
];

/// What the second layout adds.
const NEWER_ITEMS: [(&str, &str); 2] =
    [("TK00008400000100", "gtin"), ("TK00008400000110", "expiry")];

#[derive(Clone, Debug)]
struct Inquiry {
    person: String,
    information: String,
    request_key: String,
    /// What was asked.
    asked: BTreeMap<String, String>,
    /// When, milliseconds since 1970.
    asked_ms: i64,
    /// Milliseconds since 1970 from which on the answer is there.
    ready_ms: i64,
}

#[derive(Default)]
struct State {
    /// Newest revision and its content, by person, information and record key.
    copies: BTreeMap<String, (u64, BTreeMap<String, String>)>,
    /// Receipt number and content by NoticeKey.
    notices: BTreeMap<String, (String, BTreeMap<String, String>)>,
    /// Inquiries by 処理通番.
    inquiries: BTreeMap<String, Inquiry>,
    /// What was answered, by RequestKey.
    given: BTreeMap<String, Item>,
    /// 公開終了 by RequestKey.
    ended: BTreeMap<String, Ended>,
    /// What others asked, by 処理通番.
    demands: BTreeMap<String, Asked>,
    /// 自動応答不可 and 不開示該当 by FlagKey.
    flags: BTreeMap<String, Flag>,
}

/// See the module.
pub struct IntermediateServer {
    ledger: Arc<Ledger>,
    knowledge: Arc<Knowledge>,
    seed: u64,
    longest_task_ms: u64,
    state: Mutex<State>,
}

type Outcome = Result<Answer, Problem>;

impl IntermediateServer {
    /// Starts with nothing registered.
    pub fn new(ledger: Arc<Ledger>, knowledge: Arc<Knowledge>, behaviour: &Behaviour) -> Self {
        let (seed, longest_task_ms) = (behaviour.seed, behaviour.longest_task_ms);
        IntermediateServer { ledger, knowledge, seed, longest_task_ms, state: Mutex::default() }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn knows(&self, person: &str) -> bool {
        self.knowledge.known_people.is_empty() || self.knowledge.known_people.contains(person)
    }

    fn dispatch(&self, request: &Received, interface: &str) -> Outcome {
        let (header, body) = envelope::open(request, interface)?;
        let received_ms = request.received_ms;
        let cause = Cause { received_ms, idempotency_key: header.message_id.clone() };
        let mut fields = Fields::of(&body, "Body")?;
        let named = ["IF_DBM_10111", "IF_DBM_90311", "IF_TKY_20311", "IF_TKY_20511"];
        let by = match named.contains(&interface) || flags::is_flag(interface) {
            true => requester(&mut fields)?,
            false => String::new(),
        };
        let group = match interface {
            _ if flags::is_flag(interface) => "Flag",
            "IF_TKY_11312" => "DemandListQuery",
            "IF_TKY_20311" => "Provision",
            "IF_TKY_20511" => "Permission",
            "IF_DBM_10111" => "Copy",
            "IF_DBM_90311" => "PublicationEnd",
            "IF_DBM_90332" => "PublicationEndQuery",
            "IF_OSR_10111" => "Notice",
            "IF_SKI_10111" => "Inquiry",
            "IF_SKI_10912" => "InquiryQuery",
            "IF_SKI_10712" => "StatusQuery",
            "IF_SKI_11112" => "ResultQuery",
            "IF_SYM_20212" => "AvailabilityQuery",
            _ => return Err(Problem::new(404, "no such interface")),
        };
        let inner = fields.group(group)?;
        fields.end()?;
        match interface {
            "IF_DBM_10111" => self.copy(&cause, header.sent_on, inner),
            "IF_DBM_90311" => self.end_publication(&cause, inner),
            "IF_DBM_90332" => self.publication_ended(inner),
            "IF_OSR_10111" => self.notice(&cause, inner),
            "IF_SKI_10111" => self.register_inquiry(&cause, inner),
            "IF_SKI_10912" => self.find_inquiry(inner),
            "IF_SKI_10712" => self.inquiry_status(inner),
            "IF_SYM_20212" => self.availability(inner),
            "IF_TKY_11312" => self.list_demands(inner),
            "IF_TKY_20311" => self.register_provision(&cause, by, inner),
            "IF_TKY_20511" => self.permit_provision(&cause, by, inner),
            _ if flags::is_flag(interface) => self.flag(&cause, interface, inner),
            _ => self.inquiry_result(inner),
        }
    }

    /// Layouts of 副本 on a day: the one in force when the message was made.
    fn layouts(&self, day: Date) -> &'static [&'static str] {
        match self.knowledge.times.second_layout {
            Some(first_day) if day >= first_day => &["0002"],
            _ => &["0001"],
        }
    }

    fn copy(&self, cause: &Cause, sent: Date, mut copy: Fields<'_>) -> Outcome {
        let person = atena(copy.text("PersonNumber", Form::Digits(15))?)?;
        let information =
            copy.text("InformationCode", Form::OneOf(&["TM00000000000084"]))?.to_owned();
        copy.text("DatasetNumber", Form::OneOf(&["0001"]))?;
        let record = copy.text("RecordKey", Form::Identifier(40))?.to_owned();
        let second = copy.text("MajorVersion", Form::OneOf(self.layouts(sent)))? == "0002";
        let revision = number(copy.text("Revision", Form::DigitsBetween(1, 9))?);
        let publish_from = copy.text("PublishFrom", Form::Date)?.to_owned();
        copy.optional("PublishUntil", Form::Date)?;
        let operation = copy.text("Operation", Form::OneOf(&["1", "2"]))?.to_owned();
        let mut content = items(copy.group("Items")?, operation == "2", second)?;
        copy.end()?;
        content.insert("operation".to_owned(), operation);
        content.insert("publish_from".to_owned(), publish_from);
        if !self.knows(&person) {
            return Ok(refusal("IF_DBM_10111", "E0101"));
        }
        if let Some(code) = self.knowledge.refused.get(&format!("copy:{record}/{revision}")) {
            return Ok(refusal("IF_DBM_10111", code));
        }
        let place = format!("{person}/{information}/{record}");
        let mut state = self.state();
        match state.copies.get(&place) {
            Some((known, _)) if *known > revision => {
                return Ok(refusal("IF_DBM_10111", "E0301")
                    .violating("an older revision arrived after a newer one"));
            }
            Some((known, before)) if *known == revision && *before != content => {
                return Ok(refusal("IF_DBM_10111", "E0302")
                    .violating("the same revision arrived with other content"));
            }
            Some((known, _)) if *known == revision => return Ok(success("IF_DBM_10111", "")),
            _ => {}
        }
        state.copies.insert(place, (revision, content.clone()));
        let key = format!("{record}/{revision}");
        let applied = Applied { operation: "copy", key, person, content };
        self.ledger.apply(INTERMEDIATE_SERVER, cause, applied);
        Ok(success("IF_DBM_10111", ""))
    }

    fn notice(&self, cause: &Cause, mut notice: Fields<'_>) -> Outcome {
        let person = atena(notice.text("PersonNumber", Form::Digits(15))?)?;
        let key = notice.text("NoticeKey", Form::Identifier(64))?.to_owned();
        let mut content = BTreeMap::new();
        content.insert("title".to_owned(), notice.text("Title", Form::Text(200))?.to_owned());
        content.insert("text".to_owned(), notice.text("Text", Form::Text(4_000))?.to_owned());
        notice.optional("ValidFrom", Form::Date)?;
        notice.optional("ValidUntil", Form::Date)?;
        notice.end()?;
        if !self.knows(&person) {
            return Ok(refusal("IF_OSR_10111", "E0101"));
        }
        if let Some(code) = self.knowledge.refused.get(&format!("notice:{key}")) {
            return Ok(refusal("IF_OSR_10111", code));
        }
        let mut state = self.state();
        let answer = |receipt: &str| {
            let body = format!("<ReceiptNumber>{receipt}</ReceiptNumber>");
            success("IF_OSR_10111", &body)
        };
        match state.notices.get(&key) {
            Some((receipt, before)) if *before == content => return Ok(answer(receipt)),
            Some(_) => {
                return Ok(refusal("IF_OSR_10111", "E0302")
                    .violating("the same NoticeKey arrived with other content"));
            }
            None => {}
        }
        let receipt = format!("N{:010}", state.notices.len() + 1);
        state.notices.insert(key.clone(), (receipt.clone(), content.clone()));
        let applied = Applied { operation: "notice", key, person, content };
        self.ledger.apply(INTERMEDIATE_SERVER, cause, applied);
        Ok(answer(&receipt))
    }

    /// NOT idempotent, as the real one must be assumed to be: every registration is an inquiry.
    fn register_inquiry(&self, cause: &Cause, mut inquiry: Fields<'_>) -> Outcome {
        let request_key = inquiry.text("RequestKey", Form::Identifier(64))?.to_owned();
        let person = atena(inquiry.text("PersonNumber", Form::Digits(15))?)?;
        inquiry.text("RequestedAt", Form::Digits(17))?;
        inquiry.text("DepartmentCode", Form::Text(20))?;
        inquiry.text("UserId", Form::Text(64))?;
        inquiry.text("InquirerCode", Form::Digits(16))?;
        let hidden = inquiry.text("NotDisclosed", Form::OneOf(&["0", "1"]))?.to_owned();
        let affair = inquiry.text("AffairCode", Form::Code("JM"))?.to_owned();
        let procedure = inquiry.text("ProcedureCode", Form::Code("JT"))?.to_owned();
        inquiry.text("ProviderCode", Form::DigitsBetween(1, 16))?;
        let information = inquiry.text("InformationCode", Form::Code("TM"))?.to_owned();
        inquiry.text("ConditionKind", Form::Digits(1))?;
        inquiry.text("YearKind", Form::Digits(1))?;
        inquiry.optional("From", Form::Text(10))?;
        inquiry.optional("To", Form::Text(10))?;
        inquiry.end()?;
        if !self.knows(&person) {
            return Ok(refusal("IF_SKI_10111", "E0101"));
        }
        let mut state = self.state();
        let processing = format!("{:020}", state.inquiries.len() + 1);
        let mut random = Random::new(self.seed ^ hash(request_key.as_bytes()), "inquiry");
        let delay = random.word() % (self.longest_task_ms + 1);
        let takes = self.knowledge.times.answer_takes.get(&request_key).copied();
        let ready_ms = match takes {
            Some(takes) => cause.received_ms.saturating_add(takes),
            None => cause.received_ms.saturating_add_unsigned(delay),
        };
        let content = BTreeMap::from([
            ("affair".to_owned(), affair),
            ("procedure".to_owned(), procedure),
            ("information".to_owned(), information.clone()),
            ("not_disclosed".to_owned(), hidden),
        ]);
        let inquiry = Inquiry {
            person: person.clone(),
            information,
            request_key: request_key.clone(),
            asked: content.clone(),
            asked_ms: cause.received_ms,
            ready_ms,
        };
        state.inquiries.insert(processing.clone(), inquiry);
        let applied = Applied { operation: "inquiry", key: request_key, person, content };
        self.ledger.apply(INTERMEDIATE_SERVER, cause, applied);
        Ok(success("IF_SKI_10111", &processing_number(&processing)))
    }

    fn find_inquiry(&self, mut query: Fields<'_>) -> Outcome {
        let key = query.text("RequestKey", Form::Identifier(64))?;
        query.end()?;
        let state = self.state();
        let found = state.inquiries.iter().find(|(_, inquiry)| inquiry.request_key == key);
        Ok(match found {
            Some((processing, _)) => success("IF_SKI_10912", &processing_number(processing)),
            None => refusal("IF_SKI_10912", "E0404"),
        })
    }

    fn inquiry_status(&self, mut query: Fields<'_>) -> Outcome {
        let processing = query.text("ProcessingNumber", Form::Digits(20))?.to_owned();
        query.end()?;
        let status = match self.state().inquiries.get(&processing) {
            None => return Ok(refusal("IF_SKI_10712", "E0404")),
            Some(inquiry) if crate::clock::now_ms() < inquiry.ready_ms => "2",
            Some(inquiry) if self.unavailable(inquiry) => "4",
            Some(_) => "3",
        };
        Ok(success("IF_SKI_10712", &format!("<Status>{status}</Status>")))
    }

    fn inquiry_result(&self, mut query: Fields<'_>) -> Outcome {
        let processing = query.text("ProcessingNumber", Form::Digits(20))?.to_owned();
        query.end()?;
        let mut state = self.state();
        let Some(inquiry) = state.inquiries.get(&processing) else {
            return Ok(refusal("IF_SKI_11112", "E0404"));
        };
        let available = !self.unavailable(inquiry);
        let by_item = self.knowledge.by_item.contains(&inquiry.request_key);
        let (body, said) = answers::answer(&processing, inquiry, available, by_item, self.seed);
        let key = inquiry.request_key.clone();
        state.given.insert(key, said);
        Ok(success("IF_SKI_11112", &body))
    }

    /// 稼動状態: in operation, unless it was told otherwise.
    fn availability(&self, mut query: Fields<'_>) -> Outcome {
        query.text("TargetSystem", Form::OneOf(&["CHUKAN"]))?;
        query.end()?;
        let body = match &self.knowledge.resumes_at {
            None => "<OperatingStatus>1</OperatingStatus>".to_owned(),
            Some(at) => {
                format!("<OperatingStatus>2</OperatingStatus><ResumesAt>{}</ResumesAt>", escape(at))
            }
        };
        Ok(success("IF_SYM_20212", &body))
    }

    fn unavailable(&self, inquiry: &Inquiry) -> bool {
        self.knowledge.unavailable.contains(&inquiry.request_key)
    }
}

impl Counterpart for IntermediateServer {
    fn name(&self) -> &'static str {
        INTERMEDIATE_SERVER
    }

    fn given(&self) -> Holdings {
        let mut holdings = Holdings::default();
        for (key, said) in &self.state().given {
            holdings.put("answer", key, said.clone());
        }
        holdings
    }

    fn asked(&self, demand: &Demand) {
        self.take_demand(demand);
    }

    fn log(&self, from: Date, to: Date) -> String {
        self.log_of(from, to)
    }

    fn pending(&self) -> usize {
        let now = crate::clock::now_ms();
        self.state().inquiries.values().filter(|inquiry| now < inquiry.ready_ms).count()
    }

    fn holdings(&self) -> Holdings {
        let state = self.state();
        let mut holdings = Holdings::default();
        for (place, (_, content)) in &state.copies {
            let record = place.rsplit('/').next().unwrap_or_default();
            holdings.put("copy", record, content.clone());
        }
        for (key, (_, content)) in &state.notices {
            holdings.put("notice", key, content.clone());
        }
        for inquiry in state.inquiries.values() {
            holdings.put("inquiry", &inquiry.request_key, inquiry.asked.clone());
        }
        for (key, ended) in &state.ended {
            let item = Item::from([("until".to_owned(), ended.until.clone())]);
            holdings.put("publication-end", key, item);
        }
        for (key, flag) in &state.flags {
            holdings.put("flag", key, flag.content.clone());
        }
        for (number, asked) in &state.demands {
            holdings.put("demand", number, asked.item());
        }
        holdings
    }

    fn repertoire(&self) -> Repertoire {
        Repertoire { busy_body: true, tokens: false }
    }

    fn caution(&self, request: &Received) -> Caution {
        let text = String::from_utf8_lossy(&request.body);
        let between = |start: &str, end: &str| {
            let (_, rest) = text.split_once(start)?;
            rest.split_once(end).map(|(value, _)| value.to_owned())
        };
        let stranger = between("PersonNumber>", "<").is_some_and(|person| !self.knows(&person));
        let refused = self.knowledge.refused.keys().any(|key| match key.split_once(':') {
            Some(("copy", rest)) => {
                let wanted = rest.split_once('/').map(|(record, _)| record.to_owned());
                between("RecordKey>", "<") == wanted
            }
            Some(("notice", rest)) => between("NoticeKey>", "<").as_deref() == Some(rest),
            _ => false,
        });
        if stranger || refused { Caution::ProvenOnly } else { Caution::None }
    }

    fn answer(&self, request: &Received) -> Answer {
        let interface = request.path.trim_start_matches('/');
        if !request.query.is_empty() {
            return Problem::new(400, "a query string").answer(interface);
        }
        let answered = self
            .demand_of_path(&request.method, interface)
            .unwrap_or_else(|| self.dispatch(request, interface));
        answered.unwrap_or_else(|problem| problem.answer(interface))
    }

    fn busy_body(&self, request: &Received) -> Answer {
        refusal(request.path.trim_start_matches('/'), "E9001")
    }

    fn expire_token(&self, request: &Received) -> Answer {
        self.busy_body(request)
    }

    fn idempotency_key(&self, request: &Received) -> String {
        envelope::message_id(request)
    }
}

/// Who asks: the ユーザーID.
fn requester(fields: &mut Fields<'_>) -> Result<String, Problem> {
    let mut requester = fields.group("Requester")?;
    requester.text("DepartmentCode", Form::Text(20))?;
    let user = requester.text("UserId", Form::Text(64))?.to_owned();
    requester.end()?;
    Ok(user)
}

fn items(
    mut items: Fields<'_>,
    withdrawn: bool,
    second: bool,
) -> Result<BTreeMap<String, String>, Problem> {
    let mut content = BTreeMap::new();
    let newer: &[(&str, &str)] = if second { &NEWER_ITEMS } else { &[] };
    content.insert("layout".to_owned(), if second { "0002" } else { "0001" }.to_owned());
    for (code, name) in ITEMS.iter().chain(newer).copied() {
        let item: &Element = items.child(code)?;
        let reasons: &[&str] =
            if withdrawn { &["Withdrawn"] } else { &["NotAcceptable", "NotRecorded"] };
        match &item.reason {
            Some(reason) if reasons.contains(&reason.as_str()) => {}
            Some(_) => return Err(format!("{code}: a reason that is not allowed").into()),
            None if withdrawn => return Err(format!("{code}: must be nil").into()),
            None if !item.children.is_empty() || !Form::Text(200).fits(&item.text) => {
                return Err(format!("{code}: empty without nil, or not a text").into());
            }
            None if name == "gtin" && !Form::Digits(14).fits(&item.text) => {
                return Err(format!("{code}: not 14 digits").into());
            }
            None if ["date", "expiry"].contains(&name) && !Form::Date.fits(&item.text) => {
                return Err(format!("{code}: not a date").into());
            }
            None => {
                content.insert(name.to_owned(), item.text.clone());
            }
        }
    }
    items.end()?;
    Ok(content)
}

fn atena(text: &str) -> Result<String, Problem> {
    match is_atena_number(text) {
        true => Ok(text.to_owned()),
        false => Err("PersonNumber: wrong check digit".to_owned().into()),
    }
}

/// The milliseconds of 17 digits of date and time.
fn millis(moment: &str) -> i64 {
    moment.get(14..).and_then(|text| text.parse().ok()).unwrap_or_default()
}

fn number(digits: &str) -> u64 {
    digits.parse().unwrap_or_default()
}

fn processing_number(processing: &str) -> String {
    format!("<ProcessingNumber>{}</ProcessingNumber>", escape(processing))
}
