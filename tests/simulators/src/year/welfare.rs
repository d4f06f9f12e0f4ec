//! The daily file of the 生活保護システム: one late, one short, one with a record that is wrong.

use super::calendar::{self, CLOSED};
use super::life::Life;
use super::pen::{Daily, Pen, What};
use super::routes::HEALTH;
use crate::counterparts::holdings::Item;
use crate::counterparts::times::moment;
use crate::municipality::people::Person;
use jiff::civil::{Date, Weekday, date};
use std::collections::BTreeMap;

/// Recipients in the town; the file names all of them every day.
const RECIPIENTS: usize = 6;
/// The file comes after its time.
const LATE: Date = date(2026, 9, 16);
/// The file has half of its records.
const SHORT: Date = date(2026, 11, 18);
/// One record has a status that there is not.
const BAD: Date = date(2026, 10, 7);

/// Writes the files of the year.
pub fn write(pen: &mut Pen, lives: &[&Life]) {
    let staying =
        lives.iter().filter(|life| life.going.is_none() && life.begins() == calendar::FIRST);
    let people: Vec<Person> = staying.take(RECIPIENTS).map(|life| life.person.clone()).collect();
    let mut came: BTreeMap<String, usize> = BTreeMap::new();
    for day in pen.days.all().to_vec() {
        let weekend = matches!(day.weekday(), Weekday::Saturday | Weekday::Sunday);
        if weekend || (CLOSED.0 <= day && day < CLOSED.1) {
            continue;
        }
        let daily = file(pen, day, &people, &mut came);
        if day == LATE {
            pen.happens(moment(day, 6, 30), What::Told("G708"));
        }
        let hour = if day == LATE { 8 } else { 5 };
        pen.happens(moment(day, hour, 0), What::File(Box::new(daily)));
        if day == SHORT {
            pen.happens(moment(day, 6, 0), What::Told("G709"));
        }
    }
}

fn file(pen: &mut Pen, day: Date, people: &[Person], came: &mut BTreeMap<String, usize>) -> Daily {
    let mut text = "atenaNumber,status,from,to\r\n".to_owned();
    let (mut good, mut bad) = (0, 0);
    let many = if day == SHORT { people.len() / 2 } else { people.len() };
    for (number, person) in people.iter().enumerate().take(many) {
        let (code, status, until) = status(number, day);
        let is_bad = day == BAD && number == 1;
        let code = if is_bad { "7" } else { code };
        text.push_str(&format!("{},{code},20260401,{until}\r\n", person.atena_number));
        if is_bad {
            bad += 1;
            continue;
        }
        good += 1;
        let key = format!("J{:06}", person.index);
        let count = came.entry(key.clone()).or_default();
        *count += 1;
        let mut item = Item::from([
            ("person".to_owned(), person.atena_number.clone()),
            ("status".to_owned(), status.to_owned()),
            ("from".to_owned(), "2026-04-01".to_owned()),
            ("to".to_owned(), String::new()),
            ("times".to_owned(), count.to_string()),
        ]);
        if !until.is_empty() {
            item.insert("to".to_owned(), "2027-01-31".to_owned());
        }
        pen.truth.put(HEALTH, "welfare", &key, item);
    }
    Daily { day: day.strftime("%Y%m%d").to_string(), text, good, bad }
}

/// One is suspended for a while, another one ends.
fn status(number: usize, day: Date) -> (&'static str, &'static str, &'static str) {
    match number {
        2 if date(2026, 11, 1) <= day && day < date(2027, 2, 1) => ("2", "suspended", ""),
        4 if day >= date(2027, 2, 1) => ("9", "ended", "20270131"),
        _ => ("1", "receiving", ""),
    }
}
