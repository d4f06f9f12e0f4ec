//! What is known of a text.

use crate::mapping::facts::language::{self, Pattern};
use regex_syntax::hir::ClassUnicode;
use std::collections::BTreeSet;
use std::sync::Arc;

/// Most values kept one by one.
pub(crate) const MAX_LISTED: usize = 256;

/// Texts that have all of this in common.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Texts {
    /// The only ones there can be, when they are listed; the rest then follows from them.
    pub only: Option<Arc<BTreeSet<String>>>,
    /// Fewest characters.
    pub least: usize,
    /// Most characters.
    pub most: Option<usize>,
    /// Patterns all of which are found in it.
    pub patterns: Vec<Pattern>,
    /// Formats it has (`date`, …) and check digits it passes (`my-number`, …), by name.
    pub forms: Vec<Arc<str>>,
}

impl Texts {
    /// Texts of which nothing is known.
    pub(crate) fn any() -> Texts {
        Texts::default()
    }

    /// Texts of that many characters.
    pub(crate) fn of_length(least: usize, most: Option<usize>) -> Texts {
        Texts { least, most, ..Texts::default() }
    }

    /// These texts and no others.
    pub(crate) fn listed(texts: impl IntoIterator<Item = String>) -> Texts {
        let only: BTreeSet<String> = texts.into_iter().collect();
        let lengths = || only.iter().map(|text| text.chars().count());
        let (least, most) = (lengths().min().unwrap_or(0), lengths().max());
        Texts { least, most, only: Some(Arc::new(only)), ..Texts::default() }
    }

    /// Texts in which a pattern is found; its length follows from it.
    pub(crate) fn matching(pattern: &str) -> Texts {
        Texts::any().with_pattern(Arc::from(pattern))
    }

    /// The same, of which one pattern more is known.
    pub(crate) fn with_pattern(mut self, pattern: Pattern) -> Texts {
        if !self.patterns.contains(&pattern) {
            let (least, most) = language::length(&pattern);
            self = self.with_length(least, most);
            self.patterns.push(pattern);
        }
        self
    }

    /// The same, of which a length is known as well.
    pub(crate) fn with_length(mut self, least: usize, most: Option<usize>) -> Texts {
        self.least = self.least.max(least);
        self.most = match (self.most, most) {
            (Some(left), Some(right)) => Some(left.min(right)),
            (left, right) => left.or(right),
        };
        self
    }

    /// The same with a form.
    pub(crate) fn with_form(mut self, form: &str) -> Texts {
        if !self.has_form(form) {
            self.forms.push(Arc::from(form));
        }
        self
    }

    /// Whether it is known to have a form.
    pub(crate) fn has_form(&self, form: &str) -> bool {
        self.forms.iter().any(|one| one.as_ref() == form)
    }

    /// Whether a pattern is found in every one of them.
    pub(crate) fn has(&self, pattern: &str) -> bool {
        match &self.only {
            Some(only) => {
                let matcher = regex_automata::meta::Regex::new(pattern);
                matcher.is_ok_and(|matcher| only.iter().all(|text| matcher.is_match(text)))
            }
            None => language::implies(&self.patterns, (self.least, self.most), pattern),
        }
    }

    /// Whether there can be no such text.
    pub(crate) fn is_never(&self) -> bool {
        match &self.only {
            Some(only) => only.is_empty(),
            None => {
                self.most.is_some_and(|most| most < self.least)
                    || (self.patterns.len() > 1
                        && language::impossible(&self.patterns, (self.least, self.most)))
            }
        }
    }

    /// The characters they may have; `None` when any.
    pub(crate) fn characters(&self) -> Option<ClassUnicode> {
        if let Some(only) = &self.only {
            let ranges = only.iter().flat_map(|text| text.chars());
            let ranges = ranges.map(|c| regex_syntax::hir::ClassUnicodeRange::new(c, c));
            return Some(ClassUnicode::new(ranges));
        }
        let sets = self.patterns.iter().filter_map(|pattern| language::characters(pattern));
        sets.reduce(|mut left, right| {
            left.intersect(&right);
            left
        })
    }

    /// A regular expression for the whole of any of them, to be put together with others.
    pub(crate) fn body(&self) -> String {
        if let Some(only) = &self.only {
            let all: Vec<String> = only.iter().map(|text| language::escape(text)).collect();
            return format!("(?:{})", all.join("|"));
        }
        if let Some(body) = self.patterns.iter().find_map(|pattern| language::body(pattern)) {
            return format!("(?:{body})");
        }
        let set = self.characters().map(|class| language::only_of(&class));
        let one = match set.as_deref().and_then(|pattern| pattern.strip_prefix('^')) {
            Some(rest) => rest.trim_end_matches("*$").trim_end_matches('$').to_owned(),
            None => "(?s:.)".to_owned(),
        };
        if one.is_empty() {
            return String::new();
        }
        match (self.least, self.most) {
            (least, Some(most)) if most <= 64 => format!("(?:{one}{{{},{most}}})", least.min(most)),
            (0, _) => format!("(?:{one}*)"),
            _ => format!("(?:{one}+)"),
        }
    }

    /// The part that passes a test; `None` when nothing is left. What is not listed stays whole.
    pub(crate) fn retain(&self, test: impl Fn(&str) -> bool) -> Option<Texts> {
        match &self.only {
            Some(only) => {
                let kept: Vec<String> = only.iter().filter(|text| test(text)).cloned().collect();
                (!kept.is_empty())
                    .then(|| Texts { forms: self.forms.clone(), ..Texts::listed(kept) })
            }
            None => Some(self.clone()),
        }
    }
}
