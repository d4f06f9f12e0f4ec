//! A file that the simulated counterpart gives, with what tells that it is whole.

use super::request::digest;
use crate::adapter::file::{Facts, FileIn, Layout, Whole, path_of};
use crate::pipeline::file::manifest::{FORM, Listed, Manifest};
use crate::transport::place::memory::Memory;
use jiff::Timestamp;
use serde_json::{Map, Value};

/// Bytes that are no text in any charset, and no document.
const GARBAGE: &[u8] = b"\xff\xfe\xff\"<{";

/// One file.
#[derive(Clone, Debug)]
pub(super) struct Paper {
    path: String,
    content: Vec<u8>,
    /// Marker or manifest: folder and name, content.
    seal: Option<(String, Vec<u8>)>,
}

/// The file of that set with these records; `head` is the rest of a file that is one document.
///
/// # Errors
/// Where the layout cannot carry them: why, without values.
pub(super) fn of(
    rule: &FileIn,
    set: u64,
    at: Timestamp,
    rows: &[Value],
    head: Option<&Value>,
) -> Result<Paper, String> {
    let name = rule.name.render(&Facts { set, part: 1, at });
    let found = rule.name.recognise(&name).ok_or("its name has a `*`")?;
    let content = bytes(rule, rows, head)?;
    let seal = match &rule.whole {
        Whole::Still(_) => None,
        Whole::Marker(template) => Some((template, Vec::new())),
        Whole::Manifest(template) => {
            let listed = Listed {
                name: name.clone(),
                bytes: content.len() as u64,
                records: Some(rows.len() as u64),
                sha256: digest(&content),
            };
            let (form, records) = (FORM.to_owned(), rows.len() as u64);
            let manifest = Manifest { form, set, at: at.to_string(), records, files: vec![listed] };
            Some((template, manifest.to_bytes().map_err(|error| error.to_string())?))
        }
    };
    let seal = match seal {
        None => None,
        Some((template, content)) => {
            let name = template.beside(&found).ok_or("its marker cannot be named")?;
            Some((path_of(&rule.folder, &name), content))
        }
    };
    Ok(Paper { path: path_of(&rule.folder, &name), content, seal })
}

fn bytes(rule: &FileIn, rows: &[Value], head: Option<&Value>) -> Result<Vec<u8>, String> {
    if rule.header.is_some() || rule.trailer.is_some() {
        return Err("a header or trailer cannot be played".to_owned());
    }
    let refused = |error: crate::codec::EncodeError| error.to_string();
    let (plan, document) = match &rule.content.layout {
        Layout::Table(plan) => (plan, Value::Array(rows.to_vec())),
        Layout::Lines => {
            let mut bytes = Vec::new();
            for row in rows {
                bytes.extend(rule.content.record.codec.encode(row).map_err(refused)?);
                bytes.push(b'\n');
            }
            return Ok(bytes);
        }
        Layout::Document { plan, records, .. } => {
            let mut document = head.cloned().unwrap_or_else(|| Value::Object(Map::new()));
            let mut here = &mut document;
            for name in records {
                let members = here.as_object_mut().ok_or("`head` leads elsewhere")?;
                here = members.entry(name.clone()).or_insert_with(|| Value::Object(Map::new()));
            }
            *here = Value::Array(rows.to_vec());
            (plan, document)
        }
    };
    if let Err(violations) = plan.schema.validate(&document) {
        return Err(violations.first().map(ToString::to_string).unwrap_or_default());
    }
    plan.codec.encode(&document).map_err(refused)
}

impl Paper {
    /// Lays it there; what tells that it is whole comes last.
    pub fn lay(&self, place: &Memory) {
        place.put_bytes(&self.path, &self.content);
        if let Some((path, content)) = &self.seal {
            place.put_bytes(path, content);
        }
    }

    /// The same, not yet whole.
    pub fn without_seal(&self) -> Paper {
        Paper { seal: None, ..self.clone() }
    }

    /// Half of it.
    pub fn half(&self) -> Paper {
        let (half, _) = self.content.split_at(self.content.len() / 2);
        Paper { content: half.to_vec(), seal: None, path: self.path.clone() }
    }

    /// The same name, and nothing that means anything. Its manifest is of what it should have been.
    pub fn garbled(self) -> Paper {
        Paper { content: GARBAGE.to_vec(), ..self }
    }

    /// Whether something tells that it is whole.
    pub fn is_sealed(&self) -> bool {
        self.seal.is_some()
    }
}
