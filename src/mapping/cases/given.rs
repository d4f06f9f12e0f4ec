//! `Given`: a document in a case, written as YAML or as the text that really crosses.

use crate::codec::{Codec, Format, Limits};
use crate::diagnostic::yaml::{Node, Reader};
use crate::mapping::keys;
use crate::schema::Schema;
use serde_json::Value;
use std::borrow::Cow;

/// A document of a case.
#[derive(Clone, Debug)]
pub enum Given {
    /// As YAML.
    Document(Value),
    /// As text in a format; it is read by the codec of the schema, so that space, prefixes and
    /// the order of members count as little as they do there.
    Written {
        /// Its format.
        format: Format,
        /// The text.
        text: String,
    },
}

impl Given {
    /// Reads `{format: xml, text: …}`.
    pub(super) fn written(reader: &mut Reader<'_>, node: &Node, what: &str) -> Option<Given> {
        reader.keys(node, &keys::WRITTEN)?;
        let format = reader.required(node, what, "format")?;
        let name = reader.text(format, "`format`")?;
        let found = Format::from_name(name);
        if found.is_none() {
            reader.wrong_kind(format, "`format`", "json, xml, csv or fixed");
        }
        let text = reader.required(node, what, "text")?;
        let text = reader.text(text, "`text`")?.to_owned();
        Some(Given::Written { format: found?, text })
    }

    /// The document under its schema.
    ///
    /// # Errors
    /// Why the text is none.
    pub fn document(&self, schema: &Schema) -> Result<Cow<'_, Value>, String> {
        let (format, text) = match self {
            Given::Document(document) => return Ok(Cow::Borrowed(document)),
            Given::Written { format, text } => (*format, text),
        };
        let mut problems = Vec::new();
        let Some(codec) = Codec::compile(format, schema, &mut problems) else {
            let first = problems.first().map_or_else(String::new, |one| one.message.clone());
            return Err(format!("{} has no {} layout: {first}", schema.id(), format.name()));
        };
        let limits = Limits::default();
        let read = codec.decode(text.as_bytes(), &limits).or_else(|error| {
            // A block of YAML has line feeds where the layout may want both characters.
            let whole = text.replace('\n', "\r\n");
            codec.decode(whole.as_bytes(), &limits).map_err(|_| error)
        });
        read.map(Cow::Owned).map_err(|error| error.to_string())
    }
}
