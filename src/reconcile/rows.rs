//! A record told as its key and a keyed hash of every item: what a comparison needs, and no value.

use crate::adapter::file::Layout;
use crate::adapter::reconcile::{FileSide, Reconciliation, Told};
use crate::codec::{DecodeError, Limits};
use crate::mapping::Meta;
use crate::schema::Shape;
use serde_json::Value;
use std::collections::HashMap;
use std::collections::hash_map::RandomState;
use std::hash::{BuildHasher, Hash, Hasher};
use std::io::{BufRead, BufReader, Read};
use std::sync::Arc;

/// One record.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Row {
    /// What it is found by.
    pub key: Box<str>,
    /// Its items: the number of the name, and a keyed hash of the value.
    pub items: Box<[(u16, u64)]>,
}

/// Names of items, each with a number.
#[derive(Debug, Default)]
pub struct Names {
    names: Vec<String>,
    numbers: HashMap<String, u16>,
    /// Those that are compared only where both sides have them.
    where_both: Vec<String>,
}

impl Names {
    /// No names yet; these are compared only where both sides have them.
    pub fn with(where_both: &[String]) -> Names {
        Names { where_both: where_both.to_vec(), ..Names::default() }
    }

    /// Whether an item counts that one side lacks.
    pub(super) fn must_be_on_both(&self, number: u16) -> bool {
        self.name(number).is_none_or(|name| !self.where_both.iter().any(|one| one == name))
    }

    /// The name of that number.
    pub fn name(&self, number: u16) -> Option<&str> {
        self.names.get(usize::from(number)).map(String::as_str)
    }

    pub(super) fn number(&mut self, name: &str) -> Option<u16> {
        if let Some(number) = self.numbers.get(name) {
            return Some(*number);
        }
        let number = u16::try_from(self.names.len()).ok()?;
        self.names.push(name.to_owned());
        self.numbers.insert(name.to_owned(), number);
        Some(number)
    }
}

/// Tells records as rows. Its hashes are keyed by `secret`, which is of this run alone: nobody can
/// find a value by trying.
#[derive(Debug)]
pub struct Teller<'r> {
    rule: &'r Reconciliation,
    meta: Meta,
    secret: RandomState,
    /// Names of the items seen.
    pub names: Names,
}

impl<'r> Teller<'r> {
    /// One for a comparison at that time.
    pub fn new(rule: &'r Reconciliation, now: jiff::Timestamp, secret: RandomState) -> Teller<'r> {
        let meta = Meta {
            message_id: Arc::default(),
            message_type: Arc::default(),
            source: Arc::default(),
            municipality: None,
            operator: None,
            accepted_at: now,
            idempotency_key: Arc::default(),
            correlation_id: None,
            ticket: None,
            request: None,
        };
        Teller { rule, meta, secret, names: Names::with(&rule.where_both) }
    }

    /// The row of a record; `None` when the side's condition leaves it out.
    ///
    /// # Errors
    /// Why it cannot be compared, without a value.
    pub fn row(&mut self, told: &Told, record: &Value) -> Result<Option<Row>, String> {
        if told.when.as_ref().is_some_and(|when| !when.test(record)) {
            return Ok(None);
        }
        let mapped;
        let document = match &told.mapping {
            None => record,
            Some(mapping) => {
                let place =
                    |line: usize, column: usize| format!("{}:{line}:{column}", mapping.name);
                mapped = mapping.run(record, &self.meta).map_err(|refused| {
                    let place = place(refused.line, refused.column);
                    match &refused.author_code {
                        Some(code) => format!("{code} at {place}"),
                        None => format!("{} {} at {place}", refused.code, refused.detail),
                    }
                })?;
                if let Err(violations) = mapping.to.validate(&mapped) {
                    let first = violations.first().map(ToString::to_string);
                    return Err(format!("{}: {}", mapping.name, first.unwrap_or_default()));
                }
                &mapped
            }
        };
        let key = match self.rule.key.find(document) {
            Some(Value::String(text)) if !text.is_empty() => text.clone(),
            Some(Value::Number(number)) => number.to_string(),
            _ => return Err("it has no key".to_owned()),
        };
        let mut items = Vec::new();
        let shape = Some(self.rule.schema.shape());
        self.items(document, shape, &mut String::new(), &mut items)?;
        items.sort_unstable();
        Ok(Some(Row { key: key.into(), items: items.into() }))
    }

    /// Every member that is no object of members itself, by its path. A name that no schema declares is
    /// told as `?`, because a sender's name could hold data.
    fn items(
        &mut self,
        value: &Value,
        shape: Option<&Shape>,
        path: &mut String,
        items: &mut Vec<(u16, u64)>,
    ) -> Result<(), String> {
        if let Value::Object(members) = value
            && !members.contains_key("$nil")
        {
            for (name, member) in members {
                let before = path.len();
                if before > 0 {
                    path.push('.');
                }
                let declared = shape.and_then(|shape| shape.property(name));
                path.push_str(declared.map_or("?", |_| name));
                let shape = declared.map(|property| &property.shape);
                self.items(member, shape, path, items)?;
                path.truncate(before);
            }
            return Ok(());
        }
        let name = self.names.number(path).ok_or("it has too many different items")?;
        let mut hasher = self.secret.build_hasher();
        name.hash(&mut hasher);
        value.hash(&mut hasher);
        items.push((name, hasher.finish()));
        Ok(())
    }
}

/// Reads the records of one file, one after the other; each with its place, `LINE:COLUMN CODE …`
/// where it is not what it should be. The outer error is for a file that cannot be read on: what
/// follows of it is not known.
///
/// # Errors
/// Where and why reading ended early, or what `each` says.
pub fn read<E>(
    side: &FileSide,
    input: impl Read,
    mut each: impl FnMut(usize, Result<Value, String>) -> Result<(), E>,
) -> Result<Result<(), String>, E> {
    let limits = Limits::default();
    let content = &side.content;
    let valid = |value: Value| match content.record.schema.validate(&value) {
        Ok(()) => Ok(value),
        Err(violations) => Err(violations.first().map(ToString::to_string).unwrap_or_default()),
    };
    if let Layout::Table(plan) = &content.layout {
        let Some(mut records) = plan.codec.records(input, &limits) else {
            return Ok(Err("no table".to_owned()));
        };
        while let Some(record) = records.next() {
            let (over, row) = (records.is_over(), records.row());
            match record {
                Ok(value) => each(row, valid(value))?,
                Err(error) if over => return Ok(Err(error.placed())),
                Err(error) => each(row, Err(error.placed()))?,
            }
        }
        return Ok(Ok(()));
    }
    let mut input = BufReader::new(input);
    let mut line = Vec::new();
    for row in 1.. {
        line.clear();
        let most = limits.max_bytes as u64 + 1;
        if let Err(error) = (&mut input).take(most).read_until(b'\n', &mut line) {
            return Ok(Err(format!("{row}:1 {}", error.kind())));
        }
        if line.is_empty() {
            break;
        }
        if !line.ends_with(b"\n") {
            return Ok(Err(format!("{row}:1 the line has no end, or is too long")));
        }
        let decoded = content.record.codec.decode(&line, &limits);
        let found = decoded.map_err(|error| DecodeError { line: row, ..error }.placed());
        each(row, found.and_then(valid))?;
    }
    Ok(Ok(()))
}
