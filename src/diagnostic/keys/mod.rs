//! `Keys`: what may stand in the maps that people write. One table per structure, from which come
//! the reader's list of known keys, the order of the formatter, and the JSON Schema for editors.

mod json_schema;

pub use json_schema::json_schema;

use crate::diagnostic::yaml::{Entry, Kind};

/// One kind of map: its keys in their usual order.
#[derive(Debug)]
pub struct Keys {
    /// Its name among the definitions of the JSON Schema, unique within one file: `operation`.
    pub name: &'static str,
    /// What messages call it: `an operation`.
    pub what: &'static str,
    /// What it is for, in a sentence.
    pub doc: &'static str,
    /// The keys it may have.
    pub keys: &'static [Key],
    /// Keys of which exactly one must be there.
    pub one_of: &'static [&'static str],
    /// What any other key holds; without it there is no other key.
    pub rest: Option<&'static Form>,
    /// Names that no other key may have.
    pub reserved: &'static [&'static str],
}

/// One key.
#[derive(Debug)]
pub struct Key {
    /// As it is written.
    pub name: &'static str,
    /// What stands behind it.
    pub form: Form,
    /// Whether it must be there.
    pub required: bool,
    /// What holds without it, where a word can say so.
    pub default: Option<&'static str>,
    /// What it means, in a sentence.
    pub doc: &'static str,
}

/// What may stand as a value.
#[derive(Clone, Copy, Debug)]
pub enum Form {
    /// Anything at all.
    Any,
    /// A text.
    Text,
    /// A text, a number, true, false or null.
    Scalar,
    /// True or false.
    Flag,
    /// Null.
    Null,
    /// A whole number within bounds.
    Count(u64, u64),
    /// `500ms`, `2s`, `5m`, `24h`, `7d`.
    Duration,
    /// One of these texts.
    Words(&'static [&'static str]),
    /// A text that a regular expression describes.
    Pattern(&'static str),
    /// A map of known keys.
    Map(&'static Keys),
    /// A map of free names.
    Names(&'static Form),
    /// A list.
    List(&'static Form),
    /// Any of these.
    Either(&'static [Form]),
}

impl Keys {
    /// A structure of known keys only.
    pub const fn new(
        name: &'static str,
        what: &'static str,
        doc: &'static str,
        keys: &'static [Key],
    ) -> Keys {
        Keys { name, what, doc, keys, one_of: &[], rest: None, reserved: &[] }
    }

    /// The names of its keys.
    pub fn names(&self) -> Vec<&'static str> {
        self.keys.iter().map(|key| key.name).collect()
    }

    /// What stands behind a key.
    pub fn form(&self, name: &str) -> Option<&'static Form> {
        self.keys.iter().find(|key| key.name == name).map(|key| &key.form).or(self.rest)
    }
}

impl Key {
    /// A key that may be left out.
    pub const fn new(name: &'static str, form: Form, doc: &'static str) -> Key {
        Key { name, form, required: false, default: None, doc }
    }

    /// The same, but it must be there.
    #[must_use]
    pub const fn required(self) -> Key {
        Key { required: true, ..self }
    }

    /// The same with what holds without it.
    #[must_use]
    pub const fn default(self, default: &'static str) -> Key {
        Key { default: Some(default), ..self }
    }
}

impl Form {
    /// The structure that a map of this form is meant to be, by the keys it has.
    pub fn structure(&self, entries: &[Entry]) -> Option<Structure> {
        match self {
            Form::Map(keys) => Some(Structure::Keys(keys)),
            Form::Names(form) => Some(Structure::Names(form)),
            Form::Either(forms) => {
                let candidates = forms.iter().filter_map(|form| form.structure(entries));
                candidates.max_by_key(|structure| structure.likeness(entries))
            }
            _ => None,
        }
    }

    /// The form of the elements of a list of this form.
    pub fn element(&self) -> Option<&'static Form> {
        match self {
            Form::List(form) => Some(form),
            Form::Either(forms) => forms.iter().find_map(Form::element),
            _ => None,
        }
    }
}

/// What a map turned out to be.
#[derive(Clone, Copy, Debug)]
pub enum Structure {
    /// Known keys.
    Keys(&'static Keys),
    /// Free names with values of one form.
    Names(&'static Form),
}

impl Structure {
    /// What stands behind a key.
    pub fn form(&self, name: &str) -> Option<&'static Form> {
        match self {
            Structure::Keys(keys) => keys.form(name),
            Structure::Names(form) => Some(form),
        }
    }

    /// Where a key stands in the usual order; `None` where the author's order counts.
    pub fn rank(&self, name: &str) -> Option<usize> {
        match self {
            Structure::Keys(keys) if !keys.keys.is_empty() => {
                let place = keys.keys.iter().position(|key| key.name == name);
                Some(place.unwrap_or(usize::MAX))
            }
            _ => None,
        }
    }

    /// How many of the keys are its own, and whether its words fit; free names are the last
    /// choice.
    fn likeness(&self, entries: &[Entry]) -> usize {
        let Structure::Keys(keys) = self else { return 0 };
        let fits = |entry: &&Entry| {
            keys.keys.iter().any(|key| {
                key.name == entry.key
                    && match (&key.form, &entry.node.value) {
                        (Form::Words(words), Kind::Scalar(value)) => {
                            value.as_str().is_some_and(|word| words.contains(&word))
                        }
                        _ => true,
                    }
            })
        };
        1 + entries.iter().filter(fits).count()
    }
}

/// Every structure a form leads to, itself first; each once.
pub fn structures(form: &'static Form) -> Vec<&'static Keys> {
    let mut found = Vec::new();
    collect(form, &mut found);
    found
}

fn collect(form: &'static Form, into: &mut Vec<&'static Keys>) {
    match form {
        Form::Map(keys) => {
            if into.iter().any(|known| std::ptr::eq(*known, *keys)) {
                return;
            }
            into.push(keys);
            for key in keys.keys {
                collect(&key.form, into);
            }
            if let Some(rest) = keys.rest {
                collect(rest, into);
            }
        }
        Form::Names(form) | Form::List(form) => collect(form, into),
        Form::Either(forms) => forms.iter().for_each(|form| collect(form, into)),
        _ => {}
    }
}

/// A kind of file that people write.
#[derive(Debug)]
pub struct File {
    /// Its name, and that of its JSON Schema.
    pub name: &'static str,
    /// Title of the JSON Schema.
    pub title: &'static str,
    /// What it holds.
    pub root: Form,
}
