//! The tutorial does what it says: its three files, its commands, what they print.

use crate::copy::copy;
use crate::fixture::{Folder, Ran};
use std::collections::BTreeMap;
use std::path::Path;

const PAGE: &str = "docs/tutorial-first-route.md";

/// A fenced block with the paragraph before it.
struct Block {
    before: String,
    kind: String,
    text: String,
}

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

fn blocks() -> Vec<Block> {
    let page = std::fs::read_to_string(root().join(PAGE)).unwrap();
    let mut found = Vec::new();
    let mut before = String::new();
    let mut lines = page.lines();
    while let Some(line) = lines.next() {
        if let Some(kind) = line.strip_prefix("```") {
            let text = lines.by_ref().take_while(|line| *line != "```");
            let text = text.map(|line| format!("{line}\n")).collect();
            found.push(Block { before: std::mem::take(&mut before), kind: kind.to_owned(), text });
        } else if !line.is_empty() {
            before = line.to_owned();
        }
    }
    found
}

/// The files of the page by path.
fn files(blocks: &[Block]) -> BTreeMap<String, String> {
    let named = blocks.iter().filter_map(|block| {
        let path = block.before.strip_prefix("File: `")?.strip_suffix('`')?;
        Some((path.to_owned(), block.text.clone()))
    });
    named.collect()
}

/// What the page shows below a command.
fn shown(blocks: &[Block], command: &str) -> String {
    let mut below = blocks
        .iter()
        .skip_while(|block| block.kind != "sh" || block.text.trim() != command)
        .skip(1);
    let found = below.find(|block| block.kind == "text");
    found.unwrap_or_else(|| panic!("{PAGE} shows nothing for `{command}`")).text.clone()
}

/// The repository's definitions with the tutorial's files beside them.
fn followed(blocks: &[Block]) -> Folder {
    let folder = Folder::empty();
    for name in ["adapters", "schemas", "mappings"] {
        copy(&root().join(name), &folder.path(name));
    }
    for (path, text) in files(blocks) {
        assert!(!folder.path(&path).exists(), "{path} is there already");
        folder.write(&path, &text);
    }
    folder
}

fn run(folder: &Folder, command: &str) -> Ran {
    let words: Vec<&str> = command.strip_prefix("watashi ").unwrap().split(' ').collect();
    folder.run(&words)
}

#[test]
fn a_route_is_three_files() {
    let files = files(&blocks());
    let definitions: Vec<&String> = files
        .keys()
        .filter(|path| {
            ["adapters/", "schemas/", "mappings/"].iter().any(|folder| path.starts_with(folder))
        })
        .collect();
    assert_eq!(definitions.len(), 3, "{definitions:?}");
    assert_eq!(files.len(), 4, "and one message: {:?}", files.keys());
}

#[test]
fn its_commands_print_what_it_says() {
    let blocks = blocks();
    let folder = followed(&blocks);
    for command in ["watashi lint", "watashi test greeting-to-hello"] {
        let ran = run(&folder, command);
        assert_eq!(ran.code, 0, "{command}: {}", ran.err);
        assert_eq!(ran.out.clone() + &ran.err, shown(&blocks, command), "{command}");
    }
    let command = "watashi try greeting-to-hello message.json --show-values";
    let ran = run(&folder, command);
    assert_eq!(ran.code, 0, "{}", ran.err);
    assert_eq!(ran.out.clone() + &ran.err, shown(&blocks, command));
    let explained = run(&folder, &format!("{command} --explain"));
    assert!(explained.out.contains("greeting: concat("), "{}", explained.out);
    // Every case of the repository still passes beside the new route.
    let all = folder.run(&["test"]);
    assert_eq!(all.code, 0, "{}", all.err);
}

#[test]
fn its_misspelling_is_found_where_it_says() {
    let blocks = blocks();
    let folder = followed(&blocks);
    folder.change("mappings/greeting-to-hello/mapping.yaml", "id: noticeId", "id: noticeID");
    let ran = run(&folder, "watashi lint");
    assert_eq!(ran.code, 1);
    let told = blocks.iter().find(|block| block.text.starts_with("error[")).unwrap();
    assert!(ran.err.contains(told.text.trim_end()), "{}", ran.err);
}

#[test]
fn its_configuration_switches_the_route_on() {
    let blocks = blocks();
    let folder = followed(&blocks);
    let section = blocks.iter().find(|block| block.kind == "toml").unwrap();
    let rest = "[gateway]\nmunicipalities = [\"131237\"]\n\n[keys]\ncurrent = \"k1\"\n\
                k1 = \"file:k1\"\n\n";
    folder.write("watashi.toml", &format!("{rest}{}", section.text));
    let ran = run(&folder, "watashi lint");
    assert_eq!(ran.code, 0, "{}", ran.err);
    let routes = folder.run(&["list", "routes", "--json"]).json();
    let on: Vec<&str> = routes
        .as_array()
        .unwrap()
        .iter()
        .filter(|route| route["enabled"] == true)
        .map(|route| route["route"].as_str().unwrap())
        .collect();
    assert_eq!(on, ["greeting-to-hello"]);
}
