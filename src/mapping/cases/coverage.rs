//! Coverage: which rules the cases have given a value, and which ways they have gone.

use crate::mapping::plan::{Arm, Leaf, Op, Rule, Taken, address};
use crate::mapping::{Mapping, TraceLine};
use std::collections::{BTreeMap, BTreeSet};

/// Which rules the cases have set at least once, and which branches they have taken.
#[derive(Clone, Debug, Default)]
pub struct Coverage {
    rules: BTreeMap<(usize, usize, String), usize>,
    branches: Vec<Branch>,
    taken: BTreeSet<Taken>,
}

#[derive(Clone, Debug)]
struct Branch {
    place: usize,
    arm: Arm,
    line: usize,
    target: String,
    /// How many parts a `??` has.
    parts: usize,
}

/// A rule or a branch that no case reaches.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Unreached {
    /// The target of the rule.
    pub target: String,
    /// Its line in the mapping file, from 1.
    pub line: usize,
    /// Which way, of a branch: `when is never false`.
    pub way: String,
}

impl Coverage {
    /// Nothing of the mapping reached yet.
    pub fn of(mapping: &Mapping) -> Coverage {
        let mut coverage = Coverage::default();
        for (target, at) in mapping.leaves() {
            coverage.rules.insert((at.line, at.column, target.to_owned()), 0);
        }
        coverage.rule(&mapping.plan.root);
        coverage
    }

    /// Adds what one run has reached.
    pub(super) fn add(&mut self, lines: Vec<TraceLine>, taken: Vec<Taken>) {
        for line in lines {
            let valued = !matches!(line.outcome.as_str(), "absent" | "skipped");
            let key = (line.line, line.column, line.target);
            if let Some(hits) = self.rules.get_mut(&key).filter(|_| valued) {
                *hits += 1;
            }
        }
        self.taken.extend(taken);
    }

    /// Rules as (target, line), in the order of the file, that no case has given a value.
    pub fn untouched(&self) -> Vec<(String, usize)> {
        let none = self.rules.iter().filter(|(_, hits)| **hits == 0);
        none.map(|((line, _, target), _)| (target.clone(), *line)).collect()
    }

    /// Rules with a value in some case, and all rules.
    pub fn covered(&self) -> (usize, usize) {
        (self.rules.values().filter(|hits| **hits > 0).count(), self.rules.len())
    }

    /// Branches taken in some case, and all branches.
    pub fn branches(&self) -> (usize, usize) {
        (self.branches.len() - self.untaken().len(), self.branches.len())
    }

    /// Branches that no case takes, in the order of the file.
    pub fn untaken(&self) -> Vec<Unreached> {
        let mut none: Vec<Unreached> = self
            .branches
            .iter()
            .filter(|branch| !self.taken.contains(&(branch.place, branch.arm)))
            .map(|branch| Unreached {
                target: branch.target.clone(),
                line: branch.line,
                way: words(branch),
            })
            .collect();
        none.sort_by_key(|branch| branch.line);
        none
    }

    fn rule(&mut self, rule: &Rule) {
        match rule {
            Rule::Value(leaf) => self.leaf(leaf),
            Rule::Object(fields) => fields.iter().for_each(|field| self.rule(&field.rule)),
            Rule::Scoped(scoped) => {
                scoped.each.iter().for_each(|each| self.leaf(each));
                scoped.lets.iter().for_each(|(_, leaf)| self.leaf(leaf));
                if let Some(when) = &scoped.when {
                    self.fork(&when.op, when, &[Arm::Applies, Arm::Skipped]);
                    self.leaf(when);
                }
                self.rule(&scoped.body);
            }
        }
    }

    fn leaf(&mut self, leaf: &Leaf) {
        self.op(&leaf.op, leaf);
    }

    fn op(&mut self, op: &Op, leaf: &Leaf) {
        match op {
            Op::Default(options) => {
                let parts: Vec<Arm> = (0..options.len()).map(Arm::Part).collect();
                self.fork(op, leaf, &parts);
            }
            Op::If { .. } => self.fork(op, leaf, &[Arm::Then, Arm::Otherwise]),
            Op::Code { key, default: Some(_), .. } => {
                self.fork(key, leaf, &[Arm::Entry, Arm::NoEntry]);
            }
            _ => {}
        }
        op.parts(&mut |part| self.op(part, leaf));
    }

    fn fork(&mut self, op: &Op, leaf: &Leaf, arms: &[Arm]) {
        self.branches.extend(arms.iter().map(|arm| Branch {
            place: address(op),
            arm: *arm,
            line: leaf.at.line,
            target: leaf.target.clone(),
            parts: arms.len(),
        }));
    }
}

fn words(branch: &Branch) -> String {
    match branch.arm {
        Arm::Applies => "`when` is never true".to_owned(),
        Arm::Skipped => "`when` is never false".to_owned(),
        Arm::Then => "`if` is never true".to_owned(),
        Arm::Otherwise => "`if` is never false".to_owned(),
        Arm::Part(0) => "what stands before `??` is never there".to_owned(),
        Arm::Part(index) if branch.parts == 2 => {
            debug_assert_eq!(index, 1);
            "what stands after `??` is never used".to_owned()
        }
        Arm::Part(index) => format!("part {} of `??` is never used", index + 1),
        Arm::Entry => "the table never has an entry".to_owned(),
        Arm::NoEntry => "the default of `code` is never used".to_owned(),
    }
}
