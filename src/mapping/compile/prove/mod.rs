//! Prove: every rule over everything the source schema admits, so that a mapping without findings
//! neither fails (but by its author's `reject`) nor gives a document the target schema refuses.
//!
//! The mapping is evaluated over facts instead of values, once for each combination of what its
//! conditions depend on: what belongs to `event == "removed"` is judged where the event is that.

use crate::diagnostic::yaml::Node;
use crate::diagnostic::{Diagnostic, Location, Severity, SourceFile};
use crate::mapping::compile::REQUEST;
use crate::mapping::compile::prove::eval::Truth;
use crate::mapping::compile::prove::scope::{Gather, Places, Scope, combinations};
use crate::mapping::compile::prove::tree::{Grower, Leaf, Scoped, Tree, Written};
use crate::mapping::facts::{Arrays, Facts, Objects, Rest, admit};
use crate::mapping::tables::{Table, Tables};
use crate::model::codes::mapping as codes;
use crate::schema::Schema;
use std::collections::{BTreeMap, BTreeSet};
use std::ops::Range;
use std::sync::Arc;

mod call;
mod eval;
mod report;
mod scope;
mod tree;

/// Most combinations of cases of a document that are looked at one by one, and of an element.
const MAX_CASES: (usize, usize) = (192, 48);

/// The schema of documents that no message brought: the list request of a pull.
const CURSOR: &str = "watashi/cursor@1";

/// What a condition decides.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Asked {
    If,
    When,
}

/// One condition and what it was seen to be.
struct Seen {
    location: Location,
    asked: Asked,
    holds: bool,
    fails: bool,
}

/// What is known of one code table's use.
#[derive(Default)]
struct Used {
    keys: BTreeSet<String>,
    any: bool,
}

/// Proves one mapping.
struct Prover<'a> {
    diagnostics: Vec<Diagnostic>,
    known: BTreeSet<(&'static str, usize, usize)>,
    local: &'a BTreeMap<String, Arc<Table>>,
    shared: &'a Tables,
    /// How many `otherwise` we are inside of: there a failure is no problem.
    quiet: usize,
    /// Whether some rule has a problem of its own, so that its value is not known.
    broken: bool,
    conditions: BTreeMap<usize, Seen>,
    defaults: BTreeMap<usize, (Location, bool)>,
    fallbacks: BTreeMap<usize, (Location, bool)>,
    lacking: BTreeMap<usize, (Location, String, BTreeSet<String>)>,
    used: BTreeMap<String, Used>,
    /// What each rule gave in the case that is looked at, by where it is written.
    given: BTreeMap<usize, Vec<(Facts, Location)>>,
    gather: Gather,
}

/// Proves a mapping whose form was checked before; `found` is what that found.
pub(super) fn prove(
    file: &Arc<SourceFile>,
    root: &Node,
    (from, to, request): (&Schema, &Schema, Option<&Schema>),
    (local, shared): (&BTreeMap<String, Arc<Table>>, &Tables),
    found: &[Diagnostic],
) -> Vec<Diagnostic> {
    let errors: Vec<Range<usize>> = found
        .iter()
        .filter(|one| one.severity == Severity::Error && one.location.file.path == file.path)
        // What no rule sets is told where the object begins, whose first rule may be sound.
        .filter(|one| one.code != &codes::TARGET_NOT_SET)
        .map(|one| one.location.span.clone())
        .collect();
    let tree = Grower { file, errors }.root(root);
    let mut prover = Prover {
        diagnostics: Vec::new(),
        known: found
            .iter()
            .map(|one| (one.code.code, one.location.span.start, one.location.span.end))
            .collect(),
        local,
        shared,
        quiet: 0,
        broken: found.iter().any(|one| one.severity == Severity::Error),
        conditions: BTreeMap::new(),
        defaults: BTreeMap::new(),
        fallbacks: BTreeMap::new(),
        lacking: BTreeMap::new(),
        used: BTreeMap::new(),
        given: BTreeMap::new(),
        gather: Gather { places: Places::default(), inside: false, variables: Vec::new() },
    };
    // What was sent is whatever its schema allows: no case of it is looked at by itself.
    let seen = request.map(|request| (REQUEST.to_owned(), Facts::admitted_by(request.shape())));
    prover.gather.variables.extend(seen.iter().map(|(name, _)| (name.clone(), None)));
    let document = Facts::admitted_by(from.shape());
    prover.gather_tree(&tree);
    let places = std::mem::take(&mut prover.gather.places);
    for combination in combinations(&document, &places.document, MAX_CASES.0) {
        let narrowed = combination
            .iter()
            .fold(document.clone(), |all, (steps, case)| all.narrowed(steps, case));
        if narrowed.is_never() {
            continue;
        }
        let scope = Scope {
            document: narrowed,
            element: None,
            variables: seen.iter().cloned().collect(),
            pull: from.id() == CURSOR,
        };
        prover.given.clear();
        let result = prover.tree(&tree, &scope, true);
        let result = if result.absent {
            result.present().or(Facts::of(&serde_json::Value::Null))
        } else {
            result
        };
        for refusal in admit::refusals(&result, to.shape()) {
            prover.refused(&tree, &refusal);
        }
    }
    prover.summary(file, root);
    prover.diagnostics
}

impl Prover<'_> {
    fn report(&mut self, diagnostic: Diagnostic) {
        let span = &diagnostic.location.span;
        if self.known.insert((diagnostic.code.code, span.start, span.end)) {
            self.diagnostics.push(diagnostic);
        }
    }

    fn table(&self, name: &str) -> Option<Arc<Table>> {
        self.local.get(name).or_else(|| self.shared.get(name)).cloned()
    }

    fn used(&mut self, name: &str, keys: Option<&[String]>) {
        let used = self.used.entry(name.to_owned()).or_default();
        match keys {
            Some(keys) => used.keys.extend(keys.iter().cloned()),
            None => used.any = true,
        }
    }

    fn missing(&mut self, place: &Location, table: &str, keys: Vec<String>) {
        if !keys.is_empty() {
            let (_, _, all) = self
                .lacking
                .entry(place.span.start)
                .or_insert_with(|| (place.clone(), table.to_owned(), BTreeSet::new()));
            all.extend(keys);
        }
    }

    fn note(&mut self, location: Location, truth: Truth, asked: Asked) {
        let seen = self.conditions.entry(location.span.start).or_insert_with(|| Seen {
            location,
            asked,
            holds: false,
            fails: false,
        });
        seen.holds |= truth.yes;
        seen.fails |= truth.may_not_hold();
    }

    /// What a rule gives. `keep` keeps an object none of whose members was set.
    fn tree(&mut self, tree: &Tree, scope: &Scope, keep: bool) -> Facts {
        match tree {
            Tree::Broken => Facts::never(),
            Tree::Value(leaf) => {
                let parts = self.leaf(leaf, scope);
                let facts =
                    parts.iter().map(|(facts, _)| facts.clone()).fold(Facts::never(), Facts::or);
                self.given.entry(leaf.location.span.start).or_default().extend(parts);
                facts
            }
            Tree::Object(object) => {
                let mut members = Vec::new();
                for member in &object.members {
                    members.push((Arc::clone(&member.name), self.tree(&member.rule, scope, false)));
                }
                // One rule that certainly refuses refuses the whole message.
                if !self.broken && members.iter().any(|(_, facts)| facts.is_never()) {
                    return Facts::never();
                }
                let empty =
                    !keep && !members.is_empty() && members.iter().all(|(_, facts)| facts.absent);
                let some = members.is_empty()
                    || keep
                    || members.iter().any(|(_, facts)| facts.may_be_present() || facts.is_never());
                let mut facts = if some {
                    Facts::object(Objects { members, rest: Rest::None })
                } else {
                    Facts::never()
                };
                facts.absent |= empty;
                facts
            }
            Tree::Scoped(scoped) => self.scoped(scoped, scope, keep),
        }
    }

    fn leaf(&mut self, leaf: &Leaf, scope: &Scope) -> Vec<(Facts, Location)> {
        match &leaf.written {
            Written::Expression(written) => {
                let (source, expression) = written.as_ref();
                self.eval(source, expression, scope).parts
            }
            Written::Literal(value) => vec![(Facts::of(value), leaf.location.clone())],
            Written::Broken => vec![(Facts::never(), leaf.location.clone())],
        }
    }

    fn facts_of(&mut self, leaf: &Leaf, scope: &Scope) -> Facts {
        let parts = self.leaf(leaf, scope);
        parts.into_iter().map(|(facts, _)| facts).fold(Facts::never(), Facts::or)
    }

    fn scoped(&mut self, scoped: &Scoped, scope: &Scope, keep: bool) -> Facts {
        let Some(each) = &scoped.each else {
            let mut inner = scope.clone();
            return self.once(scoped, &mut inner, keep);
        };
        let array = self.facts_of(each, scope);
        let kinds = Facts { arrays: Vec::new(), ..array.clone().value() };
        if kinds.may_be_value() {
            let message =
                format!("`each` needs an array; it may be {}", kinds.kinds().join(" or "));
            self.report(
                Diagnostic::error(&codes::KIND_MAY_FAIL, each.location.clone(), message).warning(),
            );
        }
        let mut result = if array.may_be_nothing() { Facts::absent() } else { Facts::never() };
        for one in &array.arrays {
            let element = one.element.clone().unwrap_or_else(Facts::any);
            let mut found = Facts::never();
            if one.most != Some(0) {
                let places = self.gathered(scoped);
                for combination in combinations(&element, &places.element, MAX_CASES.1) {
                    let narrowed = combination
                        .iter()
                        .fold(element.clone(), |all, (steps, case)| all.narrowed(steps, case));
                    if narrowed.is_never() {
                        continue;
                    }
                    let mut inner = scope.clone();
                    inner.element = Some(narrowed);
                    found = found.or(self.once(scoped, &mut inner, true));
                }
            }
            let certain = !found.absent && !found.is_never();
            result = result.or(Facts::from(Arrays {
                least: if certain { one.least } else { 0 },
                most: if found.may_be_present() || self.broken { one.most } else { Some(0) },
                element: Some(found.present()),
            }));
        }
        result
    }

    fn once(&mut self, scoped: &Scoped, scope: &mut Scope, keep: bool) -> Facts {
        for (name, leaf) in &scoped.lets {
            let facts = self.facts_of(leaf, scope);
            scope.variables.push((name.clone(), facts));
        }
        let Some(when) = &scoped.when else { return self.tree(&scoped.body, scope, keep) };
        let (truth, inner) = match &when.written {
            Written::Expression(written) => {
                let (source, expression) = written.as_ref();
                let truth = self.truth(source, expression, scope);
                (truth, scope.given(expression, true))
            }
            Written::Literal(value) => {
                let yes = value == &serde_json::Value::Bool(true);
                (Truth { yes, no: !yes, ..Truth::default() }, scope.clone())
            }
            Written::Broken => (Truth { yes: true, no: true, ..Truth::default() }, scope.clone()),
        };
        self.note(when.location.clone(), truth, Asked::When);
        let mut facts = Facts::never();
        if truth.yes {
            facts = self.tree(&scoped.body, &inner, keep);
        }
        facts.absent |= truth.may_not_hold();
        facts
    }

    /// The places on which the rules of one `each` depend, from the element on.
    fn gathered(&mut self, scoped: &Scoped) -> Places {
        let variables = self.gather.variables.len();
        let inside = std::mem::replace(&mut self.gather.inside, true);
        let before = std::mem::take(&mut self.gather.places);
        self.gather_body(scoped);
        let found = std::mem::replace(&mut self.gather.places, before);
        self.gather.variables.truncate(variables);
        self.gather.inside = inside;
        found
    }

    fn gather_leaf(&mut self, leaf: &Leaf, deciding: bool) {
        if let Written::Expression(written) = &leaf.written {
            self.gather.expression(&written.1, deciding);
        }
    }

    fn gather_body(&mut self, scoped: &Scoped) {
        for (name, leaf) in &scoped.lets {
            self.gather_leaf(leaf, false);
            let place = match &leaf.written {
                Written::Expression(written) => match &written.1.kind {
                    crate::mapping::syntax::Kind::Path(path) => self.gather.place(path),
                    _ => None,
                },
                _ => None,
            };
            self.gather.variables.push((name.clone(), place));
        }
        if let Some(when) = &scoped.when {
            self.gather_leaf(when, true);
        }
        self.gather_tree(&scoped.body);
    }

    fn gather_tree(&mut self, tree: &Tree) {
        match tree {
            Tree::Broken => {}
            Tree::Value(leaf) => self.gather_leaf(leaf, false),
            Tree::Object(object) => {
                object.members.iter().for_each(|member| self.gather_tree(&member.rule));
            }
            Tree::Scoped(scoped) => {
                let variables = self.gather.variables.len();
                let inside = self.gather.inside;
                let element = self.gather.places.element.len();
                if let Some(each) = &scoped.each {
                    self.gather_leaf(each, false);
                    self.gather.inside = true;
                }
                self.gather_body(scoped);
                if scoped.each.is_some() && inside {
                    // Places of an inner element are not those of the outer one.
                    self.gather.places.element.truncate(element);
                }
                self.gather.inside = inside;
                self.gather.variables.truncate(variables);
            }
        }
    }
}
