//! Reads a repertoire file: one code point, range or sequence a line.

use super::Repertoire;
use std::fmt;

/// A line that cannot be read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Fault {
    /// Line, from 1.
    pub line: usize,
    /// Bytes of the file before the line.
    pub offset: usize,
}

impl fmt::Display for Fault {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let form = "`U+6E21`, `U+4E00..U+9FFF` or `U+9089 U+E0101`";
        write!(formatter, "line {}: not {form}", self.line)
    }
}

impl Repertoire {
    /// Reads a repertoire: `U+6E21`, `U+4E00..U+9FFF` and sequences such as `U+9089 U+E0101`, one
    /// a line; what stands behind a comma, and lines that begin with `#`, are for people.
    /// Printable ASCII is always in.
    ///
    /// # Errors
    /// The first line that is none of these.
    pub fn read(name: &str, text: &str) -> Result<Repertoire, Fault> {
        let mut found = Repertoire::empty(name);
        let mut offset = 0;
        for (index, line) in text.split_inclusive('\n').enumerate() {
            let entry = line.split(',').next().unwrap_or("").trim();
            if !entry.is_empty() && !entry.starts_with('#') {
                found.entry(entry).ok_or(Fault { line: index + 1, offset })?;
            }
            offset += line.len();
        }
        Ok(found)
    }

    fn entry(&mut self, entry: &str) -> Option<()> {
        if let Some((first, last)) = entry.split_once("..") {
            let (first, last) = (point(first)?, point(last)?);
            self.add_range(first, last);
            return (first <= last).then_some(());
        }
        let unit: Option<String> = entry.split_whitespace().map(point).collect();
        let unit = unit?;
        let mut characters = unit.chars();
        match (characters.next(), characters.next()) {
            (Some(only), None) => self.add(only),
            _ => {
                self.sequences.insert(unit);
            }
        }
        Some(())
    }
}

fn point(text: &str) -> Option<char> {
    let digits = text.strip_prefix("U+")?;
    let good = (4..=6).contains(&digits.len()) && digits.bytes().all(|b| b.is_ascii_hexdigit());
    char::from_u32(u32::from_str_radix(digits, 16).ok().filter(|_| good)?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn points_ranges_and_sequences_are_read() {
        let text = "# ours\nU+6E21,渡\r\nU+4E00..U+4E02\n\nU+9089 U+E0101\nU+20BB7";
        let found = Repertoire::read("ours", text).unwrap();
        for unit in ["渡", "一", "丂", "邉\u{E0101}", "𠮷", "a"] {
            assert!(found.has(unit), "{unit}");
        }
        for unit in ["邉", "七", "渡\u{E0101}"] {
            assert!(!found.has(unit), "{unit}");
        }
    }

    #[test]
    fn the_first_bad_line_is_told() {
        for bad in ["6E21", "U+6E", "U+110000", "U+D800", "U+4E02..U+4E00", "U+4E00..", "U+6E21 x"]
        {
            let fault = Repertoire::read("x", &format!("U+6E21\n{bad}\n")).unwrap_err();
            assert_eq!(fault, Fault { line: 2, offset: 7 }, "{bad}");
        }
    }
}
