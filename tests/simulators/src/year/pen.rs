//! Writes the year down: what happens when, and what must be held because of it.

use super::books::Books;
use super::calendar::{self, WorkDays};
use super::extracts;
use super::routes::RESERVATION;
use super::staff::Act;
use crate::counterparts::demands::Demand;
use crate::counterparts::times::{moment, written};
use crate::counterparts::{INTERMEDIATE_SERVER, Knowledge, PMH};
use crate::municipality::draft::{self, Dose};
use crate::municipality::people::Person;
use crate::municipality::{Expected, Fate, Message};
use crate::random::Random;
use jiff::civil::Date;
use serde_json::{Value, json};
use std::collections::BTreeMap;

/// Something that happens at a moment.
#[derive(Clone, Debug)]
pub struct Happening {
    /// Milliseconds since 1970.
    pub at: i64,
    /// What.
    pub what: What,
}

/// What happens.
#[derive(Clone, Debug)]
pub enum What {
    /// The health system posts a message.
    Post(Box<Message>),
    /// The line to a counterpart is cut, or mended.
    Line {
        /// Whose.
        counterpart: &'static str,
        /// Cut.
        down: bool,
    },
    /// Something became due or visible somewhere: the clock stops here.
    Look,
    /// Something can be fetched from now on, and must come to upstream.
    Arrives {
        /// As what it comes.
        message_type: &'static str,
        /// Where it is fetched.
        from: &'static str,
    },
    /// Another organisation asks the municipality for something, through the 中間サーバー.
    Asks(Box<Demand>),
    /// Staff does something, when what is posted at that moment was posted.
    Staff(Box<Act>),
    /// A counterpart puts a file there, whole.
    File(Box<Daily>),
    /// Readiness must tell of this.
    Told(&'static str),
    /// From now on nothing may wait for a file any more.
    Gathered,
}

/// A daily file of the 生活保護システム.
#[derive(Clone, Debug)]
pub struct Daily {
    /// Its day, 8 digits.
    pub day: String,
    /// Its text.
    pub text: String,
    /// Records that must come to upstream.
    pub good: usize,
    /// Records that must become dead letters.
    pub bad: usize,
}

/// The writer.
pub struct Pen {
    /// Seed of the run.
    pub seed: u64,
    /// Days of work.
    pub days: WorkDays,
    /// Chance of what is decided while writing.
    pub random: Random,
    /// All that happens, in no order yet.
    pub happenings: Vec<Happening>,
    /// What must be held at the end.
    pub truth: Books,
    /// What the counterparts know.
    pub knowledge: Knowledge,
    numbers: usize,
}

/// At work.
const MORNING: (i8, i8) = (10, 0);

impl Pen {
    /// A writer with an empty page.
    pub fn new(seed: u64, days: WorkDays) -> Pen {
        Pen {
            seed,
            days,
            random: Random::new(seed, "pen"),
            happenings: Vec::new(),
            truth: Books::default(),
            knowledge: Knowledge::default(),
            numbers: 0,
        }
    }

    /// The next number of something.
    pub fn number(&mut self) -> usize {
        self.numbers += 1;
        self.numbers
    }

    /// Something happens.
    pub fn happens(&mut self, at: i64, what: What) {
        self.happenings.push(Happening { at, what });
    }

    /// A message is posted in the morning of a day of work; gives when.
    pub fn post(&mut self, day: Date, mut message: Message) -> i64 {
        if message.id.is_empty() {
            message.id = format!("Y{:02}-{:06}", self.seed % 100, self.number());
        }
        for expected in &mut message.expects {
            self.refuse(expected);
            self.truth.expect(expected);
        }
        let (hour, minute) = MORNING;
        let at = moment(self.days.from(day), hour, minute);
        if message.message_type.starts_with("subject.") {
            self.extract(&message);
        }
        self.happens(at, What::Post(Box::new(message)));
        at
    }

    /// What the 予約システム must hold of a subject, in the characters that its files know.
    fn extract(&mut self, message: &Message) {
        let text = |pointer: &str| {
            message.body.pointer(pointer).and_then(Value::as_str).unwrap_or_default().to_owned()
        };
        let removed = message.message_type == "subject.removed";
        let sex = match text("/person/sex").as_str() {
            "male" => "1",
            "female" => "2",
            _ => "0",
        };
        let revision = message.body.get("revision").map(Value::to_string).unwrap_or_default();
        let item = [
            ("revision", revision),
            ("state", if removed { "9" } else { "1" }.to_owned()),
            ("name", extracts::known(&text("/person/name"))),
            ("kana", extracts::known(&text("/person/nameKana"))),
            ("birth", text("/person/birthDate")),
            ("sex", sex.to_owned()),
        ];
        let item = item.map(|(name, value)| (name.to_owned(), value)).into_iter().collect();
        self.truth.put(RESERVATION, "subject", &text("/subjectId"), item);
    }

    /// A few items are refused by PMH for good.
    fn refuse(&mut self, expected: &mut Expected) {
        let (share, code) = match (expected.counterpart, expected.operation) {
            (PMH, "record") => (0.004, "E2001"),
            (PMH, "notice") => (0.02, "E3001"),
            _ => return,
        };
        if expected.fate == Fate::Delivered && self.random.chance(share) {
            expected.fate = Fate::RefusedThere;
            let key = format!("{}:{}", expected.operation, expected.key);
            self.knowledge.refused.insert(key, code.to_owned());
        }
    }

    /// Something can be fetched on the morning of a day of work. Gives since when (RFC 3339).
    pub fn arrives(&mut self, day: Date, message_type: &'static str, from: &'static str) -> String {
        let day = self.days.from(day);
        let (hour, minute) = MORNING;
        self.happens(moment(day, hour, minute), What::Arrives { message_type, from });
        written(moment(day, hour - 1, 0))
    }

    /// A state of a subject.
    pub fn subject(&mut self, day: Date, person: &Person, event: &str, revision: usize) {
        self.post(day, draft::subject(String::new(), person, event, revision, Value::Null));
    }

    /// The end of a subject: 転出, 死亡, 誤登録.
    pub fn removal(&mut self, day: Date, person: &Person, revision: usize, reason: &str) {
        let date = self.days.from(day).to_string();
        let removal = json!({"date": date, "reason": reason});
        let mut message = draft::subject(String::new(), person, "removed", revision, removal);
        if reason == "registered-by-mistake" {
            // Only then nobody may see the 副本 any more.
            message.expects.push(Expected {
                counterpart: INTERMEDIATE_SERVER,
                operation: "publication-end",
                key: format!("J{:06}-{revision}", person.index),
                person: person.atena_number.clone(),
                content: BTreeMap::from([("until", date)]),
                fate: if person.stranger { Fate::RefusedThere } else { Fate::Delivered },
            });
        }
        self.post(day, message);
    }

    /// A dose as it is, was corrected, or is withdrawn. Which layout its 副本 has, is decided on
    /// the day on which it is posted.
    pub fn dose(
        &mut self,
        day: Date,
        person: &Person,
        dose: &mut Dose,
        event: &str,
        revision: usize,
    ) {
        dose.second_layout = self.days.from(day) >= calendar::SECOND_LAYOUT;
        self.post(day, draft::record(String::new(), person, dose, event, revision));
    }

    /// A notice; by turns through PMH and through お知らせ.
    pub fn notice(&mut self, day: Date, person: &Person) {
        let number = self.number();
        let mut message = draft::notice(String::new(), person, number);
        if let Some(from) = message.body.get_mut("validFrom") {
            *from = self.days.from(day).to_string().into();
        }
        self.post(day, message);
    }
}
