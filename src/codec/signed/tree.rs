//! A document as its signature sees it: elements and texts in their order, with the prefixes and
//! namespace declarations that stand there.
//!
//! The strict reader of the codec has refused everything malformed before; this one keeps what that
//! one forgets, and refuses what could be read in two ways.

use crate::codec::Limits;
use crate::codec::xml;
use crate::model::Failure;
use crate::model::codes::signature as codes;
use quick_xml::events::{BytesStart, Event};
use quick_xml::{Reader, XmlVersion};
use std::collections::BTreeMap;
use std::rc::Rc;

/// An element.
#[derive(Debug)]
pub(super) struct Element {
    /// Its prefix; empty: none.
    pub prefix: String,
    /// Name without prefix.
    pub local: String,
    /// Its namespace; empty: none.
    pub namespace: Rc<str>,
    /// Every prefix in force here (empty: the default) with its namespace.
    pub scope: Rc<BTreeMap<String, Rc<str>>>,
    /// Attributes without the namespace declarations.
    pub attributes: Vec<Attribute>,
    /// What is in it.
    pub content: Vec<Content>,
}

/// An attribute.
#[derive(Debug)]
pub(super) struct Attribute {
    /// Its prefix; empty: none.
    pub prefix: String,
    /// Name without prefix.
    pub local: String,
    /// Its namespace; empty: none.
    pub namespace: Rc<str>,
    /// Its normalised value.
    pub value: String,
}

/// Something inside an element.
#[derive(Debug)]
pub(super) enum Content {
    /// An element.
    Element(Element),
    /// Text; two never stand side by side.
    Text(String),
}

impl Element {
    /// The elements inside.
    pub fn elements(&self) -> impl Iterator<Item = &Element> {
        self.content.iter().filter_map(|content| match content {
            Content::Element(element) => Some(element),
            Content::Text(_) => None,
        })
    }

    /// Whether it has this name in this namespace.
    pub fn is(&self, local: &str, namespace: &str) -> bool {
        self.local == local && &*self.namespace == namespace
    }

    /// The value of an attribute without namespace.
    pub fn attribute(&self, local: &str) -> Option<&str> {
        let mut all = self.attributes.iter();
        all.find(|one| one.local == local && one.namespace.is_empty()).map(|one| one.value.as_str())
    }

    /// Its text, when it holds nothing else.
    pub fn text(&self) -> Option<&str> {
        match self.content.as_slice() {
            [] => Some(""),
            [Content::Text(text)] => Some(text),
            _ => None,
        }
    }

    /// Whether nothing but white space stands between the elements inside.
    pub fn holds_only_elements(&self) -> bool {
        self.content.iter().all(|content| match content {
            Content::Element(_) => true,
            Content::Text(text) => text.chars().all(xml::is_space),
        })
    }

    /// Calls `see` with this element and every one below it.
    pub fn visit<'e>(&'e self, see: &mut dyn FnMut(&'e Element)) {
        see(self);
        for element in self.elements() {
            element.visit(see);
        }
    }
}

/// Reads a document.
///
/// # Errors
/// `G859` for what is not well-formed XML in UTF-8 or has a document type, an entity of its own, a
/// processing instruction, a comment or a CDATA section.
pub(super) fn read(bytes: &[u8]) -> Result<Element, Failure> {
    let limits = Limits { max_string: MAX_TEXT, max_bytes: MAX_BYTES, ..Limits::default() };
    let read = xml::parse(bytes, &limits, |_, _| false);
    read.map_err(|error| refuse(error.to_string()))?;
    let text = std::str::from_utf8(bytes).map_err(|_| refuse("not UTF-8"))?;
    let mut reader = Reader::from_str(text.strip_prefix('\u{feff}').unwrap_or(text));
    let mut open: Vec<Element> = Vec::new();
    let mut root = None;
    loop {
        let event = reader.read_event().map_err(|_| refuse("the markup is malformed"))?;
        match event {
            Event::Decl(_) => {}
            Event::Start(start) => open.push(begin(&start, open.last())?),
            Event::Empty(start) => {
                let element = begin(&start, open.last())?;
                close(element, &mut open, &mut root);
            }
            Event::End(_) => {
                let element = open.pop().ok_or_else(|| refuse("an end tag without its start"))?;
                close(element, &mut open, &mut root);
            }
            Event::Text(text) => push(&text.xml10_content(), &mut open),
            Event::GeneralRef(reference) => {
                let character = match reference.resolve_char_ref() {
                    Ok(Some(character)) => character,
                    _ => match reference.as_ref() {
                        "lt" => '<',
                        "gt" => '>',
                        "amp" => '&',
                        "quot" => '"',
                        "apos" => '\'',
                        _ => return Err(refuse("an entity that XML does not predefine")),
                    },
                };
                push(character.encode_utf8(&mut [0; 4]), &mut open);
            }
            Event::Comment(_) => {
                return Err(refuse("comments are refused where something is signed"));
            }
            Event::CData(_) => return Err(refuse("CDATA is refused where something is signed")),
            Event::PI(_) | Event::DocType(_) => {
                return Err(refuse("document types and processing instructions are refused"));
            }
            Event::Eof => break,
        }
    }
    root.filter(|_| open.is_empty()).ok_or_else(|| refuse("there is no whole element"))
}

/// Largest text of one element: an attachment in base64.
const MAX_TEXT: usize = 32 << 20;
/// Largest document.
const MAX_BYTES: usize = 64 << 20;

fn begin(start: &BytesStart<'_>, parent: Option<&Element>) -> Result<Element, Failure> {
    let mut scope = parent.map_or_else(Rc::default, |parent| Rc::clone(&parent.scope));
    let mut plain = Vec::new();
    for attribute in start.attributes().with_checks(false) {
        let attribute = attribute.map_err(|_| refuse("an attribute is malformed"))?;
        let value = attribute
            .normalized_value(XmlVersion::Explicit1_0)
            .map_err(|_| refuse("an attribute holds an entity that XML does not predefine"))?;
        let key = attribute.key.0;
        match key.strip_prefix("xmlns:").or_else(|| (key == "xmlns").then_some("")) {
            Some(prefix) => {
                Rc::make_mut(&mut scope).insert(prefix.to_owned(), Rc::from(&*value));
            }
            None => plain.push((key.to_owned(), value.into_owned())),
        }
    }
    let find = |prefix: &str| match prefix {
        "xml" => Ok(Rc::from(XML)),
        "" => Ok(scope.get("").cloned().unwrap_or_default()),
        _ => scope.get(prefix).cloned().ok_or_else(|| refuse("a prefix is bound to no namespace")),
    };
    let mut attributes = Vec::with_capacity(plain.len());
    for (key, value) in plain {
        let (prefix, local) = key.split_once(':').unwrap_or(("", &key));
        let namespace = if prefix.is_empty() { Rc::default() } else { find(prefix)? };
        attributes.push(Attribute {
            prefix: prefix.to_owned(),
            local: local.to_owned(),
            namespace,
            value,
        });
    }
    let name = start.name().0;
    let (prefix, local) = name.split_once(':').unwrap_or(("", name));
    let namespace = find(prefix)?;
    let (prefix, local) = (prefix.to_owned(), local.to_owned());
    Ok(Element { prefix, local, namespace, scope, attributes, content: Vec::new() })
}

fn close(element: Element, open: &mut [Element], root: &mut Option<Element>) {
    match open.last_mut() {
        Some(parent) => parent.content.push(Content::Element(element)),
        None => *root = Some(element),
    }
}

/// Text of the innermost open element; outside the root stands white space only.
fn push(text: &str, open: &mut [Element]) {
    let Some(element) = open.last_mut() else { return };
    match element.content.last_mut() {
        Some(Content::Text(before)) => before.push_str(text),
        _ if text.is_empty() => {}
        _ => element.content.push(Content::Text(text.to_owned())),
    }
}

/// Namespace of the prefix `xml`.
pub(super) const XML: &str = "http://www.w3.org/XML/1998/namespace";

fn refuse(detail: impl Into<String>) -> Failure {
    super::refuse(&codes::SIGNED_NOT_READABLE, detail)
}
