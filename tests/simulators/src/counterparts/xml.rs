//! A strict reading of small XML documents: no DTD, no processing instructions, one namespace,
//! no text beside elements. Errors name elements, never their content.

use quick_xml::events::{BytesStart, Event};
use quick_xml::name::ResolveResult;
use quick_xml::reader::NsReader;

const XSI: &str = "http://www.w3.org/2001/XMLSchema-instance";
const MAX_DEPTH: usize = 16;

/// One element.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Element {
    /// Local name.
    pub name: String,
    /// Text, when it has no child.
    pub text: String,
    /// Children in their order.
    pub children: Vec<Element>,
    /// `xsi:nil="true"`.
    pub nil: bool,
    /// Value of the attribute `reason`.
    pub reason: Option<String>,
}

/// Reads a whole document whose elements must all be in `namespace`.
pub fn read(bytes: &[u8], namespace: &str) -> Result<Element, String> {
    let text = std::str::from_utf8(bytes).map_err(|_| "not UTF-8".to_owned())?;
    let mut reader = NsReader::from_str(text);
    let mut open: Vec<Element> = Vec::new();
    let mut root = None;
    loop {
        let (place, event) =
            reader.read_resolved_event().map_err(|error| format!("not well-formed: {error}"))?;
        let namespaced = matches!(place, ResolveResult::Bound(uri) if uri.0 == namespace);
        match event {
            Event::Start(start) => {
                if root.is_some() || open.len() >= MAX_DEPTH {
                    return Err("a second root or too deep".to_owned());
                }
                open.push(element(&reader, &start, namespaced)?);
            }
            Event::Empty(start) => {
                let element = element(&reader, &start, namespaced)?;
                close(element, &mut open, &mut root)?;
            }
            Event::End(_) => {
                let element = open.pop().ok_or("an end without a start")?;
                close(element, &mut open, &mut root)?;
            }
            Event::Text(part) => add_text(&mut open, &part)?,
            Event::GeneralRef(part) => add_text(&mut open, &resolve(&part)?)?,
            Event::CData(_) | Event::Comment(_) => {
                return Err("CDATA and comments are not part of the layout".to_owned());
            }
            Event::DocType(_) | Event::PI(_) => {
                return Err("DOCTYPE and processing instructions are refused".to_owned());
            }
            Event::Decl(_) if open.is_empty() && root.is_none() => {}
            Event::Decl(_) => return Err("an XML declaration in the middle".to_owned()),
            Event::Eof => break,
        }
    }
    match root {
        Some(root) if open.is_empty() => Ok(root),
        _ => Err("the document ends early".to_owned()),
    }
}

fn element(
    reader: &NsReader<&[u8]>,
    start: &BytesStart<'_>,
    namespaced: bool,
) -> Result<Element, String> {
    let name = start.local_name().as_ref().to_owned();
    if !namespaced {
        return Err(format!("<{name}> is not in the namespace of the layout"));
    }
    let mut element = Element { name: name.clone(), ..Element::default() };
    for attribute in start.attributes() {
        let attribute = attribute.map_err(|_| format!("<{name}>: bad attribute"))?;
        let key = attribute.key;
        if key.as_namespace_binding().is_some() {
            continue;
        }
        let value = attribute.value.into_owned();
        let (uri, local) = reader.resolver().resolve_attribute(key);
        match (uri, local.as_ref()) {
            (ResolveResult::Bound(uri), "nil") if uri.0 == XSI && value == "true" => {
                element.nil = true;
            }
            (ResolveResult::Unbound, "reason") => element.reason = Some(value),
            _ => return Err(format!("<{name}>: an attribute that is not part of the layout")),
        }
    }
    if element.nil != element.reason.is_some() {
        return Err(format!("<{name}>: xsi:nil and reason belong together"));
    }
    Ok(element)
}

fn close(element: Element, open: &mut [Element], root: &mut Option<Element>) -> Result<(), String> {
    let blank = element.text.chars().all(char::is_whitespace);
    if !blank && !element.children.is_empty() {
        return Err(format!("<{}>: text beside elements", element.name));
    }
    if element.nil && !(element.text.is_empty() && element.children.is_empty()) {
        return Err(format!("<{}>: nil with content", element.name));
    }
    match open.last_mut() {
        Some(parent) => parent.children.push(element),
        None if root.is_none() => *root = Some(element),
        None => return Err("a second root".to_owned()),
    }
    Ok(())
}

fn add_text(open: &mut [Element], part: &str) -> Result<(), String> {
    match open.last_mut() {
        Some(element) => element.text.push_str(part),
        None if part.trim().is_empty() => {}
        None => return Err("text outside the root".to_owned()),
    }
    Ok(())
}

fn resolve(reference: &quick_xml::events::BytesRef<'_>) -> Result<String, String> {
    if let Ok(Some(character)) = reference.resolve_char_ref() {
        return Ok(character.to_string());
    }
    let name: &str = reference;
    match name {
        "amp" => Ok("&".to_owned()),
        "lt" => Ok("<".to_owned()),
        "gt" => Ok(">".to_owned()),
        "quot" => Ok("\"".to_owned()),
        "apos" => Ok("'".to_owned()),
        _ => Err("an entity that XML does not define".to_owned()),
    }
}

/// Takes the children of an element in their documented order; what is left over is an error.
pub struct Fields<'a> {
    path: String,
    rest: &'a [Element],
}

impl<'a> Fields<'a> {
    /// Starts with the first child of `element`, which must be called `name`.
    pub fn of(element: &'a Element, name: &str) -> Result<Self, String> {
        if element.name != name {
            return Err(format!("<{}> where <{name}> belongs", element.name));
        }
        Ok(Fields { path: name.to_owned(), rest: &element.children })
    }

    /// The next child, which must be `name`.
    pub fn child(&mut self, name: &str) -> Result<&'a Element, String> {
        match self.rest.split_first() {
            Some((first, rest)) if first.name == name => {
                self.rest = rest;
                Ok(first)
            }
            Some((first, _)) => {
                Err(format!("{}: <{}> where <{name}> belongs", self.path, first.name))
            }
            None => Err(format!("{}: <{name}> is missing", self.path)),
        }
    }

    /// The fields of the next child, which must be `name`.
    pub fn group(&mut self, name: &str) -> Result<Fields<'a>, String> {
        let element = self.child(name)?;
        Ok(Fields { path: format!("{}/{name}", self.path), rest: &element.children })
    }

    /// The text of the next child, which must be `name`, not nil, and of the given form.
    pub fn text(&mut self, name: &str, form: Form) -> Result<&'a str, String> {
        let element = self.child(name)?;
        if element.nil || !element.children.is_empty() || !form.fits(&element.text) {
            return Err(format!("{}/{name}: not {}", self.path, form.describe()));
        }
        Ok(&element.text)
    }

    /// Like [`Fields::text`], when the next child has that name at all.
    pub fn optional(&mut self, name: &str, form: Form) -> Result<Option<&'a str>, String> {
        match self.rest.first() {
            Some(first) if first.name == name => self.text(name, form).map(Some),
            _ => Ok(None),
        }
    }

    /// Whether the next child has this name.
    pub fn next_is(&self, name: &str) -> bool {
        self.rest.first().is_some_and(|first| first.name == name)
    }

    /// Nothing may be left.
    pub fn end(self) -> Result<(), String> {
        match self.rest.first() {
            None => Ok(()),
            Some(extra) => Err(format!("{}: <{}> does not belong here", self.path, extra.name)),
        }
    }
}

/// Documented forms of a text.
#[derive(Clone, Copy, Debug)]
pub enum Form {
    /// Exactly so many half-width digits.
    Digits(usize),
    /// So many half-width digits at least and at most.
    DigitsBetween(usize, usize),
    /// A prefix and 14 digits.
    Code(&'static str),
    /// A calendar date YYYY-MM-DD (open ends included).
    Date,
    /// 17 digits YYYYMMDDHHMMSSmmm, or RFC 3339.
    Moment,
    /// `A-Z a-z 0-9 . _ -`, 1 to so many characters.
    Identifier(usize),
    /// Any text of 1 to so many characters without control characters but line ends.
    Text(usize),
    /// One of these.
    OneOf(&'static [&'static str]),
}

impl Form {
    /// Whether the text has this form.
    pub fn fits(self, text: &str) -> bool {
        let digits = |low: usize, high: usize| {
            (low..=high).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_digit())
        };
        match self {
            Form::Digits(count) => digits(count, count),
            Form::DigitsBetween(low, high) => digits(low, high),
            Form::Code(prefix) => {
                text.strip_prefix(prefix).is_some_and(|rest| Form::Digits(14).fits(rest))
            }
            Form::Date => is_date(text),
            Form::Moment => digits(17, 17) || text.parse::<jiff::Timestamp>().is_ok(),
            Form::Identifier(longest) => {
                (1..=longest).contains(&text.len())
                    && text.bytes().all(|b| b.is_ascii_alphanumeric() || b"._-".contains(&b))
            }
            Form::Text(longest) => {
                (1..=longest).contains(&text.chars().count())
                    && text.chars().all(|c| c == '\n' || c == '\r' || !c.is_control())
            }
            Form::OneOf(choices) => choices.contains(&text),
        }
    }

    fn describe(self) -> String {
        match self {
            Form::Digits(count) => format!("{count} digits"),
            Form::DigitsBetween(low, high) => format!("{low} to {high} digits"),
            Form::Code(prefix) => format!("{prefix} and 14 digits"),
            Form::Date => "a date YYYY-MM-DD".to_owned(),
            Form::Moment => "17 digits of date and time".to_owned(),
            Form::Identifier(longest) => format!("an identifier of 1 to {longest} characters"),
            Form::Text(longest) => format!("a text of 1 to {longest} characters"),
            Form::OneOf(choices) => format!("one of {choices:?}"),
        }
    }
}

/// A calendar date YYYY-MM-DD, or one of the two open ends.
pub fn is_date(text: &str) -> bool {
    let shape = text.len() == 10 && text.split('-').map(str::len).eq([4, 2, 2]);
    shape && (text == "0000-01-01" || text.parse::<jiff::civil::Date>().is_ok())
}

/// Escapes text for an element.
pub fn escape(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;")
}

#[cfg(test)]
mod tests {
    use super::*;

    const URI: &str = "urn:x";

    #[test]
    fn a_document_is_read_in_any_prefix() {
        let one = read(b"<?xml version=\"1.0\"?><A xmlns=\"urn:x\"><B>x&amp;y</B></A>", URI);
        let two = read(b"<p:A xmlns:p=\"urn:x\"><p:B>x&#38;y</p:B></p:A>", URI);
        assert_eq!(one, two);
        assert_eq!(one.unwrap().children[0].text, "x&y");
    }

    #[test]
    fn what_is_not_part_of_the_layout_is_refused() {
        for bad in [
            "<A xmlns=\"urn:other\"/>",
            "<A xmlns=\"urn:x\"><B>x</B>",
            "<A xmlns=\"urn:x\">x<B/></A>",
            "<A xmlns=\"urn:x\"/><A xmlns=\"urn:x\"/>",
            "<A xmlns=\"urn:x\" other=\"1\"/>",
            "<A xmlns=\"urn:x\" reason=\"x\"/>",
            "<A xmlns=\"urn:x\" xmlns:xsi=\"http://www.w3.org/2001/XMLSchema-instance\" \
             xsi:nil=\"true\"/>",
            "<!DOCTYPE A><A xmlns=\"urn:x\"/>",
            "<A xmlns=\"urn:x\">&unknown;</A>",
            "",
        ] {
            assert!(read(bad.as_bytes(), URI).is_err(), "{bad}");
        }
    }

    #[test]
    fn order_and_leftovers_count() {
        let root = read(b"<A xmlns=\"urn:x\"><B>1</B><C>2</C></A>", URI).unwrap();
        let mut fields = Fields::of(&root, "A").unwrap();
        assert!(fields.child("C").is_err());
        assert_eq!(fields.text("B", Form::Digits(1)).unwrap(), "1");
        assert!(fields.end().unwrap_err().contains("<C>"));
    }

    #[test]
    fn dates_are_calendar_dates() {
        assert!(is_date("2026-02-28") && is_date("9999-12-31") && is_date("0000-01-01"));
        assert!(!is_date("2026-02-29") && !is_date("20260228") && !is_date("2026-2-28"));
    }
}
