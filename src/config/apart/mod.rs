//! Whether municipalities on one machine are apart: what their configurations share though each must
//! have its own (ADR 0038). Reads what references hold; connects nothing and changes nothing.

use super::Config;
use crate::diagnostic::{Diagnostic, Location};
use crate::model::Code;
use crate::model::codes::config as codes;
use holding::Holding;
use std::collections::BTreeMap;
use std::ops::Range;
use std::path::Path;
use std::sync::Arc;

mod collect;
mod holding;
mod rights;

pub use rights::{Facts, OnDisk, Rights};

/// What was compared, and what is wrong.
#[derive(Debug, Default)]
pub struct Compared {
    /// Things that each municipality must have for itself.
    pub holdings: usize,
    /// Every problem, in the order of the files.
    pub problems: Vec<Diagnostic>,
}

/// Compares configurations with each other. Without `facts`, who owns what is left out: in containers
/// a number of a user says nothing.
pub fn compare(configs: &[Config], facts: Option<&dyn Facts>) -> Compared {
    let mut problems = Vec::new();
    let mut all = Vec::new();
    for (number, config) in configs.iter().enumerate() {
        let held = collect::holdings(config, &mut problems);
        if let Some(facts) = facts {
            let checked = rights::open_to_others(&held, facts);
            problems.extend(checked.into_iter().map(|one| one.at(config)));
        }
        all.extend(held.into_iter().map(|holding| (number, holding)));
    }
    let holdings = all.len();
    shared(configs, &all, &mut problems);
    if let Some(facts) = facts {
        rights::owned_by_one(configs, &all, facts, &mut problems);
    }
    let order = |one: &Diagnostic| {
        let file = |config: &Config| Arc::ptr_eq(&config.file, &one.location.file);
        (configs.iter().position(file), one.location.span.start)
    };
    problems.sort_by_key(order);
    Compared { holdings, problems }
}

/// What two configurations both have. Each is told of once, where it comes the second time.
fn shared(configs: &[Config], all: &[(usize, Holding)], problems: &mut Vec<Diagnostic>) {
    let mut groups: BTreeMap<String, Vec<&(usize, Holding)>> = BTreeMap::new();
    for one in all {
        groups.entry(one.1.what.group()).or_default().push(one);
    }
    for group in groups.values() {
        for (index, (number, later)) in group.iter().enumerate() {
            let earlier = group.iter().take(index).filter(|(other, _)| other != number);
            let mut meets = earlier
                .filter_map(|(other, one)| Some((*other, one, one.what.meets(&later.what)?)));
            let Some((other, one, code)) = meets.next() else { continue };
            let more = match meets.count() {
                0 => String::new(),
                count => format!(", and of {count} more"),
            };
            let Some((here, there)) = configs.get(*number).zip(configs.get(other)) else {
                continue;
            };
            let (line, column) = there.file.position(one.span.start);
            let place = format!("{}:{line}:{column}", there.file.path);
            let message = format!("{} is also {} of {place}{more}", later.shown, one.shown);
            problems.push(problem(here, &later.span, code, message));
        }
    }
}

fn problem(
    config: &Config,
    span: &Range<usize>,
    code: &'static Code,
    message: String,
) -> Diagnostic {
    let location = Location { file: Arc::clone(&config.file), span: span.clone() };
    Diagnostic::error(code, location, message).hint(code.remedy)
}

/// A problem whose configuration is known to the caller.
struct Problem {
    span: Range<usize>,
    code: &'static Code,
    message: String,
}

impl Problem {
    fn at(self, config: &Config) -> Diagnostic {
        problem(config, &self.span, self.code, self.message)
    }
}

/// Something could not be looked at: whether it is shared is not known.
fn not_compared(config: &Config, span: &Range<usize>, why: String) -> Diagnostic {
    problem(config, span, &codes::NOT_COMPARED, why)
}

/// A path as the system knows it; what is not there yet is taken as it is written.
fn whole(path: &Path) -> std::path::PathBuf {
    let path = std::path::absolute(path).unwrap_or_else(|_| path.to_path_buf());
    for ancestor in path.ancestors() {
        if let (Ok(real), Ok(rest)) = (ancestor.canonicalize(), path.strip_prefix(ancestor)) {
            return real.join(rest);
        }
    }
    path
}

#[cfg(test)]
mod tests;
