//! A small explicit-state explorer: breadth first, so that the first trace found is a shortest one.

use std::collections::{BTreeMap, HashMap};
use std::fmt::{Debug, Display};
use std::hash::{BuildHasherDefault, Hash, Hasher};

/// What is explored.
pub trait Model {
    /// A state of everything.
    type State: Clone + Eq + Hash + Debug;
    /// What leads from one state to the next.
    type Step: Copy + Display;
    /// What must hold.
    type Invariant: Copy + Ord + Display;

    /// Where it begins.
    fn initial(&self) -> Self::State;
    /// All that may happen next.
    fn next(&self, state: &Self::State, found: &mut Vec<Move<Self>>);
    /// What a state itself breaks.
    fn broken(&self, state: &Self::State) -> Option<Self::Invariant>;
    /// Whether nothing waits in silence here.
    fn rests(&self, state: &Self::State) -> bool;
    /// The invariant that says: from everywhere a state that rests can be reached.
    fn liveness(&self) -> Self::Invariant;
}

/// One thing that may happen.
pub struct Move<M: Model + ?Sized> {
    /// What.
    pub step: M::Step,
    /// What then is.
    pub state: M::State,
    /// What the step itself breaks.
    pub breaks: Option<M::Invariant>,
}

/// What an exploration found.
pub struct Found<I> {
    /// Different states.
    pub states: usize,
    /// Each invariant broken, with a shortest way there, a line a step.
    pub broken: BTreeMap<I, Vec<String>>,
}

/// More states than this are a mistake in the bounds.
const LIMIT: usize = 4_000_000;

/// Visits every state there is.
pub fn explore<M: Model>(model: &M) -> Found<M::Invariant> {
    let mut search = Search::new(model);
    let mut at = 0;
    let mut moves = Vec::new();
    while let Some(state) = search.states.get(at).cloned() {
        if let Some(invariant) = model.broken(&state) {
            search.note(invariant, at, None);
        }
        model.next(&state, &mut moves);
        for Move { step, state, breaks } in moves.drain(..) {
            if let Some(invariant) = breaks {
                search.note(invariant, at, Some(step));
            }
            let to = search.number(state, at, step);
            search.edges.push((at, to));
        }
        at += 1;
        assert!(at < LIMIT, "the bounds let too much happen");
    }
    if let Some(stuck) = search.stuck() {
        search.note(model.liveness(), stuck, None);
    }
    Found { states: search.states.len(), broken: search.broken }
}

struct Search<'m, M: Model> {
    model: &'m M,
    states: Vec<M::State>,
    known: HashMap<M::State, usize, BuildHasherDefault<Mixer>>,
    /// How each state was first reached.
    from: Vec<Option<(usize, M::Step)>>,
    edges: Vec<(usize, usize)>,
    broken: BTreeMap<M::Invariant, Vec<String>>,
}

impl<'m, M: Model> Search<'m, M> {
    fn new(model: &'m M) -> Self {
        let initial = model.initial();
        let mut known = HashMap::default();
        known.insert(initial.clone(), 0);
        let (from, edges) = (vec![None], Vec::new());
        Search { model, states: vec![initial], known, from, edges, broken: BTreeMap::new() }
    }

    fn number(&mut self, state: M::State, from: usize, step: M::Step) -> usize {
        if let Some(number) = self.known.get(&state) {
            return *number;
        }
        let number = self.states.len();
        self.known.insert(state.clone(), number);
        self.states.push(state);
        self.from.push(Some((from, step)));
        number
    }

    /// Keeps the first trace of each invariant: breadth first, it is a shortest one.
    fn note(&mut self, invariant: M::Invariant, at: usize, last: Option<M::Step>) {
        if self.broken.contains_key(&invariant) {
            return;
        }
        let mut trace: Vec<String> = last.iter().map(M::Step::to_string).collect();
        let mut here = at;
        while let Some(Some((before, step))) = self.from.get(here) {
            trace.push(step.to_string());
            here = *before;
        }
        trace.reverse();
        trace.push(format!("⇒ {invariant}"));
        self.broken.insert(invariant, trace);
    }

    /// The first state from which none can be reached that rests.
    fn stuck(&self) -> Option<usize> {
        let mut before: Vec<Vec<usize>> = vec![Vec::new(); self.states.len()];
        for (from, to) in &self.edges {
            before[*to].push(*from);
        }
        let mut fine: Vec<bool> = self.states.iter().map(|state| self.model.rests(state)).collect();
        let mut open: Vec<usize> = (0..fine.len()).filter(|at| fine[*at]).collect();
        while let Some(at) = open.pop() {
            for from in &before[at] {
                if !std::mem::replace(&mut fine[*from], true) {
                    open.push(*from);
                }
            }
        }
        fine.iter().position(|fine| !fine)
    }
}

/// A hash that is quick without optimisation; nobody attacks a model.
#[derive(Default)]
struct Mixer(u64);

impl Hasher for Mixer {
    fn finish(&self) -> u64 {
        self.0 ^ (self.0 >> 29)
    }

    fn write(&mut self, bytes: &[u8]) {
        bytes.iter().for_each(|byte| self.write_u64(u64::from(*byte)));
    }

    fn write_u8(&mut self, value: u8) {
        self.write_u64(u64::from(value));
    }

    fn write_isize(&mut self, value: isize) {
        self.write_u64(value as u64);
    }

    fn write_usize(&mut self, value: usize) {
        self.write_u64(value as u64);
    }

    fn write_u64(&mut self, value: u64) {
        self.0 = (self.0.rotate_left(5) ^ value).wrapping_mul(0x517c_c1b7_2722_0a95);
    }
}
