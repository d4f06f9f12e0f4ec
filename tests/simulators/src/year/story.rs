//! The year as a whole: who lives there, what everybody does, and what must be held in the end.

use super::books::Books;
use super::calendar::{self, FIRST, LAST, OUTAGE, WorkDays};
use super::life::{Coming, Going, Life};
use super::pen::{Happening, Pen, What};
use super::{applications, demands, downloads, inquiries, welfare};
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
    let here: Vec<&Life> = lives.iter().collect();
    applications::write(&mut pen, &here);
    downloads::write(&mut pen, &here);
    inquiries::reliefs(&mut pen, &here);
    welfare::write(&mut pen, &here);
    demands::write(&mut pen, &here);
    outage(&mut pen);
    for day in [calendar::CLOSED.1, calendar::SECOND_LAYOUT] {
        pen.happens(moment(day, 7, 0), What::Look);
    }
    // The morning after the last day: the last file goes out, and the last pull has run.
    pen.happens(moment(LAST.tomorrow().unwrap_or(LAST), 5, 0), What::Gathered);
    let Pen { mut happenings, truth, mut knowledge, .. } = pen;
    happenings.sort_by_key(|one| one.at);
    knowledge.applications.sort_by(|one, other| one.received_at.cmp(&other.received_at));
    knowledge.downloads.sort_by(|one, other| one.at.cmp(&other.at));
    knowledge.residents.sort_by(|one, other| one.at.cmp(&other.at));
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::counterparts::{APPLICATION_MANAGEMENT, INTERMEDIATE_SERVER};
    use crate::year::routes::{HEALTH, RESERVATION};

    #[test]
    fn the_same_seed_writes_the_same_year_and_another_another() {
        let year = |seed| {
            let script = write(seed, 60, 5);
            format!("{:?} {:?}", script.happenings, script.truth)
        };
        assert!(year(7) == year(7));
        assert!(year(7) != year(8));
    }

    #[test]
    fn everything_that_is_announced_happens() {
        let script = write(7, 300, 5);
        assert!(script.happenings.is_sorted_by_key(|one| one.at));
        let messages = &script.town.messages;
        for kind in [
            "subject.registered",
            "subject.changed",
            "subject.removed",
            "vaccination.record.corrected",
            "vaccination.record.withdrawn",
            "notice.requested",
            "inquiry.requested",
            "inquiry.by-item.requested",
            "application.status-changed",
        ] {
            assert!(messages.iter().any(|message| message.message_type == kind), "{kind}");
        }
        let posted_in = |from, until| {
            let within = |one: &&Happening| {
                matches!(one.what, What::Post(_)) && (from..until).contains(&one.at)
            };
            script.happenings.iter().filter(within).count()
        };
        let autumn = posted_in(
            moment(jiff::civil::date(2026, 10, 20), 0, 0),
            moment(jiff::civil::date(2026, 12, 10), 0, 0),
        );
        let spring = posted_in(
            moment(jiff::civil::date(2027, 4, 20), 0, 0),
            moment(jiff::civil::date(2027, 6, 10), 0, 0),
        );
        assert!(autumn > spring, "{autumn} in autumn, {spring} in spring");
        for owner in [PMH, INTERMEDIATE_SERVER, APPLICATION_MANAGEMENT, HEALTH, RESERVATION] {
            assert!(script.truth.of(owner).count() > 0, "{owner}");
        }
    }

    #[test]
    fn ids_are_unique_and_each_copy_has_the_layout_of_its_day() {
        let script = write(3, 120, 5);
        let ids: BTreeSet<&str> = script.town.messages.iter().map(|one| one.id.as_str()).collect();
        assert_eq!(ids.len(), script.town.messages.len());
        let change = moment(calendar::SECOND_LAYOUT, 0, 0);
        let mut layouts = BTreeSet::new();
        for happening in &script.happenings {
            let What::Post(message) = &happening.what else { continue };
            let copy = message.expects.iter().find(|expected| expected.operation == "copy");
            let Some(layout) = copy.and_then(|copy| copy.content.get("layout")) else { continue };
            assert_eq!(layout == "0002", happening.at >= change);
            layouts.insert(layout.as_str());
        }
        assert_eq!(layouts.len(), 2);
    }
}
