//! Writes the year down: what happens when, and what must be held because of it.

use super::books::Books;
use super::calendar::{self, WorkDays};
use crate::counterparts::times::moment;
use crate::counterparts::{Knowledge, PMH};
use crate::municipality::draft::{self, Dose};
use crate::municipality::people::Person;
use crate::municipality::{Expected, Fate, Message};
use crate::random::Random;
use jiff::civil::Date;
use serde_json::{Value, json};

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
        self.happens(at, What::Post(Box::new(message)));
        at
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

    /// A state of a subject.
    pub fn subject(&mut self, day: Date, person: &Person, event: &str, revision: usize) {
        self.post(day, draft::subject(String::new(), person, event, revision, Value::Null));
    }

    /// The end of a subject: 転出, 死亡, 誤登録.
    pub fn removal(&mut self, day: Date, person: &Person, revision: usize, reason: &str) {
        let date = self.days.from(day).to_string();
        let removal = json!({"date": date, "reason": reason});
        self.post(day, draft::subject(String::new(), person, "removed", revision, removal));
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
