//! The compiled layout: which element or attribute is which member.

use super::Xml;
use crate::codec::field::{Problems, Scalar, Unified, flag, property_pointer, text, unify};
use crate::model::codes::document::LAYOUT_XML;
use crate::schema::{Property, Shape};

/// A name with its namespace.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Name {
    /// Without prefix.
    pub local: String,
    /// Namespace; `None`: in none.
    pub namespace: Option<String>,
    /// Prefix used when writing.
    pub prefix: Option<String>,
}

impl Name {
    /// As written.
    pub fn qualified(&self) -> String {
        match &self.prefix {
            Some(prefix) => format!("{prefix}:{}", self.local),
            None => self.local.clone(),
        }
    }
}

/// An element.
#[derive(Debug)]
pub struct Element {
    /// Its name.
    pub name: Name,
    /// What is in it.
    pub content: Content,
    /// Whether it may be nil.
    pub nillable: bool,
}

/// What is in an element.
#[derive(Debug)]
pub enum Content {
    /// Text; as CDATA when written.
    Text {
        /// Its kind.
        scalar: Scalar,
        /// Written as CDATA.
        cdata: bool,
    },
    /// Members.
    Object(Object),
}

/// An element with members.
#[derive(Debug, Default)]
pub struct Object {
    /// Members that are attributes.
    pub attributes: Vec<Attribute>,
    /// The member that is the element's text.
    pub text: Option<(String, Scalar, bool)>,
    /// Members that are elements, in order.
    pub children: Vec<Child>,
    /// Undeclared elements and attributes are passed over.
    pub open: bool,
}

/// A member that is an attribute.
#[derive(Debug)]
pub struct Attribute {
    /// The member.
    pub property: String,
    /// Its name.
    pub name: Name,
    /// Its kind.
    pub scalar: Scalar,
}

/// A member that is an element, or several.
#[derive(Debug)]
pub struct Child {
    /// The member.
    pub property: String,
    /// How it stands there.
    pub kind: Kind,
}

/// How a member stands there.
#[derive(Debug)]
pub enum Kind {
    /// One element or none.
    One(Element),
    /// As many as there are elements in the list; of a required list none means an empty one.
    Many {
        /// Each of them.
        item: Element,
        /// None is an empty list.
        required: bool,
    },
    /// An element around the elements of the list.
    Wrapped {
        /// The one around.
        wrapper: Name,
        /// Each of them.
        item: Element,
    },
}

impl Child {
    /// The name of the element that begins it.
    pub fn name(&self) -> &Name {
        match &self.kind {
            Kind::One(element) | Kind::Many { item: element, .. } => &element.name,
            Kind::Wrapped { wrapper, .. } => wrapper,
        }
    }
}

/// Compiles a schema.
pub fn compile(shape: &Shape, problems: &mut Problems<'_>) -> Option<Xml> {
    let layout = &shape.layout;
    let Some(root) = text(layout, "x-xml", "root") else {
        problems.add(&LAYOUT_XML, "", "x-xml with the name of the root element is missing");
        return None;
    };
    let owned = |key: &str| text(layout, "x-xml", key).map(str::to_owned);
    let name =
        Name { local: root.to_owned(), namespace: owned("namespace"), prefix: owned("prefix") };
    if name.prefix.is_some() && name.namespace.is_none() {
        problems.add(&LAYOUT_XML, "/x-xml/prefix", "a prefix needs a namespace");
    }
    let mut compiler = Compiler { problems, nillable: false };
    compiler.check_name(&name, "/x-xml/root");
    let nil_reason = owned("nil-reason").unwrap_or_else(|| "reason".to_owned());
    compiler.check_ncname(&nil_reason, "/x-xml/nil-reason");
    let root = compiler.element(name, shape, "")?;
    let declaration = layout
        .get("x-xml")
        .and_then(|all| all.get("declaration"))
        .and_then(serde_json::Value::as_bool)
        .unwrap_or(true);
    let nillable = compiler.nillable;
    Some(Xml { root, declaration, nil_reason, nillable })
}

/// Compiles one element that stands in an envelope made elsewhere: no declaration, its namespace
/// its own.
pub fn fragment(
    property: &Property,
    pointer: &str,
    nil_reason: &str,
    problems: &mut Problems<'_>,
) -> Option<Xml> {
    let name = own_name(property, None);
    if name.prefix.is_some() && name.namespace.is_none() {
        problems.add(&LAYOUT_XML, pointer, "a prefix needs a namespace");
    }
    let mut compiler = Compiler { problems, nillable: false };
    compiler.check_name(&name, pointer);
    let root = compiler.element(name, &property.shape, pointer)?;
    let nillable = compiler.nillable;
    Some(Xml { root, declaration: false, nil_reason: nil_reason.to_owned(), nillable })
}

struct Compiler<'a, 'b> {
    problems: &'a mut Problems<'b>,
    nillable: bool,
}

impl Compiler<'_, '_> {
    fn element(&mut self, name: Name, shape: &Shape, pointer: &str) -> Option<Element> {
        let unified = unify(shape);
        self.nillable |= unified.nil;
        let nillable = unified.nil;
        let content = match unified.scalar() {
            Some(scalar) => Content::Text { scalar, cdata: flag(&shape.layout, "xml", "cdata") },
            None if unified.types == ["object"] => {
                Content::Object(self.object(&name, &unified, pointer)?)
            }
            None => {
                let types = unified.types.join(", ");
                let message = format!(
                    "an element is one scalar or one object; this may be: {}",
                    if types.is_empty() { "anything" } else { &types }
                );
                self.problems.add(&LAYOUT_XML, pointer, message);
                return None;
            }
        };
        Some(Element { name, content, nillable })
    }

    fn object(&mut self, name: &Name, unified: &Unified<'_>, pointer: &str) -> Option<Object> {
        let mut object = Object { open: unified.open, ..Object::default() };
        for property in &unified.properties {
            let at = property_pointer(pointer, &property.name);
            let layout = &property.shape.layout;
            if flag(layout, "xml", "attribute") {
                self.attribute(property, &at, &mut object);
            } else if flag(layout, "xml", "text") {
                self.text(property, &at, &mut object);
            } else if let Some(kind) = self.child(name, property, &at) {
                let child = Child { property: property.name.clone(), kind };
                if object.children.iter().any(|known| same(known.name(), child.name())) {
                    let message =
                        format!("two members are elements named `{}`", child.name().local);
                    self.problems.add(&LAYOUT_XML, &at, message);
                }
                object.children.push(child);
            }
        }
        if object.text.is_some() && !object.children.is_empty() {
            let message = "an element holds either text or elements (mixed content)";
            self.problems.add(&LAYOUT_XML, pointer, message);
        }
        Some(object)
    }

    fn attribute(&mut self, property: &Property, at: &str, object: &mut Object) {
        let unified = unify(&property.shape);
        let Some(scalar) = unified.scalar().filter(|_| !unified.nil) else {
            self.problems.add(&LAYOUT_XML, at, "an attribute is one scalar, never nil");
            return;
        };
        let name = own_name(property, None);
        if name.namespace.is_some() != name.prefix.is_some() {
            let message = "a namespaced attribute needs both prefix and namespace";
            self.problems.add(&LAYOUT_XML, at, message);
        }
        self.check_name(&name, at);
        if name.local == "xmlns" || object.attributes.iter().any(|known| same(&known.name, &name)) {
            let message = format!("the attribute name `{}` is taken", name.local);
            self.problems.add(&LAYOUT_XML, at, message);
        }
        object.attributes.push(Attribute { property: property.name.clone(), name, scalar });
    }

    fn text(&mut self, property: &Property, at: &str, object: &mut Object) {
        let unified = unify(&property.shape);
        let Some(scalar) = unified.scalar().filter(|_| !unified.nil) else {
            self.problems.add(&LAYOUT_XML, at, "the text of an element is one scalar, never nil");
            return;
        };
        if !property.required {
            let message = "the text of an element must be a required member: \
                           absent and empty cannot be told apart";
            self.problems.add(&LAYOUT_XML, at, message);
        }
        if object.text.is_some() {
            self.problems.add(&LAYOUT_XML, at, "two members are the text of one element");
        }
        let cdata = flag(&property.shape.layout, "xml", "cdata");
        object.text = Some((property.name.clone(), scalar, cdata));
    }

    fn child(&mut self, parent: &Name, property: &Property, at: &str) -> Option<Kind> {
        let unified = unify(&property.shape);
        let name = own_name(property, Some(parent));
        self.check_name(&name, at);
        let Some(items) = unified.items.filter(|_| unified.types == ["array"]) else {
            return self.element(name, &property.shape, at).map(Kind::One);
        };
        if unified.nil {
            self.problems.add(&LAYOUT_XML, at, "a list cannot be nil");
        }
        let below = format!("{at}/items");
        if !flag(&property.shape.layout, "xml", "wrapped") {
            let required = property.required;
            if !required && property.shape.min_items.unwrap_or(0) == 0 {
                let message = "an optional list without wrapper: absent and empty cannot be told \
                               apart; make it required, wrap it, or set minItems: 1";
                self.problems.add(&LAYOUT_XML, at, message);
            }
            let item = self.element(name, items, &below)?;
            return Some(Kind::Many { item, required });
        }
        let local = text(&items.layout, "xml", "name").unwrap_or(&name.local).to_owned();
        let item_name = Name { local, ..name.clone() };
        self.check_name(&item_name, &below);
        let item = self.element(item_name, items, &below)?;
        Some(Kind::Wrapped { wrapper: name, item })
    }

    fn check_name(&mut self, name: &Name, at: &str) {
        self.check_ncname(&name.local, at);
        if let Some(prefix) = &name.prefix {
            self.check_ncname(prefix, at);
            if prefix == "xsi" || prefix.to_ascii_lowercase().starts_with("xml") {
                self.problems.add(&LAYOUT_XML, at, format!("the prefix `{prefix}` is reserved"));
            }
        }
    }

    fn check_ncname(&mut self, name: &str, at: &str) {
        if !is_ncname(name) {
            self.problems.add(&LAYOUT_XML, at, format!("`{name}` is not a name in XML"));
        }
    }
}

/// The name of a member: its own namespace, or else its parent's.
fn own_name(property: &Property, parent: Option<&Name>) -> Name {
    let layout = &property.shape.layout;
    let local = text(layout, "xml", "name").unwrap_or(&property.name).to_owned();
    let owned = |key: &str| text(layout, "xml", key).map(str::to_owned);
    match (owned("namespace"), parent) {
        (None, Some(parent)) => Name {
            local,
            namespace: parent.namespace.clone(),
            prefix: owned("prefix").or_else(|| parent.prefix.clone()),
        },
        (namespace, _) => Name { local, namespace, prefix: owned("prefix") },
    }
}

/// Whether two names are the same to a reader.
fn same(left: &Name, right: &Name) -> bool {
    left.local == right.local && left.namespace == right.namespace
}

/// A name without colon (Namespaces in XML 1.0).
pub fn is_ncname(name: &str) -> bool {
    if name.bytes().all(|byte| byte.is_ascii_alphabetic()) {
        return !name.is_empty();
    }
    let start = |c: char| {
        matches!(c, 'A'..='Z' | '_' | 'a'..='z' | '\u{C0}'..='\u{D6}' | '\u{D8}'..='\u{F6}'
            | '\u{F8}'..='\u{2FF}' | '\u{370}'..='\u{37D}' | '\u{37F}'..='\u{1FFF}'
            | '\u{200C}'..='\u{200D}' | '\u{2070}'..='\u{218F}' | '\u{2C00}'..='\u{2FEF}'
            | '\u{3001}'..='\u{D7FF}' | '\u{F900}'..='\u{FDCF}' | '\u{FDF0}'..='\u{FFFD}'
            | '\u{10000}'..='\u{EFFFF}')
    };
    let further = |c: char| {
        start(c)
            || matches!(c, '-' | '.' | '0'..='9' | '\u{B7}' | '\u{300}'..='\u{36F}'
                | '\u{203F}'..='\u{2040}')
    };
    let mut characters = name.chars();
    characters.next().is_some_and(start) && characters.all(further)
}

#[cfg(test)]
mod tests {
    use super::is_ncname;

    #[test]
    fn names_without_colon() {
        for good in ["a", "_x", "TK00008400000010", "宛名番号", "a-b.c"] {
            assert!(is_ncname(good), "{good}");
        }
        for bad in ["", "1a", "a:b", "a b", "a><evil", "-a"] {
            assert!(!is_ncname(bad), "{bad}");
        }
    }
}
