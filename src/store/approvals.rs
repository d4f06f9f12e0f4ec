//! Approvals: what one person prepared and another must agree to before it is sent. Demands: what a
//! counterpart asks for and a person must answer. The rules are here, each home keeps the rows.

use super::{Later, NewOutgoing};
use crate::model::{Failure, State};
use crate::record::Draft;
use jiff::Timestamp;
use std::time::Duration;

/// Where an approval stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ApprovalState {
    /// A second person is waited for.
    Asked,
    /// A second person agreed: it goes its way.
    Approved,
    /// It was refused, or taken back.
    Rejected,
    /// Nobody decided in time.
    Expired,
}

impl ApprovalState {
    /// All states.
    pub const ALL: [ApprovalState; 4] = [
        ApprovalState::Asked,
        ApprovalState::Approved,
        ApprovalState::Rejected,
        ApprovalState::Expired,
    ];

    /// The name shown everywhere.
    pub fn name(self) -> &'static str {
        match self {
            ApprovalState::Asked => "asked",
            ApprovalState::Approved => "approved",
            ApprovalState::Rejected => "rejected",
            ApprovalState::Expired => "expired",
        }
    }

    /// The state of that name.
    pub fn from_name(name: &str) -> Option<ApprovalState> {
        ApprovalState::ALL.into_iter().find(|state| state.name() == name)
    }
}

/// What a new exchange needs before it may be sent.
#[derive(Clone, Debug)]
pub struct NewApproval {
    /// Who prepared it: may not agree to it.
    pub preparer: String,
    /// How long it waits.
    pub within: Duration,
    /// The demand it answers, where it must answer one.
    pub answers: Option<Answers>,
}

/// Which demand a message answers.
#[derive(Clone, Debug)]
pub struct Answers {
    /// Kind of the demand, as the route that received it names it.
    pub kind: String,
    /// Its number at the counterpart (処理通番).
    pub number: String,
    /// Items of the table of the law under which it is answered; empty where the route names none.
    pub item: String,
    /// What becomes of the answer where there is no such demand.
    pub missing: Refusal,
    /// What becomes of it where the demand has an answer.
    pub answered: Refusal,
}

/// Whether an answer under these items of the table of the law is one to a demand under those. Items
/// are written as in a route's `basis`, several with commas; where one side names none, it is.
pub fn is_same_ground(demand: &str, answer: &str) -> bool {
    let items = |text| str::split(text, ',').map(str::trim).filter(|item| !item.is_empty());
    let mut asked = items(demand).peekable();
    let answered: Vec<&str> = items(answer).collect();
    asked.peek().is_none() || answered.is_empty() || asked.any(|item| answered.contains(&item))
}

/// How an exchange ends that may not even be asked about.
#[derive(Clone, Debug)]
pub struct Refusal {
    /// Why.
    pub failure: Failure,
    /// Told to upstream.
    pub announce: NewOutgoing,
}

/// What a counterpart asks for, and a person must answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NewDemand {
    /// Kind: answers name it.
    pub kind: String,
    /// Its number at the counterpart (処理通番).
    pub number: String,
    /// Item of the table of the law; empty where the route names none.
    pub item: String,
    /// Until when it should be answered.
    pub due: Option<Timestamp>,
}

/// A decision about one exchange.
#[derive(Clone, Debug)]
pub struct Decision {
    /// Row of the exchange.
    pub exchange: i64,
    /// What.
    pub verdict: Verdict,
    /// Who; empty for an expiry.
    pub operator: String,
    /// Why.
    pub reason: String,
    /// When.
    pub at: Timestamp,
}

/// What a decision says.
#[derive(Clone, Debug)]
pub enum Verdict {
    /// It may be sent, with exactly this document: SHA-256 of its bytes, hex.
    Approve(String),
    /// It is not sent.
    Reject(Box<End>),
    /// Time has run out.
    Expire(Box<End>),
}

impl Verdict {
    /// The state it leads to.
    pub fn state(&self) -> ApprovalState {
        match self {
            Verdict::Approve(_) => ApprovalState::Approved,
            Verdict::Reject(_) => ApprovalState::Rejected,
            Verdict::Expire(_) => ApprovalState::Expired,
        }
    }

    /// How the exchange ends, where it does.
    pub fn end(&self) -> Option<&End> {
        match self {
            Verdict::Approve(_) => None,
            Verdict::Reject(end) | Verdict::Expire(end) => Some(end),
        }
    }

    /// The word of the record.
    pub fn word(&self) -> &'static str {
        match self {
            Verdict::Approve(_) => "approved",
            Verdict::Reject(_) => "approval-rejected",
            Verdict::Expire(_) => "approval-expired",
        }
    }
}

/// How an exchange ends without having been sent.
#[derive(Clone, Debug)]
pub struct End {
    /// Why.
    pub failure: Failure,
    /// Told to upstream.
    pub announce: NewOutgoing,
    /// Entries beside that of the decision.
    pub record: Vec<Draft>,
}

/// What became of a decision.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Decided {
    /// It took effect; the state the exchange has now.
    Done(State),
    /// The same person had decided the same before. Nothing was written.
    Repeated,
    /// Who prepared it may not agree to it. Nothing was written.
    SamePerson,
    /// It is too late, or for an expiry too early. Nothing was written.
    NotInTime,
    /// Another decision came first. Nothing was written.
    Closed(ApprovalState),
    /// The exchange waits for nobody. Nothing was written.
    Missing,
}

/// An approval as its row says it.
#[derive(Clone, Debug)]
pub(super) struct Asked {
    pub state: ApprovalState,
    pub preparer: String,
    pub expires_at: i64,
    pub decided_by: Option<String>,
    /// Of the exchange.
    pub exchange: Option<State>,
}

/// Whether a decision may take effect; the answer where it may not.
pub(super) fn judge(asked: Option<&Asked>, decision: &Decision) -> Result<(), Decided> {
    let Some(asked) = asked else { return Err(Decided::Missing) };
    if asked.state != ApprovalState::Asked {
        let same = asked.decided_by.as_deref() == Some(decision.operator.as_str());
        let repeated = same && asked.state == decision.verdict.state();
        return Err(if repeated { Decided::Repeated } else { Decided::Closed(asked.state) });
    }
    if asked.exchange != Some(State::WaitingApproval) {
        return Err(Decided::Missing);
    }
    let over = decision.at.as_millisecond() >= asked.expires_at;
    let expires = matches!(decision.verdict, Verdict::Expire(_));
    if over != expires {
        return Err(Decided::NotInTime);
    }
    let approves = matches!(decision.verdict, Verdict::Approve(_));
    if approves && is_same_person(&asked.preparer, &decision.operator) {
        return Err(Decided::SamePerson);
    }
    Ok(())
}

/// Where an approved exchange goes: behind what its lane has under way. One that may have been sent
/// before a restore is resolved as its operation declares.
pub(super) fn after_approval(lane_is_open: bool, doubt: bool) -> State {
    match (lane_is_open, doubt) {
        (true, _) => State::Held,
        (false, true) => State::Unknown,
        (false, false) => State::Received,
    }
}

/// Whether two names are those of one person: case, width of letters and spaces do not tell persons
/// apart.
pub fn is_same_person(one: &str, other: &str) -> bool {
    let plain = |name: &str| -> String {
        let narrow = |c: char| match u32::from(c) {
            // Full-width forms of ASCII.
            wide @ 0xFF01..=0xFF5E => char::from_u32(wide - 0xFEE0).unwrap_or(c),
            _ => c,
        };
        name.chars()
            .filter(|c| !c.is_whitespace())
            .map(narrow)
            .flat_map(char::to_lowercase)
            .collect()
    };
    plain(one) == plain(other)
}

/// An approval as it is shown; no personal data.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct ApprovalView {
    /// Row of the exchange.
    pub exchange: i64,
    /// State name.
    pub state: String,
    /// State name of the exchange.
    pub exchange_state: String,
    /// Route.
    pub route: String,
    /// Counterpart.
    pub counterpart: String,
    /// Sender.
    pub source: String,
    /// Sender's message id.
    pub message_id: String,
    /// Message type.
    pub message_type: String,
    /// Who prepared it.
    pub preparer: String,
    /// Asked at (RFC 3339, UTC).
    pub asked_at: String,
    /// Waits until (RFC 3339, UTC).
    pub expires_at: String,
    /// Row of the demand it answers.
    pub demand: Option<i64>,
    /// Number of that demand.
    pub number: Option<String>,
    /// Who decided.
    pub decided_by: Option<String>,
    /// Why.
    pub reason: Option<String>,
    /// When (RFC 3339, UTC).
    pub decided_at: Option<String>,
    /// SHA-256 of the document that was agreed to, hex.
    pub digest: Option<String>,
}

/// Which approvals are listed, by the rows of their exchanges.
#[derive(Clone, Debug, Default)]
pub struct ApprovalFilter {
    /// Only this exchange.
    pub exchange: Option<i64>,
    /// Only those that wait.
    pub waiting: bool,
    /// Only those that wait and whose time is over at this instant.
    pub over: Option<Timestamp>,
    /// Exchanges after this one.
    pub after: i64,
    /// At most so many.
    pub limit: usize,
}

/// Where a demand stands: follows from its answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DemandState {
    /// It has no answer, or one that came to nothing.
    Open,
    /// An answer is on its way.
    Answering,
    /// An answer was delivered.
    Answered,
    /// An operator closed it without an answer.
    Closed,
}

impl DemandState {
    /// The name shown everywhere.
    pub fn name(self) -> &'static str {
        match self {
            DemandState::Open => "open",
            DemandState::Answering => "answering",
            DemandState::Answered => "answered",
            DemandState::Closed => "closed",
        }
    }

    /// What follows from a demand's answer. An answer whose exchange is purged had its end.
    pub(super) fn of(closed: bool, answer: Option<i64>, state: Option<State>) -> DemandState {
        match (closed, answer, state) {
            (true, ..) => DemandState::Closed,
            (_, None, _) | (_, _, Some(State::Dead | State::Discarded)) => DemandState::Open,
            (_, Some(_), None | Some(State::Delivered)) => DemandState::Answered,
            (_, Some(_), Some(_)) => DemandState::Answering,
        }
    }
}

/// A demand as it is shown; no personal data.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct DemandView {
    /// Row.
    pub id: i64,
    /// Kind.
    pub kind: String,
    /// Counterpart.
    pub counterpart: String,
    /// Number at the counterpart.
    pub number: String,
    /// Item of the table of the law.
    pub item: String,
    /// State name.
    pub state: String,
    /// Row of the exchange it came as.
    pub exchange: i64,
    /// Received at (RFC 3339, UTC).
    pub opened_at: String,
    /// To be answered by (RFC 3339, UTC).
    pub due: Option<String>,
    /// Row of its answer's exchange.
    pub answer: Option<i64>,
}

/// Which demands are listed.
#[derive(Clone, Debug, Default)]
pub struct DemandFilter {
    /// Only this one.
    pub id: Option<i64>,
    /// Only those without an answer.
    pub open: bool,
    /// Rows after this one.
    pub after: i64,
    /// At most so many.
    pub limit: usize,
}

/// What waits for persons, in numbers.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Waiting {
    /// Approvals asked for.
    pub approvals: u64,
    /// Since when the oldest of them waits.
    pub oldest: Option<Timestamp>,
    /// When the first of them expires.
    pub expires: Option<Timestamp>,
    /// Demands without an answer.
    pub demands: u64,
    /// When the first of those should be answered.
    pub due: Option<Timestamp>,
}

/// The part of a store that keeps approvals and demands.
pub trait Approvals {
    /// Lists approvals, by the rows of their exchanges.
    fn approvals(&self, filter: ApprovalFilter) -> Later<'_, Vec<ApprovalView>>;
    /// Decides: the effect, what upstream is told, and the entry, in one transaction. Of several
    /// at once, one takes effect.
    fn decide(&self, decision: Decision) -> Later<'_, Decided>;
    /// Lists demands.
    fn demands(&self, filter: DemandFilter) -> Later<'_, Vec<DemandView>>;
    /// Closes a demand without an answer, by the word of an operator; `false` unless it is open.
    fn close_demand(
        &self,
        demand: i64,
        operator: String,
        reason: String,
        at: Timestamp,
    ) -> Later<'_, bool>;
    /// What waits for persons.
    fn waiting(&self) -> Later<'_, Waiting>;
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_person_has_one_name() {
        assert!(is_same_person("Sato  Hanako", " ＳＡＴＯ　hanako"));
        assert!(is_same_person("山田 太郎", "山田太郎"));
        assert!(!is_same_person("yamada", "sato"));
    }

    #[test]
    fn an_answer_stands_on_the_ground_of_its_demand() {
        for (demand, answer) in
            [("25", "25"), ("25", "25, 26"), ("25,27", "26, 27"), ("", "26"), ("25", "")]
        {
            assert!(is_same_ground(demand, answer), "{demand} {answer}");
        }
        assert!(!is_same_ground("25", "26") && !is_same_ground("2", "25, 26"));
    }

    #[test]
    fn a_demand_is_open_until_an_answer_is_on_its_way() {
        let of = |answer, state| DemandState::of(false, answer, state);
        assert_eq!(of(None, None), DemandState::Open);
        assert_eq!(of(Some(1), Some(State::WaitingApproval)), DemandState::Answering);
        assert_eq!(of(Some(1), Some(State::Unknown)), DemandState::Answering);
        assert_eq!(of(Some(1), Some(State::Dead)), DemandState::Open);
        assert_eq!(of(Some(1), Some(State::Delivered)), DemandState::Answered);
        assert_eq!(of(Some(1), None), DemandState::Answered);
        assert_eq!(DemandState::of(true, None, None), DemandState::Closed);
    }
}

/// Whether what goes again has to be asked for again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Again {
    /// It never needed a second person.
    Free,
    /// A second person decides anew.
    Asks,
    /// Its demand has another answer by now: it may not go again.
    Taken,
}
