//! What happens to each resident in the year: births, moves, deaths, vaccinations and mistakes.

use super::calendar::{self, FIRST, LAST};
use super::pen::Pen;
use super::{campaign, inquiries, numbering, questionnaires, residents};
use crate::municipality::draft::Dose;
use crate::municipality::names::Address;
use crate::municipality::people::Person;
use crate::random::Random;
use jiff::civil::Date;

/// How somebody comes to be a resident.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Coming {
    /// Was there before.
    Here,
    /// Is born in the year.
    Born(Date),
    /// Moves in.
    Moves(Date),
}

/// How somebody ceases to be one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Going {
    /// When.
    pub day: Date,
    /// `moved-out`, `died` or `registered-by-mistake`.
    pub reason: &'static str,
}

/// One resident's year.
pub struct Life {
    /// As now.
    pub person: Person,
    /// How they came.
    pub coming: Coming,
    /// How they go.
    pub going: Option<Going>,
    /// Since when PMH knows them by their PMH仮名識別子.
    pub linked: Option<Date>,
    random: Random,
    revision: usize,
    changes: usize,
    doses: usize,
}

impl Life {
    /// A life of its own chance.
    pub fn new(person: Person, coming: Coming, going: Option<Going>, seed: u64) -> Life {
        let random = Random::new(seed, &format!("life {}", person.index));
        Life { person, coming, going, linked: None, random, revision: 0, changes: 0, doses: 0 }
    }

    /// The first day on which they are a subject.
    pub fn begins(&self) -> Date {
        match self.coming {
            Coming::Here => FIRST,
            Coming::Born(day) | Coming::Moves(day) => calendar::later(day, 7),
        }
    }

    /// Whether they are a subject on a day.
    pub fn is_here(&self, day: Date) -> bool {
        day >= self.begins() && self.going.is_none_or(|going| day < going.day)
    }

    /// Whether a 制御フラグ is played with them, and no 予診票.
    pub fn is_withheld(&self) -> bool {
        let stays = self.coming == Coming::Here && self.going.is_none();
        let chosen = [11, 13, 17].contains(&(self.person.index % 50));
        chosen && stays && self.linked.is_some() && !self.person.not_disclosed
    }

    /// The first registration, and what comes of it behind PMH: a few are first registered with a
    /// wrong date of birth, which staff correct when PMH tells of it.
    fn numbered(&mut self, pen: &mut Pen, day: Date) {
        numbering::insure(pen, &self.person, self.coming);
        let right = self.person.clone();
        if numbering::is_mistaken(&right, self.coming) {
            self.person = numbering::misread(&right);
        }
        self.revise(pen, day, "registered");
        self.person = right;
        let (linked, mended) = numbering::registered(pen, day, &self.person, self.coming);
        self.linked = linked;
        if let Some(day) = mended {
            self.revise(pen, day, "changed");
        }
    }

    /// A change of a resident, as the 統合DB tells it.
    fn told(&mut self, pen: &mut Pen, day: Date, reason: &str) {
        self.changes += 1;
        residents::change(pen, day, &self.person, reason, self.changes);
    }

    /// Writes it down: first what the offices do, then the vaccinations of all months.
    pub fn live(&mut self, pen: &mut Pen) {
        let begins = self.begins();
        match self.coming {
            Coming::Here => {}
            Coming::Born(day) => self.told(pen, day, "11"),
            Coming::Moves(day) => self.told(pen, day, "10"),
        }
        self.numbered(pen, begins);
        if self.coming != Coming::Here {
            // PMH knows nobody by a PMH仮名識別子 before the numbering.
            let known = calendar::later(begins, 10);
            if self.is_here(known) {
                pen.notice(known, &self.person);
                questionnaires::sent(pen, known, self, questionnaires::SCHOOL);
            }
        }
        if let Coming::Moves(_) = self.coming {
            inquiries::earlier_vaccinations(pen, begins, &self.person);
        }
        let end = self.going.map_or(LAST, |going| going.day);
        let move_on = self.random.chance(0.1).then(|| self.some_day(begins, end));
        for month in 0..12 {
            let day = calendar::later(FIRST, month * 30 + 12);
            if let Some(moved) = move_on
                && moved <= day
                && self.is_here(moved)
                && self.revision == 1
            {
                self.person.address = Address::new(&mut self.random);
                self.told(pen, moved, "12");
                self.revise(pen, moved, "changed");
            }
            // Results of the clinics come once a month; small children are there more often.
            let chance = if self.is_small() { 0.8 } else { 0.1 };
            if self.is_here(day) && self.random.chance(chance) {
                self.vaccinated(pen, day);
            }
        }
        self.campaigns(pen);
        if let Some(going) = self.going {
            self.goes(pen, going);
        }
    }

    /// One more dose, told on this day; a few are corrected or withdrawn later.
    pub fn vaccinated(&mut self, pen: &mut Pen, day: Date) {
        let record_id = format!("V{:06}-{:02}", self.person.index, self.doses);
        let mut dose = Dose::new(&mut self.random, record_id, self.doses);
        self.doses += 1;
        dose.date = calendar::later(day, -self.random.between(1, 20)).to_string();
        dose.publish_from = pen.days.from(day).to_string();
        pen.dose(day, &self.person, &mut dose, "registered", 1);
        let mut revision = 1;
        if self.random.chance(0.06) {
            let noticed = calendar::later(day, self.random.between(3, 40));
            if self.is_here(noticed) {
                revision += 1;
                dose.date = calendar::later(day, -self.random.between(1, 20)).to_string();
                pen.dose(noticed, &self.person, &mut dose, "corrected", revision);
            }
        }
        if self.random.chance(0.03) {
            let noticed = calendar::later(day, self.random.between(41, 60));
            if self.is_here(noticed) {
                pen.dose(noticed, &self.person, &mut dose, "withdrawn", revision + 1);
            }
        }
    }

    fn revise(&mut self, pen: &mut Pen, day: Date, event: &str) {
        self.revision += 1;
        pen.subject(day, &self.person, event, self.revision);
        numbering::asked(pen, day, &self.person, self.revision);
    }

    /// School age in September, influenza in autumn: many within a few weeks.
    fn campaigns(&mut self, pen: &mut Pen) {
        let birth = self.person.birth.clone();
        let school_age = ("2014".."2016").contains(&birth.as_str());
        if school_age && self.is_here(campaign::SCHOOL) {
            pen.notice(campaign::SCHOOL, &self.person);
            self.questioned(pen, campaign::SCHOOL, questionnaires::SCHOOL);
            self.within(pen, campaign::SCHOOL, 14, 70, 0.7);
        }
        let elderly = birth.as_str() < "1962";
        if elderly && self.is_here(campaign::INFLUENZA) {
            pen.notice(campaign::INFLUENZA, &self.person);
            self.questioned(pen, campaign::INFLUENZA, questionnaires::INFLUENZA);
        }
        let chance = if elderly { 0.8 } else { 0.3 };
        self.within(pen, campaign::INFLUENZA, 7, 56, chance);
    }

    fn questioned(&self, pen: &mut Pen, day: Date, about: (&'static str, &str, &'static str)) {
        // Who came in the weeks before has it already.
        let new = self.coming == Coming::Here || self.begins() > calendar::later(day, -14);
        if new && !self.is_withheld() {
            questionnaires::sent(pen, day, self, about);
        }
    }

    fn within(&mut self, pen: &mut Pen, from: Date, least: i64, most: i64, chance: f64) {
        let day = calendar::later(from, self.random.between(least, most));
        if self.is_here(day) && self.random.chance(chance) {
            self.vaccinated(pen, day);
        }
    }

    fn goes(&mut self, pen: &mut Pen, going: Going) {
        match going.reason {
            "moved-out" => self.told(pen, going.day, "20"),
            "died" => self.told(pen, going.day, "21"),
            _ => {}
        }
        self.revision += 1;
        pen.removal(going.day, &self.person, self.revision, going.reason);
    }

    fn is_small(&self) -> bool {
        self.person.birth.as_str() >= "2022"
    }

    fn some_day(&mut self, from: Date, until: Date) -> Date {
        let days = from.until(until).map_or(0, |span| i64::from(span.get_days()));
        calendar::later(from, self.random.between(1, days.max(1)))
    }
}
