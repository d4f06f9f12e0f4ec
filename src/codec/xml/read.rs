//! The tree of a document to its value, by the plan.

use super::plan::{Child, Content, Element, Kind, Name, Object};
use super::tree::Node;
pub use super::tree::is_space;
use super::{XSI, Xml};
use crate::codec::field::{NIL, Scalar};
use crate::codec::json::under;
use crate::diagnostic::nearest::nearest;
use crate::model::Code;
use crate::model::codes::document;
use crate::model::json::{DecodeError, position};
use serde_json::{Map, Value};

/// What went wrong where.
struct Fault {
    code: &'static Code,
    offset: usize,
    path: String,
    detail: String,
}

type Outcome<T> = Result<T, Box<Fault>>;

fn fault<T>(code: &'static Code, node: &Node, detail: impl Into<String>) -> Outcome<T> {
    let (offset, path) = (node.offset, String::new());
    Err(Box::new(Fault { code, offset, path, detail: detail.into() }))
}

fn inside<T>(name: &str, outcome: Outcome<T>) -> Outcome<T> {
    outcome.map_err(|mut fault| {
        fault.path = under(name, &fault.path);
        fault
    })
}

/// Reads a document.
pub fn document(xml: &Xml, root: &Node, bytes: &[u8]) -> Result<Value, DecodeError> {
    let read = if is(root, &xml.root.name) {
        Reading { xml }.element(&xml.root, root)
    } else {
        let detail = format!("the root element must be {}", told(&xml.root.name));
        fault(&document::XML_ELEMENT, root, detail)
    };
    read.map_err(|fault| {
        let error = located(fault.code, fault.offset, bytes, fault.detail);
        DecodeError { path: fault.path, ..error }
    })
}

/// An error at an offset of the text.
pub fn located(
    code: &'static Code,
    offset: usize,
    text: &[u8],
    detail: impl Into<String>,
) -> DecodeError {
    let (line, column) = position(text, offset);
    DecodeError { code, line, column, path: String::new(), detail: detail.into() }
}

fn is(node: &Node, name: &Name) -> bool {
    node.local == name.local && node.namespace.as_deref() == name.namespace.as_deref()
}

fn told(name: &Name) -> String {
    match &name.namespace {
        Some(namespace) => format!("`{}` of {namespace}", name.local),
        None => format!("`{}` of no namespace", name.local),
    }
}

struct Reading<'a> {
    xml: &'a Xml,
}

impl Reading<'_> {
    fn element(&self, element: &Element, node: &Node) -> Outcome<Value> {
        if let Some(nil) = self.nil(element, node)? {
            return Ok(nil);
        }
        match &element.content {
            Content::Text { scalar, .. } => {
                if !node.children.is_empty() {
                    return fault(&document::XML_TEXT, node, "this element holds text only");
                }
                if node.attributes.iter().any(|a| !is_xsi_nil(a)) {
                    let detail = "this element has no attributes";
                    return fault(&document::XML_ATTRIBUTE, node, detail);
                }
                parse(*scalar, &node.text, node)
            }
            Content::Object(object) => self.object(object, node).map(Value::Object),
        }
    }

    /// The nil that the element is, if it is one.
    fn nil(&self, element: &Element, node: &Node) -> Outcome<Option<Value>> {
        let Some(flag) = node.attributes.iter().find(|a| is_xsi_nil(a)) else { return Ok(None) };
        if !element.nillable {
            return fault(&document::XML_NIL, node, "this element cannot be nil");
        }
        match flag.value.as_str() {
            "false" | "0" => return Ok(None),
            "true" | "1" => {}
            _ => return fault(&document::XML_NIL, node, "xsi:nil is true or false"),
        }
        if !node.children.is_empty() || !node.text.is_empty() {
            return fault(&document::XML_NIL, node, "a nil element must be empty");
        }
        let reason = &self.xml.nil_reason;
        let mut rest = node.attributes.iter().filter(|a| !is_xsi_nil(a));
        match (rest.next(), rest.next()) {
            (Some(a), None) if a.namespace.is_none() && a.local == *reason => {
                let mut nil = Map::new();
                nil.insert(NIL.to_owned(), Value::String(a.value.clone()));
                Ok(Some(Value::Object(nil)))
            }
            _ => fault(&document::XML_NIL, node, format!("a nil has the attribute `{reason}`")),
        }
    }

    fn object(&self, object: &Object, node: &Node) -> Outcome<Map<String, Value>> {
        let mut members = Map::new();
        self.attributes(object, node, &mut members)?;
        if let Some((property, scalar, _)) = &object.text {
            if !node.children.is_empty() {
                return fault(&document::XML_TEXT, node, "this element holds text only");
            }
            let value = inside(property, parse(*scalar, &node.text, node))?;
            members.insert(property.clone(), value);
            return Ok(members);
        }
        if !node.text.chars().all(is_space) {
            return fault(&document::XML_TEXT, node, "this element holds elements, no text");
        }
        let mut nodes = node.children.as_slice();
        let mut left = object.children.as_slice();
        while let Some((child, later)) = left.split_first() {
            left = later;
            nodes = self.pass_over(object, nodes)?;
            let taken = inside(&child.property, self.child(child, nodes))?;
            if let Some(value) = taken.value {
                members.insert(child.property.clone(), value);
            }
            nodes = taken.rest;
            // What comes next may belong to a later member, but not to an earlier one.
        }
        match self.pass_over(object, nodes)?.first() {
            None => Ok(members),
            Some(stray) => fault(&document::XML_ELEMENT, stray, stray_detail(object, stray)),
        }
    }

    /// In an open object, leading elements that are not declared at all are passed over.
    fn pass_over<'n>(&self, object: &Object, nodes: &'n [Node]) -> Outcome<&'n [Node]> {
        let mut nodes = nodes;
        while let (true, Some((first, rest))) = (object.open, nodes.split_first()) {
            if object.children.iter().any(|child| is(first, child.name())) {
                break;
            }
            nodes = rest;
        }
        Ok(nodes)
    }

    fn attributes(
        &self,
        object: &Object,
        node: &Node,
        members: &mut Map<String, Value>,
    ) -> Outcome<()> {
        for planned in &object.attributes {
            let name = &planned.name;
            let found = node.attributes.iter().find(|a| {
                a.local == name.local && a.namespace.as_deref() == name.namespace.as_deref()
            });
            let Some(found) = found else { continue };
            let value = inside(&planned.property, parse(planned.scalar, &found.value, node))?;
            members.insert(planned.property.clone(), value);
        }
        let declared = members.len();
        let present = node.attributes.iter().filter(|a| !is_xsi_nil(a)).count();
        if present > declared && !object.open {
            let names: Vec<&str> =
                object.attributes.iter().map(|a| a.name.local.as_str()).collect();
            let detail = if names.is_empty() {
                "this element has no attributes".to_owned()
            } else {
                format!("declared attributes: {}", names.join(", "))
            };
            return fault(&document::XML_ATTRIBUTE, node, detail);
        }
        Ok(())
    }

    fn child<'n>(&self, child: &Child, nodes: &'n [Node]) -> Outcome<Taken<'n>> {
        match &child.kind {
            Kind::One(element) => match nodes.split_first() {
                Some((first, rest)) if is(first, &element.name) => {
                    Ok(Taken { value: Some(self.element(element, first)?), rest })
                }
                _ => Ok(Taken { value: None, rest: nodes }),
            },
            Kind::Many { item, required } => {
                let (list, rest) = self.list(item, nodes)?;
                let present = *required || !list.is_empty();
                Ok(Taken { value: present.then_some(Value::Array(list)), rest })
            }
            Kind::Wrapped { wrapper, item } => match nodes.split_first() {
                Some((first, rest)) if is(first, wrapper) => {
                    if !first.attributes.is_empty() {
                        let detail = "this element has no attributes";
                        return fault(&document::XML_ATTRIBUTE, first, detail);
                    }
                    if !first.text.chars().all(is_space) {
                        let detail = "this element holds elements, no text";
                        return fault(&document::XML_TEXT, first, detail);
                    }
                    let (list, stray) = self.list(item, &first.children)?;
                    if let Some(stray) = stray.first() {
                        let detail = format!("only {} stand here", told(&item.name));
                        return fault(&document::XML_ELEMENT, stray, detail);
                    }
                    Ok(Taken { value: Some(Value::Array(list)), rest })
                }
                _ => Ok(Taken { value: None, rest: nodes }),
            },
        }
    }

    fn list<'n>(&self, item: &Element, nodes: &'n [Node]) -> Outcome<(Vec<Value>, &'n [Node])> {
        let mut list = Vec::new();
        let mut nodes = nodes;
        while let Some((first, rest)) = nodes.split_first() {
            if !is(first, &item.name) {
                break;
            }
            list.push(inside(&list.len().to_string(), self.element(item, first))?);
            nodes = rest;
        }
        Ok((list, nodes))
    }
}

/// What a member took of the elements that were left.
struct Taken<'n> {
    value: Option<Value>,
    rest: &'n [Node],
}

fn is_xsi_nil(attribute: &super::tree::Attribute) -> bool {
    attribute.local == "nil" && attribute.namespace.as_deref() == Some(XSI)
}

fn parse(scalar: Scalar, text: &str, node: &Node) -> Outcome<Value> {
    match scalar.parse(text) {
        Some(value) => Ok(value),
        None => fault(&document::FIELD_VALUE, node, format!("expected {}", scalar.name())),
    }
}

/// The element's own name could hold data and is not told; a declared one nearby is.
fn stray_detail(object: &Object, stray: &Node) -> String {
    let names: Vec<&str> = object.children.iter().map(|c| c.name().local.as_str()).collect();
    if object.children.iter().any(|child| is(stray, child.name())) {
        return format!(
            "`{}` stands in the wrong order or too often; the order is: {}",
            stray.local,
            names.join(", ")
        );
    }
    match nearest(&stray.local, names.iter().copied()) {
        Some(near) => format!("not declared here, or of another namespace; nearest name: `{near}`"),
        None if names.is_empty() => "no elements are declared here".to_owned(),
        None => format!("not declared here; declared are: {}", names.join(", ")),
    }
}
