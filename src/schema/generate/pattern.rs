//! Texts of a regular expression.

use super::chance::Chance;
use super::letters;
use regex_syntax::hir::{Class, Hir, HirKind, Repetition};

/// A pattern, ready to be sampled and to be tested.
#[derive(Clone, Debug)]
pub(super) struct Pattern {
    hir: Hir,
    regex: regex::Regex,
}

/// Longest text that is sampled, in characters; a pattern that repeats repetitions could double
/// with every level.
const LONGEST: usize = 20_000;

impl Pattern {
    /// `None` when it is none; the validator refused such a schema already.
    pub fn new(text: &str) -> Option<Pattern> {
        let hir = regex_syntax::parse(text).ok()?;
        Some(Pattern { hir, regex: regex::Regex::new(text).ok()? })
    }

    /// Whether the text matches.
    pub fn matches(&self, text: &str) -> bool {
        self.regex.is_match(text)
    }

    /// A text that matches, about `length` characters where the pattern leaves a choice. Word
    /// boundaries and the like are not heeded, so that the result has to be tested.
    pub fn sample(&self, length: usize, chance: &mut Chance) -> String {
        let mut out = String::new();
        let mut sampler = Sampler { length, chance, out: &mut out };
        sampler.hir(&self.hir);
        out
    }
}

struct Sampler<'a> {
    length: usize,
    chance: &'a mut Chance,
    out: &'a mut String,
}

impl Sampler<'_> {
    fn hir(&mut self, hir: &Hir) {
        if self.out.len() > LONGEST {
            return;
        }
        match hir.kind() {
            HirKind::Empty | HirKind::Look(_) => {}
            HirKind::Literal(literal) => {
                self.out.push_str(&String::from_utf8_lossy(&literal.0));
            }
            HirKind::Class(Class::Unicode(class)) => {
                let ranges = class.ranges().iter().map(|range| (range.start(), range.end()));
                let ranges: Vec<(char, char)> = ranges.collect();
                self.out.extend(letters::of(&ranges, self.chance));
            }
            HirKind::Class(Class::Bytes(class)) => {
                let ranges = class.ranges().iter();
                let ranges = ranges.map(|range| (char::from(range.start()), range.end().into()));
                let ranges: Vec<(char, char)> = ranges.collect();
                self.out.extend(letters::of(&ranges, self.chance));
            }
            HirKind::Repetition(repetition) => self.repetition(repetition),
            HirKind::Capture(capture) => self.hir(&capture.sub),
            HirKind::Concat(parts) => parts.iter().for_each(|part| self.hir(part)),
            HirKind::Alternation(branches) => {
                let chosen = self.chance.pick(branches).cloned();
                if let Some(branch) = chosen {
                    self.hir(&branch);
                }
            }
        }
    }

    fn repetition(&mut self, repetition: &Repetition) {
        let least = repetition.min as usize;
        let most = repetition.max.map_or(usize::MAX, |most| most as usize);
        let wanted = self.length.saturating_sub(self.out.chars().count());
        let count = match self.chance.below(6) {
            0 => least,
            1 if most <= 512 => most,
            2 => least.saturating_add(1).min(most),
            3 => self.chance.between(least, most.min(least.saturating_add(8))),
            _ => wanted.clamp(least, most),
        };
        for _ in 0..count.min(LONGEST) {
            self.hir(&repetition.sub);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_sampled_matches() {
        let mut chance = Chance::new(3);
        for text in [
            "^[0-9]{15}$",
            "^([0-9]{5}|[0-9]{16})$",
            r"^[0-9]{1,3}(\.[0-9]{1,2})?$",
            "^[^0-9]+$",
            r"^\p{Han}{1,4}$",
            "^$|^a+b*$",
            r"^(?i)yes$",
            "[ァ-ヶー]+",
        ] {
            let pattern = Pattern::new(text).unwrap();
            for length in 0..200 {
                let sampled = pattern.sample(length % 20, &mut chance);
                assert!(pattern.matches(&sampled), "{text}: {sampled:?}");
            }
        }
    }
}
