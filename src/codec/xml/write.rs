//! A document to XML, by the plan.

use super::plan::{Content, Element, Kind, Name, Object};
use super::{XSI, Xml, is_char};
use crate::codec::EncodeError;
use crate::codec::field::{NIL, Scalar};
use crate::codec::json::under;
use crate::model::Code;
use crate::model::codes::document;
use crate::schema::kind_of;
use quick_xml::Writer;
use quick_xml::events::attributes::Attribute;
use quick_xml::events::{BytesCData, BytesDecl, BytesEnd, BytesStart, BytesText, Event};
use quick_xml::name::QName;
use serde_json::{Map, Value};
use std::borrow::Cow;

type Outcome = Result<(), Box<EncodeError>>;

fn fail(code: &'static Code, detail: impl Into<String>) -> Box<EncodeError> {
    Box::new(EncodeError { code, path: String::new(), detail: detail.into() })
}

fn inside<T>(name: &str, outcome: Result<T, Box<EncodeError>>) -> Result<T, Box<EncodeError>> {
    outcome.map_err(|mut error| {
        error.path = under(name, &error.path);
        error
    })
}

/// Writes a document.
pub fn document(xml: &Xml, document: &Value) -> Result<Vec<u8>, EncodeError> {
    let mut writing = Writing { xml, out: Writer::new(Vec::new()), bindings: Vec::new() };
    writing.root(document).map_err(|error| *error)?;
    Ok(writing.out.into_inner())
}

struct Writing<'a> {
    xml: &'a Xml,
    out: Writer<Vec<u8>>,
    /// Prefix (empty: none) and namespace in force, the innermost last.
    bindings: Vec<(&'a str, &'a str)>,
}

impl<'a> Writing<'a> {
    fn root(&mut self, document: &Value) -> Outcome {
        if self.xml.declaration {
            self.event(Event::Decl(BytesDecl::new("1.0", Some("UTF-8"), None)))?;
        }
        let xml = self.xml;
        let mut attributes = Vec::new();
        if xml.nillable {
            attributes.push(("xmlns:xsi".to_owned(), XSI.to_owned()));
        }
        self.element(&xml.root, document, attributes)
    }

    fn event(&mut self, event: Event<'_>) -> Outcome {
        self.out
            .write_event(event)
            .map_err(|_| fail(&document::ENCODE_SHAPE, "the document cannot be written as XML"))
    }

    fn element(
        &mut self,
        element: &'a Element,
        value: &Value,
        mut attributes: Vec<(String, String)>,
    ) -> Outcome {
        let outside = self.bindings.len();
        self.bind(&element.name, &mut attributes);
        let name = element.name.qualified();
        match (&element.content, value) {
            (_, Value::Object(members)) if element.nillable && members.contains_key(NIL) => {
                let reason = match (members.len(), members.get(NIL)) {
                    (1, Some(Value::String(reason))) => checked(reason)?,
                    _ => {
                        let detail = "a nil is {\"$nil\": \"REASON\"} and nothing else";
                        return Err(fail(&document::ENCODE_SHAPE, detail));
                    }
                };
                attributes.push(("xsi:nil".to_owned(), "true".to_owned()));
                attributes.push((self.xml.nil_reason.clone(), reason.to_owned()));
                self.event(Event::Empty(tag(&name, &attributes)))?;
            }
            (Content::Text { scalar, cdata }, value) => {
                let text = scalar_text(*scalar, value)?;
                self.leaf(&name, &attributes, &text, *cdata)?;
            }
            (Content::Object(object), Value::Object(members)) => {
                self.object(object, &name, members, attributes)?;
            }
            (Content::Object(_), other) => {
                let detail = format!("expected an object, found {}", kind_of(other));
                return Err(fail(&document::ENCODE_SHAPE, detail));
            }
        }
        self.bindings.truncate(outside);
        Ok(())
    }

    fn object(
        &mut self,
        object: &'a Object,
        name: &str,
        members: &Map<String, Value>,
        mut attributes: Vec<(String, String)>,
    ) -> Outcome {
        let mut written = 0;
        for planned in &object.attributes {
            let Some(value) = members.get(&planned.property) else { continue };
            written += 1;
            self.bind(&planned.name, &mut attributes);
            let text = inside(&planned.property, scalar_text(planned.scalar, value))?;
            attributes.push((planned.name.qualified(), text.into_owned()));
        }
        if let Some((property, scalar, cdata)) = &object.text {
            let text = match members.get(property) {
                Some(value) => {
                    written += 1;
                    inside(property, scalar_text(*scalar, value))?
                }
                None => Cow::Borrowed(""),
            };
            self.all_written(members, written, object)?;
            return self.leaf(name, &attributes, &text, *cdata);
        }
        let present = object.children.iter().filter(|child| members.contains_key(&child.property));
        self.all_written(members, written + present.count(), object)?;
        self.event(Event::Start(tag(name, &attributes)))?;
        for child in &object.children {
            let Some(value) = members.get(&child.property) else { continue };
            inside(&child.property, self.child(&child.kind, value))?;
        }
        self.event(Event::End(BytesEnd::new(name)))
    }

    fn all_written(
        &self,
        members: &Map<String, Value>,
        written: usize,
        object: &Object,
    ) -> Outcome {
        if members.len() == written {
            return Ok(());
        }
        let mut names: Vec<&str> = object.attributes.iter().map(|a| a.property.as_str()).collect();
        names.extend(object.text.iter().map(|(property, ..)| property.as_str()));
        names.extend(object.children.iter().map(|child| child.property.as_str()));
        let detail = format!("undeclared members; declared are: {}", names.join(", "));
        Err(fail(&document::ENCODE_SHAPE, detail))
    }

    fn child(&mut self, kind: &'a Kind, value: &Value) -> Outcome {
        let (item, wrapper) = match kind {
            Kind::One(element) => return self.element(element, value, Vec::new()),
            Kind::Many { item, .. } => (item, None),
            Kind::Wrapped { wrapper, item } => (item, Some(wrapper)),
        };
        let Value::Array(elements) = value else {
            let detail = format!("expected an array, found {}", kind_of(value));
            return Err(fail(&document::ENCODE_SHAPE, detail));
        };
        let outside = self.bindings.len();
        if let Some(wrapper) = wrapper {
            let mut attributes = Vec::new();
            self.bind(wrapper, &mut attributes);
            self.event(Event::Start(tag(&wrapper.qualified(), &attributes)))?;
        } else if let (Kind::Many { required: false, .. }, []) = (kind, elements.as_slice()) {
            let detail = "an empty list cannot be told from an absent one here; leave it out";
            return Err(fail(&document::ENCODE_SHAPE, detail));
        }
        for (index, element) in elements.iter().enumerate() {
            inside(&index.to_string(), self.element(item, element, Vec::new()))?;
        }
        if let Some(wrapper) = wrapper {
            self.event(Event::End(BytesEnd::new(wrapper.qualified())))?;
        }
        self.bindings.truncate(outside);
        Ok(())
    }

    fn leaf(
        &mut self,
        name: &str,
        attributes: &[(String, String)],
        text: &str,
        cdata: bool,
    ) -> Outcome {
        if text.is_empty() {
            return self.event(Event::Empty(tag(name, attributes)));
        }
        self.event(Event::Start(tag(name, attributes)))?;
        // A carriage return survives reading only as a reference, which CDATA cannot hold.
        if cdata && !text.contains('\r') {
            let mut parts = text.split("]]>").peekable();
            let mut lead = "";
            while let Some(part) = parts.next() {
                let tail = if parts.peek().is_some() { "]]" } else { "" };
                self.event(Event::CData(BytesCData::new(format!("{lead}{part}{tail}"))))?;
                lead = ">";
            }
        } else {
            self.event(Event::Text(BytesText::from_escaped(escaped(text, false))))?;
        }
        self.event(Event::End(BytesEnd::new(name)))
    }

    /// Declares the namespace of a name unless it is already in force.
    fn bind(&mut self, name: &'a Name, attributes: &mut Vec<(String, String)>) {
        let Some(namespace) = name.namespace.as_deref() else { return };
        let prefix = name.prefix.as_deref().unwrap_or_default();
        let known = self.bindings.iter().rev().find(|(known, _)| *known == prefix);
        if known.is_some_and(|(_, bound)| *bound == namespace) {
            return;
        }
        self.bindings.push((prefix, namespace));
        let key = if prefix.is_empty() { "xmlns".to_owned() } else { format!("xmlns:{prefix}") };
        attributes.push((key, namespace.to_owned()));
    }
}

fn tag<'t>(name: &'t str, attributes: &[(String, String)]) -> BytesStart<'t> {
    let mut start = BytesStart::new(name);
    for (key, value) in attributes {
        start
            .push_attribute(Attribute { key: QName(key), value: Cow::Owned(escaped(value, true)) });
    }
    start
}

fn scalar_text<'v>(scalar: Scalar, value: &'v Value) -> Result<Cow<'v, str>, Box<EncodeError>> {
    if let (Scalar::Text, Value::String(text)) = (scalar, value) {
        return checked(text).map(Cow::Borrowed);
    }
    scalar.text(value).map(Cow::Owned).ok_or_else(|| {
        let detail = format!("expected {}, found {}", scalar.name(), kind_of(value));
        fail(&document::ENCODE_SHAPE, detail)
    })
}

fn checked(text: &str) -> Result<&str, Box<EncodeError>> {
    match text.chars().find(|c| !is_char(*c)) {
        None => Ok(text),
        Some(c) => {
            let detail = format!("XML 1.0 cannot carry U+{:04X}", u32::from(c));
            Err(fail(&document::ENCODE_CHARACTER, detail))
        }
    }
}

/// What a reader would change is written as a reference.
fn escaped(text: &str, attribute: bool) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '&' => out.push_str("&amp;"),
            '"' => out.push_str("&quot;"),
            '\r' => out.push_str("&#13;"),
            '\n' if attribute => out.push_str("&#10;"),
            '\t' if attribute => out.push_str("&#9;"),
            other => out.push(other),
        }
    }
    out
}
