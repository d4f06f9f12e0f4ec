//! Whatever the two sides hold and however little memory there is: the findings are those of two
//! plain maps.

use super::{Counts, Finding, Names, Row, Sorted, Sorter, compare};
use proptest::prelude::*;
use std::collections::{BTreeMap, BTreeSet};
use std::io;

type Record = (u8, BTreeMap<u8, u8>);

fn sorted(records: &[Record], names: &mut Names, budget: usize) -> Sorted {
    let mut sorter = Sorter::new(std::env::temp_dir(), budget);
    for (key, items) in records {
        let item = |(name, value): (&u8, &u8)| {
            (names.number(&format!("item{name}")).unwrap(), u64::from(*value))
        };
        let mut items: Vec<(u16, u64)> = items.iter().map(item).collect();
        items.sort_unstable();
        sorter.push(Row { key: format!("k{key:03}").into(), items: items.into() }).unwrap();
    }
    sorter.finish()
}

/// What two maps say.
fn expected(theirs: &[Record], ours: &[Record]) -> Vec<(String, String)> {
    let group = |records: &[Record]| {
        let mut groups: BTreeMap<u8, Vec<BTreeMap<u8, u8>>> = BTreeMap::new();
        for (key, items) in records {
            groups.entry(*key).or_default().push(items.clone());
        }
        groups
    };
    let (theirs, ours) = (group(theirs), group(ours));
    let keys: BTreeSet<u8> = theirs.keys().chain(ours.keys()).copied().collect();
    let tell = |key: u8| {
        let none = Vec::new();
        let their = theirs.get(&key).unwrap_or(&none);
        let our = ours.get(&key).unwrap_or(&none);
        if their.len() > 1 || our.len() > 1 {
            return Some(format!("repeated {} {}", their.len(), our.len()));
        }
        match (their.first(), our.first()) {
            (Some(_), None) => Some("only-theirs".to_owned()),
            (None, Some(_)) => Some("only-ours".to_owned()),
            (Some(their), Some(our)) => {
                let names: BTreeSet<u8> = their.keys().chain(our.keys()).copied().collect();
                let differ = |name: &u8| their.get(name) != our.get(name);
                let differing: Vec<String> =
                    names.into_iter().filter(differ).map(|name| format!("item{name}")).collect();
                (!differing.is_empty()).then(|| format!("differing {}", differing.join(" ")))
            }
            (None, None) => None,
        }
    };
    keys.into_iter().filter_map(|key| Some((format!("k{key:03}"), tell(key)?))).collect()
}

/// A member that only one side can know is compared where both say it.
#[test]
fn what_one_side_cannot_know_does_not_differ() {
    let members = |pairs: &[(u8, u8)]| pairs.iter().copied().collect::<BTreeMap<u8, u8>>();
    let theirs =
        [(1, members(&[(1, 1), (2, 7)])), (2, members(&[(2, 7)])), (3, members(&[(1, 1)]))];
    let ours = [(1, members(&[(1, 1)])), (2, members(&[(2, 8)])), (3, members(&[]))];
    let mut names = Names::with(&["item2".to_owned()]);
    let (theirs, ours) = (sorted(&theirs, &mut names, 1_000), sorted(&ours, &mut names, 1_000));
    let (found, counts) = found(&theirs, &ours, &names);
    let told = |key: &str, finding: &str| (key.to_owned(), finding.to_owned());
    assert_eq!(found, [told("k002", "differing item2"), told("k003", "differing item1")]);
    assert_eq!(counts.same, 1);
}

fn found(theirs: &Sorted, ours: &Sorted, names: &Names) -> (Vec<(String, String)>, Counts) {
    let mut found = Vec::new();
    let counts = compare(theirs, ours, names, |key, finding| {
        let told = match &finding {
            Finding::Differing(items) => format!("differing {}", items.join(" ")),
            Finding::Repeated(they, we) => format!("repeated {they} {we}"),
            other => other.word().to_owned(),
        };
        found.push((key.to_owned(), told));
        Ok::<(), io::Error>(())
    });
    (found, counts.unwrap())
}

fn records() -> impl Strategy<Value = Vec<Record>> {
    let items = proptest::collection::btree_map(0..4_u8, 0..3_u8, 0..4);
    proptest::collection::vec((0..60_u8, items), 0..150)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 200, ..ProptestConfig::default() })]

    /// R13: the report of a comparison is complete and says nothing else, in any memory.
    #[test]
    fn r13_findings_are_those_of_two_maps(
        theirs in records(),
        ours in records(),
        budget in prop_oneof![Just(1_usize), Just(700), Just(1 << 20)],
    ) {
        let mut names = Names::default();
        let one = sorted(&theirs, &mut names, budget);
        let two = sorted(&ours, &mut names, budget);
        prop_assert_eq!((one.count(), two.count()), (theirs.len() as u64, ours.len() as u64));
        let (first, counts) = found(&one, &two, &names);
        prop_assert_eq!(&first, &expected(&theirs, &ours));
        prop_assert_eq!(counts.agree(), first.is_empty());
        // Gone through again, it is the same.
        prop_assert_eq!(found(&one, &two, &names), (first, counts));
    }
}

#[test]
fn what_agrees_is_counted_and_not_told() {
    let mut names = Names::default();
    let all: Vec<Record> = (0..200).map(|key| (key, BTreeMap::from([(1, key % 3)]))).collect();
    let mut turned = all.clone();
    turned.reverse();
    // Every row is a run of its own, so that runs are merged into one on the way.
    let (one, two) = (sorted(&all, &mut names, 1), sorted(&turned, &mut names, 1 << 20));
    let (found, counts) = found(&one, &two, &names);
    assert!(found.is_empty());
    assert_eq!(counts, Counts { theirs: 200, ours: 200, same: 200, ..Counts::default() });
}

#[test]
fn nothing_stays_on_disk_and_a_folder_that_is_not_there_is_told() {
    let folder = std::env::temp_dir().join(format!("watashi-runs-{}", std::process::id()));
    std::fs::create_dir_all(&folder).unwrap();
    let mut sorter = Sorter::new(folder.clone(), 1);
    sorter.push(Row { key: "k".into(), items: [].into() }).unwrap();
    let sorted = sorter.finish();
    assert_eq!(std::fs::read_dir(&folder).unwrap().count(), 0, "the run has no name any more");
    assert_eq!(sorted.merged().unwrap().count(), 1);
    std::fs::remove_dir_all(&folder).unwrap();
    let mut sorter = Sorter::new(folder, 1);
    assert!(sorter.push(Row { key: "k".into(), items: [].into() }).is_err());
}
