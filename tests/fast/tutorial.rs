//! The tutorial does what it says: its three files, its commands, what they print.

use crate::fixture::Folder;
use crate::pages::{self, Block, run, shown};
use std::collections::BTreeMap;

const PAGE: &str = "docs/tutorial-first-route.md";

fn blocks() -> Vec<Block> {
    pages::blocks(PAGE)
}

fn files(blocks: &[Block]) -> BTreeMap<String, String> {
    pages::files(blocks, "File")
}

/// The repository's definitions with the tutorial's files beside them.
fn followed(blocks: &[Block]) -> Folder {
    let folder = pages::checkout();
    for (path, text) in files(blocks) {
        pages::add(&folder, &path, &text);
    }
    folder
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
    assert!(explained.out.contains("concat(\"Hello! \", title) | cut(120)"), "{}", explained.out);
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
