//! Canonical XML of one element and all below it: Canonical XML 1.0 and Exclusive Canonical XML
//! 1.0, both without comments (W3C xml-c14n, xml-exc-c14n).

use super::tree::{Content, Element, XML};
use std::collections::{BTreeMap, BTreeSet};
use std::rc::Rc;

/// Which namespaces are written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    /// Every one in force.
    Inclusive,
    /// Those that are used where they are written.
    Exclusive,
}

/// The canonical bytes of `element`; `without` is left out (the enveloped signature).
pub(super) fn write(element: &Element, kind: Kind, without: Option<&Element>) -> Vec<u8> {
    let mut writer = Writer { kind, without, out: String::new() };
    writer.element(element, &Rendered::default());
    writer.out.into_bytes()
}

/// Namespaces that an ancestor in the output declares, by prefix.
type Rendered<'a> = BTreeMap<&'a str, &'a str>;

struct Writer<'w> {
    kind: Kind,
    without: Option<&'w Element>,
    out: String,
}

impl Writer<'_> {
    fn element<'e>(&mut self, element: &'e Element, above: &Rendered<'e>) {
        let mut rendered = above.clone();
        self.out.push('<');
        self.name(&element.prefix, &element.local);
        // In the order of prefixes, the default first: so does a set sort them.
        for prefix in self.wanted(element) {
            let namespace: &'e str = match element.scope.get(prefix) {
                Some(namespace) => namespace,
                None => "",
            };
            if rendered.get(prefix).copied().unwrap_or_default() == namespace {
                continue;
            }
            rendered.insert(prefix, namespace);
            self.out.push_str(" xmlns");
            if !prefix.is_empty() {
                self.out.push(':');
                self.out.push_str(prefix);
            }
            self.out.push_str("=\"");
            self.attribute_text(namespace);
            self.out.push('"');
        }
        let mut attributes: Vec<_> = element.attributes.iter().collect();
        attributes.sort_by(|a, b| (&a.namespace, &a.local).cmp(&(&b.namespace, &b.local)));
        for attribute in attributes {
            self.out.push(' ');
            self.name(&attribute.prefix, &attribute.local);
            self.out.push_str("=\"");
            self.attribute_text(&attribute.value);
            self.out.push('"');
        }
        self.out.push('>');
        for content in &element.content {
            match content {
                Content::Text(text) => self.text(text),
                Content::Element(below) => {
                    if !self.without.is_some_and(|left_out| std::ptr::eq(left_out, below)) {
                        self.element(below, &rendered);
                    }
                }
            }
        }
        self.out.push_str("</");
        self.name(&element.prefix, &element.local);
        self.out.push('>');
    }

    /// The prefixes whose namespaces are to be in force in the output here.
    fn wanted<'e>(&self, element: &'e Element) -> BTreeSet<&'e str> {
        match self.kind {
            Kind::Inclusive => element.scope.keys().map(String::as_str).collect(),
            Kind::Exclusive => {
                let attributes = element.attributes.iter().map(|one| one.prefix.as_str());
                let used = attributes.filter(|prefix| !prefix.is_empty());
                let used = used.chain([element.prefix.as_str()]);
                used.filter(|prefix| *prefix != "xml").collect()
            }
        }
    }

    fn name(&mut self, prefix: &str, local: &str) {
        if !prefix.is_empty() {
            self.out.push_str(prefix);
            self.out.push(':');
        }
        self.out.push_str(local);
    }

    fn text(&mut self, text: &str) {
        for c in text.chars() {
            match c {
                '&' => self.out.push_str("&amp;"),
                '<' => self.out.push_str("&lt;"),
                '>' => self.out.push_str("&gt;"),
                '\r' => self.out.push_str("&#xD;"),
                other => self.out.push(other),
            }
        }
    }

    fn attribute_text(&mut self, text: &str) {
        for c in text.chars() {
            match c {
                '&' => self.out.push_str("&amp;"),
                '<' => self.out.push_str("&lt;"),
                '"' => self.out.push_str("&quot;"),
                '\t' => self.out.push_str("&#x9;"),
                '\n' => self.out.push_str("&#xA;"),
                '\r' => self.out.push_str("&#xD;"),
                other => self.out.push(other),
            }
        }
    }
}

/// Whether an attribute of the `xml` namespace stands on one of these: Canonical XML would carry it
/// into the element that is written, which nothing here does.
pub(super) fn inherits<'e>(mut above: impl Iterator<Item = &'e Element>) -> bool {
    let is_xml = |namespace: &Rc<str>| &**namespace == XML;
    above.any(|element| element.attributes.iter().any(|one| is_xml(&one.namespace)))
}
