//! Languages: what a pattern of a schema admits, compared with what another one admits.
//!
//! A pattern is searched for, as JSON Schema does: it holds of a text that contains a match
//! anywhere. Patterns have no look-around and no back-references, so each is a regular language
//! and inclusion can be decided exactly by walking two automata side by side.

use regex_automata::Anchored;
use regex_automata::dfa::{Automaton, StartKind, dense};
use regex_automata::util::start;
use regex_automata::util::syntax;
use regex_syntax::hir::{Class, ClassUnicode, ClassUnicodeRange, Hir, HirKind, Look};
use std::cell::RefCell;
use std::collections::{HashMap, HashSet};
use std::sync::Arc;

/// Largest automaton, in bytes; what would be larger is not decided.
const MAX_SIZE: usize = 4 << 20;

/// Most pairs of states looked at; beyond them nothing is decided.
const MAX_PAIRS: usize = 400_000;

/// Longest text whose characters are counted on the way.
const COUNTED: usize = 256;

/// How many automata and answers are kept for the next question.
const KEPT: usize = 4_096;

/// A regular expression in the syntax of the `regex` crate, searched for anywhere in a text.
pub(crate) type Pattern = Arc<str>;

type Dfa = Arc<dense::DFA<Vec<u32>>>;

thread_local! {
    static AUTOMATA: RefCell<HashMap<String, Option<Dfa>>> = RefCell::default();
    static ANSWERS: RefCell<HashMap<String, bool>> = RefCell::default();
}

/// A pattern of a schema (ECMA-262) as the validator runs it; `None` when it cannot.
pub(crate) fn translate(pattern: &str) -> Option<Pattern> {
    jsonschema_regex::to_rust_regex(pattern).ok().map(|text| Arc::from(text.as_ref()))
}

/// `text` with everything that means something to a pattern escaped.
pub(crate) fn escape(text: &str) -> String {
    regex_syntax::escape(text)
}

/// Whether every text of `least` to `most` characters in which all of `known` are found has
/// `wanted` in it. `false` also where that cannot be decided.
pub(crate) fn implies(
    known: &[Pattern],
    (least, most): (usize, Option<usize>),
    wanted: &str,
) -> bool {
    if known.iter().any(|one| one.as_ref() == wanted) {
        return true;
    }
    let question = format!("{known:?}{least}{most:?}{wanted:?}");
    let answered = ANSWERS.with_borrow(|answers| answers.get(&question).copied());
    answered.unwrap_or_else(|| {
        let answer = decide(known, (least, most), wanted).unwrap_or(false);
        ANSWERS.with_borrow_mut(|answers| {
            if answers.len() >= KEPT {
                answers.clear();
            }
            answers.insert(question, answer);
        });
        answer
    })
}

/// Whether no text of that length can have all of `known` in it.
pub(crate) fn impossible(known: &[Pattern], length: (usize, Option<usize>)) -> bool {
    // Nothing at all is found in a text only if there is no such text.
    implies(known, length, "[a&&b]")
}

fn automaton(pattern: &str) -> Option<Dfa> {
    let known = AUTOMATA.with_borrow(|kept| kept.get(pattern).cloned());
    if let Some(known) = known {
        return known;
    }
    // The empty class stands for "never"; between anchors a search becomes a full match.
    let whole = format!(r"\A(?s:.)*(?:{pattern})(?s:.)*\z");
    let built = dense::Builder::new()
        .configure(
            dense::Config::new()
                .start_kind(StartKind::Anchored)
                .match_kind(regex_automata::MatchKind::All)
                .dfa_size_limit(Some(MAX_SIZE))
                .determinize_size_limit(Some(MAX_SIZE)),
        )
        .syntax(syntax::Config::new().unicode(true).utf8(true))
        .build(&whole)
        .ok()
        .map(Arc::new);
    AUTOMATA.with_borrow_mut(|kept| {
        if kept.len() >= KEPT / 16 {
            kept.clear();
        }
        kept.insert(pattern.to_owned(), built.clone());
    });
    built
}

/// One state of all automata together, and how many characters led there.
type Place = (Vec<regex_automata::util::primitives::StateID>, usize);

fn decide(known: &[Pattern], length: (usize, Option<usize>), wanted: &str) -> Option<bool> {
    let (least, most) = length;
    let count_up_to = match most {
        Some(most) if most <= COUNTED => most + 1,
        _ => least.min(COUNTED),
    };
    let most = most.filter(|most| *most <= COUNTED);
    let all = if known.is_empty() { vec![Arc::from("")] } else { known.to_vec() };
    let mut automata: Vec<Dfa> = Vec::new();
    for pattern in all.iter().map(AsRef::as_ref).chain([wanted]) {
        automata.push(automaton(pattern)?);
    }
    let bytes = representatives(&automata);
    let begin = start::Config::new().anchored(Anchored::Yes);
    let first: Option<Vec<_>> =
        automata.iter().map(|automaton| automaton.start_state(&begin).ok()).collect();
    let mut open: Vec<Place> = vec![(first?, 0)];
    let mut seen: HashSet<Place> = open.iter().cloned().collect();
    while let Some((states, count)) = open.pop() {
        let accepts: Vec<bool> = automata
            .iter()
            .zip(&states)
            .map(|(automaton, state)| automaton.is_match_state(automaton.next_eoi_state(*state)))
            .collect();
        let (wanted_holds, known_hold) = accepts.split_last()?;
        let long_enough = count >= least.min(count_up_to.max(least.min(COUNTED)));
        if !wanted_holds && known_hold.iter().all(|holds| *holds) && long_enough {
            return Some(false);
        }
        for byte in &bytes {
            // A character begins with any byte but those that continue one.
            let next_count = if byte & 0xC0 == 0x80 { count } else { (count + 1).min(count_up_to) };
            if most.is_some_and(|most| next_count > most) {
                continue;
            }
            let next: Vec<_> = automata
                .iter()
                .zip(&states)
                .map(|(automaton, state)| automaton.next_state(*state, *byte))
                .collect();
            let dead = automata
                .iter()
                .zip(&next)
                .take(automata.len() - 1)
                .any(|(automaton, state)| automaton.is_dead_state(*state));
            let place = (next, next_count);
            if !dead && !seen.contains(&place) {
                if seen.len() >= MAX_PAIRS {
                    return None;
                }
                seen.insert(place.clone());
                open.push(place);
            }
        }
    }
    Some(true)
}

/// One byte of every class that no automaton tells apart, and that is alike in UTF-8.
fn representatives(automata: &[Dfa]) -> Vec<u8> {
    let mut seen = HashSet::new();
    (0..=u8::MAX)
        .filter(|byte| {
            let mut key: Vec<u8> =
                automata.iter().map(|one| one.byte_classes().get(*byte)).collect();
            key.push(u8::from(byte & 0xC0 == 0x80));
            seen.insert(key)
        })
        .collect()
}

/// How many characters a text with this pattern in it has: bounds only where the pattern is
/// anchored on both sides.
pub(crate) fn length(pattern: &str) -> (usize, Option<usize>) {
    let Some(hir) = parse(pattern) else { return (0, None) };
    let (least, most) = characters_of(&hir);
    (least, most.filter(|_| is_anchored(&hir)))
}

fn parse(pattern: &str) -> Option<Hir> {
    regex_syntax::ParserBuilder::new().build().parse(pattern).ok()
}

fn is_anchored(hir: &Hir) -> bool {
    let properties = hir.properties();
    properties.look_set_prefix().contains(Look::Start)
        && properties.look_set_suffix().contains(Look::End)
}

fn characters_of(hir: &Hir) -> (usize, Option<usize>) {
    match hir.kind() {
        HirKind::Empty | HirKind::Look(_) => (0, Some(0)),
        HirKind::Literal(literal) => {
            let count = String::from_utf8_lossy(&literal.0).chars().count();
            (count, Some(count))
        }
        HirKind::Class(_) => (1, Some(1)),
        HirKind::Repetition(repetition) => {
            let (least, most) = characters_of(&repetition.sub);
            let times = |count: u32| usize::try_from(count).unwrap_or(usize::MAX);
            let most = match (most, repetition.max) {
                (Some(0), _) => Some(0),
                (Some(most), Some(max)) => Some(most.saturating_mul(times(max))),
                _ => None,
            };
            (least.saturating_mul(times(repetition.min)), most)
        }
        HirKind::Capture(capture) => characters_of(&capture.sub),
        HirKind::Concat(parts) => parts.iter().map(characters_of).fold(
            (0, Some(0)),
            |(least, most), (one_least, one_most)| {
                let most = most.zip(one_most).map(|(a, b)| a.saturating_add(b));
                (least + one_least, most)
            },
        ),
        HirKind::Alternation(parts) => {
            let all: Vec<_> = parts.iter().map(characters_of).collect();
            let least = all.iter().map(|(least, _)| *least).min().unwrap_or(0);
            let most: Option<Vec<usize>> = all.iter().map(|(_, most)| *most).collect();
            (least, most.and_then(|most| most.into_iter().max()))
        }
    }
}

/// The characters a text with this pattern in it may have; `None` when any.
pub(crate) fn characters(pattern: &str) -> Option<ClassUnicode> {
    let hir = parse(pattern)?;
    let mut class = ClassUnicode::empty();
    (is_anchored(&hir) && collect(&hir, &mut class)).then_some(class)
}

fn collect(hir: &Hir, into: &mut ClassUnicode) -> bool {
    match hir.kind() {
        HirKind::Empty | HirKind::Look(_) => true,
        HirKind::Literal(literal) => match std::str::from_utf8(&literal.0) {
            Ok(text) => {
                text.chars().for_each(|c| into.push(ClassUnicodeRange::new(c, c)));
                true
            }
            Err(_) => false,
        },
        HirKind::Class(Class::Unicode(class)) => {
            into.union(class);
            true
        }
        HirKind::Class(Class::Bytes(class)) => match class.to_unicode_class() {
            Some(class) => {
                into.union(&class);
                true
            }
            None => false,
        },
        HirKind::Repetition(repetition) => collect(&repetition.sub, into),
        HirKind::Capture(capture) => collect(&capture.sub, into),
        HirKind::Concat(parts) | HirKind::Alternation(parts) => {
            parts.iter().all(|part| collect(part, into))
        }
    }
}

/// A pattern that holds of the texts made of these characters only.
pub(crate) fn only_of(class: &ClassUnicode) -> Pattern {
    if class.ranges().is_empty() {
        return Arc::from("^$");
    }
    let one = |c: char| format!(r"\x{{{:X}}}", u32::from(c));
    let ranges: String = class
        .ranges()
        .iter()
        .map(|range| format!("{}-{}", one(range.start()), one(range.end())))
        .collect();
    Arc::from(format!("^[{ranges}]*$"))
}

/// The inside of a pattern that is anchored on both sides, to be put together with others.
pub(crate) fn body(pattern: &str) -> Option<String> {
    let hir = parse(pattern)?;
    if !is_anchored(&hir) {
        return None;
    }
    // Anchored alternatives (`^a$|^b$`) have their anchors inside; those are left alone.
    let HirKind::Concat(parts) = hir.kind() else { return None };
    let look = |hir: &Hir| matches!(hir.kind(), HirKind::Look(_));
    let (first, rest) = parts.split_first()?;
    let (last, middle) = rest.split_last()?;
    let plain = middle.iter().all(|part| part.properties().look_set().is_empty());
    if !look(first) || !look(last) || !plain {
        return None;
    }
    Some(Hir::concat(middle.to_vec()).to_string())
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::proptest;
    use regex_automata::meta::Regex;

    fn yes(known: &[&str], length: (usize, Option<usize>), wanted: &str) -> bool {
        let known: Vec<Pattern> = known.iter().map(|one| Arc::from(*one)).collect();
        implies(&known, length, wanted)
    }

    #[test]
    fn a_narrower_pattern_implies_a_wider_one() {
        assert!(yes(&["^[0-9]{15}$"], (0, None), "^[0-9]{1,20}$"));
        assert!(yes(&["^[0-9]{15}$"], (0, None), "^[0-9A-Z]+$"));
        assert!(!yes(&["^[0-9A-Z]+$"], (0, None), "^[0-9]+$"));
        assert!(yes(&["^[0-9A-Z]+$", "^[^A-Z]*$"], (0, None), "^[0-9]+$"));
        assert!(yes(&["^(渡|わ){2}$"], (0, None), "^\\P{ASCII}*$"));
        assert!(yes(&["^(a|b)c$"], (0, None), "c"));
        assert!(!yes(&["a"], (0, None), "^a"));
    }

    #[test]
    fn length_counts() {
        assert!(yes(&["^[0-9]+$"], (6, Some(6)), "^[0-9]{6}$"));
        assert!(!yes(&["^[0-9]+$"], (5, Some(6)), "^[0-9]{6}$"));
        assert!(yes(&["^[0-9]+$"], (1, Some(6)), "^[0-9]{1,6}$"));
        assert!(!yes(&["^[0-9]*$"], (0, Some(6)), "^[0-9]{1,6}$"));
        assert!(yes(&[], (1, None), "^(?s:.)+$"));
        assert!(!yes(&[], (0, None), "^(?s:.)+$"));
        assert!(!yes(&[], (0, Some(3)), "^(?s:.){0,2}$"));
        assert!(yes(&[], (0, Some(2)), "^(?s:.){0,2}$"));
        assert!(yes(&["^0*[0-9]{5}$"], (16, Some(16)), "^[0-9]{16}$"));
        assert_eq!(length("^[0-9]{2,3}渡?$"), (2, Some(4)));
        assert_eq!(length("[0-9]{2,3}"), (2, None));
    }

    #[test]
    fn nothing_is_in_an_empty_language() {
        let patterns = |all: &[&str]| all.iter().map(|one| Arc::from(*one)).collect::<Vec<_>>();
        assert!(impossible(&patterns(&["^a$", "^b$"]), (0, None)));
        assert!(impossible(&patterns(&["^a$"]), (2, None)));
        assert!(!impossible(&patterns(&["^a$"]), (0, None)));
    }

    #[test]
    fn insides_can_be_put_together() {
        let joined = format!("^{}{}$", body("^[0-9]{2}$").unwrap(), body("^x?$").unwrap());
        assert!(yes(&[&joined], (0, None), "^[0-9]{2}x?$"), "{joined}");
        assert_eq!(body("^a$|^b$"), None);
        assert_eq!(body("a$"), None);
        let class = characters("^[0-9]{2}(-[a-c])?$").unwrap();
        assert_eq!(only_of(&class).as_ref(), r"^[\x{2D}-\x{2D}\x{30}-\x{39}\x{61}-\x{63}]*$");
    }

    proptest! {
        /// Whatever is said to be implied holds of every text.
        #[test]
        fn an_implication_holds_of_texts(
            left in "\\^?[ab]{1,2}([ab*+?]|[ab]\\{1,2\\})?\\$?",
            right in "\\^?[ab]{1,2}([ab*+?]|[ab]\\{1,2\\})?\\$?",
            text in "[abc]{0,5}",
        ) {
            let (Ok(known), Ok(wanted)) = (Regex::new(&left), Regex::new(&right)) else {
                return Ok(());
            };
            if yes(&[&left], (0, None), &right) && known.is_match(&text) {
                assert!(wanted.is_match(&text), "{left} {right} {text}");
            }
        }
    }
}
