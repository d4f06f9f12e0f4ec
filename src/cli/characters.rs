//! `watashi characters`: which characters of a file a repertoire lacks; each with row, column and
//! code point, never with the text around it.

use super::trouble::{Trouble, UNAVAILABLE};
use super::{Global, Outcome, load, print};
use crate::adapter::characters::Repertoires;
use crate::codec::Charset;
use crate::config;
use crate::diagnostic::nearest::nearest;
use crate::diagnostic::render;
use crate::model::characters::{Repertoire, code_points, units};
use clap::{Args, ValueEnum};
use serde_json::{Value, json};
use std::io::Read;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// Longest file read, in bytes.
const MAX_FILE: u64 = 1 << 30;

#[derive(Debug, Args)]
pub(super) struct Arguments {
    /// The file; `-` is standard input
    file: PathBuf,
    /// What the reader of the file knows: cp932, jisx0208, jisx0213, unicode-bmp, unicode, or a
    /// file of mappings/repertoires
    #[arg(short, long, value_name = "NAME", default_value = "jisx0213")]
    repertoire: String,
    /// How the file is written
    #[arg(long, value_enum, default_value_t = Written::Utf8)]
    charset: Written,
    /// Show at most so many places
    #[arg(long, value_name = "N", default_value_t = 100)]
    limit: usize,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum Written {
    #[value(name = "utf-8")]
    Utf8,
    #[value(name = "cp932")]
    Cp932,
    #[value(name = "utf-16le")]
    Utf16Le,
}

/// One character that the repertoire lacks.
struct Found {
    row: usize,
    column: usize,
    points: String,
}

pub(super) fn run(global: &Global, arguments: &Arguments) -> Result<Outcome, Trouble> {
    let repertoire = repertoire(&arguments.repertoire, global)?;
    let charset = match arguments.charset {
        Written::Utf8 => Charset::Utf8,
        Written::Cp932 => Charset::Cp932,
        Written::Utf16Le => Charset::Utf16Le,
    };
    let bytes = read(&arguments.file)?;
    let body = bytes.strip_prefix(charset.mark()).unwrap_or(&bytes);
    let text = charset.decode(body).ok_or_else(|| {
        let (row, column) = undecodable(body, charset);
        let message = format!("row {row}, column {column}: not a character of the charset");
        Trouble::new(super::trouble::CONFIGURATION, message)
            .hint("name the file's charset with `--charset`")
    })?;
    let found = missing(&text, &repertoire);
    let shown = found.iter().take(arguments.limit);
    if global.json {
        let one = |found: &Found| json!({"row": found.row, "column": found.column, "codePoints": found.points});
        let places: Vec<Value> = shown.map(one).collect();
        let page = json!({
            "repertoire": repertoire.name(), "count": found.len(), "places": places
        });
        print::json(&page)?;
    } else {
        let lines: Vec<String> = shown
            .map(|found| format!("{}:{}: {}\n", found.row, found.column, found.points))
            .collect();
        print::data(&lines.concat())?;
        let name = repertoire.name();
        print::human(&format!("{} characters that `{name}` lacks", found.len()));
    }
    Ok(if found.is_empty() { Outcome::Fine } else { Outcome::Findings })
}

fn missing(text: &str, repertoire: &Repertoire) -> Vec<Found> {
    let mut found = Vec::new();
    for (index, line) in text.split('\n').enumerate() {
        if repertoire.has_all(line) {
            continue;
        }
        for (place, unit) in units(line).enumerate().filter(|(_, unit)| !repertoire.has(unit)) {
            found.push(Found { row: index + 1, column: place + 1, points: code_points(unit) });
        }
    }
    found
}

/// Row and column of the first bytes that are no character.
fn undecodable(bytes: &[u8], charset: Charset) -> (usize, usize) {
    // Bisection holds: what begins soundly stays sound up to the first fault, but for a prefix
    // that ends within a character, which the few bytes before it make up for.
    let begins = |end: usize| {
        (end.saturating_sub(3)..=end).rev().find_map(|end| charset.decode(bytes.get(..end)?))
    };
    let (mut sound, mut broken) = (0, bytes.len());
    while sound + 1 < broken {
        let middle = sound.midpoint(broken);
        if begins(middle).is_some() { sound = middle } else { broken = middle }
    }
    let text = begins(sound).unwrap_or_default();
    let line = text.rsplit('\n').next().unwrap_or("");
    (text.matches('\n').count() + 1, units(line).count() + 1)
}

fn read(path: &Path) -> Result<Vec<u8>, Trouble> {
    let mut bytes = Vec::new();
    let read = if path == Path::new("-") {
        std::io::stdin().lock().take(MAX_FILE).read_to_end(&mut bytes)
    } else {
        std::fs::File::open(path).and_then(|file| file.take(MAX_FILE).read_to_end(&mut bytes))
    };
    let shown = path.display();
    read.map_err(|error| Trouble::new(UNAVAILABLE, format!("`{shown}`: {}", error.kind())))?;
    Ok(bytes)
}

/// A built-in repertoire, or one of the definitions.
fn repertoire(name: &str, global: &Global) -> Result<Arc<Repertoire>, Trouble> {
    if let Some(found) = Repertoire::built_in(name) {
        return Ok(found);
    }
    let folder = match load::config_if_any(global) {
        Some(_) => load::config(global)?.definitions,
        None => PathBuf::from("."),
    };
    let mut diagnostics = Vec::new();
    let files = config::definitions::read(&folder, &mut diagnostics);
    let all = Repertoires::load(&files, &mut diagnostics);
    if !diagnostics.is_empty() {
        print::human(render::text(&diagnostics).trim_end());
    }
    all.get(name).ok_or_else(|| {
        let near = nearest(name, all.names()).map(|near| format!("did you mean `{near}`?"));
        let names: Vec<&str> = all.names().collect();
        let hint = near.unwrap_or_else(|| format!("there are {}", names.join(", ")));
        Trouble::usage(format!("unknown repertoire `{name}`")).hint(hint)
    })
}

#[cfg(test)]
mod tests {
    use super::{missing, undecodable};
    use crate::codec::Charset;
    use crate::model::characters::Repertoire;

    #[test]
    fn places_are_rows_and_columns_of_what_a_reader_sees() {
        let text = "渡し,1\r\nか\u{3099},髙\r\n";
        let repertoire = Repertoire::built_in("jisx0208").unwrap();
        let found = missing(text, &repertoire);
        let found: Vec<String> =
            found.iter().map(|one| format!("{}:{} {}", one.row, one.column, one.points)).collect();
        assert_eq!(found, ["2:1 U+304B U+3099", "2:3 U+9AD9"]);
        for (bytes, place) in [
            (&b"a\nb\xE6\xB8\xA1c\xFFd\n"[..], (2, 4)),
            (b"\xFF", (1, 1)),
            (b"a\n\xE6\xB8", (2, 1)),
        ] {
            assert_eq!(undecodable(bytes, Charset::Utf8), place, "{bytes:?}");
        }
    }
}
