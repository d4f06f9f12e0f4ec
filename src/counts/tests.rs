//! Counts against a plain oracle, and definitions that are refused.

use super::*;
use crate::adapter::Bundle;
use crate::adapter::bundle::Enabled;
use crate::diagnostic::Diagnostic;
use proptest::prelude::*;
use serde_json::{Value, json};
use std::collections::HashMap;
use std::sync::LazyLock;

/// The definitions of this repository.
static BUNDLE: LazyLock<Bundle> = LazyLock::new(|| {
    let mut problems = Vec::new();
    let files = crate::config::definitions::read(&root(), &mut problems);
    let bundle = Bundle::build(&files, &Enabled::All, &BTreeMap::new(), &mut problems);
    bundle.unwrap_or_else(|| panic!("{problems:?}"))
});

fn root() -> std::path::PathBuf {
    std::path::PathBuf::from(env!("CARGO_MANIFEST_DIR"))
}

fn example() -> String {
    std::fs::read_to_string(root().join("counts/doses.yaml")).unwrap()
}

fn read(texts: &[(&str, &str)]) -> (All, Vec<Diagnostic>) {
    let files: Vec<_> = texts
        .iter()
        .map(|(name, text)| SourceFile::new(format!("counts/{name}.yaml"), *text))
        .collect();
    let mut problems = Vec::new();
    let all = load(&files, &BUNDLE, &mut problems);
    (all, problems)
}

fn doses() -> Definition {
    let (mut all, problems) = read(&[("doses", &example())]);
    assert!(problems.is_empty(), "{problems:?}");
    all.remove("doses").unwrap()
}

#[test]
fn what_could_show_a_person_is_no_dimension() {
    let cases = [
        ("vaccination.vaccineCode", "person.individualNumber", "A802"),
        ("vaccination.vaccineCode", "person.atenaNumber", "A802"),
        ("vaccination.vaccineCode", "recordId", "A802"),
        ("vaccination.vaccineCode", "municipalityCode", "A802"),
        ("vaccination.vaccineCode", "person.address.city", "A802"),
        ("vaccination.vaccineCode", "person.birthDate", "A802"),
        ("vaccination.vaccineCode", "vaccination.doctorName", "A802"),
        ("vaccination.vaccineCode", "vaccination.vaccinCode", "A210"),
        ("    values: [1, 2, 3, 4]\n", "", "A803"),
        ("values: [1, 2, 3, 4]", "values: [1, 2, 2, 4]", "A801"),
        ("ages: [0, 1, 5, 15, 65]", "ages: [0, 5, 1]", "A801"),
        ("    birth-date:", "    item: vaccination.date\n    birth-date:", "A801"),
        ("route: vaccination-record-to-copy", "route: vaccination-record-to-copi", "A801"),
        ("counts: doses", "counts: dosis", "A801"),
        ("date: vaccination.date", "date: vaccination.day", "A210"),
        ("record: recordId\n", "", "A801"),
        ("threshold: 10", "threshold: 2", "A801"),
        ("event == \"withdrawn\"", "evnt == \"withdrawn\"", "M"),
    ];
    for (old, new, code) in cases {
        let text = example();
        assert!(text.contains(old), "{old}");
        let (all, problems) = read(&[("doses", &text.replacen(old, new, 1))]);
        assert!(all.is_empty(), "{new}");
        let found = problems.iter().any(|problem| problem.code.code.starts_with(code));
        assert!(found, "{new}: {problems:?}");
    }
    // What the schema lists may be counted by, though it is personal.
    let values = "    values: {A01: 五種混合, A07: 小児用肺炎球菌, A09: ＢＣＧ, A11: 麻しん・風しん, A13: 日本脳炎, A15: ＨＰＶ}\n";
    let by_sex = example().replace("vaccination.vaccineCode", "person.sex").replace(values, "");
    let (all, problems) = read(&[("doses", &by_sex)]);
    assert!(problems.is_empty(), "{problems:?}");
    assert_eq!(all["doses"].dimensions[0].labels, ["male", "female", "unknown", OTHER]);
}

#[test]
fn a_second_table_of_the_same_records_is_warned_of() {
    let other = example().replace("counts: doses", "counts: other");
    let (all, problems) = read(&[("doses", &example()), ("other", &other)]);
    assert_eq!(all.len(), 2);
    assert_eq!(problems.len(), 1);
    assert_eq!(problems[0].code.code, "A804");
}

fn document(record: u8, revision: i64, event: &str, day: &str, code: &str, birth: &str) -> Value {
    json!({
        "event": event, "recordId": format!("r{record}"), "revision": revision,
        "person": {"birthDate": birth},
        "vaccination": {"date": day, "vaccineCode": code, "doseNumber": 1},
    })
}

fn category(definition: &Definition, dimension: usize, cells: &[u64]) -> Vec<u64> {
    let sizes = definition.sizes();
    let after: usize = sizes.iter().skip(dimension + 1).product();
    let mut found = vec![0; sizes[dimension]];
    for (index, count) in cells.iter().enumerate() {
        found[index / after % sizes[dimension]] += count;
    }
    found
}

#[test]
fn ages_are_those_on_the_day_and_what_fits_nothing_is_one_category() {
    let definition = doses();
    let month: Month = "2026-10".parse().unwrap();
    let mut tally = Tally::new(&definition, month);
    let births = [
        ("2026-10-01", 0),
        ("2025-10-16", 0),
        ("2025-10-15", 1),
        ("2021-10-16", 1),
        ("2021-10-15", 2),
        ("2000-02-29", 3),
        ("1961-10-16", 3),
        ("1961-10-15", 4),
        ("1950-00-00", 5),
        ("2027-01-01", 5),
    ];
    let mut expected = vec![0; 6];
    for (number, (birth, band)) in births.into_iter().enumerate() {
        let one = document(number as u8, 1, "registered", "2026-10-15", "Z99", birth);
        tally.take("health", 1, (&one).into()).unwrap();
        expected[band] += 1;
    }
    let cells = tally.cells();
    assert_eq!(category(&definition, 2, &cells), expected);
    assert_eq!(category(&definition, 0, &cells), [0, 0, 0, 0, 0, 0, 10], "no code of the list");
    let lines = lines(&definition, &cells);
    assert_eq!(lines[0].labels, [TOTAL, TOTAL, TOTAL]);
    // Ten in six cells: each of them could be told to be below ten.
    assert_eq!(lines[0].count, None);
    assert!(lines.iter().all(|line| !line.labels.iter().any(|label| label.contains("Z99"))));
}

#[test]
fn months_are_those_of_japan() {
    let month: Month = "2026-12".parse().unwrap();
    assert_eq!(month.begins().to_string(), "2026-11-30T15:00:00Z");
    assert_eq!(month.ended().to_string(), "2026-12-31T15:00:00Z");
    assert_eq!(month.to_string(), "2026-12");
    for bad in ["2026-13", "2026-1", "2026", "2026-10-01", ""] {
        assert!(bad.parse::<Month>().is_err(), "{bad}");
    }
}

#[test]
fn what_is_under_way_counts_as_missing_only_where_it_could_change_something() {
    let definition = doses();
    let mut tally = Tally::new(&definition, "2026-10".parse().unwrap());
    let one = document(1, 1, "registered", "2026-10-15", "A01", "2020-01-01");
    tally.take("health", 1, (&one).into()).unwrap();
    let touches = |record, day: &str| {
        let later = document(record, 2, "corrected", day, "A01", "2020-01-01");
        tally.touches("health", 9, (&later).into())
    };
    assert!(touches(2, "2026-10-31"), "a dose of the month");
    assert!(touches(1, "2026-11-01"), "a correction that takes one away");
    assert!(!touches(2, "2026-11-01"));
}

type Step = (u8, i64, bool, usize, usize, u8);

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let one = (0..12_u8, 1..4_i64, any::<bool>(), 0..3_usize, 0..4_usize, 0..2_u8);
    proptest::collection::vec(one, 0..60)
}

const DAYS: [&str; 3] = ["2026-09-30", "2026-10-01", "2026-10-31"];
/// The first, the second, the last of the definition, and one that it does not list.
const CODES: [(&str, usize); 4] = [("A01", 0), ("A07", 1), ("A15", 5), ("Z99", 6)];

proptest! {
    /// Whatever comes in whichever order: each record once, in its newest state, withdrawn ones not.
    #[test]
    fn totals_agree_with_a_plain_oracle(steps in steps()) {
        let definition = doses();
        let mut tally = Tally::new(&definition, "2026-10".parse().unwrap());
        let mut newest = HashMap::new();
        for (row, (record, revision, withdrawn, day, code, source)) in steps.into_iter().enumerate() {
            let event = if withdrawn { "withdrawn" } else { "registered" };
            let one = document(record, revision, event, DAYS[day], CODES[code].0, "2020-01-01");
            let name = ["health", "other"][usize::from(source)];
            tally.take(name, row as i64, (&one).into()).unwrap();
            let state = ((revision, row as i64), (!withdrawn && day > 0).then_some(CODES[code].1));
            let known = newest.entry((record, source)).or_insert(state);
            if known.0 < state.0 {
                *known = state;
            }
        }
        let mut expected = vec![0; 7];
        for (_, code) in newest.values() {
            if let Some(code) = code {
                expected[*code] += 1;
            }
        }
        let cells = tally.cells();
        prop_assert_eq!(category(&definition, 0, &cells), expected);
        prop_assert_eq!(category(&definition, 2, &cells)[2], cells.iter().sum::<u64>(), "all are 6");
    }
}
