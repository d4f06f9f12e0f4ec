//! Output: data to standard output, words for people to standard error, tables for both.

use super::trouble::{Trouble, UNAVAILABLE};
use serde::Serialize;
use std::io::{self, ErrorKind, Write};

/// One line or text for the person at the terminal.
pub fn human(text: &str) {
    let mut stderr = io::stderr().lock();
    // Nobody is left to be told when standard error is gone.
    let _ = writeln!(stderr, "{text}");
}

/// Data; a reader that has seen enough (`| head`) is no trouble.
pub fn data(text: &str) -> Result<(), Trouble> {
    let mut stdout = io::stdout().lock();
    match stdout.write_all(text.as_bytes()).and_then(|()| stdout.flush()) {
        Err(error) if error.kind() == ErrorKind::BrokenPipe => Ok(()),
        other => other.map_err(|error| {
            Trouble::new(UNAVAILABLE, format!("standard output: {}", error.kind()))
        }),
    }
}

/// One JSON value as data, indented for eyes.
pub fn json(value: &impl Serialize) -> Result<(), Trouble> {
    let text = serde_json::to_string_pretty(value)
        .map_err(|error| Trouble::new(UNAVAILABLE, format!("not expressible as JSON: {error}")))?;
    data(&format!("{text}\n"))
}

/// Rows below a head, in columns; without rows an empty text.
pub fn table(head: &[&str], rows: &[Vec<String>]) -> String {
    if rows.is_empty() {
        return String::new();
    }
    let head: Vec<String> = head.iter().map(|&cell| cell.to_owned()).collect();
    let mut widths = vec![0; head.len()];
    for row in std::iter::once(&head).chain(rows) {
        for (widest, cell) in widths.iter_mut().zip(row) {
            *widest = (*widest).max(width(cell));
        }
    }
    let mut out = String::new();
    for row in std::iter::once(&head).chain(rows) {
        let mut line = String::new();
        for (cell, widest) in row.iter().zip(&widths) {
            line.push_str(cell);
            line.push_str(&" ".repeat(widest - width(cell) + 2));
        }
        out.push_str(line.trim_end());
        out.push('\n');
    }
    out
}

/// `1 route`, `2 routes`.
pub fn plural(count: usize, noun: &str) -> String {
    let stem = noun.strip_suffix('y').filter(|stem| !stem.ends_with(['a', 'e', 'o', 'u']));
    match (count, stem) {
        (1, _) => format!("1 {noun}"),
        (_, Some(stem)) => format!("{count} {stem}ies"),
        _ => format!("{count} {noun}s"),
    }
}

/// Columns on a terminal; East Asian wide characters take two.
fn width(text: &str) -> usize {
    let wide = |c: char| {
        matches!(c, '\u{1100}'..='\u{115F}' | '\u{2E80}'..='\u{A4CF}' | '\u{AC00}'..='\u{D7A3}'
            | '\u{F900}'..='\u{FAFF}' | '\u{FE30}'..='\u{FE6F}' | '\u{FF00}'..='\u{FF60}'
            | '\u{FFE0}'..='\u{FFE6}' | '\u{20000}'..='\u{3FFFD}')
    };
    text.chars().map(|c| if wide(c) { 2 } else { 1 }).sum()
}

#[cfg(test)]
mod tests {
    use super::{plural, table};

    #[test]
    fn columns_stand_below_each_other_also_behind_wide_characters() {
        let row = |cells: [&str; 2]| cells.map(str::to_owned).to_vec();
        let shown = table(&["kind", "route"], &[row(["送付", "a"]), row(["", "bb"])]);
        assert_eq!(shown, "kind  route\n送付  a\n      bb\n");
        assert_eq!(table(&["kind"], &[]), "");
    }

    #[test]
    fn nouns_agree_with_their_number() {
        assert_eq!(plural(1, "entry"), "1 entry");
        assert_eq!(plural(0, "entry"), "0 entries");
        assert_eq!(plural(2, "route"), "2 routes");
    }
}
