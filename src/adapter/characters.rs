//! Character policy: what becomes of characters that the counterpart does not know. Nothing is
//! replaced silently: each one is told with its place and code point.

use crate::diagnostic::{Diagnostic, Location, SourceFile};
use crate::mapping::Table;
use crate::model::characters::{BUILT_IN, Repertoire, code_points, units};
use crate::model::codes::adapter as codes;
use crate::model::json::Segment;
use crate::schema::Shape;
use serde_json::Value;
use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

/// Most findings told one by one; the rest is counted.
pub const TOLD: usize = 100;

/// What a route does with characters.
#[derive(Clone, Debug)]
pub struct CharacterPolicy {
    /// The characters that the counterpart knows.
    pub repertoire: Arc<Repertoire>,
    /// Substitutes for others, each within the repertoire.
    pub table: Option<Arc<Table>>,
    /// What stands for a character that has no substitute; without one the message is refused.
    pub mark: Option<char>,
}

/// One character that was not known.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Finding {
    /// JSON pointer of its text; names that the schema does not declare are shown as `?`.
    pub pointer: String,
    /// Which character of the text, from 1; marks count with the character before them.
    pub position: usize,
    /// Its code points, `U+9089 U+E0101`.
    pub found: String,
    /// What became of it.
    pub done: Done,
}

/// What became of a character.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Done {
    /// Nothing: the message is refused.
    Refused,
    /// The table's substitute stands there, here as code points.
    Replaced(String),
    /// The mark stands there.
    Marked,
}

impl Done {
    /// For metrics.
    pub fn name(&self) -> &'static str {
        match self {
            Done::Refused => "refused",
            Done::Replaced(_) => "replaced",
            Done::Marked => "marked",
        }
    }
}

impl fmt::Display for Finding {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{} character {}: {}", self.pointer, self.position, self.found)?;
        match &self.done {
            Done::Refused => Ok(()),
            Done::Replaced(by) if by.is_empty() => formatter.write_str(" left out"),
            Done::Replaced(by) => write!(formatter, " replaced by {by}"),
            Done::Marked => formatter.write_str(" marked"),
        }
    }
}

/// All findings of one document.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Report {
    /// The first of them.
    pub findings: Vec<Finding>,
    /// How many were replaced, marked and refused.
    pub counts: [usize; 3],
}

impl Report {
    /// How many characters were not known.
    pub fn count(&self) -> usize {
        self.counts.iter().sum()
    }

    /// Counts by what became of the characters.
    pub fn by_result(&self) -> impl Iterator<Item = (&'static str, usize)> {
        ["replaced", "marked", "refused"].into_iter().zip(self.counts)
    }

    fn add(&mut self, finding: Finding) {
        let [replaced, marked, refused] = &mut self.counts;
        match finding.done {
            Done::Replaced(_) => *replaced += 1,
            Done::Marked => *marked += 1,
            Done::Refused => *refused += 1,
        }
        if self.findings.len() < TOLD {
            self.findings.push(finding);
        }
    }
}

impl fmt::Display for Report {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, finding) in self.findings.iter().take(10).enumerate() {
            let between = if index == 0 { "" } else { "; " };
            write!(formatter, "{between}{finding}")?;
        }
        match self.count().saturating_sub(10) {
            0 => Ok(()),
            more => write!(formatter, "; and {more} more"),
        }
    }
}

impl CharacterPolicy {
    /// Applies the policy to every text of a document, in place.
    ///
    /// # Errors
    /// The report, when a character was refused; the document must not leave then.
    pub fn apply(&self, document: &mut Value, shape: &Shape) -> Result<Report, Report> {
        let mut place = Place { shape, segments: Vec::new(), report: Report::default() };
        if !self.is_clean(document) {
            self.walk(document, &mut place);
        }
        let report = place.report;
        let [_, _, refused] = report.counts;
        if refused == 0 { Ok(report) } else { Err(report) }
    }

    /// Whether nothing has to be done: the usual case, found without building pointers.
    fn is_clean(&self, value: &Value) -> bool {
        match value {
            Value::String(text) => self.repertoire.has_all(text),
            Value::Array(elements) => elements.iter().all(|element| self.is_clean(element)),
            Value::Object(members) => members
                .iter()
                .all(|(name, member)| self.repertoire.has_all(name) && self.is_clean(member)),
            _ => true,
        }
    }

    fn walk(&self, value: &mut Value, place: &mut Place<'_>) {
        match value {
            Value::String(text) if !self.repertoire.has_all(text) => {
                *text = self.text(text, place);
            }
            Value::Array(elements) => {
                for (index, element) in elements.iter_mut().enumerate() {
                    place.segments.push(Segment::Index(index));
                    self.walk(element, place);
                    place.segments.pop();
                }
            }
            Value::Object(members) => {
                for (name, member) in members.iter_mut() {
                    place.segments.push(Segment::Key(name.clone()));
                    // A name cannot be replaced: it would be another member.
                    let outside = units(name).enumerate().filter(|(_, u)| !self.repertoire.has(u));
                    for (index, unit) in outside {
                        place.found(index, unit, Done::Refused);
                    }
                    self.walk(member, place);
                    place.segments.pop();
                }
            }
            _ => {}
        }
    }

    fn text(&self, text: &str, place: &mut Place<'_>) -> String {
        let mut out = String::with_capacity(text.len());
        for (index, unit) in units(text).enumerate() {
            if self.repertoire.has(unit) {
                out.push_str(unit);
                continue;
            }
            let entry = self.table.as_ref().and_then(|table| table.entries.get(unit)?.as_str());
            let done = match (entry, self.mark) {
                (Some(entry), _) => {
                    out.push_str(entry);
                    Done::Replaced(code_points(entry))
                }
                (None, Some(mark)) => {
                    out.push(mark);
                    Done::Marked
                }
                (None, None) => {
                    out.push_str(unit);
                    Done::Refused
                }
            };
            place.found(index, unit, done);
        }
        out
    }
}

/// Where in the document, and what was found so far.
struct Place<'s> {
    shape: &'s Shape,
    segments: Vec<Segment>,
    report: Report,
}

impl Place<'_> {
    fn found(&mut self, index: usize, unit: &str, done: Done) {
        let pointer = self.shape.pointer(&self.segments);
        self.report.add(Finding { pointer, position: index + 1, found: code_points(unit), done });
    }
}

/// The repertoires that definitions bring along: `mappings/repertoires/<name>.txt`.
#[derive(Debug, Default)]
pub struct Repertoires {
    own: BTreeMap<String, Arc<Repertoire>>,
}

impl Repertoires {
    /// Reads those among `files`; what is wrong with them is reported.
    pub fn load(files: &[Arc<SourceFile>], diagnostics: &mut Vec<Diagnostic>) -> Repertoires {
        let mut own = BTreeMap::new();
        for file in files.iter().filter(|file| file.path.contains("mappings/repertoires/")) {
            let name = file.path.rsplit('/').next().and_then(|name| name.strip_suffix(".txt"));
            let Some(name) = name else { continue };
            match Repertoire::read(name, &file.text) {
                Ok(read) => {
                    own.insert(name.to_owned(), Arc::new(read));
                }
                Err(fault) => {
                    let span = fault.offset..fault.offset;
                    let place = Location { file: Arc::clone(file), span };
                    let diagnostic =
                        Diagnostic::error(&codes::BAD_REPERTOIRE, place, fault.to_string());
                    diagnostics.push(diagnostic);
                }
            }
        }
        Repertoires { own }
    }

    /// The repertoire of a name: one of these, or built in.
    pub fn get(&self, name: &str) -> Option<Arc<Repertoire>> {
        self.own.get(name).cloned().or_else(|| Repertoire::built_in(name))
    }

    /// All names.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.own.keys().map(String::as_str).chain(BUILT_IN.iter().copied())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::schema::Property;
    use proptest::prelude::{any, proptest};
    use serde_json::json;

    fn policy(entries: Value, mark: Option<char>) -> CharacterPolicy {
        let entries = entries.as_object().unwrap().clone().into_iter().collect();
        let table = Arc::new(Table { name: "t".into(), entries, ..Table::default() });
        let repertoire = Repertoire::built_in("jisx0208").unwrap();
        CharacterPolicy { repertoire, table: Some(table), mark }
    }

    /// `{name, rows: [{a}]}`.
    fn record() -> Shape {
        let object = |properties| Shape { properties, ..Shape::default() };
        let member = |name: &str, shape| Property { name: name.into(), required: false, shape };
        let row = object(vec![member("a", Shape::default())]);
        let rows = Shape { items: Some(Box::new(row)), ..Shape::default() };
        object(vec![member("name", Shape::default()), member("rows", rows)])
    }

    #[test]
    fn what_is_known_stays_and_costs_no_word() {
        let mut document = json!({"name": "渡し　船 1", "rows": [{"a": "～−"}, null, 1, true]});
        let before = document.clone();
        let report = policy(json!({}), None).apply(&mut document, &record());
        assert_eq!(report, Ok(Report::default()));
        assert_eq!(document, before);
    }

    #[test]
    fn substitutes_come_first_then_the_mark_and_all_of_it_is_told() {
        let mut document = json!({
            "name": "髙橋邉\u{E0101}𠮷", "rows": [{"a": "x"}, {"a": "a㈱"}], "山田": "①"
        });
        let policy = policy(json!({"髙": "高", "邉\u{E0101}": "邊", "㈱": "（株）"}), Some('〓'));
        let report = policy.apply(&mut document, &record()).unwrap();
        assert_eq!(
            document,
            json!({"name": "高橋邊〓", "rows": [{"a": "x"}, {"a": "a（株）"}], "山田": "〓"})
        );
        let told: Vec<String> = report.findings.iter().map(ToString::to_string).collect();
        assert_eq!(
            told,
            [
                "/name character 1: U+9AD9 replaced by U+9AD8",
                "/name character 3: U+9089 U+E0101 replaced by U+908A",
                "/name character 4: U+20BB7 marked",
                "/rows/1/a character 2: U+3231 replaced by U+FF08 U+682A U+FF09",
                "/? character 1: U+2460 marked",
            ]
        );
        assert_eq!(report.counts, [3, 2, 0]);
    }

    #[test]
    fn without_a_mark_the_message_is_refused() {
        let mut document = json!({"name": "髙𠮷"});
        let report = policy(json!({"髙": "高"}), None).apply(&mut document, &record()).unwrap_err();
        assert_eq!(report.counts, [1, 0, 1]);
        assert!(report.to_string().ends_with("/name character 2: U+20BB7"));
    }

    proptest! {
        #[test]
        fn what_leaves_is_within_the_repertoire(text in any::<String>()) {
            let policy = policy(json!({}), Some('〓'));
            let mut document = json!({"name": text});
            let report = policy.apply(&mut document, &record()).unwrap();
            let left = document["name"].as_str().unwrap();
            assert!(policy.repertoire.has_all(left));
            let marks = units(left).zip(units(&text)).filter(|(one, other)| one != other);
            assert_eq!(marks.count(), report.count());
        }
    }
}
