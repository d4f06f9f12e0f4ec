//! `--mutate`: mistakes in the rules, and which of them no case sees.

use super::{Definitions, Tested};
use crate::mapping::Case;
use crate::mapping::cases::mutation::{Mutant, Mutation, mutate};
use serde_json::{Value, json};

/// Makes mistakes in every mapping whose cases pass.
pub(super) fn all(definitions: &Definitions, tested: &mut [Tested]) {
    for one in tested {
        if one.cases.iter().any(|(_, end)| !end.passed) {
            continue;
        }
        let cases: Vec<&Case> = one.cases.iter().map(|(case, _)| case).collect();
        let known = (&definitions.schemas, &definitions.tables);
        one.mutation = Some(mutate(&one.file, known, &one.mapping, &cases));
    }
}

/// A row of the table of mistakes.
pub(super) fn row(name: &str, mutation: &Mutation) -> Vec<String> {
    let score = format!("{} %", mutation.score());
    let counts =
        [mutation.mutants(), mutation.by_lint, mutation.by_cases, mutation.survivors.len()];
    let counts = counts.iter().map(usize::to_string);
    [name.to_owned()].into_iter().chain(counts).chain([score]).collect()
}

/// The head of that table.
pub(super) const HEAD: [&str; 6] =
    ["mapping", "mistakes", "seen by lint", "seen by cases", "unseen", "score"];

/// One mistake that nothing sees.
pub(super) fn line(file: &str, mutant: &Mutant) -> String {
    let Mutant { target, line, column, before, after, .. } = mutant;
    match after {
        Some(after) => format!("{file}:{line}:{column}: {target}: `{before}` -> `{after}`"),
        None => format!("{file}:{line}:{column}: {target}: left out: `{before}`"),
    }
}

/// As JSON.
pub(super) fn page(mutation: &Mutation) -> Value {
    let survivor = |mutant: &Mutant| {
        json!({"target": mutant.target, "line": mutant.line, "column": mutant.column,
               "before": mutant.before, "after": mutant.after})
    };
    json!({
        "mistakes": mutation.mutants(),
        "byLint": mutation.by_lint,
        "byCases": mutation.by_cases,
        "leftOut": mutation.left_out,
        "score": mutation.score(),
        "unseen": mutation.survivors.iter().map(survivor).collect::<Vec<Value>>(),
    })
}
