//! Tests of tables: both forms of file, validity, reading backwards.

use crate::diagnostic::{Diagnostic, SourceFile};
use crate::mapping::tables::{Table, Tables};
use serde_json::json;
use std::sync::Arc;

fn load(name: &str, text: &str) -> (Option<Arc<Table>>, Vec<Diagnostic>) {
    let mut diagnostics = Vec::new();
    let file = SourceFile::new(format!("mappings/tables/{name}"), text);
    let tables = Tables::load(&[file], &mut diagnostics);
    (tables.get("t").cloned(), diagnostics)
}

fn sound(name: &str, text: &str) -> Arc<Table> {
    let (table, diagnostics) = load(name, text);
    assert!(diagnostics.is_empty(), "{}", crate::diagnostic::render::text(&diagnostics));
    table.unwrap()
}

const DATED: &str = "table: t\nentries:\n  a: \"1\"\n  b: {to: \"2\", valid-to: 2024-03-31}\n  c:\n    \
    - {to: \"3\", valid-to: 2024-03-31}\n    - {to: \"4\", valid-from: 2024-04-01}\n";

#[test]
fn an_entry_holds_on_its_days_both_ends_included() {
    let csv = "from,to,valid-from,valid-to\r\na,1,,\r\nb,2,,2024-03-31\r\nc,3,,2024-03-31\r\nc,4,2024-04-01,\r\n";
    for table in [sound("t.yaml", DATED), sound("t.csv", csv)] {
        let find = |key: &str, day: &str| table.find(key, Some(day.parse().unwrap())).cloned();
        assert_eq!(find("a", "1900-01-01"), Some(json!("1")));
        assert_eq!(find("b", "2024-03-31"), Some(json!("2")));
        assert_eq!(find("b", "2024-04-01"), None);
        assert_eq!(find("c", "2024-03-31"), Some(json!("3")));
        assert_eq!(find("c", "2024-04-01"), Some(json!("4")));
        assert_eq!(table.find("c", None), None);
        let always: Vec<bool> = ["a", "b", "c", "d"].map(|key| table.always_has(key)).into();
        assert_eq!(always, [true, false, true, false]);
    }
}

#[test]
fn a_spreadsheet_keeps_its_zeros_quotes_and_line_breaks() {
    let table = sound("t.csv", "\u{FEFF}to,from\n\"0\"\"1\",\"a,b\"\n007,\"x\ny\"\n\n");
    assert_eq!(table.entries.get("a,b"), Some(&json!("0\"1")));
    assert_eq!(table.entries.get("x\ny"), Some(&json!("007")));
    assert_eq!(table.entries.len(), 2);
}

#[test]
fn what_cannot_be_a_table_is_told_with_its_place() {
    for (name, text, message, line) in [
        ("t.csv", "from,tp\na,1\n", "unknown column `tp`", 1),
        ("t.csv", "from,to\na\n", "1 columns, where the header has 2", 2),
        ("t.csv", "from,to\na,1\na,2\n", "`a` stands twice", 3),
        ("t.csv", "from,to,valid-to\na,1,\na,2,2024-01-01\n", "`a` stands twice", 3),
        ("t.csv", "from,to,valid-to\na,1,2024-13-01\n", "`valid-to` is not a date YYYY-MM-DD", 2),
        (
            "t.yaml",
            "table: t\nentries:\n  a: [{to: 1, valid-from: x}]\n",
            "`valid-from` is not a date YYYY-MM-DD",
            3,
        ),
        (
            "t.yaml",
            "table: t\nentries:\n  a:\n    - {to: 1, valid-to: 2024-04-01}\n    - {to: 2, valid-from: 2024-04-01}\n",
            "two entries for `a` are valid on the same day",
            5,
        ),
        (
            "t.yaml",
            "table: t\nentries:\n  a: {to: 1, valid-from: 2024-04-02, valid-to: 2024-04-01}\n",
            "`a` ends before it begins",
            3,
        ),
    ] {
        let (_, diagnostics) = load(name, text);
        let first = diagnostics.first().unwrap_or_else(|| panic!("{text}"));
        assert_eq!(first.message, message);
        assert_eq!(first.location.file.position(first.location.span.start).0, line, "{text}");
    }
}

#[test]
fn a_table_is_read_backwards_where_no_entry_stands_twice() {
    let table = sound("t.yaml", "table: t\nentries: {a: \"1\", b: 2}\n");
    let reversed = table.reversed().unwrap();
    assert_eq!(reversed.entries.get("1"), Some(&json!("a")));
    assert_eq!(reversed.entries.get("2"), Some(&json!("b")));
    let table = sound("t.yaml", "table: t\nentries: {a: \"1\", b: 1}\n");
    assert_eq!(table.reversed().unwrap_err(), ("a", "b"));
    let table = sound("t.yaml", "table: t\nentries: {a: null}\n");
    assert_eq!(table.reversed().unwrap_err(), ("a", "a"));
}
