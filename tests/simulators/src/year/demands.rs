//! What others ask the municipality for through the year: some of it is answered out of the 副本, the
//! rest by staff. Who asks and answers when is written here, and what the answer must be.

use super::calendar::{self, FIRST};
use super::copies::{Content, Copies};
use super::life::{Coming, Life};
use super::pen::{Pen, What};
use super::prepared::{Says, Task, message, put};
use super::routes::{HEALTH, STAFF};
use super::staff::{Act, Way};
use crate::counterparts::INTERMEDIATE_SERVER;
use crate::counterparts::demands::{Demand, told};
use crate::counterparts::holdings::Item;
use crate::counterparts::times::moment;
use crate::municipality::Fate;
use crate::municipality::people::Person;
use crate::random::Random;
use jiff::civil::{Date, date};
use serde_json::{Value, json};
use std::collections::BTreeMap;

/// Who may ask under which item, 事務 and 事務手続: kind and 機関コード of who asks.
#[derive(Clone, Copy)]
struct Ground {
    item: &'static str,
    affair: &'static str,
    procedure: &'static str,
    kind: &'static str,
    inquirer: &'static str,
}

const fn ground(
    item: &'static str,
    affair: &'static str,
    procedure: &'static str,
    kind: &'static str,
    inquirer: &'static str,
) -> Ground {
    Ground { item, affair, procedure, kind, inquirer }
}

/// The five items; 153 by two kinds.
const GROUNDS: [Ground; 6] = [
    ground("25", "JM00000000000014", "JT00000000000025", "1", "0000000000013101"),
    ground("26", "JM00000000000014", "JT00000000000026", "2", "0000000000013000"),
    ground("27", "JM00000000000014", "JT00000000000027", "1", "0000000000013104"),
    ground("153", "JM00000000000126", "JT00000000000153", "1", "0000000000013112"),
    ground("153", "JM00000000000126", "JT00000000000153", "2", "0000000000013000"),
    ground("154", "JM00000000000126", "JT00000000000154", "3", "0000000000000001"),
];

/// The minister asks under an item that is for municipalities.
const GROUNDLESS: Ground =
    ground("25", "JM00000000000014", "JT00000000000025", "3", "0000000000000001");

/// Staff who prepare, and who decide.
const PREPARERS: [&str; 2] = ["yobo-05", "yobo-06"];
const DECIDERS: [&str; 2] = ["kacho-01", "kakaricho-01"];

/// From these days until before those nobody asks: what follows would meet a server that is closed.
const AWAY: [(Date, Date); 2] =
    [(date(2026, 12, 18), date(2027, 1, 5)), (date(2027, 3, 22), date(2027, 4, 4))];

/// Others ask every so many days, so often.
const EVERY: i64 = 15;
const TIMES: i64 = 24;
/// All demands of the year; what else happens must be written already.
pub fn write(pen: &mut Pen, lives: &[&Life]) {
    let copies = Copies::of(&pen.happenings);
    let random = Random::new(pen.seed, "demands");
    let mut desk = Desk { pen, copies, random, numbers: 0, turns: 0, ways: 0 };
    // Whose copies never wait behind an inquiry, and whom the 中間サーバー knows.
    let lives: Vec<&Life> = lives
        .iter()
        .filter(|life| !matches!(life.coming, Coming::Moves(_)) && !life.person.stranger)
        .copied()
        .collect();
    let flagged = desk.flags(&lives);
    let free = lives.iter().filter(|life| !flagged.contains(&life.person.index));
    let free: Vec<&Person> = free.map(|life| &life.person).collect();
    for step in 0..TIMES {
        let day = open(calendar::later(FIRST, 6 + step * EVERY));
        let (with, without): (Vec<&Person>, Vec<&Person>) =
            free.iter().partition(|person| desk.holds(person, asked_at(day)));
        for _ in 0..=free.len() / 150 {
            if let Some(person) = desk.choose(&with) {
                desk.automatic(day, person, false);
            }
            if let Some(person) = desk.choose(&without) {
                desk.no_copy(day, person, step);
            }
        }
        if let (3, Some(person)) = (step, desk.choose(&without)) {
            desk.groundless(day, person);
        }
    }
}

/// When others ask.
fn asked_at(day: Date) -> i64 {
    moment(day, 13, 30)
}

/// When staff prepares an answer, so many days after.
fn prepared_at(day: Date, days: i64) -> i64 {
    moment(calendar::later(day, days), 11, 0)
}

/// When somebody decides about it.
pub(super) fn decided_at(day: Date, days: i64) -> i64 {
    moment(calendar::later(day, days), 15, 0)
}

/// When somebody asks after a flag has changed.
pub(super) fn asked_after(day: Date) -> Date {
    open(calendar::later(day, 8))
}

fn open(day: Date) -> Date {
    let away = AWAY.iter().find(|(from, until)| (*from..*until).contains(&day));
    away.map_or(day, |(_, until)| *until)
}

pub(super) struct Desk<'a> {
    pub(super) pen: &'a mut Pen,
    pub(super) copies: Copies,
    pub(super) random: Random,
    numbers: u64,
    /// How many were answered at once, and by staff.
    turns: usize,
    ways: usize,
}

impl Desk<'_> {
    fn choose<'p>(&mut self, people: &[&'p Person]) -> Option<&'p Person> {
        people.get(self.random.below(people.len())).copied()
    }

    fn holds(&self, person: &Person, at: i64) -> bool {
        !self.copies.published(&person.atena_number, at).is_empty()
    }

    fn ground(&self, turn: usize) -> Ground {
        GROUNDS.get(turn % GROUNDS.len()).copied().unwrap_or(GROUNDLESS)
    }

    /// Others ask on the afternoon of a day.
    fn ask(&mut self, day: Date, person: &Person, ground: Ground) -> Demand {
        self.numbers += 1;
        let Ground { affair, procedure, kind, inquirer, .. } = ground;
        let demand = Demand {
            number: format!("{:020}", 7_000_000 + self.numbers),
            person: person.atena_number.clone(),
            inquirer: inquirer.to_owned(),
            kind,
            affair,
            procedure,
        };
        self.pen.happens(asked_at(day), What::Asks(Box::new(demand.clone())));
        demand
    }

    /// What the 中間サーバー must hold of a demand.
    fn owe(&mut self, demand: &Demand, hidden: bool, answer: Option<Item>) {
        let mut item = answer.unwrap_or_default();
        item.insert("procedure".to_owned(), demand.procedure.to_owned());
        item.insert("person".to_owned(), demand.person.clone());
        item.insert("hidden".to_owned(), hidden.to_string());
        self.pen.truth.put(INTERMEDIATE_SERVER, "demand", &demand.number, item);
    }

    /// The gateway passes it on to nobody; staff closes it.
    fn groundless(&mut self, day: Date, person: &Person) {
        let demand = self.ask(day, person, GROUNDLESS);
        let act = Act::Close { number: demand.number.clone(), by: "kacho-01" };
        self.acts(decided_at(day, 1), act);
        let closed = [("state", "closed"), ("item", GROUNDLESS.item), ("decisions", "")];
        let closed = closed.map(|(name, value)| (name.to_owned(), value.to_owned()));
        self.pen.truth.put(STAFF, "approval", &demand.number, closed.into_iter().collect());
        self.owe(&demand, false, None);
    }

    /// Answered at once, out of what is held then.
    pub(super) fn automatic(&mut self, day: Date, person: &Person, hidden: bool) {
        self.turns += 1;
        let ground = self.ground(self.turns);
        let demand = self.ask(day, person, ground);
        let content = told(self.copies.published(&person.atena_number, asked_at(day)).values());
        self.owe(&demand, hidden, Some(shown("automatic", true, &content, "")));
    }

    /// Nothing is held of the person: staff looks into the paper file.
    fn no_copy(&mut self, day: Date, person: &Person, step: i64) {
        let ground = self.ground(self.ways);
        let demand = self.ask(day, person, ground);
        let found: Vec<(Value, Content)> = match self.numbers % 2 {
            0 => Vec::new(),
            _ => (1..=self.random.between(1, 3)).map(|dose| self.dose(dose)).collect(),
        };
        let content = told(found.iter().map(|(_, content)| content));
        let shows = ("registered", !found.is_empty(), content);
        let says = match found.is_empty() {
            true => Says::Nothing,
            false => Says::Records(found.into_iter().map(|(record, _)| record).collect()),
        };
        let task = Task { day, demand: &demand, item: ground.item, says, shows };
        self.arrives(&task, "no-copy");
        self.answers(&task);
        if step % 8 == 1 {
            self.mistakes(&task);
        }
    }

    /// Something is held, and a flag holds it back: staff permits it, or does not.
    pub(super) fn held_back(&mut self, day: Date, person: &Person, permitted: bool) {
        let ground = self.ground(self.ways);
        let demand = self.ask(day, person, ground);
        let shown = self.copies.published(&person.atena_number, decided_at(day, 1));
        let content = if permitted { told(shown.values()) } else { String::new() };
        let says = Says::Permitted(permitted);
        let shows = ("permitted", permitted, content);
        let task = Task { day, demand: &demand, item: ground.item, says, shows };
        self.arrives(&task, "no-automatic-answer");
        let (preparer, decider) = self.two();
        self.prepares(&task, 1, preparer, permitted, Fate::Delivered);
        let number = demand.number.clone();
        self.acts(decided_at(day, 1), Act::Approve { number, by: decider, way: Way::Ops });
        self.answered(&task, preparer, format!("approved {preparer} {decider}"));
    }

    fn two(&mut self) -> (&'static str, &'static str) {
        let preparer = self.random.pick(&PREPARERS, "yobo-05");
        (preparer, self.random.pick(&DECIDERS, "kacho-01"))
    }

    fn dose(&mut self, number: i64) -> (Value, Content) {
        let day =
            format!("2019-{:02}-{:02}", self.random.between(1, 12), self.random.between(1, 28));
        let lot = format!("KM{}", self.random.digits(4));
        let record = json!({"vaccineCode": "A13", "doseNumber": number, "date": day,
            "lotNumber": lot, "amountMl": "0.5", "institutionName": "見本医院"});
        let content = BTreeMap::from([
            ("vaccine", "A13".to_owned()),
            ("dose", number.to_string()),
            ("date", day),
            ("lot", lot),
            ("amount", "0.50".to_owned()),
            ("institution", "見本医院".to_owned()),
        ]);
        (record, content)
    }

    /// It must come to the health system.
    fn arrives(&mut self, task: &Task<'_>, cause: &str) {
        let arrives =
            What::Arrives { message_type: "provision.demanded", from: INTERMEDIATE_SERVER };
        self.pen.happens(asked_at(task.day), arrives);
        let kind = match task.demand.kind {
            "1" => "municipality",
            "2" => "prefecture",
            _ => "ministry",
        };
        let item = [
            ("item", task.item),
            ("person", task.demand.person.as_str()),
            ("cause", cause),
            ("kind", kind),
        ];
        let item = item.map(|(name, value)| (name.to_owned(), value.to_owned()));
        let item = item.into_iter().collect();
        self.pen.truth.put(HEALTH, "demand", &task.demand.number, item);
    }

    fn acts(&mut self, at: i64, act: Act) {
        self.pen.happens(at, What::Staff(Box::new(act)));
    }

    /// What must be held once it is answered.
    fn answered(&mut self, task: &Task<'_>, preparer: &str, decisions: String) {
        let (how, available, content) = &task.shows;
        let item = shown(how, *available, content, preparer);
        self.owe(task.demand, false, Some(item));
        let number = &task.demand.number;
        let done = Item::from([
            ("state".to_owned(), "answered".to_owned()),
            ("item".to_owned(), task.item.to_owned()),
            ("decisions".to_owned(), decisions),
        ]);
        self.pen.truth.put(STAFF, "approval", number, done);
        let told = Item::from([("number".to_owned(), number.clone())]);
        self.pen.truth.put(HEALTH, "demand-answered", number, told);
    }

    /// Somebody prepares an answer, so many days after the demand.
    fn prepares(&mut self, task: &Task<'_>, days: i64, by: &str, typed: bool, fate: Fate) {
        let message = message(task, by, days, fate);
        let number = task.demand.number.clone();
        let act = Act::Prepare { number, message: Box::new(message), typed };
        self.acts(prepared_at(task.day, days), act);
    }

    /// The ways in which it comes to an answer, by turns.
    fn answers(&mut self, task: &Task<'_>) {
        self.ways += 1;
        let (preparer, by) = self.two();
        let number = task.demand.number.clone();
        let approve = |way| Act::Approve { number: number.clone(), by, way };
        let day = task.day;
        let mut decisions = String::new();
        match self.ways % 7 {
            1 => {
                self.prepares(task, 1, preparer, true, Fate::Delivered);
                self.acts(decided_at(day, 1), approve(Way::Cli));
            }
            2 => {
                self.prepares(task, 1, preparer, false, Fate::Delivered);
                self.acts(decided_at(day, 1), approve(Way::Ops));
            }
            3 => {
                self.prepares(task, 1, preparer, false, Fate::DeadHere);
                self.acts(decided_at(day, 1), Act::Reject { number: number.clone(), by });
                decisions = format!("rejected {preparer} {by}; ");
                self.prepares(task, 2, preparer, true, Fate::Delivered);
                self.acts(decided_at(day, 2), approve(Way::Ops));
            }
            4 => {
                let dead = message(task, preparer, 1, Fate::DeadHere);
                let act =
                    Act::Prepare { number: number.clone(), message: Box::new(dead), typed: false };
                // At a time of its own: 72 h later nobody has decided, and nothing else happens.
                self.acts(moment(calendar::later(day, 1), 12, 10), act);
                self.acts(moment(calendar::later(day, 4), 12, 11), Act::Expires);
                decisions = format!("expired {preparer} nobody; ");
                self.prepares(task, 6, preparer, false, Fate::Delivered);
                self.acts(decided_at(day, 6), approve(Way::Cli));
            }
            5 => {
                self.prepares(task, 1, preparer, true, Fate::Delivered);
                let own = Act::ApproveOwn { number: number.clone(), by: preparer };
                self.acts(decided_at(day, 1), own);
                self.acts(decided_at(day, 1), approve(Way::Ops));
            }
            6 => {
                self.prepares(task, 1, preparer, false, Fate::Delivered);
                let [one, other] = DECIDERS;
                let late = if by == one { other } else { one };
                let twice = Act::ApproveTwice { number: number.clone(), by, late };
                self.acts(decided_at(day, 1), twice);
            }
            _ => {
                self.prepares(task, 1, preparer, false, Fate::DeadHere);
                // Taken back by who prepared it.
                let reject = Act::Reject { number: number.clone(), by: preparer };
                self.acts(decided_at(day, 1), reject);
                decisions = format!("rejected {preparer} {preparer}; ");
                self.prepares(task, 2, preparer, false, Fate::Delivered);
                self.acts(decided_at(day, 2), approve(Way::Ops));
            }
        }
        self.answered(task, preparer, format!("{decisions}approved {preparer} {by}"));
    }

    /// What may never be sent: an answer under another item, a second answer, one without a demand.
    fn mistakes(&mut self, task: &Task<'_>) {
        let mut post = |days: i64, what: &str, change: &dyn Fn(&mut Value)| {
            let mut wrong = message(task, "yobo-05", days, Fate::DeadHere);
            wrong.id = format!("{}-{what}", wrong.id);
            wrong.expects.clear();
            change(&mut wrong.body);
            let at = moment(calendar::later(task.day, days), 10, 30);
            self.pen.happens(at, What::Post(Box::new(wrong)));
        };
        let other = if task.item == "26" { "27" } else { "26" };
        post(1, "item", &|body| put(body, "legalItem", other.into()));
        post(8, "second", &|_| {});
        post(8, "nobody", &|body| {
            put(body, "processingNumber", format!("{:020}", 9_999_999).into());
        });
    }
}

fn shown(how: &str, available: bool, content: &str, preparer: &str) -> Item {
    Item::from([
        ("how".to_owned(), how.to_owned()),
        ("available".to_owned(), available.to_string()),
        ("content".to_owned(), content.to_owned()),
        ("preparer".to_owned(), preparer.to_owned()),
    ])
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::year::story;
    use std::collections::BTreeSet;

    /// Also in the short form of the live tests.
    #[test]
    fn every_item_is_asked_for_in_every_way_and_nobody_decides_alone() {
        let script = story::write(31, 40, 1);
        let mut ways = BTreeSet::new();
        for happening in &script.happenings {
            let What::Staff(act) = &happening.what else { continue };
            ways.insert(match act.as_ref() {
                Act::Prepare { typed: true, .. } => "typed",
                Act::Prepare { .. } => "posted",
                Act::Approve { way: Way::Cli, .. } => "on the command line",
                Act::Approve { .. } => "over the ops listener",
                Act::Reject { .. } => "rejected",
                Act::ApproveOwn { .. } => "their own",
                Act::ApproveTwice { .. } => "twice",
                Act::Expires => "expired",
                Act::Close { .. } => "closed",
            });
        }
        assert_eq!(ways.len(), 9, "{ways:?}");
        let held = script.truth.of(INTERMEDIATE_SERVER);
        let demands = &held.0["demand"];
        let of = |name: &str| -> BTreeSet<&str> {
            demands.values().filter_map(|item| item.get(name)).map(String::as_str).collect()
        };
        assert_eq!(of("procedure").len(), 5);
        assert!(of("how").is_superset(&BTreeSet::from(["automatic", "registered", "permitted"])));
        assert_eq!(of("hidden").len(), 2);
        let approvals = script.truth.of(STAFF);
        let items: BTreeSet<&String> =
            approvals.0["approval"].values().filter_map(|item| item.get("item")).collect();
        assert_eq!(items.len(), 5, "staff answers under each: {items:?}");
        for kind in approvals.0.values() {
            for decisions in kind.values().filter_map(|item| item.get("decisions")) {
                for decision in decisions.split("; ").filter(|one| one.starts_with("approved")) {
                    let words: Vec<&str> = decision.split(' ').collect();
                    assert_ne!(words[1], words[2]);
                }
            }
        }
        assert_eq!(held.0["flag"].len(), FLAGS, "each found somebody");
    }

    const FLAGS: usize = 4;
}
