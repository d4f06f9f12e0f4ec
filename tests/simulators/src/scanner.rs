//! Searches everything the product left behind for personal data of the synthetic municipality,
//! in the writings a leak could have: UTF-8, full width, UTF-16, base64, hex, JSON escapes.
//!
//! A hit is told by kind and file, never by value.

use crate::Trouble;
use crate::municipality::names::wide;
use crate::municipality::people::Person;
use aho_corasick::{AhoCorasick, AhoCorasickKind};
use base64::Engine;
use base64::engine::general_purpose::STANDARD_NO_PAD;
use serde::Serialize;
use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;

/// The kind that is never excused: no sample has a number of the synthetic municipality.
const MY_NUMBER: &str = "個人番号";
/// Shorter patterns would hit by chance in sealed bytes.
const SHORTEST: usize = 7;

/// One kind of personal data found in one place.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub struct Hit {
    /// 個人番号, name, kana, address.
    pub kind: String,
    /// How it was written.
    pub writing: String,
    /// File or output.
    pub place: String,
    /// How often.
    pub count: usize,
}

/// The search, built once for a municipality.
pub struct Scanner {
    automaton: AhoCorasick,
    /// What each pattern of the automaton is.
    patterns: Vec<Pattern>,
}

/// One writing of one value.
struct Pattern {
    kind: &'static str,
    writing: &'static str,
    value: String,
}

impl Scanner {
    /// Builds the patterns of all these people, but for names and addresses that the definitions in
    /// a folder have in their samples: the store keeps definitions, and they are nobody's.
    pub fn beside(definitions: &Path, people: &[Person]) -> Result<Self, Trouble> {
        let mut samples = String::new();
        for part in ["adapters", "mappings", "schemas"] {
            read_texts(&definitions.join(part), &mut samples)?;
        }
        Scanner::build(people, &samples)
    }

    /// Builds the patterns of all these people.
    pub fn new(people: &[Person]) -> Result<Self, Trouble> {
        Scanner::build(people, "")
    }

    fn build(people: &[Person], samples: &str) -> Result<Self, Trouble> {
        let mut values = values(people);
        let (automaton, patterns) = compiled(&values)?;
        // One pass over the samples, also for what they have encoded, as a signed package has.
        let shared: BTreeSet<&str> = automaton
            .find_overlapping_iter(samples)
            .filter_map(|found| patterns.get(found.pattern().as_usize()))
            .filter(|pattern| pattern.kind != MY_NUMBER)
            .map(|pattern| pattern.value.as_str())
            .collect();
        if shared.is_empty() {
            return Ok(Scanner { automaton, patterns });
        }
        values.retain(|(value, _)| !shared.contains(value.as_str()));
        let (automaton, patterns) = compiled(&values)?;
        Ok(Scanner { automaton, patterns })
    }

    /// How many patterns are searched for.
    pub fn patterns(&self) -> usize {
        self.patterns.len()
    }

    /// Searches bytes that came from `place`.
    pub fn scan(&self, place: &str, bytes: &[u8]) -> Vec<Hit> {
        let mut counts: BTreeMap<(&str, &str), usize> = BTreeMap::new();
        for found in self.automaton.find_iter(bytes) {
            if let Some(pattern) = self.patterns.get(found.pattern().as_usize()) {
                *counts.entry((pattern.kind, pattern.writing)).or_default() += 1;
            }
        }
        let hit = |((kind, writing), count): ((&str, &str), usize)| Hit {
            kind: kind.to_owned(),
            writing: writing.to_owned(),
            place: place.to_owned(),
            count,
        };
        counts.into_iter().map(hit).collect()
    }

    /// Searches a file; one that is not there has no hits.
    pub fn scan_file(&self, path: &Path) -> Result<Vec<Hit>, Trouble> {
        match fs::read(path) {
            Ok(bytes) => Ok(self.scan(&path.display().to_string(), &bytes)),
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(Vec::new()),
            Err(error) => Err(error.into()),
        }
    }

    /// Searches every file below a folder.
    pub fn scan_folder(&self, folder: &Path) -> Result<Vec<Hit>, Trouble> {
        let mut hits = Vec::new();
        for entry in fs::read_dir(folder)? {
            let entry = entry?;
            match entry.file_type()? {
                kind if kind.is_dir() => hits.extend(self.scan_folder(&entry.path())?),
                kind if kind.is_file() => hits.extend(self.scan_file(&entry.path())?),
                _ => {}
            }
        }
        Ok(hits)
    }
}

/// What is personal of these people, each value once, with its kind.
fn values(people: &[Person]) -> Vec<(String, &'static str)> {
    let mut seen = BTreeSet::new();
    let mut values = Vec::new();
    let mut add = |kind: &'static str, value: String| {
        if seen.insert(value.clone()) {
            values.push((value, kind));
        }
    };
    for person in people {
        person.my_number.iter().for_each(|number| add(MY_NUMBER, number.clone()));
        add("name", person.name.clone());
        add("name", person.name.replace('　', ""));
        add("kana", person.kana.clone());
        add("address", person.address.town.clone());
        add("address", format!("{}{}", person.address.town, person.address.lot));
        person.address.building.iter().for_each(|building| add("address", building.clone()));
    }
    values
}

/// The automaton of all writings of these values, and what each of its patterns is.
fn compiled(values: &[(String, &'static str)]) -> Result<(AhoCorasick, Vec<Pattern>), Trouble> {
    let mut known: BTreeMap<Vec<u8>, Pattern> = BTreeMap::new();
    for (value, kind) in values {
        for (writing, bytes) in writings(value) {
            if bytes.len() >= SHORTEST {
                let pattern = || Pattern { kind, writing, value: value.clone() };
                known.entry(bytes).or_insert_with(pattern);
            }
        }
    }
    let (bytes, patterns): (Vec<_>, Vec<_>) = known.into_iter().unzip();
    let automaton =
        AhoCorasick::builder().kind(Some(AhoCorasickKind::ContiguousNFA)).build(bytes)?;
    Ok((automaton, patterns))
}

/// All texts below a folder, one after the other.
fn read_texts(folder: &Path, texts: &mut String) -> Result<(), Trouble> {
    for entry in fs::read_dir(folder)? {
        let path = entry?.path();
        if path.is_dir() {
            read_texts(&path, texts)?;
        } else {
            texts.push_str(&String::from_utf8_lossy(&fs::read(&path)?));
        }
    }
    Ok(())
}

fn writings(value: &str) -> Vec<(&'static str, Vec<u8>)> {
    let units: Vec<u16> = value.encode_utf16().collect();
    let escaped: String = units.iter().map(|unit| format!("\\u{unit:04x}")).collect();
    let hex: String = value.bytes().map(|byte| format!("{byte:02x}")).collect();
    let mut writings = vec![
        ("UTF-8", value.as_bytes().to_vec()),
        ("UTF-16LE", units.iter().flat_map(|unit| unit.to_le_bytes()).collect()),
        ("UTF-16BE", units.iter().flat_map(|unit| unit.to_be_bytes()).collect()),
        ("hex", hex.clone().into_bytes()),
        ("hex", hex.to_uppercase().into_bytes()),
    ];
    if value.is_ascii() {
        writings.push(("full width", wide(value).into_bytes()));
    } else {
        writings.push(("JSON escapes", escaped.clone().into_bytes()));
        writings.push(("JSON escapes", escaped.to_uppercase().replace("\\U", "\\u").into_bytes()));
        let percent: String = value.bytes().map(|byte| format!("%{byte:02X}")).collect();
        writings.push(("percent", percent.into_bytes()));
    }
    writings.extend((0..3).map(|offset| ("base64", base64_core(value.as_bytes(), offset))));
    writings
}

/// The part of the base64 writing that does not depend on what stands before and after, when the
/// value begins `offset` bytes into a group of three.
fn base64_core(value: &[u8], offset: usize) -> Vec<u8> {
    let mut padded = vec![0; offset];
    padded.extend_from_slice(value);
    let first = if offset == 0 { 0 } else { 4 };
    let whole = padded.len() / 3 * 4;
    let text = STANDARD_NO_PAD.encode(padded);
    text.as_bytes().get(first..whole).unwrap_or_default().to_vec()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::municipality::people;
    use base64::engine::general_purpose::STANDARD;

    fn scanner() -> (Scanner, Person) {
        let people = people::generate(7, 40);
        let person = people.iter().find(|p| p.my_number.is_some()).unwrap().clone();
        (Scanner::new(&people).unwrap(), person)
    }

    fn kinds(hits: &[Hit]) -> Vec<&str> {
        hits.iter().map(|hit| hit.kind.as_str()).collect()
    }

    #[test]
    fn a_number_is_found_in_every_writing() {
        let (scanner, person) = scanner();
        let number = person.my_number.unwrap();
        let utf16: Vec<u8> = number.encode_utf16().flat_map(u16::to_le_bytes).collect();
        let hex: String = number.bytes().map(|byte| format!("{byte:02X}")).collect();
        let writings: Vec<Vec<u8>> = vec![
            format!("log x={number} y").into_bytes(),
            format!("番号は{}です", wide(&number)).into_bytes(),
            utf16,
            hex.into_bytes(),
            STANDARD.encode(format!("a{number}bc")).into_bytes(),
            STANDARD.encode(format!("ab{number}c")).into_bytes(),
            STANDARD.encode(&number).into_bytes(),
        ];
        for bytes in writings {
            let hits = scanner.scan("x", &bytes);
            assert!(kinds(&hits).contains(&"個人番号"), "{}", String::from_utf8_lossy(&bytes));
        }
    }

    #[test]
    fn names_and_addresses_are_found_and_the_hit_does_not_repeat_them() {
        let (scanner, person) = scanner();
        let text = format!("{} / {} / {}", person.name, person.kana, person.address.town);
        let hits = scanner.scan("log", text.as_bytes());
        for kind in ["name", "kana", "address"] {
            assert!(kinds(&hits).contains(&kind), "{kind}");
        }
        assert!(!serde_json::to_string(&hits).unwrap().contains(&person.name));
    }

    /// What seed 43 of the mixed faults once was: two generated names that cases of mappings have, too.
    #[test]
    fn samples_of_definitions_share_names_with_people_and_no_numbers() {
        let definitions = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
        let mut texts = String::new();
        for part in ["adapters", "mappings", "schemas"] {
            read_texts(&definitions.join(part), &mut texts).unwrap();
        }
        let people = people::generate(43, 100);
        let hits = Scanner::new(&people).unwrap().scan("definitions", texts.as_bytes());
        assert!(!hits.is_empty() && hits.iter().all(|hit| hit.kind != "個人番号"), "{hits:?}");
        let beside = Scanner::beside(&definitions, &people).unwrap();
        let left = beside.scan("definitions", texts.as_bytes());
        assert!(left.is_empty(), "{left:?}");
    }

    #[test]
    fn innocent_text_has_no_hits() {
        let (scanner, _) = scanner();
        let text = "delivered M07-000012 東京都 江戸川区 1780000000000 髙橋";
        assert!(scanner.scan("log", text.as_bytes()).is_empty());
    }
}
