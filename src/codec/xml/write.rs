//! A document to XML, by the plan, straight to bytes.

use super::plan::{Content, Element, Kind, Name, Object};
use super::text::put_escaped;
use super::{XSI, Xml, is_char};
use crate::codec::EncodeError;
use crate::codec::field::{NIL, Scalar};
use crate::codec::json::under;
use crate::model::Code;
use crate::model::codes::document;
use crate::model::json::{self, Fields, Node};
use crate::schema::kind_of;
use std::io::Write;

type Outcome = Result<(), Box<EncodeError>>;

fn fail(code: &'static Code, detail: impl Into<String>) -> Box<EncodeError> {
    Box::new(EncodeError { code, path: String::new(), detail: detail.into() })
}

fn shape(wanted: &str, node: Node<'_>) -> Box<EncodeError> {
    let found = kind_of(&node.to_cow());
    fail(&document::ENCODE_SHAPE, format!("expected {wanted}, found {found}"))
}

fn inside(name: &str, outcome: Outcome) -> Outcome {
    outcome.map_err(|mut error| {
        error.path = under(name, &error.path);
        error
    })
}

/// Writes a document.
pub fn document(xml: &Xml, document: Node<'_>) -> Result<Vec<u8>, EncodeError> {
    let mut writing = Writing { xml, out: Vec::with_capacity(2048), bindings: Vec::new() };
    if xml.declaration {
        writing.raw(b"<?xml version=\"1.0\" encoding=\"UTF-8\"?>");
    }
    writing.start(&xml.root.name);
    if xml.nillable {
        writing.raw(b" xmlns:xsi=\"");
        writing.raw(XSI.as_bytes());
        writing.raw(b"\"");
    }
    writing.element(&xml.root, document).map_err(|error| *error)?;
    Ok(writing.out)
}

struct Writing<'a> {
    xml: &'a Xml,
    out: Vec<u8>,
    /// Prefix and namespace in force, the innermost last.
    bindings: Vec<(Option<&'a str>, &'a str)>,
}

impl<'a> Writing<'a> {
    fn raw(&mut self, bytes: &[u8]) {
        self.out.extend_from_slice(bytes);
    }

    fn name(&mut self, name: &Name) {
        if let Some(prefix) = &name.prefix {
            self.raw(prefix.as_bytes());
            self.raw(b":");
        }
        self.raw(name.local.as_bytes());
    }

    fn start(&mut self, name: &Name) {
        self.raw(b"<");
        self.name(name);
    }

    fn end(&mut self, name: &Name) {
        self.raw(b"</");
        self.name(name);
        self.raw(b">");
    }

    /// What comes after the name of an element that was started.
    fn element(&mut self, element: &'a Element, node: Node<'_>) -> Outcome {
        let outside = self.bindings.len();
        self.bind(&element.name);
        match (&element.content, node.kind()) {
            (_, json::Kind::Object(fields)) if element.nillable && fields.get(NIL).is_some() => {
                self.nil(fields)?;
            }
            (Content::Text { scalar, cdata }, _) => {
                self.leaf(&element.name, *scalar, node, *cdata)?;
            }
            (Content::Object(object), json::Kind::Object(fields)) => {
                self.object(object, &element.name, fields)?;
            }
            (Content::Object(_), _) => return Err(shape("an object", node)),
        }
        self.bindings.truncate(outside);
        Ok(())
    }

    fn nil(&mut self, fields: Fields<'_>) -> Outcome {
        let Some(reason) = fields.get(NIL).and_then(Node::as_str).filter(|_| fields.len() == 1)
        else {
            let detail = "a nil is {\"$nil\": \"REASON\"} and nothing else";
            return Err(fail(&document::ENCODE_SHAPE, detail));
        };
        self.raw(b" xsi:nil=\"true\" ");
        self.raw(self.xml.nil_reason.as_bytes());
        self.attribute_value(reason)?;
        self.raw(b"/>");
        Ok(())
    }

    fn object(&mut self, object: &'a Object, name: &Name, fields: Fields<'_>) -> Outcome {
        let mut members = fields.in_turn();
        let mut written = 0;
        for planned in &object.attributes {
            let Some(node) = members.get(&planned.property) else { continue };
            written += 1;
            self.bind(&planned.name);
            self.raw(b" ");
            self.name(&planned.name);
            inside(&planned.property, self.attribute(planned.scalar, node))?;
        }
        if let Some((property, scalar, cdata)) = &object.text {
            let text = members.get(property);
            if fields.len() != written + usize::from(text.is_some()) {
                return Err(undeclared(object));
            }
            let Some(node) = text else {
                self.raw(b"/>");
                return Ok(());
            };
            return inside(property, self.leaf(name, *scalar, node, *cdata));
        }
        self.raw(b">");
        for child in &object.children {
            let Some(node) = members.get(&child.property) else { continue };
            written += 1;
            inside(&child.property, self.child(&child.kind, node))?;
        }
        if fields.len() != written {
            return Err(undeclared(object));
        }
        self.end(name);
        Ok(())
    }

    fn child(&mut self, kind: &'a Kind, node: Node<'_>) -> Outcome {
        let (item, wrapper) = match kind {
            Kind::One(element) => {
                self.start(&element.name);
                return self.element(element, node);
            }
            Kind::Many { item, .. } => (item, None),
            Kind::Wrapped { wrapper, item } => (item, Some(wrapper)),
        };
        let Some(elements) = node.as_array() else { return Err(shape("an array", node)) };
        let outside = self.bindings.len();
        if let Some(wrapper) = wrapper {
            self.start(wrapper);
            self.bind(wrapper);
            self.raw(b">");
        } else if elements.is_empty() && matches!(kind, Kind::Many { required: false, .. }) {
            let detail = "an empty list cannot be told from an absent one here; leave it out";
            return Err(fail(&document::ENCODE_SHAPE, detail));
        }
        for (index, element) in elements.iter().enumerate() {
            self.start(&item.name);
            if let Err(error) = self.element(item, element) {
                return inside(&index.to_string(), Err(error));
            }
        }
        if let Some(wrapper) = wrapper {
            self.end(wrapper);
        }
        self.bindings.truncate(outside);
        Ok(())
    }

    /// The rest of an element that holds a scalar.
    fn leaf(&mut self, name: &Name, scalar: Scalar, node: Node<'_>, cdata: bool) -> Outcome {
        match (scalar, node.as_str()) {
            (Scalar::Text, Some("")) => {
                self.raw(b"/>");
                return Ok(());
            }
            // A carriage return survives reading only as a reference, which CDATA cannot hold.
            (Scalar::Text, Some(text)) if cdata && !text.contains('\r') => {
                self.raw(b">");
                self.cdata(text)?;
            }
            (Scalar::Text, Some(text)) => {
                self.raw(b">");
                put_escaped(text, false, &mut self.out).map_err(forbidden)?;
            }
            _ => {
                self.raw(if cdata { b"><![CDATA[" } else { b">" });
                self.other(scalar, node)?;
                self.raw(if cdata { b"]]>" } else { b"" });
            }
        }
        self.end(name);
        Ok(())
    }

    /// The value of an attribute whose name was written.
    fn attribute(&mut self, scalar: Scalar, node: Node<'_>) -> Outcome {
        if let (Scalar::Text, Some(text)) = (scalar, node.as_str()) {
            return self.attribute_value(text);
        }
        self.raw(b"=\"");
        self.other(scalar, node)?;
        self.raw(b"\"");
        Ok(())
    }

    fn attribute_value(&mut self, text: &str) -> Outcome {
        self.raw(b"=\"");
        put_escaped(text, true, &mut self.out).map_err(forbidden)?;
        self.raw(b"\"");
        Ok(())
    }

    /// A number, true or false: nothing in it needs a reference.
    fn other(&mut self, scalar: Scalar, node: Node<'_>) -> Outcome {
        match (scalar, node.kind()) {
            (Scalar::Boolean, json::Kind::Bool(flag)) => {
                self.raw(if flag { b"true" } else { b"false" });
            }
            (Scalar::Integer, json::Kind::Number(number)) if number.is_f64() => {
                return Err(shape(scalar.name(), node));
            }
            (Scalar::Integer | Scalar::Number, json::Kind::Number(number)) => {
                // Writing to memory cannot fail.
                drop(write!(self.out, "{number}"));
            }
            _ => return Err(shape(scalar.name(), node)),
        }
        Ok(())
    }

    fn cdata(&mut self, text: &str) -> Outcome {
        if let Some(c) = text.chars().find(|c| !is_char(*c)) {
            return Err(forbidden(c));
        }
        self.raw(b"<![CDATA[");
        for (index, part) in text.split("]]>").enumerate() {
            if index > 0 {
                self.raw(b"]]]]><![CDATA[>");
            }
            self.raw(part.as_bytes());
        }
        self.raw(b"]]>");
        Ok(())
    }

    /// Declares the namespace of a name unless it is already in force.
    fn bind(&mut self, name: &'a Name) {
        let Some(namespace) = name.namespace.as_deref() else { return };
        let prefix = name.prefix.as_deref();
        let known = self.bindings.iter().rev().find(|(known, _)| *known == prefix);
        if known.is_some_and(|(_, bound)| *bound == namespace) {
            return;
        }
        self.bindings.push((prefix, namespace));
        self.raw(b" xmlns");
        if let Some(prefix) = prefix {
            self.raw(b":");
            self.raw(prefix.as_bytes());
        }
        self.raw(b"=\"");
        // The layout's own text holds no character that XML cannot carry.
        let _ = put_escaped(namespace, true, &mut self.out);
        self.raw(b"\"");
    }
}

fn undeclared(object: &Object) -> Box<EncodeError> {
    let mut names: Vec<&str> = object.attributes.iter().map(|a| a.property.as_str()).collect();
    names.extend(object.text.iter().map(|(property, ..)| property.as_str()));
    names.extend(object.children.iter().map(|child| child.property.as_str()));
    let detail = format!("undeclared members; declared are: {}", names.join(", "));
    fail(&document::ENCODE_SHAPE, detail)
}

fn forbidden(c: char) -> Box<EncodeError> {
    fail(&document::ENCODE_CHARACTER, format!("XML 1.0 cannot carry U+{:04X}", u32::from(c)))
}
