//! XML text to a small tree with namespaces resolved, refusing everything the layouts never need.

use super::is_char;
use super::plan::is_ncname;
use crate::codec::table::{Charset, Transcoder};
use crate::model::Code;
use crate::model::codes::document;
use crate::model::json::{DecodeError, Limits, position, too_large, utf8};
use quick_xml::Reader;
use quick_xml::XmlVersion;
use quick_xml::events::{BytesDecl, BytesRef, BytesStart, Event};
use std::borrow::Cow;
use std::rc::Rc;

/// An element as read.
#[derive(Debug)]
pub struct Node {
    /// Name without prefix.
    pub local: String,
    /// Its namespace.
    pub namespace: Option<Rc<str>>,
    /// Attributes without the namespace declarations.
    pub attributes: Vec<Attribute>,
    /// Elements inside.
    pub children: Vec<Node>,
    /// All text inside, joined.
    pub text: String,
    /// Byte offset of its start.
    pub offset: usize,
}

/// An attribute as read.
#[derive(Debug)]
pub struct Attribute {
    /// Name without prefix.
    pub local: String,
    /// Its namespace; none without prefix.
    pub namespace: Option<Rc<str>>,
    /// Its value.
    pub value: String,
}

/// Attributes of one element, and namespace declarations in force at one place.
const MAX_ATTRIBUTES: usize = 64;

/// Namespace of the prefix `xml`, and the one that nothing may be bound to.
const XML: &str = "http://www.w3.org/XML/1998/namespace";
const XMLNS: &str = "http://www.w3.org/2000/xmlns/";

/// A document as read.
#[derive(Debug)]
pub struct Tree<'a> {
    /// The root element.
    pub root: Node,
    /// The text that offsets count in: UTF-8, whatever the input was.
    pub text: Cow<'a, [u8]>,
    /// Offsets of the elements whose text is a qualified name, with that name resolved where
    /// the element stands; `None`: it is not one.
    pub names: Vec<(usize, Option<Resolved>)>,
}

/// Local name and namespace.
pub type Resolved = (String, Option<Rc<str>>);

/// Whether the text of an element is a qualified name: its own name decides.
pub type HoldsName = fn(local: &str, namespace: Option<&str>) -> bool;

/// Reads one document.
pub fn parse<'a>(
    bytes: &'a [u8],
    limits: &Limits,
    holds_name: HoldsName,
) -> Result<Tree<'a>, DecodeError> {
    too_large(bytes, limits)?;
    let (bytes, encoding) = transcoded(bytes)?;
    let start = if bytes.starts_with(&[0xEF, 0xBB, 0xBF]) { 3 } else { 0 };
    let text = utf8(bytes.get(start..).unwrap_or_default())?;
    let mut parser = Parser {
        bytes: &bytes,
        start,
        encoding,
        limits,
        nodes: 0,
        at: start,
        bindings: vec![("xml".to_owned(), Some(Rc::from(XML)))],
        open: Vec::new(),
        root: None,
        holds_name,
        names: Vec::new(),
    };
    let root = parser.run(text)?;
    let names = parser.names;
    Ok(Tree { root, text: bytes, names })
}

/// UTF-16 with its byte order mark as UTF-8 without one; and the encoding a declaration must
/// then name.
fn transcoded(bytes: &[u8]) -> Result<(Cow<'_, [u8]>, &'static str), DecodeError> {
    let refuse = |code, sound: &[u8], detail: &str| {
        let (line, column) = position(sound, sound.len());
        Err(DecodeError { code, line, column, path: String::new(), detail: detail.to_owned() })
    };
    let charset = match bytes {
        [0xFF, 0xFE, ..] => Charset::Utf16Le,
        [0xFE, 0xFF, ..] => Charset::Utf16Be,
        [b'<', 0, ..] | [0, b'<', ..] => {
            let detail = "UTF-16 without its byte order mark";
            return refuse(&document::XML_REFUSED, &[], detail);
        }
        _ => return Ok((Cow::Borrowed(bytes), "UTF-8")),
    };
    let mut text = Vec::with_capacity(bytes.len());
    let mut transcoder = Transcoder::new(charset);
    let sound = transcoder.push(bytes.get(2..).unwrap_or_default(), &mut text);
    if sound && transcoder.is_whole() {
        return Ok((Cow::Owned(text), "UTF-16"));
    }
    refuse(&document::UNDECODABLE, &text, "half a character of UTF-16")
}

struct Parser<'a> {
    bytes: &'a [u8],
    start: usize,
    encoding: &'static str,
    limits: &'a Limits,
    nodes: usize,
    at: usize,
    /// Prefix (empty: none) and namespace, the innermost last.
    bindings: Vec<(String, Option<Rc<str>>)>,
    /// Elements not yet closed, each with the number of bindings outside it.
    open: Vec<(Node, usize)>,
    root: Option<Node>,
    holds_name: HoldsName,
    names: Vec<(usize, Option<Resolved>)>,
}

impl Parser<'_> {
    fn run(&mut self, text: &str) -> Result<Node, DecodeError> {
        let mut reader = Reader::from_str(text);
        reader.config_mut().check_comments = true;
        loop {
            self.at = self.start + usize::try_from(reader.buffer_position()).unwrap_or(0);
            let event = reader.read_event().map_err(|error| {
                let at = usize::try_from(reader.error_position()).unwrap_or(0);
                self.fail_at(self.start + at, &document::XML_SYNTAX, syntax(&error))
            })?;
            match event {
                Event::Decl(declaration) => self.declaration(&declaration)?,
                Event::Start(start) => self.begin(&start)?,
                Event::Empty(start) => {
                    self.begin(&start)?;
                    self.end()?;
                }
                Event::End(_) => self.end()?,
                Event::Text(text) => {
                    if text.contains("]]>") {
                        return Err(self.fail(&document::XML_SYNTAX, "`]]>` inside text"));
                    }
                    self.text(&text.xml10_content())?;
                }
                Event::CData(text) => {
                    if self.open.is_empty() {
                        return Err(self.fail(&document::XML_SYNTAX, "CDATA outside the root"));
                    }
                    self.text(&text.xml10_content())?;
                }
                Event::GeneralRef(reference) => self.reference(&reference)?,
                Event::Comment(text) => {
                    if !text.chars().all(is_char) {
                        return Err(self.character());
                    }
                }
                Event::PI(_) => {
                    let detail = "processing instructions are refused";
                    return Err(self.fail(&document::XML_REFUSED, detail));
                }
                Event::DocType(_) => {
                    return Err(self.fail(&document::XML_REFUSED, "document types are refused"));
                }
                Event::Eof => break,
            }
        }
        if !self.open.is_empty() {
            let detail = format!("the input ends inside {} open elements", self.open.len());
            return Err(self.fail(&document::XML_SYNTAX, detail));
        }
        self.root.take().ok_or_else(|| self.fail(&document::XML_SYNTAX, "there is no element"))
    }

    fn declaration(&self, declaration: &BytesDecl<'_>) -> Result<(), DecodeError> {
        if self.at != self.start {
            let detail = "the XML declaration stands at the very beginning only";
            return Err(self.fail(&document::XML_SYNTAX, detail));
        }
        let Some((version, encoding)) = pseudo_attributes(declaration) else {
            let detail = "the XML declaration is malformed";
            return Err(self.fail(&document::XML_SYNTAX, detail));
        };
        if version != "1.0" {
            return Err(self.fail(&document::XML_REFUSED, "the version must be 1.0"));
        }
        if encoding.is_some_and(|name| !name.eq_ignore_ascii_case(self.encoding)) {
            let detail = format!("the encoding declared must be {}", self.encoding);
            return Err(self.fail(&document::XML_REFUSED, detail));
        }
        Ok(())
    }

    fn begin(&mut self, start: &BytesStart<'_>) -> Result<(), DecodeError> {
        if self.open.is_empty() && self.root.is_some() {
            return Err(self.fail(&document::TRAILING_DATA, "a second root element"));
        }
        if self.open.len() >= self.limits.depth() {
            let detail = format!("more than {} levels", self.limits.depth());
            return Err(self.fail(&document::TOO_DEEP, detail));
        }
        let outside = self.bindings.len();
        let raw = self.attributes(start, outside)?;
        self.nodes += 1 + raw.len();
        if self.nodes > self.limits.max_nodes {
            let detail = format!("more than {} elements and attributes", self.limits.max_nodes);
            return Err(self.fail(&document::TOO_MANY_NODES, detail));
        }
        let name = start.name();
        let (local, namespace) = self.resolve(name.0, true)?;
        let mut attributes: Vec<Attribute> = Vec::new();
        for (key, value) in raw {
            let (local, namespace) = self.resolve(&key, false)?;
            if attributes.iter().any(|a| a.local == local && a.namespace == namespace) {
                return Err(self.fail(&document::XML_SYNTAX, "an attribute stands twice"));
            }
            attributes.push(Attribute { local, namespace, value });
        }
        let node = Node {
            local,
            namespace,
            attributes,
            children: Vec::new(),
            text: String::new(),
            offset: self.at,
        };
        self.open.push((node, outside));
        Ok(())
    }

    /// The plain attributes; namespace declarations go into force, behind the `outside` ones.
    fn attributes(
        &mut self,
        start: &BytesStart<'_>,
        outside: usize,
    ) -> Result<Vec<(String, String)>, DecodeError> {
        if !spaced(start.attributes_raw()) {
            return Err(self.fail(&document::XML_SYNTAX, "no space between two attributes"));
        }
        let mut plain = Vec::new();
        // Duplicates are looked for above, over resolved names: the reader's own check is
        // quadratic and does not know namespaces.
        for (count, attribute) in start.attributes().with_checks(false).enumerate() {
            if count >= MAX_ATTRIBUTES {
                let detail = format!("more than {MAX_ATTRIBUTES} attributes on one element");
                return Err(self.fail(&document::TOO_MANY_NODES, detail));
            }
            let attribute = attribute
                .map_err(|_| self.fail(&document::XML_SYNTAX, "an attribute is malformed"))?;
            if attribute.value.contains('<') {
                return Err(self.fail(&document::XML_SYNTAX, "`<` inside an attribute"));
            }
            let value = attribute.normalized_value(XmlVersion::Explicit1_0).map_err(|_| {
                let detail = "an attribute holds an entity that XML does not predefine";
                self.fail(&document::XML_REFUSED, detail)
            })?;
            self.check_text(&value, 0)?;
            let key = attribute.key.0;
            let prefix = match key.strip_prefix("xmlns:") {
                Some(prefix) => prefix,
                None if key == "xmlns" => "",
                None => {
                    plain.push((key.to_owned(), value.into_owned()));
                    continue;
                }
            };
            if self.bindings.len() >= MAX_ATTRIBUTES {
                let detail = format!("more than {MAX_ATTRIBUTES} namespaces in force");
                return Err(self.fail(&document::TOO_MANY_NODES, detail));
            }
            let reserved = matches!(prefix, "xml" | "xmlns") || matches!(&*value, XML | XMLNS);
            let nameless = key != "xmlns" && (value.is_empty() || !is_ncname(prefix));
            if reserved || nameless {
                return Err(self.fail(&document::XML_SYNTAX, "a namespace cannot be bound so"));
            }
            let own = self.bindings.get(outside..).unwrap_or_default();
            if own.iter().any(|(known, _)| known == prefix) {
                return Err(self.fail(&document::XML_SYNTAX, "a namespace is bound twice"));
            }
            let namespace = (!value.is_empty()).then(|| Rc::from(value.as_ref()));
            self.bindings.push((prefix.to_owned(), namespace));
        }
        Ok(plain)
    }

    fn resolve(&self, name: &str, element: bool) -> Result<Resolved, DecodeError> {
        let (prefix, local) = match name.split_once(':') {
            Some(("", _)) => return Err(self.fail(&document::XML_SYNTAX, "an empty prefix")),
            Some(parts) => parts,
            None => ("", name),
        };
        if !is_ncname(local) {
            let detail = "a name holds a character that no name can hold";
            return Err(self.fail(&document::XML_SYNTAX, detail));
        }
        if prefix.is_empty() && !element {
            return Ok((local.to_owned(), None));
        }
        let binding = self.bindings.iter().rev().find(|(known, _)| known == prefix);
        match binding {
            Some((_, namespace)) => Ok((local.to_owned(), namespace.clone())),
            None if prefix.is_empty() => Ok((local.to_owned(), None)),
            None => Err(self.fail(&document::XML_SYNTAX, "a prefix is bound to no namespace")),
        }
    }

    fn end(&mut self) -> Result<(), DecodeError> {
        let Some((node, outside)) = self.open.pop() else {
            return Err(self.fail(&document::XML_SYNTAX, "an end tag without its start"));
        };
        if (self.holds_name)(&node.local, node.namespace.as_deref()) {
            let name = self.resolve(node.text.trim_matches(is_space), true).ok();
            self.names.push((node.offset, name));
        }
        self.bindings.truncate(outside);
        match self.open.last_mut() {
            Some((parent, _)) => parent.children.push(node),
            None => self.root = Some(node),
        }
        Ok(())
    }

    fn reference(&mut self, reference: &BytesRef<'_>) -> Result<(), DecodeError> {
        if self.open.is_empty() {
            return Err(self.fail(&document::XML_SYNTAX, "a reference outside the root element"));
        }
        if let Ok(Some(character)) = reference.resolve_char_ref() {
            return self.text(character.encode_utf8(&mut [0; 4]));
        }
        let text = match reference.as_ref() {
            "lt" => "<",
            "gt" => ">",
            "amp" => "&",
            "quot" => "\"",
            "apos" => "'",
            _ => {
                let detail = "an entity that XML does not predefine";
                return Err(self.fail(&document::XML_REFUSED, detail));
            }
        };
        self.text(text)
    }

    fn text(&mut self, text: &str) -> Result<(), DecodeError> {
        if self.open.is_empty() {
            if text.chars().all(is_space) {
                return Ok(());
            }
            let code =
                if self.root.is_some() { &document::TRAILING_DATA } else { &document::XML_SYNTAX };
            return Err(self.fail(code, "text outside the root element"));
        }
        let before = self.open.last().map_or(0, |(node, _)| node.text.len());
        self.check_text(text, before)?;
        if let Some((node, _)) = self.open.last_mut() {
            node.text.push_str(text);
        }
        Ok(())
    }

    fn check_text(&self, text: &str, before: usize) -> Result<(), DecodeError> {
        if before + text.len() > self.limits.max_string {
            let detail = format!("more than {} bytes", self.limits.max_string);
            return Err(self.fail(&document::STRING_TOO_LONG, detail));
        }
        if text.chars().all(is_char) { Ok(()) } else { Err(self.character()) }
    }

    fn character(&self) -> DecodeError {
        self.fail(&document::FORBIDDEN_CHARACTER, "a character that XML 1.0 cannot carry")
    }

    fn fail(&self, code: &'static Code, detail: impl Into<String>) -> DecodeError {
        self.fail_at(self.at, code, detail)
    }

    fn fail_at(
        &self,
        offset: usize,
        code: &'static Code,
        detail: impl Into<String>,
    ) -> DecodeError {
        let (line, column) = position(self.bytes, offset);
        DecodeError { code, line, column, path: String::new(), detail: detail.into() }
    }
}

/// Version and encoding of an XML declaration; `None` when it breaks production `XMLDecl`.
fn pseudo_attributes(declaration: &str) -> Option<(&str, Option<&str>)> {
    let mut rest = declaration.strip_prefix("xml")?;
    let mut values = [None; 3];
    for (name, value) in ["version", "encoding", "standalone"].iter().zip(&mut values) {
        let Some(behind) = rest.trim_start_matches(is_space).strip_prefix(name) else { continue };
        if !rest.starts_with(is_space) {
            return None;
        }
        let behind = behind.trim_start_matches(is_space).strip_prefix('=')?;
        let behind = behind.trim_start_matches(is_space);
        let quote = behind.chars().next().filter(|quote| matches!(quote, '"' | '\''))?;
        let (text, behind) = behind.strip_prefix(quote)?.split_once(quote)?;
        (*value, rest) = (Some(text), behind);
    }
    let [version, encoding, standalone] = values;
    let sound = rest.chars().all(is_space) && matches!(standalone, None | Some("yes" | "no"));
    version.filter(|_| sound).map(|version| (version, encoding))
}

/// White space as XML knows it; the full-width space is text.
pub fn is_space(c: char) -> bool {
    matches!(c, ' ' | '\t' | '\n' | '\r')
}

/// Whether white space follows every attribute value but the last, which the reader does not ask.
fn spaced(attributes: &str) -> bool {
    let mut open = None;
    let mut characters = attributes.chars().peekable();
    while let Some(c) = characters.next() {
        match open {
            None if matches!(c, '"' | '\'') => open = Some(c),
            Some(quote) if c == quote => {
                open = None;
                if characters.peek().is_some_and(|next| !is_space(*next)) {
                    return false;
                }
            }
            _ => {}
        }
    }
    true
}

/// The reader's error by kind only: its texts quote names and values of the input.
fn syntax(error: &quick_xml::Error) -> &'static str {
    match error {
        quick_xml::Error::Syntax(_) => "a tag, comment or CDATA section has no end",
        quick_xml::Error::IllFormed(_) => "start and end tags do not match, or a name is missing",
        quick_xml::Error::InvalidAttr(_) => "an attribute is malformed",
        _ => "the markup is malformed",
    }
}
