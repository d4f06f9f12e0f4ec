//! The registers hold what they promise: codes unique and explained, metrics and log fields used
//! nowhere before they stand there.

use crate::architecture::{Source, sources};
use std::collections::{BTreeMap, BTreeSet};
use watashi::model::codes;
use watashi::telemetry::crash::POINTS;
use watashi::telemetry::names::{LOG_FIELDS, METRICS};

#[test]
fn codes_are_unique_well_formed_and_explained() {
    let mut seen = BTreeMap::new();
    let mut wrong = Vec::new();
    for code in codes::all() {
        let (family, number) = code.code.split_at(1);
        let formed = family.chars().all(|c| c.is_ascii_uppercase())
            && number.len() == 3
            && number.chars().all(|c| c.is_ascii_digit());
        if !formed {
            wrong.push(format!("{}: a code is a letter and three digits", code.code));
        }
        if let Some(other) = seen.insert(code.code, code.title) {
            wrong.push(format!("{}: stands for `{other}` and for `{}`", code.code, code.title));
        }
        for (name, text) in
            [("title", code.title), ("meaning", code.meaning), ("remedy", code.remedy)]
        {
            if text.trim().is_empty() {
                wrong.push(format!("{}: no {name}", code.code));
            }
        }
        if code.title.ends_with('.') {
            wrong.push(format!("{}: a title has no full stop", code.code));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn families_keep_to_their_letter() {
    let families = [
        ('M', codes::mapping::ALL),
        ('S', codes::document::ALL),
        ('A', codes::adapter::ALL),
        ('C', codes::config::ALL),
        ('G', codes::message::ALL),
        ('G', codes::signature::ALL),
        ('T', codes::store::ALL),
        ('N', codes::transport::ALL),
    ];
    for (letter, family) in families {
        for code in family {
            assert!(code.code.starts_with(letter), "{} is not of family {letter}", code.code);
        }
    }
}

#[test]
fn metrics_are_unique_and_used() {
    let mut names = BTreeSet::new();
    let register = std::fs::read_to_string(root().join("src/telemetry/names.rs")).unwrap();
    let used: String = sources()
        .into_iter()
        .filter(|source| source.path != "src/telemetry/names.rs")
        .map(|source| source.code)
        .collect();
    for metric in METRICS {
        assert!(names.insert(metric.name), "{} stands twice", metric.name);
        assert!(metric.name.starts_with("watashi_"), "{}", metric.name);
        assert!(["counter", "gauge", "histogram"].contains(&metric.kind), "{}", metric.name);
        let counts = metric.name.ends_with("_total");
        assert_eq!(
            counts,
            metric.kind == "counter",
            "{}: only counters end in _total",
            metric.name
        );
        let line = register.lines().find(|line| line.contains(&format!("\"{}\"", metric.name)));
        let constant = line.and_then(|line| line.trim().split(' ').next()).unwrap();
        assert!(used.contains(&format!("names::{constant}")), "{constant} is used nowhere");
    }
}

/// Fields of `tracing` events are `name = value`, `name` alone, or `%`/`?` before a name.
#[test]
fn log_fields_are_registered() {
    let known: BTreeSet<&str> = LOG_FIELDS.iter().map(|(name, _)| *name).collect();
    assert_eq!(known.len(), LOG_FIELDS.len(), "a log field stands twice");
    let mut strangers = Vec::new();
    for source in sources() {
        for (line, call) in calls(&source) {
            for field in fields(&call) {
                if !known.contains(field.as_str()) {
                    strangers.push(format!(
                        "{}:{line}: log field `{field}` is not in telemetry::names::LOG_FIELDS",
                        source.path
                    ));
                }
            }
        }
    }
    assert!(strangers.is_empty(), "{}", strangers.join("\n"));
}

fn root() -> &'static std::path::Path {
    std::path::Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// The arguments of every logging macro with its line.
fn calls(source: &Source) -> Vec<(usize, String)> {
    let mut found = Vec::new();
    for level in ["error", "warn", "info", "debug", "trace"] {
        let opening = format!("tracing::{level}!(");
        for (at, _) in source.code.match_indices(&opening) {
            let rest = &source.code[at + opening.len()..];
            let line = source.code[..at].matches('\n').count() + 1;
            found.push((line, arguments(rest).to_owned()));
        }
    }
    found
}

/// Up to the bracket that closes the call.
fn arguments(rest: &str) -> &str {
    let (mut depth, mut quoted, mut escaped) = (1, false, false);
    for (index, c) in rest.char_indices() {
        match c {
            _ if escaped => escaped = false,
            '\\' if quoted => escaped = true,
            '"' => quoted = !quoted,
            '(' | '[' | '{' if !quoted => depth += 1,
            ')' | ']' | '}' if !quoted => depth -= 1,
            _ => {}
        }
        if depth == 0 {
            return &rest[..index];
        }
    }
    rest
}

fn fields(call: &str) -> Vec<String> {
    let (mut parts, mut depth, mut quoted, mut start) = (Vec::new(), 0, false, 0);
    for (index, c) in call.char_indices() {
        match c {
            '"' => quoted = !quoted,
            '(' | '[' | '{' if !quoted => depth += 1,
            ')' | ']' | '}' if !quoted => depth -= 1,
            ',' if !quoted && depth == 0 => {
                parts.push(&call[start..index]);
                start = index + 1;
            }
            _ => {}
        }
    }
    parts.push(&call[start..]);
    let name = |part: &&str| {
        let part = part.trim().trim_start_matches(['%', '?']);
        if part.is_empty() || part.starts_with('"') {
            return None;
        }
        let name = part.split('=').next().unwrap_or(part).trim();
        Some(name.rsplit('.').next().unwrap_or(name).to_owned())
    };
    parts.iter().filter_map(name).collect()
}

#[test]
fn the_scan_itself_sees_fields() {
    let call =
        "code = error.code.code, detail, %source, count = f(a, b), \"message, with = signs\"";
    assert_eq!(fields(call), ["code", "detail", "source", "count"]);
    assert_eq!(arguments("a = \")\", b(c)); more"), "a = \")\", b(c)");
}

/// Every crash point is somewhere on the way, and every place that ends a development build is in
/// the list that the fault suite aims at. The writer makes its names of the kinds of calls.
#[test]
fn crash_points_are_those_of_the_list() {
    let mut reached = BTreeSet::new();
    for source in sources() {
        // The store, which knows nothing of `crash`, is given it as `reached`.
        for call in ["crash::reach(\"", " reached(\""] {
            let parts = source.code.split(call).skip(1);
            reached.extend(parts.filter_map(|part| part.split('"').next()).map(str::to_owned));
        }
    }
    for point in POINTS {
        let named = reached.contains(*point) || point.ends_with("-commit");
        assert!(named, "nothing reaches {point}");
    }
    for point in &reached {
        assert!(POINTS.contains(&point.as_str()), "{point} is not in crash::POINTS");
    }
}
