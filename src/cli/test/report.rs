//! What `watashi test` tells: for the eye, and as JSON.

use super::{Arguments, Tested, mutation};
use crate::cli::print;
use crate::cli::trouble::Trouble;
use crate::mapping::{Case, CaseOutcome};
use serde_json::{Value, json};

/// What is reached of a mapping, in percent, rounded down; all of nothing is all.
fn percent((reached, all): (usize, usize)) -> usize {
    (reached * 100).checked_div(all).unwrap_or(100)
}

/// The shares that are below what was asked for.
pub(super) fn below(tested: &[Tested], arguments: &Arguments) -> Vec<String> {
    let mut below = Vec::new();
    for one in tested {
        let score = one.mutation.as_ref().map_or(100, |mutation| mutation.score());
        let shares = [
            ("rules", percent(one.coverage.covered()), arguments.min),
            ("branches", percent(one.coverage.branches()), arguments.min_branches),
            ("mistakes seen", score, arguments.min_score),
        ];
        for (what, share, least) in shares {
            let Some(least) = least.filter(|least| share < usize::from(*least)) else { continue };
            let name = &one.mapping.name;
            below.push(format!("{name}: {what}: {share} %, at least {least} % is asked for"));
        }
    }
    below
}

/// The whole as JSON.
pub(super) fn page(tested: &[Tested], below: &[String]) -> Value {
    let case = |(case, end): &(Case, CaseOutcome)| {
        json!({
            "case": end.name,
            "file": case.file.path,
            "passed": end.passed,
            "differences": end.differences,
        })
    };
    let mapping = |one: &Tested| {
        let (covered, all) = one.coverage.covered();
        let untouched: Vec<Value> = one
            .coverage
            .untouched()
            .iter()
            .map(|(target, line)| json!({"target": target, "line": line}))
            .collect();
        let (taken, branches) = one.coverage.branches();
        let untaken: Vec<Value> = one
            .coverage
            .untaken()
            .iter()
            .map(|one| json!({"target": one.target, "line": one.line, "way": one.way}))
            .collect();
        json!({
            "mapping": one.mapping.name,
            "cases": one.cases.iter().map(case).collect::<Vec<Value>>(),
            "rules": {"covered": covered, "all": all, "untouched": untouched},
            "branches": {"covered": taken, "all": branches, "untouched": untaken},
            "generated": one.generated.as_ref().map(|ended| ended.page()),
            "mutation": one.mutation.as_ref().map(mutation::page),
        })
    };
    let (passed, failed) = counts(tested);
    json!({
        "mappings": tested.iter().map(mapping).collect::<Vec<Value>>(),
        "passed": passed,
        "failed": failed,
        "below": below,
    })
}

/// Cases that passed, and that failed.
fn counts(tested: &[Tested]) -> (usize, usize) {
    let ends = || tested.iter().flat_map(|one| &one.cases);
    let failed = ends().filter(|(_, end)| !end.passed).count();
    (ends().count() - failed, failed)
}

/// The whole for a person.
pub(super) fn tell(
    tested: &[Tested],
    below: &[String],
    arguments: &Arguments,
) -> Result<(), Trouble> {
    failures(tested);
    let rows: Vec<Vec<String>> = tested.iter().map(row).collect();
    let mut head = vec!["mapping", "cases passed", "rules covered", "branches covered"];
    if arguments.generate > 0 {
        head.push("generated");
    }
    print::data(&print::table(&head, &rows))?;
    unreached(tested);
    mistakes(tested)?;
    for line in below {
        print::human(&format!("error: {line}"));
    }
    let (passed, failed) = counts(tested);
    print::human(&format!("{} passed, {failed} failed", print::plural(passed, "case")));
    Ok(())
}

fn row(one: &Tested) -> Vec<String> {
    let share = |(reached, all): (usize, usize)| format!("{reached}/{all}");
    let good = one.cases.iter().filter(|(_, end)| end.passed).count();
    let mut row = vec![
        one.mapping.name.clone(),
        share((good, one.cases.len())),
        share(one.coverage.covered()),
        share(one.coverage.branches()),
    ];
    row.extend(one.generated.as_ref().map(|ended| ended.cell()));
    row
}

fn failures(tested: &[Tested]) {
    for one in tested {
        for (case, end) in one.cases.iter().filter(|(_, end)| !end.passed) {
            print::human(&format!("FAILED {}: {}", case.file.path, end.name));
            for difference in &end.differences {
                print::human(&format!("  {difference}"));
            }
        }
        let generated = one.generated.as_ref();
        if let Some(lines) = generated.and_then(|all| all.told(&one.file.path, &one.mapping.name)) {
            print::human(&format!("FAILED {}", lines.join("\n")));
        }
    }
}

fn unreached(tested: &[Tested]) {
    let (mut rules, mut branches) = (Vec::new(), Vec::new());
    // Without any case the table says enough.
    for one in tested.iter().filter(|one| !one.cases.is_empty()) {
        let path = &one.file.path;
        for (target, line) in one.coverage.untouched() {
            rules.push(format!("{path}:{line}: {target}"));
        }
        for branch in one.coverage.untaken() {
            branches.push(format!("{path}:{}: {}: {}", branch.line, branch.target, branch.way));
        }
    }
    for (what, lines) in [("rules", rules), ("branches", branches)] {
        if !lines.is_empty() {
            print::human(&format!("{what} that no case reaches:\n  {}", lines.join("\n  ")));
        }
    }
}

fn mistakes(tested: &[Tested]) -> Result<(), Trouble> {
    let (mut rows, mut unseen, mut left_out) = (Vec::new(), Vec::new(), 0);
    for one in tested {
        let Some(mutation) = &one.mutation else { continue };
        rows.push(mutation::row(&one.mapping.name, mutation));
        let survivors = mutation.survivors.iter();
        unseen.extend(survivors.map(|mutant| mutation::line(&one.file.path, mutant)));
        left_out += mutation.left_out;
    }
    if rows.is_empty() {
        return Ok(());
    }
    print::data(&format!("\n{}", print::table(&mutation::HEAD, &rows)))?;
    if !unseen.is_empty() {
        print::human(&format!("mistakes that nothing sees:\n  {}", unseen.join("\n  ")));
    }
    if left_out > 0 {
        print::human(&format!("{} not tried", print::plural(left_out, "further mistake")));
    }
    Ok(())
}
