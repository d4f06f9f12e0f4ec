//! Names of files: a template with places for date, time and numbers, written and recognised.

use jiff::Timestamp;
use jiff::tz::{Offset, TimeZone};

/// A template such as `SUBJECT_{date}_{set:6}_{part:3}.csv`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Template {
    text: String,
    pieces: Vec<Piece>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Piece {
    Text(String),
    /// 8 digits.
    Date,
    /// 6 digits.
    Time,
    /// At least so many digits.
    Set(usize),
    /// At least so many digits.
    Part(usize),
    /// Any allowed characters; only recognised, never written.
    Any,
}

/// What a name is written from.
#[derive(Clone, Copy, Debug)]
pub struct Facts {
    /// Number of the set.
    pub set: u64,
    /// Number of the part, from 1.
    pub part: u64,
    /// When the set was closed.
    pub at: Timestamp,
}

/// What a name was recognised by.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Found {
    /// `{date}`.
    pub date: Option<String>,
    /// `{time}`.
    pub time: Option<String>,
    /// `{set}`.
    pub set: Option<u64>,
    /// `{part}`.
    pub part: Option<u64>,
    /// `*`.
    pub any: Option<String>,
}

/// Longest name.
const LONGEST: usize = 120;

impl Template {
    /// Reads a template; `wild` allows `*`.
    ///
    /// # Errors
    /// What is wrong with it.
    pub fn parse(text: &str, wild: bool) -> Result<Template, String> {
        let mut pieces: Vec<Piece> = Vec::new();
        let mut rest = text;
        while let Some(first) = rest.chars().next() {
            if let Some(inner) = rest.strip_prefix('{') {
                let (word, behind) =
                    inner.split_once('}').ok_or("a `{` without its `}`".to_owned())?;
                let piece = placeholder(word)?;
                if pieces.last().is_some_and(|last| !matches!(last, Piece::Text(_))) {
                    return Err("between two placeholders stands a character".to_owned());
                }
                pieces.push(piece);
                rest = behind;
                continue;
            }
            rest = rest.get(first.len_utf8()..).unwrap_or_default();
            if first == '*' && wild {
                if pieces.contains(&Piece::Any) {
                    return Err("`*` stands once".to_owned());
                }
                pieces.push(Piece::Any);
            } else if is_allowed(first) {
                match pieces.last_mut() {
                    Some(Piece::Text(text)) => text.push(first),
                    _ => pieces.push(Piece::Text(first.to_string())),
                }
            } else {
                return Err(format!("`{first}` is not one of A-Z a-z 0-9 . _ -"));
            }
        }
        if text.is_empty() || text.starts_with('.') || text.len() > LONGEST {
            return Err(format!("a name has 1 to {LONGEST} characters and no dot in front"));
        }
        let digits = |text: &str| text.starts_with(|c: char| c.is_ascii_digit());
        let pairs = pieces.iter().zip(pieces.iter().skip(1));
        for (one, next) in pairs {
            if let (Piece::Set(_) | Piece::Part(_), Piece::Text(next)) = (one, next)
                && digits(next)
            {
                return Err("behind a number stands no digit".to_owned());
            }
        }
        Ok(Template { text: text.to_owned(), pieces })
    }

    /// As it is declared.
    pub fn text(&self) -> &str {
        &self.text
    }

    /// Whether names differ from set to set.
    pub fn has_set(&self) -> bool {
        self.pieces.iter().any(|piece| matches!(piece, Piece::Set(_)))
    }

    /// Whether names differ from part to part.
    pub fn has_part(&self) -> bool {
        self.pieces.iter().any(|piece| matches!(piece, Piece::Part(_)))
    }

    /// Whether it holds what `Found` has to give.
    pub fn is_told_by(&self, other: &Template) -> bool {
        let same = |piece: &Piece, known: &Piece| {
            std::mem::discriminant(piece) == std::mem::discriminant(known)
        };
        self.pieces.iter().all(|piece| {
            matches!(piece, Piece::Text(_)) || other.pieces.iter().any(|known| same(piece, known))
        })
    }

    /// Writes a name.
    pub fn render(&self, facts: &Facts) -> String {
        let at = facts.at.to_zoned(japan());
        let piece = |piece: &Piece| match piece {
            Piece::Text(text) => text.clone(),
            Piece::Date => at.strftime("%Y%m%d").to_string(),
            Piece::Time => at.strftime("%H%M%S").to_string(),
            Piece::Set(width) => format!("{:0width$}", facts.set),
            Piece::Part(width) => format!("{:0width$}", facts.part),
            Piece::Any => String::new(),
        };
        self.pieces.iter().map(piece).collect()
    }

    /// Writes the name that goes with one that was recognised; `None` where it lacks something.
    pub fn beside(&self, found: &Found) -> Option<String> {
        let piece = |piece: &Piece| match piece {
            Piece::Text(text) => Some(text.clone()),
            Piece::Date => found.date.clone(),
            Piece::Time => found.time.clone(),
            Piece::Set(width) => found.set.map(|set| format!("{set:0width$}")),
            Piece::Part(width) => found.part.map(|part| format!("{part:0width$}")),
            Piece::Any => found.any.clone(),
        };
        self.pieces.iter().map(piece).collect()
    }

    /// Recognises a name.
    pub fn recognise(&self, name: &str) -> Option<Found> {
        if name.len() > 2 * LONGEST || name.starts_with('.') || !name.chars().all(is_allowed) {
            return None;
        }
        recognise(&self.pieces, name, Found::default())
    }
}

fn recognise(pieces: &[Piece], name: &str, mut found: Found) -> Option<Found> {
    let Some((piece, others)) = pieces.split_first() else {
        return name.is_empty().then_some(found);
    };
    let digits = name.len() - name.trim_start_matches(|c: char| c.is_ascii_digit()).len();
    let number = |width: usize| -> Option<(u64, &str)> {
        let (digits, rest) = name.split_at_checked(digits)?;
        let exact = digits.len() == width || (digits.len() > width && !digits.starts_with('0'));
        Some((digits.parse().ok().filter(|_| exact)?, rest))
    };
    let fixed = |length: usize| name.split_at_checked(length).filter(|_| digits >= length);
    let rest = match piece {
        Piece::Text(text) => name.strip_prefix(text.as_str())?,
        Piece::Date => {
            let (date, rest) = fixed(8)?;
            found.date = Some(date.to_owned());
            rest
        }
        Piece::Time => {
            let (time, rest) = fixed(6)?;
            found.time = Some(time.to_owned());
            rest
        }
        Piece::Set(width) => {
            let (set, rest) = number(*width)?;
            found.set = Some(set);
            rest
        }
        Piece::Part(width) => {
            let (part, rest) = number(*width)?;
            found.part = Some(part);
            rest
        }
        Piece::Any => {
            let ends = 1..=name.len();
            return ends.into_iter().find_map(|end| {
                let (any, rest) = name.split_at_checked(end)?;
                recognise(others, rest, Found { any: Some(any.to_owned()), ..found.clone() })
            });
        }
    };
    recognise(others, rest, found)
}

fn placeholder(word: &str) -> Result<Piece, String> {
    let (name, width) = word.split_once(':').unwrap_or((word, "1"));
    let width: usize =
        width.parse().ok().filter(|width| (1..=12).contains(width)).ok_or_else(|| {
            "behind the colon stands the least number of digits, 1 to 12".to_owned()
        })?;
    match name {
        "date" => Ok(Piece::Date),
        "time" => Ok(Piece::Time),
        "set" => Ok(Piece::Set(width)),
        "part" => Ok(Piece::Part(width)),
        _ => Err(format!("`{{{word}}}` is none of {{date}}, {{time}}, {{set:N}}, {{part:N}}")),
    }
}

/// What may stand in a name: nothing that a shell, an URL or a log would read otherwise.
pub fn is_allowed(c: char) -> bool {
    c.is_ascii_alphanumeric() || matches!(c, '.' | '_' | '-')
}

/// The time zone of Japan.
pub fn japan() -> TimeZone {
    TimeZone::fixed(Offset::constant(9))
}

#[cfg(test)]
mod tests {
    use super::{Facts, Template};
    use crate::policy::calendar::japan_time;
    use proptest::prelude::*;

    fn template(text: &str) -> Template {
        Template::parse(text, true).unwrap()
    }

    #[test]
    fn what_is_written_is_recognised() {
        let name = template("SUBJECT_{date}_{set:6}-{part:3}.csv");
        let at = japan_time("2026-12-01T18:00").unwrap();
        let written = name.render(&Facts { set: 17, part: 2, at });
        assert_eq!(written, "SUBJECT_20261201_000017-002.csv");
        let found = name.recognise(&written).unwrap();
        assert_eq!((found.set, found.part), (Some(17), Some(2)));
        assert_eq!(name.beside(&found).unwrap(), written);
        let marker = template("SUBJECT_{date}_{set:6}.end");
        assert!(marker.is_told_by(&name) && !name.is_told_by(&marker));
        assert_eq!(marker.beside(&found).unwrap(), "SUBJECT_20261201_000017.end");
    }

    #[test]
    fn other_names_are_not() {
        let name = template("A_{date}_{set:3}.csv");
        for other in [
            "A_20261201_01.csv",
            "A_20261201_0017.csv",
            "A_2026120_017.csv",
            "B_20261201_017.csv",
            ".A_20261201_017.csv",
            "A_20261201_017.csv.part",
        ] {
            assert_eq!(name.recognise(other), None, "{other}");
        }
        assert!(name.recognise("A_20261201_1017.csv").is_some());
        let any = template("R_*.csv").recognise("R_a.b.csv").unwrap();
        assert_eq!(any.any.as_deref(), Some("a.b"));
    }

    #[test]
    fn templates_that_could_be_misread_are_refused() {
        for bad in ["", ".x", "a/b", "{date", "{day}", "{set}{part}", "{set}1.csv", "a b", "**"] {
            assert!(Template::parse(bad, true).is_err(), "{bad}");
        }
        assert!(Template::parse("a*.csv", false).is_err());
    }

    proptest! {
        #[test]
        fn names_of_different_sets_and_parts_differ(a in any::<(u32, u16)>(), b in any::<(u32, u16)>()) {
            let name = template("X{set:4}_{part:2}.dat");
            let at = japan_time("2026-12-01T18:00").unwrap();
            let of = |(set, part): (u32, u16)| {
                name.render(&Facts { set: set.into(), part: part.into(), at })
            };
            prop_assert_eq!(a == b, of(a) == of(b));
            let found = name.recognise(&of(a)).unwrap();
            prop_assert_eq!((found.set, found.part), (Some(a.0.into()), Some(a.1.into())));
        }
    }
}
