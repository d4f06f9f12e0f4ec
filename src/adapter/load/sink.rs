//! Sinks: where a value of a document leaves its sealed body, and which class each admits.
//!
//! | key | where the value goes | admits |
//! |---|---|---|
//! | `ticket` | URLs, the store and the log, in the clear | plain |
//! | `reference` | the record, the store and the log, in the clear | plain |
//! | `detail` | the failure's text: store, log, dead letter | plain |
//! | `list.id` | URLs, the message id, the log | plain |
//! | `reconcile.key` | the report of a comparison | plain |
//! | `approval.answers.number`, `demand.number` | the store, the record and lists for people, in the clear | plain |
//! | `municipality` | the envelope: store, record, `$meta` | plain |
//! | `ordering-key`, `subject` | only their keyed hash is kept (HMAC under a key of `[keys]`) | any |
//! | `permit`, `poll.items`, `list.more`, `not-disclosed`, `when` | compared; only the answer goes on | any |
//!
//! Headers, URL paths and file names take nothing else of a document: `headers` are fixed texts,
//! paths know three placeholders (`{ticket}`, `{id}`, and `{idempotency-key}`, a keyed hash).

use super::{Loader, field};
use crate::diagnostic::yaml::Node;
use crate::mapping::path::Path;
use crate::model::codes::adapter as codes;
use crate::schema::{Class, Shape};

/// A place in a document from which paths start.
#[derive(Clone, Copy)]
pub(super) struct Start<'s> {
    /// What the schema says of it, where there is one.
    pub shape: Option<&'s Shape>,
    /// The strictest class of what it stands in.
    pub around: Class,
}

impl<'s> Start<'s> {
    /// The document itself.
    pub(super) fn whole(shape: Option<&'s Shape>) -> Start<'s> {
        Start { shape, around: Class::Plain }
    }

    /// An element of the array at a path.
    pub(super) fn element(shape: Option<&'s Shape>, list: &Path) -> Start<'s> {
        let Some(shape) = shape else { return Start::whole(None) };
        let element = field::shape_at(shape, list).and_then(Shape::element);
        Start { shape: element, around: field::class_at(shape, list) }
    }
}

/// Where a value goes in the clear.
#[derive(Clone, Copy)]
pub(super) enum Sink {
    /// What a result is asked for with.
    Ticket,
    /// 処理通番, 受付番号.
    Reference,
    /// The counterpart's error code.
    Detail,
    /// The id of what is pulled.
    Id,
    /// 団体コード.
    Municipality,
    /// The set that a result belongs to.
    Set,
    /// The record that a result belongs to.
    Item,
    /// How many records a file has.
    Count,
    /// What compared records are found by.
    Key,
    /// The number of a demand.
    Number,
}

impl Sink {
    fn key(self) -> &'static str {
        match self {
            Sink::Ticket => "ticket",
            Sink::Reference => "reference",
            Sink::Detail => "detail",
            Sink::Id => "id",
            Sink::Municipality => "municipality",
            Sink::Set => "set",
            Sink::Item => "item",
            Sink::Count => "count",
            Sink::Key => "key",
            Sink::Number => "number",
        }
    }

    /// Where its value goes.
    fn goes(self) -> &'static str {
        match self {
            Sink::Ticket => "goes into URLs, the store and the log in the clear",
            Sink::Reference => "goes into the record, the store and the log in the clear",
            Sink::Detail => "goes into error texts, the store and the log in the clear",
            Sink::Id => "goes into URLs, the message id and the log in the clear",
            Sink::Municipality => "goes into the envelope, the store and the record in the clear",
            Sink::Key => "goes into the report of the comparison in the clear",
            Sink::Count => "goes into the reason why a file is put aside",
            Sink::Number => "goes into the store, the record and lists for people in the clear",
            Sink::Set | Sink::Item => "is compared with what is kept and logged in the clear",
        }
    }
}

impl Loader<'_, '_> {
    /// The path of a sink, if the node has one: a place of a class that it does not admit is
    /// reported.
    pub(super) fn sink(&mut self, node: &Node, sink: Sink, start: Start<'_>) -> Option<Path> {
        let found = node.get(sink.key())?;
        let path = self.field_at(node, sink.key(), start.shape)?;
        let class = start.shape.map_or(start.around, |shape| field::class_at(shape, &path));
        let class = class.max(start.around);
        if class > Class::Plain {
            let message = format!(
                "`{}` ({}) flows into `{}`, which {}",
                found.as_str().unwrap_or_default(),
                class.name(),
                sink.key(),
                sink.goes()
            );
            let hint = "name a value that tells nothing of a person; if this is one, the schema's \
                        `x-class` there, or of what it stands in, is too strict";
            self.error_with_hint(&codes::CLASS_IN_THE_CLEAR, found, message, Some(hint.to_owned()));
        }
        Some(path)
    }
}
