//! The layout keeps its promises: layer order, purity, one home per library, purpose lines, sizes.
//! Reads the source as text; what it says names file, line and the rule.

use std::path::{Path, PathBuf};

/// From the words to what people touch; a module uses only those before it.
const LAYERS: [&str; 20] = [
    "model",
    "diagnostic",
    "schema",
    "codec",
    "mapping",
    "policy",
    "record",
    "adapter",
    "counts",
    "store",
    "archive",
    "reconcile",
    "telemetry",
    "transport",
    "pipeline",
    "simulator",
    "config",
    "ops",
    "app",
    "cli",
];

/// Modules whose answers must be the same for ever: no I/O, no clock, no chance.
const PURE: [&str; 9] =
    ["model", "diagnostic", "schema", "codec", "mapping", "policy", "record", "adapter", "counts"];

/// Libraries and the one folder that speaks their words.
const HOMES: [(&str, &[&str]); 6] = [
    ("lapin", &["src/transport/amqp/"]),
    ("hyper", &["src/transport/https/"]),
    ("rusqlite", &["src/store/"]),
    ("tokio_postgres", &["src/store/"]),
    ("axum", &["src/ops/", "src/transport/https/"]),
    ("clap", &["src/cli/"]),
];

/// Longest file, in lines, tests included.
const LONGEST: usize = 600;

/// One file of the source.
pub struct Source {
    /// Relative to the repository.
    pub path: String,
    /// The whole text.
    pub text: String,
    /// The text without comments and without unit tests; lines keep their numbers.
    pub code: String,
}

impl Source {
    /// First folder or file below `src`.
    fn module(&self) -> &str {
        let below = self.path.trim_start_matches("src/");
        below.split('/').next().unwrap_or(below).trim_end_matches(".rs")
    }

    /// Lines of code that hold `word` as a word of its own.
    fn lines_with<'a>(&'a self, word: &'a str) -> impl Iterator<Item = usize> + 'a {
        let numbered = self.code.lines().enumerate();
        numbered.filter(move |(_, line)| holds(line, word)).map(|(index, _)| index + 1)
    }
}

fn holds(line: &str, word: &str) -> bool {
    let part = |c: char| c.is_alphanumeric() || c == '_';
    line.match_indices(word)
        .any(|(at, _)| !line[..at].ends_with(part) && !line[at + word.len()..].starts_with(part))
}

/// Every file below `src`.
pub fn sources() -> Vec<Source> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut paths = Vec::new();
    walk(&root.join("src"), &mut paths);
    paths.sort();
    let read = |path: PathBuf| {
        let text = std::fs::read_to_string(&path).unwrap();
        let path = path.strip_prefix(root).unwrap().to_str().unwrap().to_owned();
        let code = if is_test_file(&path) { String::new() } else { code_of(&text) };
        Source { path, text, code }
    };
    paths.into_iter().map(read).collect()
}

fn walk(folder: &Path, paths: &mut Vec<PathBuf>) {
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            walk(&path, paths);
        } else if path.extension().is_some_and(|end| end == "rs") {
            paths.push(path);
        }
    }
}

/// Files that exist under `cfg(test)` only: their `mod` line says so.
fn is_test_file(path: &str) -> bool {
    const NAMES: [&str; 4] = ["tests", "testing", "conformance", "lifecycle"];
    path.split('/').any(|part| NAMES.contains(&part.trim_end_matches(".rs")))
}

fn code_of(text: &str) -> String {
    let mut code = String::with_capacity(text.len());
    let mut lines = text.lines().peekable();
    while let Some(line) = lines.next() {
        let opens_tests = lines.peek().is_some_and(|next| next.trim_start().starts_with("mod "))
            && lines.peek().is_some_and(|next| next.ends_with('{'));
        if line.trim() == "#[cfg(test)]" && opens_tests {
            break;
        }
        if !line.trim_start().starts_with("//") {
            code.push_str(line);
        }
        code.push('\n');
    }
    code
}

fn report(wrong: Vec<String>) {
    assert!(wrong.is_empty(), "\n{}", wrong.join("\n"));
}

#[test]
fn a_module_uses_only_those_below_it() {
    let rank = |name: &str| LAYERS.iter().position(|layer| *layer == name);
    let mut wrong = Vec::new();
    for source in sources() {
        let module = source.module();
        if ["lib", "main", "bin"].contains(&module) {
            continue;
        }
        let Some(own) = rank(module) else {
            wrong.push(format!("{}: `{module}` is in no layer", source.path));
            continue;
        };
        for (index, line) in source.code.lines().enumerate() {
            for (at, _) in line.match_indices("crate::") {
                let rest = &line[at + "crate::".len()..];
                let used: String =
                    rest.chars().take_while(|c| c.is_alphanumeric() || *c == '_').collect();
                if rank(&used).is_some_and(|used| used > own) {
                    let place = format!("{}:{}", source.path, index + 1);
                    wrong.push(format!("{place}: `{module}` may not use `{used}`"));
                }
            }
        }
    }
    report(wrong);
}

#[test]
fn pure_modules_do_no_io_and_know_no_time() {
    let banned = [
        "tokio",
        "std::fs",
        "std::net",
        "std::env",
        "SystemTime",
        "Instant::now",
        "Timestamp::now",
        "Zoned::now",
        "rand::",
    ];
    let mut wrong = Vec::new();
    for source in sources().iter().filter(|source| PURE.contains(&source.module())) {
        // The one place where wall time enters says so itself.
        if source.path == "src/model/clock.rs" {
            continue;
        }
        for (index, line) in source.code.lines().enumerate() {
            for word in banned.iter().filter(|word| line.contains(**word)) {
                let (path, module) = (&source.path, source.module());
                wrong.push(format!("{path}:{}: `{module}` is pure but uses `{word}`", index + 1));
            }
        }
    }
    report(wrong);
}

#[test]
fn every_library_has_one_home() {
    let mut wrong = Vec::new();
    for source in sources() {
        for (library, homes) in HOMES {
            if homes.iter().any(|home| source.path.starts_with(home)) {
                continue;
            }
            let call = format!("{library}::");
            for (index, line) in source.code.lines().enumerate() {
                if line.match_indices(&call).any(|(at, _)| {
                    !line[..at].ends_with(|c: char| c.is_alphanumeric() || c == '_' || c == ':')
                }) {
                    wrong.push(format!(
                        "{}:{}: `{library}` lives in {}",
                        source.path,
                        index + 1,
                        homes.join(" and ")
                    ));
                }
            }
        }
    }
    report(wrong);
}

#[test]
fn the_pipeline_names_no_concrete_transport() {
    let mut wrong = Vec::new();
    for source in sources().iter().filter(|source| source.module() == "pipeline") {
        for (index, line) in source.code.lines().enumerate() {
            if line.contains("transport::amqp") || line.contains("transport::https") {
                wrong.push(format!(
                    "{}:{}: `pipeline` names a concrete transport; use `Target` and `Publisher`",
                    source.path,
                    index + 1
                ));
            }
        }
    }
    report(wrong);
}

#[test]
fn every_file_says_what_it_is_for_and_stays_short() {
    let mut wrong = Vec::new();
    for source in sources() {
        let purpose = source.text.lines().next().and_then(|line| line.strip_prefix("//! "));
        if purpose.is_none_or(|text| text.trim_matches('.').trim().is_empty()) {
            wrong.push(format!("{}:1: the first line is `//!` and the purpose", source.path));
        }
        let lines = source.text.lines().count();
        if lines > LONGEST {
            wrong.push(format!("{}: {lines} lines, at most {LONGEST}", source.path));
        }
    }
    report(wrong);
}

/// A grouped import would slip through the scan for layers.
#[test]
fn imports_of_our_own_modules_are_not_grouped() {
    let mut wrong = Vec::new();
    for source in sources() {
        for (index, line) in source.text.lines().enumerate() {
            if line.contains("use crate::{") {
                let place = format!("{}:{}", source.path, index + 1);
                wrong.push(format!("{place}: one `use crate::module::…;` per line"));
            }
        }
    }
    report(wrong);
}

/// What is particular to a counterpart is a file, never code.
#[test]
fn no_counterpart_is_named_in_the_source() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("adapters");
    let mut names = Vec::new();
    for entry in std::fs::read_dir(folder).unwrap() {
        let entry = entry.unwrap();
        // Beside the counterparts lie the calendars they share.
        if entry.path().join("adapter.yaml").is_file() {
            names.push(entry.file_name().into_string().unwrap());
        }
    }
    assert!(!names.is_empty(), "no adapters were found");
    let mut wrong = Vec::new();
    for source in sources() {
        for name in &names {
            for line in source.lines_with(name) {
                wrong.push(format!("{}:{line}: names the counterpart `{name}`", source.path));
            }
        }
    }
    report(wrong);
}

#[test]
fn the_scan_itself_leaves_out_comments_and_tests() {
    let code = code_of("use a;\n// crate::cli\n#[cfg(test)]\nmod tests {\n use b;\n}\n");
    assert_eq!(code, "use a;\n\n");
    assert!(holds("let x = pmh;", "pmh") && !holds("pmhx pmh_a", "pmh"));
}
