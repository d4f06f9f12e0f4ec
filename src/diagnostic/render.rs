//! Renders diagnostics: annotated text for people, JSON for tools.

use crate::diagnostic::{Diagnostic, Severity};
use serde_json::{Value, json};
use std::fmt::Write;

/// Most diagnostics shown in full; the rest are counted.
const SHOWN: usize = 20;

/// Longest source line shown, in characters; longer ones are cut around the place.
const LINE: usize = 120;

/// Annotated text, readable without colour: what, where, the line itself, what to do. Errors come
/// before warnings, each in the order of the files.
pub fn text(diagnostics: &[Diagnostic]) -> String {
    let mut sorted: Vec<&Diagnostic> = diagnostics.iter().collect();
    sorted.sort_by_key(|diagnostic| diagnostic.severity);
    let mut out = String::new();
    for diagnostic in sorted.iter().take(SHOWN) {
        one(&mut out, diagnostic);
        out.push('\n');
    }
    if sorted.len() > SHOWN {
        let _ = writeln!(out, "… and {} more\n", sorted.len() - SHOWN);
    }
    if let Some(line) = count(diagnostics) {
        let _ = writeln!(out, "{line}");
    }
    out
}

/// The same for tools: an array of objects, all of them.
pub fn json(diagnostics: &[Diagnostic]) -> Value {
    let one = |diagnostic: &Diagnostic| {
        let location = &diagnostic.location;
        let (line, column) = location.file.position(location.span.start);
        let (end_line, end_column) = location.file.position(location.span.end);
        json!({
            "code": diagnostic.code.code,
            "severity": word(diagnostic.severity),
            "message": diagnostic.message,
            "file": location.file.path,
            "line": line,
            "column": column,
            "endLine": end_line,
            "endColumn": end_column,
            "hint": diagnostic.hint,
        })
    };
    Value::Array(diagnostics.iter().map(one).collect())
}

fn word(severity: Severity) -> &'static str {
    match severity {
        Severity::Error => "error",
        Severity::Warning => "warning",
    }
}

fn count(diagnostics: &[Diagnostic]) -> Option<String> {
    let errors = diagnostics.iter().filter(|d| d.severity == Severity::Error).count();
    let warnings = diagnostics.len() - errors;
    let plural = |n: usize, noun: &str| format!("{n} {noun}{}", if n == 1 { "" } else { "s" });
    match (errors, warnings) {
        (0, 0) => None,
        (_, 0) => Some(plural(errors, "error")),
        (0, _) => Some(plural(warnings, "warning")),
        _ => Some(format!("{}, {}", plural(errors, "error"), plural(warnings, "warning"))),
    }
}

fn one(out: &mut String, diagnostic: &Diagnostic) {
    let file = &diagnostic.location.file;
    let span = &diagnostic.location.span;
    let (line, column) = file.position(span.start);
    let source = file.text.lines().nth(line - 1).unwrap_or("");
    let margin = " ".repeat(line.to_string().len());
    let (shown, before) = window(source, column - 1);
    let marked = file.text.get(span.clone()).unwrap_or("");
    let marked = marked.lines().next().unwrap_or("");
    let room = width(&shown).saturating_sub(before).max(1);
    let carets = "^".repeat(width(marked).clamp(1, room));
    let severity = word(diagnostic.severity);
    let _ = write!(
        out,
        "{severity}[{}]: {}\n{margin}--> {}:{line}:{column}\n{margin} |\n{line} | {shown}\n\
         {margin} | {}{carets}\n",
        diagnostic.code.code,
        diagnostic.message,
        file.path,
        " ".repeat(before),
    );
    if let Some(hint) = &diagnostic.hint {
        let _ = writeln!(out, "{margin} = hint: {hint}");
    }
}

/// The part of a line to show, and how many columns stand before character `at` of the line.
fn window(line: &str, at: usize) -> (String, usize) {
    let start = if line.chars().count() <= LINE { 0 } else { at.saturating_sub(LINE / 2) };
    let clean = |c: char| if c.is_control() { ' ' } else { c };
    let mut shown: String = if start > 0 { "…".into() } else { String::new() };
    let before: String =
        shown.chars().chain(line.chars().skip(start).take(at - start).map(clean)).collect();
    shown.extend(line.chars().skip(start).take(LINE).map(clean));
    (shown, width(&before))
}

/// Columns on a terminal: East Asian wide characters take two, so that carets stand below them.
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
    use super::{json, text};
    use crate::diagnostic::{Diagnostic, Location, SourceFile};
    use crate::model::codes::mapping as codes;

    fn sample(text: &str, mark: &str) -> Diagnostic {
        let start = text.find(mark).unwrap();
        let file = SourceFile::new("mappings/x/mapping.yaml", text);
        let location = Location { file, span: start..start + mark.len() };
        Diagnostic::error(&codes::UNKNOWN_SOURCE, location, "unknown source path `doze`")
            .hint("did you mean `dose`?")
    }

    #[test]
    fn shows_the_line_and_points_below_wide_characters() {
        let shown = text(&[sample("rules:\n  回数: doze\n", "doze")]);
        assert_eq!(
            shown,
            "error[M201]: unknown source path `doze`\n \
             --> mappings/x/mapping.yaml:2:7\n  |\n2 |   回数: doze\n  |         ^^^^\n  \
             = hint: did you mean `dose`?\n\n1 error\n"
        );
    }

    #[test]
    fn shows_twenty_and_counts_the_rest() {
        let many = vec![sample("a: doze", "doze"); 25];
        let shown = text(&many);
        assert_eq!(shown.matches("error[").count(), 20);
        assert!(shown.ends_with("… and 5 more\n\n25 errors\n"), "{shown}");
    }

    #[test]
    fn a_long_line_is_cut_around_the_place() {
        let shown = text(&[sample(&format!("{}doze{}", "x".repeat(500), "y".repeat(500)), "doze")]);
        let lines: Vec<&str> = shown.lines().collect();
        let column = lines[4].find('^').unwrap();
        let at: String = lines[3].chars().skip(column).take(4).collect();
        assert_eq!(at, "doze");
    }

    #[test]
    fn json_has_places_from_one() {
        let value = json(&[sample("a: doze", "doze")]);
        assert_eq!(value[0]["line"], 1);
        assert_eq!(value[0]["column"], 4);
        assert_eq!(value[0]["endColumn"], 8);
        assert_eq!(value[0]["code"], "M201");
    }
}
