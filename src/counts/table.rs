//! The table: cells and totals, each with its labels, as lines.

use super::{Definition, Shown, TOTAL, suppress};

/// One line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Line {
    /// A label for each dimension; `計` from where it is a total.
    pub labels: Vec<String>,
    /// The number, or nothing where it is withheld.
    pub count: Shown,
}

/// All lines: each total stands before what it is the sum of.
pub fn lines(definition: &Definition, cells: &[u64]) -> Vec<Line> {
    let sizes = definition.sizes();
    let levels = suppress(&sizes, cells, definition.threshold);
    let mut found = Vec::new();
    add(definition, &levels, 0, 0, &mut Vec::new(), &mut found);
    found
}

fn add(
    definition: &Definition,
    levels: &[Vec<Shown>],
    depth: usize,
    index: usize,
    labels: &mut Vec<String>,
    found: &mut Vec<Line>,
) {
    let Some(count) = levels.get(depth).and_then(|level| level.get(index)) else { return };
    let totals = definition.dimensions.iter().skip(depth).map(|_| TOTAL.to_owned());
    found.push(Line { labels: labels.iter().cloned().chain(totals).collect(), count: *count });
    let Some(dimension) = definition.dimensions.get(depth) else { return };
    for (number, label) in dimension.labels.iter().enumerate() {
        labels.push(label.clone());
        let child = index * dimension.labels.len() + number;
        add(definition, levels, depth + 1, child, labels, found);
        labels.pop();
    }
}
