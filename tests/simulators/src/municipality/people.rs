//! Residents in families: ids with valid check digits, what changes in a year.

use crate::municipality::names::{self, Address};
use crate::numbers::{atena_check, my_number_check};
use crate::random::Random;
use serde_json::{Value, json};
use std::collections::BTreeSet;

/// One resident.
#[derive(Clone, Debug)]
pub struct Person {
    /// Number in the municipality, from 0.
    pub index: usize,
    /// 宛名番号 (15 digits).
    pub atena_number: String,
    /// 個人番号; a few have none.
    pub my_number: Option<String>,
    /// 氏名.
    pub name: String,
    /// 氏名フリガナ.
    pub kana: String,
    /// Date of birth.
    pub birth: String,
    /// `male`, `female` or `unknown`.
    pub sex: &'static str,
    /// Where they live.
    pub address: Address,
    /// 不開示 (DV等支援措置).
    pub not_disclosed: bool,
    /// PMH仮名識別子.
    pub pseudonym: String,
    /// The intermediate server does not know this 宛名番号 (a seeded error of the municipality).
    pub stranger: bool,
}

impl Person {
    /// The person as the health system writes it into messages.
    pub fn json(&self) -> Value {
        let mut person = json!({"atenaNumber": self.atena_number, "name": self.name,
            "nameKana": self.kana, "birthDate": self.birth, "sex": self.sex,
            "address": self.address.json(), "isNotDisclosed": self.not_disclosed});
        if let (Some(number), Some(person)) = (&self.my_number, person.as_object_mut()) {
            person.insert("individualNumber".to_owned(), number.as_str().into());
        }
        person
    }

    /// The sex code of PMH.
    pub fn sex_code(&self) -> &'static str {
        match self.sex {
            "male" => "1",
            "female" => "2",
            _ => "0",
        }
    }
}

/// Generates so many residents.
pub fn generate(seed: u64, count: usize) -> Vec<Person> {
    let mut random = Random::new(seed, "people");
    let mut numbers = Numbers::default();
    let mut people = Vec::with_capacity(count);
    while people.len() < count {
        let family = names::surname(&mut random);
        let address = Address::new(&mut random);
        let hidden = random.chance(0.02);
        let size = random.between(1, 5);
        for member in 0..size {
            if people.len() == count {
                break;
            }
            let male = random.chance(0.5);
            let foreigner = size == 1 && random.chance(0.15);
            let (name, kana) = match foreigner {
                true => names::foreign(&mut random),
                false => names::given(&mut random, &family, male),
            };
            let year = if member < 2 {
                1960 + random.between(0, 45)
            } else {
                2012 + random.between(0, 13)
            };
            let index = people.len();
            let sex = match (random.chance(0.005), male) {
                (true, _) => "unknown",
                (false, true) => "male",
                (false, false) => "female",
            };
            people.push(Person {
                index,
                atena_number: numbers.atena(&mut random),
                my_number: (!random.chance(0.004)).then(|| numbers.mine(&mut random)),
                name,
                kana,
                birth: format!("{year}-{:02}-{:02}", random.between(1, 12), random.between(1, 28)),
                sex,
                address: address.clone(),
                not_disclosed: hidden,
                pseudonym: pseudonym(random.word(), index),
                stranger: random.chance(0.002),
            });
        }
    }
    people
}

/// Hands out each number once.
#[derive(Default)]
struct Numbers {
    given: BTreeSet<String>,
}

impl Numbers {
    fn atena(&mut self, random: &mut Random) -> String {
        self.unique(random, 14, atena_check)
    }

    fn mine(&mut self, random: &mut Random) -> String {
        self.unique(random, 11, my_number_check)
    }

    fn unique(
        &mut self,
        random: &mut Random,
        length: usize,
        check: fn(&[u8]) -> Option<u8>,
    ) -> String {
        loop {
            let body = random.digits(length);
            let Some(digit) = check(body.as_bytes()) else { continue };
            let number = format!("{body}{}", char::from(digit));
            if self.given.insert(number.clone()) {
                return number;
            }
        }
    }
}

/// A PMH仮名識別子 in letters only: digits in a row could be taken for a 個人番号.
fn pseudonym(word: u64, index: usize) -> String {
    let hex = format!("{word:016x}{:04x}", index & 0xffff);
    let letter = |c: char| char::from(b'a' + c.to_digit(16).unwrap_or(0) as u8);
    std::iter::once('P').chain(hex.chars().map(letter)).collect()
}
