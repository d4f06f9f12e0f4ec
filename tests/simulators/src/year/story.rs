//! The year as a whole: who lives there, what everybody does, and what must be held in the end.

use super::books::Books;
use super::calendar::{self, FIRST, LAST, OUTAGE, WorkDays};
use super::life::{Coming, Going, Life};
use super::pen::{Happening, Pen, What};
use crate::counterparts::PMH;
use crate::counterparts::times::moment;
use crate::municipality::{Municipality, people};
use crate::random::Random;
use jiff::ToSpan;
use jiff::civil::Date;
use std::collections::BTreeSet;

/// A year, written down.
pub struct Script {
    /// The town and what its counterparts know.
    pub town: Municipality,
    /// What happens, in its order.
    pub happenings: Vec<Happening>,
    /// What must be held at the end, by owner.
    pub truth: Books,
}

/// Writes a year of so many residents.
pub fn write(seed: u64, residents: usize, days_a_week: u8) -> Script {
    let mut random = Random::new(seed, "simulated year");
    let newborn = residents.div_ceil(40);
    let newcomers = residents.div_ceil(20);
    let people = people::generate(seed, residents + newborn + newcomers);
    let mut pen = Pen::new(seed, WorkDays::new(days_a_week));
    pen.knowledge.known_people =
        people.iter().filter(|p| !p.stranger).map(|p| p.atena_number.clone()).collect();
    pen.knowledge.my_numbers =
        people.iter().filter_map(|p| p.my_number.clone()).collect::<BTreeSet<_>>();
    let mut lives = Vec::new();
    for person in &people {
        let mut person = person.clone();
        let coming = if person.index < residents {
            Coming::Here
        } else if person.index < residents + newborn {
            let day = day_within(&mut random, FIRST, calendar::later(LAST, -30));
            person.birth = day.to_string();
            Coming::Born(day)
        } else {
            Coming::Moves(moving_day(&mut random))
        };
        let going = going(&mut random, person.index, coming);
        lives.push(Life::new(person, coming, going, seed));
    }
    for life in &mut lives {
        life.live(&mut pen);
    }
    outage(&mut pen);
    for day in [calendar::CLOSED.1, calendar::SECOND_LAYOUT] {
        pen.happens(moment(day, 7, 0), What::Look);
    }
    // The night after the last day.
    pen.happens(moment(LAST, 23, 0), What::Look);
    let Pen { mut happenings, truth, mut knowledge, .. } = pen;
    happenings.sort_by_key(|one| one.at);
    let answer_takes = std::mem::take(&mut knowledge.times.answer_takes);
    knowledge.times = calendar::times(answer_takes);
    let messages = happenings.iter().filter_map(|one| match &one.what {
        What::Post(message) => Some((**message).clone()),
        _ => None,
    });
    let town = Municipality {
        messages: messages.collect(),
        people: lives.iter().map(|life| life.person.clone()).chain(people).collect(),
        applications: knowledge.applications.clone(),
        knowledge,
    };
    Script { town, happenings, truth }
}

/// PMH cannot be reached for a day.
fn outage(pen: &mut Pen) {
    let line = |down| What::Line { counterpart: PMH, down };
    pen.happens(moment(OUTAGE, 0, 0), line(true));
    for hour in [13, 17, 21] {
        pen.happens(moment(OUTAGE, hour, 0), What::Look);
    }
    pen.happens(moment(calendar::later(OUTAGE, 1), 0, 0), line(false));
}

/// A few move away, die, or should never have been registered.
fn going(random: &mut Random, index: usize, coming: Coming) -> Option<Going> {
    if coming != Coming::Here {
        return None;
    }
    let reason = match (index % 97, random.below(100)) {
        (5, _) => "registered-by-mistake",
        (_, 0..=3) => "moved-out",
        (_, 4) => "died",
        _ => return None,
    };
    let day = match reason {
        "moved-out" => moving_day(random),
        _ => day_within(random, calendar::later(FIRST, 20), calendar::later(LAST, -10)),
    };
    Some(Going { day, reason })
}

/// Half of all moves are about the end of the fiscal year.
fn moving_day(random: &mut Random) -> Date {
    match random.chance(0.5) {
        true => {
            let around = calendar::later(calendar::SECOND_LAYOUT, -21);
            day_within(random, around, calendar::later(around, 35))
        }
        false => day_within(random, calendar::later(FIRST, 10), calendar::later(LAST, -30)),
    }
}

fn day_within(random: &mut Random, from: Date, until: Date) -> Date {
    let days = from.until(until).map_or(0, |span| i64::from(span.get_days()));
    from.checked_add(random.between(0, days.max(0)).days()).unwrap_or(from)
}
