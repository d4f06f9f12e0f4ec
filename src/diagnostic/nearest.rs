//! The nearest valid name to a misspelt one.

/// The candidate with the smallest edit distance, if it is near enough to be worth offering
/// (at most a third of the longer name, at least 1).
pub fn nearest<'a>(found: &str, candidates: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let mut best: Option<(usize, &str)> = None;
    for candidate in candidates {
        let distance = distance(found, candidate);
        let longest = found.chars().count().max(candidate.chars().count());
        if distance <= (longest / 3).max(1) && best.is_none_or(|(known, _)| distance < known) {
            best = Some((distance, candidate));
        }
    }
    best.map(|(_, candidate)| candidate)
}

/// Optimal string alignment distance over characters, ignoring ASCII case.
fn distance(left: &str, right: &str) -> usize {
    let left: Vec<char> = left.chars().map(|c| c.to_ascii_lowercase()).collect();
    let right: Vec<char> = right.chars().map(|c| c.to_ascii_lowercase()).collect();
    let mut previous: Vec<usize> = Vec::new();
    let mut current: Vec<usize> = (0..=right.len()).collect();
    for (i, a) in left.iter().enumerate() {
        let next = next_row(&current, &previous, i, *a, &left, &right);
        previous = std::mem::replace(&mut current, next);
    }
    current.last().copied().unwrap_or(0)
}

fn next_row(
    row: &[usize],
    before: &[usize],
    i: usize,
    a: char,
    left: &[char],
    right: &[char],
) -> Vec<usize> {
    let mut next = vec![i + 1];
    for (j, b) in right.iter().enumerate() {
        let get = |row: &[usize], at: usize| row.get(at).copied().unwrap_or(usize::MAX / 2);
        let substitute = get(row, j) + usize::from(a != *b);
        let mut cost = substitute.min(get(row, j + 1) + 1).min(get(&next, j) + 1);
        let swapped = i > 0 && j > 0 && left.get(i - 1) == Some(b) && right.get(j - 1) == Some(&a);
        if swapped {
            cost = cost.min(get(before, j - 1) + 1);
        }
        next.push(cost);
    }
    next
}

#[cfg(test)]
mod tests {
    use super::nearest;

    #[test]
    fn offers_the_nearest_and_nothing_far_away() {
        let names = ["person.atenaNumber", "person.name", "doses"];
        assert_eq!(nearest("person.atenaNumer", names), Some("person.atenaNumber"));
        assert_eq!(nearest("dsoes", names), Some("doses"));
        assert_eq!(nearest("temperature", names), None);
    }
}
