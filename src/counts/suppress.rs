//! Withholding: no number below the threshold can be read or reckoned from what is printed.
//!
//! The cells and their totals are a tree: the grand total, under it the totals of the first dimension,
//! and so on to the cells. Each number belongs to one sum only, so that what a reader can reckon of a
//! withheld number is exactly an interval, found by one pass up and one pass down. While a withheld small
//! number could be told to be small, one more is withheld: its smallest neighbour, else the total above it.

/// A number as it is printed: `None` is withheld.
pub type Shown = Option<u64>;

/// What a reader can reckon of a number: at least and at most; `u64::MAX` is without an end.
type Interval = (u64, u64);

/// All numbers of one depth: the grand total, the totals of the first dimension, …, the cells.
#[derive(Debug)]
struct Level {
    values: Vec<u64>,
    hidden: Vec<bool>,
    /// How many children each has at the next level.
    children: usize,
}

/// The numbers of every depth, the grand total first, each with the small ones withheld and with as many
/// more as it takes. `sizes` are those of the dimensions, `cells` has their product.
pub fn suppress(sizes: &[usize], cells: &[u64], threshold: u64) -> Vec<Vec<Shown>> {
    let mut levels = levels(sizes, cells);
    for level in &mut levels {
        for (value, hidden) in level.values.iter().zip(&mut level.hidden) {
            *hidden = (1..threshold).contains(value);
        }
    }
    while let Some(unsafe_ones) = found(&levels, threshold) {
        for (depth, index) in unsafe_ones {
            widen(&mut levels, depth, index);
        }
    }
    let shown = |level: Level| {
        let numbers = level.values.into_iter().zip(level.hidden);
        numbers.map(|(value, hidden)| (!hidden).then_some(value)).collect()
    };
    levels.into_iter().map(shown).collect()
}

fn levels(sizes: &[usize], cells: &[u64]) -> Vec<Level> {
    let mut values = cells.to_vec();
    let mut children = 1;
    let mut levels = Vec::with_capacity(sizes.len() + 1);
    for size in sizes.iter().rev() {
        let size = (*size).max(1);
        let totals = values.chunks(size).map(|group| group.iter().sum()).collect();
        let hidden = vec![false; values.len()];
        levels.push(Level { values, hidden, children });
        (values, children) = (totals, size);
    }
    let hidden = vec![false; values.len()];
    levels.push(Level { values, hidden, children });
    levels.reverse();
    levels
}

/// The withheld small numbers that a reader could tell to be small, one of each group of the first depth
/// that has any: those below may be safe once these are. `None` when there are none.
fn found(levels: &[Level], threshold: u64) -> Option<Vec<(usize, usize)>> {
    let known = intervals(levels);
    for (depth, (level, known)) in levels.iter().zip(&known).enumerate() {
        let mut found = Vec::new();
        let above = depth.checked_sub(1).and_then(|above| levels.get(above));
        let group = above.map_or(1, |above| above.children);
        let mut last = None;
        for (index, ((value, hidden), (_, most))) in
            level.values.iter().zip(&level.hidden).zip(known).enumerate()
        {
            let told = *hidden && (1..threshold).contains(value) && *most < threshold;
            if told && last != Some(index / group) {
                last = Some(index / group);
                found.push((depth, index));
            }
        }
        if !found.is_empty() {
            return Some(found);
        }
    }
    None
}

/// What a reader can reckon, knowing the sums and that a withheld number is not zero.
fn intervals(levels: &[Level]) -> Vec<Vec<Interval>> {
    // Up: a total is what its parts allow.
    let mut known: Vec<Vec<Interval>> = Vec::with_capacity(levels.len());
    for level in levels.iter().rev() {
        let below = known.last();
        let of = |(index, (value, hidden)): (usize, (&u64, &bool))| match (hidden, below) {
            (false, _) => (*value, *value),
            (true, None) => (1, u64::MAX),
            (true, Some(below)) => {
                let parts = below.iter().skip(index * level.children).take(level.children);
                let sum = parts.fold((0_u64, 0_u64), |sum, part| {
                    (sum.0.saturating_add(part.0), sum.1.saturating_add(part.1))
                });
                (sum.0.max(1), sum.1)
            }
        };
        known.push(level.values.iter().zip(&level.hidden).enumerate().map(of).collect());
    }
    known.reverse();
    // Down: a part is what its total leaves over by the others.
    for depth in 1..levels.len() {
        let children = levels.get(depth - 1).map_or(1, |above| above.children);
        let (above, below) = known.split_at_mut(depth);
        let (Some(totals), Some(parts)) = (above.last(), below.first_mut()) else { break };
        for (total, group) in totals.iter().zip(parts.chunks_mut(children)) {
            let least: u64 = group.iter().map(|part| part.0).sum();
            let endless = group.iter().filter(|part| part.1 == u64::MAX).count();
            let most: u64 = group.iter().map(|part| part.1).filter(|most| *most != u64::MAX).sum();
            for part in group {
                let (mine_least, mine_most) = *part;
                if total.1 != u64::MAX {
                    part.1 = mine_most.min(total.1.saturating_sub(least - mine_least));
                }
                let others_endless = endless - usize::from(mine_most == u64::MAX);
                if others_endless == 0 {
                    let others = if mine_most == u64::MAX { most } else { most - mine_most };
                    part.0 = mine_least.max(total.0.saturating_sub(others));
                }
            }
        }
    }
    known
}

/// Withholds one more number, so that less can be reckoned of this one.
fn widen(levels: &mut [Level], mut depth: usize, mut index: usize) {
    while let Some(above) = depth.checked_sub(1) {
        let children = levels.get(above).map_or(1, |level| level.children);
        let parent = index / children;
        if let Some(neighbour) = smallest(levels, depth, parent * children, children) {
            hide(levels, depth, neighbour);
            return;
        }
        let Some(open) = levels.get_mut(above).and_then(|level| level.hidden.get_mut(parent))
        else {
            return;
        };
        if !*open {
            *open = true;
            return;
        }
        (depth, index) = (above, parent);
    }
}

/// The smallest number of a group that is printed and not zero.
fn smallest(levels: &[Level], depth: usize, first: usize, count: usize) -> Option<usize> {
    let level = levels.get(depth)?;
    let numbers = level.values.iter().zip(&level.hidden).enumerate().skip(first).take(count);
    let open = numbers.filter(|(_, (value, hidden))| **value > 0 && !**hidden);
    open.min_by_key(|(_, (value, _))| **value).map(|(index, _)| index)
}

/// Withholds a number and, where its parts would tell it, one of them.
fn hide(levels: &mut [Level], depth: usize, index: usize) {
    let Some(level) = levels.get_mut(depth) else { return };
    let children = level.children;
    if let Some(hidden) = level.hidden.get_mut(index) {
        *hidden = true;
    }
    let Some(below) = levels.get(depth + 1) else { return };
    let first = index * children;
    let told = !below.hidden.iter().skip(first).take(children).any(|hidden| *hidden);
    if told && let Some(part) = smallest(levels, depth + 1, first, children) {
        hide(levels, depth + 1, part);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn flat(sizes: &[usize], cells: &[u64], threshold: u64) -> String {
        let shown = suppress(sizes, cells, threshold);
        let number = |one: &Shown| one.map_or("x".to_owned(), |value| value.to_string());
        let line = |level: &Vec<Shown>| level.iter().map(number).collect::<Vec<_>>().join(" ");
        shown.iter().map(line).collect::<Vec<_>>().join(" | ")
    }

    #[test]
    fn small_numbers_and_what_would_tell_them_are_withheld() {
        assert_eq!(flat(&[3], &[12, 30, 0], 10), "42 | 12 30 0", "nothing is small");
        assert_eq!(flat(&[3], &[3, 15, 40], 10), "58 | x x 40", "the smallest neighbour goes, too");
        assert_eq!(flat(&[3], &[9, 9, 40], 10), "58 | x x 40", "17 is possible: no more is needed");
        assert_eq!(
            flat(&[3], &[1, 1, 40], 10),
            "42 | x x x",
            "both are 1 if they alone are withheld"
        );
        assert_eq!(flat(&[2], &[3, 0], 10), "x | x 0");
        assert_eq!(flat(&[2], &[5, 5], 10), "x | x x", "their sum tells that both are small");
        assert_eq!(flat(&[2], &[6, 5], 10), "11 | x x");
        assert_eq!(flat(&[2], &[0, 0], 10), "0 | 0 0", "nobody is nobody");
    }

    #[test]
    fn a_total_that_would_tell_goes_with_one_of_its_neighbours() {
        // The first total has one part, which is small: so is the total; the second goes with it.
        assert_eq!(flat(&[2, 2], &[3, 0, 20, 30], 10), "53 | x x | x 0 x 30");
        assert_eq!(flat(&[2, 2], &[30, 40, 20, 30], 10), "120 | 70 50 | 30 40 20 30");
        assert_eq!(flat(&[3, 1], &[5, 20, 30], 10), "55 | x x 30 | x x 30");
    }

    /// Every way the withheld cells can be, as far as the printed numbers allow, cells up to `most`.
    fn possible(sizes: &[usize], shown: &[Vec<Shown>], most: u64) -> Vec<Vec<u64>> {
        let cells = shown.last().unwrap();
        let mut all = vec![Vec::new()];
        for cell in cells {
            let choices: Vec<u64> = cell.map_or((1..=most).collect(), |value| vec![value]);
            let longer = |one: Vec<u64>| {
                let add = move |choice: &u64| [one.clone(), vec![*choice]].concat();
                choices.iter().map(add).collect::<Vec<_>>()
            };
            all = all.into_iter().flat_map(longer).collect();
        }
        let fits = |one: &Vec<u64>| {
            levels(sizes, one).iter().zip(shown).all(|(level, shown)| {
                let printed = |(value, shown): (&u64, &Shown)| match shown {
                    Some(number) => number == value,
                    None => *value > 0,
                };
                level.values.iter().zip(shown).all(printed)
            })
        };
        all.retain(fits);
        all
    }

    fn tables() -> impl Strategy<Value = (Vec<usize>, Vec<u64>)> {
        let sizes = prop_oneof![
            Just(vec![3]),
            Just(vec![4]),
            Just(vec![2, 2]),
            Just(vec![1, 3]),
            Just(vec![2, 1, 2]),
            Just(vec![4, 1]),
        ];
        sizes.prop_flat_map(|sizes: Vec<usize>| {
            let count: usize = sizes.iter().product();
            (Just(sizes), proptest::collection::vec(0..6_u64, count))
        })
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(192))]

        /// Whoever tries every table that fits what is printed cannot tell that a small number is small.
        #[test]
        fn no_small_number_can_be_reckoned((sizes, cells) in tables()) {
            const THRESHOLD: u64 = 3;
            let shown = suppress(&sizes, &cells, THRESHOLD);
            let truth = levels(&sizes, &cells);
            let possible = possible(&sizes, &shown, 14);
            prop_assert!(possible.contains(&cells), "the truth is among them");
            for (depth, level) in truth.iter().enumerate() {
                for (index, value) in level.values.iter().enumerate() {
                    if !(1..THRESHOLD).contains(value) {
                        continue;
                    }
                    prop_assert_eq!(shown[depth][index], None);
                    let seen = |one: &Vec<u64>| levels(&sizes, one)[depth].values[index];
                    let largest = possible.iter().map(seen).max().unwrap();
                    prop_assert!(largest >= THRESHOLD, "{cells:?} {shown:?}: {largest}");
                    let smallest = possible.iter().map(seen).min().unwrap();
                    prop_assert!(smallest < largest);
                }
            }
        }

        /// What is printed is true, and zeros and whole tables without small numbers are printed.
        #[test]
        fn what_is_printed_is_true((sizes, cells) in tables(), threshold in 1..4_u64) {
            let shown = suppress(&sizes, &cells, threshold);
            let truth = levels(&sizes, &cells);
            let all = || truth.iter().flat_map(|level| level.values.iter());
            let any_small = all().any(|value| (1..threshold).contains(value));
            for (value, shown) in all().zip(shown.iter().flatten()) {
                prop_assert!(shown.is_none_or(|number| number == *value));
                prop_assert!(shown.is_some() || any_small);
                prop_assert!(shown.is_some() || *value > 0);
            }
        }
    }
}
