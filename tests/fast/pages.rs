//! Pages whose blocks are run: files they give, commands they show, what those print.

use crate::copy::copy;
use crate::fixture::{Folder, Ran};
use std::collections::BTreeMap;
use std::path::Path;

/// A fenced block with the paragraph before it.
pub struct Block {
    /// The last line of text above it.
    pub before: String,
    /// What stands behind the fence.
    pub kind: String,
    /// Its lines.
    pub text: String,
}

/// The repository.
pub fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// The blocks of a page.
pub fn blocks(page: &str) -> Vec<Block> {
    let page = std::fs::read_to_string(root().join(page)).unwrap();
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

/// The files of a page by path; `word` stands before the path: `File`.
pub fn files(blocks: &[Block], word: &str) -> BTreeMap<String, String> {
    let named = blocks.iter().filter_map(|block| {
        let path = block.before.strip_prefix(word)?.strip_prefix(": `")?.strip_suffix('`')?;
        Some((path.to_owned(), block.text.clone()))
    });
    named.collect()
}

/// What a page shows below a command.
pub fn shown(blocks: &[Block], command: &str) -> String {
    let mut below = blocks
        .iter()
        .skip_while(|block| block.kind != "sh" || block.text.trim() != command)
        .skip(1);
    let found = below.find(|block| block.kind == "text");
    found.unwrap_or_else(|| panic!("nothing is shown for `{command}`")).text.clone()
}

/// A folder with the repository's definitions and the JSON Schemas of editors.
pub fn checkout() -> Folder {
    let folder = Folder::empty();
    for name in ["adapters", "schemas", "mappings", "docs/reference/schema"] {
        copy(&root().join(name), &folder.path(name));
    }
    folder
}

/// Writes a file of a page, which must not be there yet.
pub fn add(folder: &Folder, path: &str, text: &str) {
    assert!(!folder.path(path).exists(), "{path} is there already");
    folder.write(path, text);
}

/// Runs a command of a page.
pub fn run(folder: &Folder, command: &str) -> Ran {
    let words: Vec<&str> = command.strip_prefix("watashi ").unwrap().split(' ').collect();
    folder.run(&words)
}
