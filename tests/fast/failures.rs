//! What can fail: every test and every fault that the page names exists.

use crate::pages::root;
use std::path::Path;

const PAGE: &str = "docs/what-can-fail.md";

fn read_all(folder: &Path, text: &mut String) {
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            read_all(&path, text);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            text.push_str(&std::fs::read_to_string(path).unwrap());
        }
    }
}

/// The names between backticks in the last cell of each line of a table.
fn shown_by(page: &str) -> Vec<&str> {
    let rows = page.lines().filter(|line| line.starts_with("| ") && line.ends_with(" |"));
    let cells = rows.filter_map(|row| row.trim_end_matches(" |").rsplit(" | ").next());
    let names = cells.flat_map(|cell| cell.split('`').skip(1).step_by(2));
    // A command that is shown is none.
    names.filter(|name| !name.contains(' ')).collect()
}

#[test]
fn every_test_named_for_a_failure_exists() {
    let page = std::fs::read_to_string(root().join(PAGE)).unwrap();
    let mut code = String::new();
    read_all(&root().join("src"), &mut code);
    read_all(&root().join("tests"), &mut code);
    let names = shown_by(&page);
    let tests = names.iter().filter(|name| name.contains('_'));
    assert!(tests.clone().count() > 20, "the page names its tests: {names:?}");
    for name in tests {
        assert!(code.contains(&format!("fn {name}(")), "{PAGE}: no test is called {name}");
    }
    for name in names.iter().filter(|name| name.starts_with(char::is_uppercase)) {
        assert!(code.contains(&format!("Fault::{name} ")), "{PAGE}: no fault is called {name}");
    }
}
