//! A document to its envelope.

use super::{Block, FaultPlan, Soap, Version};
use crate::codec::EncodeError;
use crate::codec::json::under;
use crate::codec::xml::{Xml, is_char, is_ncname};
use crate::model::codes::document;
use crate::schema::kind_of;
use serde_json::{Map, Value};

type Outcome = Result<(), EncodeError>;

fn shape(path: &str, detail: impl Into<String>) -> EncodeError {
    EncodeError { code: &document::ENCODE_SHAPE, path: path.to_owned(), detail: detail.into() }
}

/// Writes an envelope.
pub fn envelope(soap: &Soap, document: &Value) -> Result<Vec<u8>, EncodeError> {
    let members = object(document, "")?;
    let namespace = soap.version.namespace();
    let mut out = format!(
        "<?xml version=\"1.0\" encoding=\"UTF-8\"?><soap:Envelope xmlns:soap=\"{namespace}\">"
    )
    .into_bytes();
    let mut written = 0;
    if let (Some(blocks), Some(header)) = (&soap.header, members.get("header")) {
        written += 1;
        out.extend_from_slice(b"<soap:Header>");
        put_blocks(blocks, header, "/header", &mut out)?;
        out.extend_from_slice(b"</soap:Header>");
    }
    out.extend_from_slice(b"<soap:Body>");
    if let (Some(xml), Some(body)) = (&soap.body, members.get("body")) {
        written += 1;
        put(xml, body, "", "/body", &mut out)?;
    }
    if let (Some(plan), Some(fault)) = (&soap.fault, members.get("fault")) {
        written += 1;
        if members.contains_key("body") {
            return Err(shape("", "a body beside a fault; it is one or the other"));
        }
        let writing = Writing { version: soap.version, plan, out: &mut out };
        writing.fault(object(fault, "/fault")?)?;
    }
    if written < members.len() {
        return Err(shape("", "undeclared members; known are: header, body, fault"));
    }
    out.extend_from_slice(b"</soap:Body></soap:Envelope>");
    Ok(out)
}

fn object<'v>(value: &'v Value, path: &str) -> Result<&'v Map<String, Value>, EncodeError> {
    value
        .as_object()
        .ok_or_else(|| shape(path, format!("expected an object, found {}", kind_of(value))))
}

/// Appends an element with `attributes` behind its name.
fn put(xml: &Xml, value: &Value, attributes: &str, path: &str, out: &mut Vec<u8>) -> Outcome {
    let bytes = xml.encode(value).map_err(|error| {
        let path = format!("{path}{}", error.path);
        EncodeError { path, ..error }
    })?;
    let (name, rest) =
        bytes.split_at_checked(1 + xml.qualified_name().len()).unwrap_or((&bytes, &[]));
    out.extend_from_slice(name);
    out.extend_from_slice(attributes.as_bytes());
    out.extend_from_slice(rest);
    Ok(())
}

fn put_blocks(blocks: &[Block], value: &Value, path: &str, out: &mut Vec<u8>) -> Outcome {
    let members = object(value, path)?;
    let mut written = 0;
    for block in blocks {
        let Some(value) = members.get(&block.property) else { continue };
        written += 1;
        let path = format!("{path}{}", under(&block.property, ""));
        let must = if block.must_understand { " soap:mustUnderstand=\"1\"" } else { "" };
        put(&block.xml, value, must, &path, out)?;
    }
    if written < members.len() {
        return Err(shape(path, "undeclared members"));
    }
    Ok(())
}

struct Writing<'a> {
    version: Version,
    plan: &'a FaultPlan,
    out: &'a mut Vec<u8>,
}

impl Writing<'_> {
    fn fault(mut self, fault: &Map<String, Value>) -> Outcome {
        let known = |name: &String| match name.as_str() {
            "code" => true,
            "codeNamespace" => self.plan.code_namespace,
            "subcode" => self.plan.subcode,
            "subcodeNamespace" => self.plan.subcode_namespace,
            "reason" => self.plan.reason,
            "role" => self.plan.role,
            "node" => self.plan.node,
            "detail" => self.plan.detail.is_some(),
            _ => false,
        };
        if !fault.keys().all(known) {
            return Err(shape("/fault", "undeclared members"));
        }
        self.raw("<soap:Fault>");
        match self.version {
            Version::V1_1 => self.parts_1_1(fault)?,
            Version::V1_2 => self.parts_1_2(fault)?,
        }
        self.raw("</soap:Fault>");
        Ok(())
    }

    fn raw(&mut self, text: &str) {
        self.out.extend_from_slice(text.as_bytes());
    }

    /// `faultcode`, `faultstring`, `faultactor` and `detail` are of no namespace.
    fn parts_1_1(&mut self, fault: &Map<String, Value>) -> Outcome {
        let code = text(fault, "code")?.unwrap_or_default();
        let namespace = text(fault, "codeNamespace")?;
        let subcode = text(fault, "subcode")?;
        if fault.contains_key("subcodeNamespace") || fault.contains_key("node") {
            let detail = "SOAP 1.1 has no namespace of a subcode and no node";
            return Err(shape("/fault", detail));
        }
        let standard = self.version.codes().contains(&code);
        let head = code.split_once('.').map_or("", |(head, _)| head);
        if namespace.is_none() && self.version.codes().contains(&head) {
            return Err(shape("/fault/code", "what follows the dot is the subcode"));
        }
        let code = match (standard, namespace, subcode) {
            (true, None, Some(subcode)) if !subcode.is_empty() => format!("{code}.{subcode}"),
            (_, _, None) => code.to_owned(),
            _ => return Err(shape("/fault/subcode", "only a code of SOAP itself has a subcode")),
        };
        self.name("faultcode", &code, standard, namespace, "/fault/code")?;
        let reason = fault.get("reason");
        self.leaf(None, "faultstring", reason.unwrap_or(&Value::from("")), "", "/fault/reason")?;
        if let Some(role) = fault.get("role") {
            self.leaf(None, "faultactor", role, "", "/fault/role")?;
        }
        self.detail(fault, "detail")
    }

    fn parts_1_2(&mut self, fault: &Map<String, Value>) -> Outcome {
        let code = text(fault, "code")?.unwrap_or_default();
        if !self.version.codes().contains(&code) || fault.contains_key("codeNamespace") {
            let detail =
                format!("a code of SOAP 1.2 is one of {}", self.version.codes().join(", "));
            return Err(shape("/fault/code", detail));
        }
        self.raw("<soap:Code>");
        self.name("soap:Value", code, true, None, "/fault/code")?;
        let namespace = text(fault, "subcodeNamespace")?;
        match text(fault, "subcode")? {
            Some(subcode) => {
                let parts: Vec<&str> = subcode.split('/').collect();
                for part in &parts {
                    self.raw("<soap:Subcode>");
                    self.name("soap:Value", part, false, namespace, "/fault/subcode")?;
                }
                self.raw(&"</soap:Subcode>".repeat(parts.len()));
            }
            None if namespace.is_some() => {
                return Err(shape("/fault/subcodeNamespace", "a namespace without subcode"));
            }
            None => {}
        }
        self.raw("</soap:Code><soap:Reason>");
        let none = Value::from("");
        let reason = fault.get("reason").unwrap_or(&none);
        self.leaf(Some("soap"), "Text", reason, " xml:lang=\"ja\"", "/fault/reason")?;
        self.raw("</soap:Reason>");
        for (property, local) in [("node", "Node"), ("role", "Role")] {
            if let Some(value) = fault.get(property) {
                self.leaf(Some("soap"), local, value, "", &format!("/fault/{property}"))?;
            }
        }
        self.detail(fault, "soap:Detail")
    }

    fn detail(&mut self, fault: &Map<String, Value>, name: &str) -> Outcome {
        let (Some(blocks), Some(value)) = (&self.plan.detail, fault.get("detail")) else {
            return Ok(());
        };
        self.raw(&format!("<{name}>"));
        put_blocks(blocks, value, "/fault/detail", self.out)?;
        self.raw(&format!("</{name}>"));
        Ok(())
    }

    fn leaf(
        &mut self,
        prefix: Option<&str>,
        local: &str,
        value: &Value,
        attributes: &str,
        path: &str,
    ) -> Outcome {
        put(&Xml::text(prefix, local), value, attributes, path, self.out)
    }

    /// An element whose text is a qualified name: of the envelope's namespace when `own`.
    fn name(
        &mut self,
        element: &str,
        local: &str,
        own: bool,
        namespace: Option<&str>,
        path: &str,
    ) -> Outcome {
        if !is_ncname(local) {
            return Err(shape(path, "this is not a name in XML"));
        }
        let (declaration, prefix) = match namespace {
            None if own => (String::new(), "soap:"),
            None => (String::new(), ""),
            Some(uri) if uri == self.version.namespace() => {
                let detail = "the namespace of the envelope itself is left out";
                return Err(shape(path, detail));
            }
            Some(uri) => (format!(" xmlns:code=\"{}\"", uri_text(uri, path)?), "code:"),
        };
        self.raw(&format!("<{element}{declaration}>{prefix}{local}</{element}>"));
        Ok(())
    }
}

fn text<'v>(fault: &'v Map<String, Value>, name: &str) -> Result<Option<&'v str>, EncodeError> {
    match fault.get(name) {
        None => Ok(None),
        Some(Value::String(text)) => Ok(Some(text)),
        Some(other) => {
            let detail = format!("expected a string, found {}", kind_of(other));
            Err(shape(&format!("/fault/{name}"), detail))
        }
    }
}

/// A namespace as it stands in its declaration.
fn uri_text(uri: &str, path: &str) -> Result<String, EncodeError> {
    const RESERVED: [&str; 3] =
        ["", "http://www.w3.org/2000/xmlns/", "http://www.w3.org/XML/1998/namespace"];
    if RESERVED.contains(&uri) || !uri.chars().all(is_char) {
        return Err(shape(path, "nothing can be bound to this namespace"));
    }
    let mut text = String::with_capacity(uri.len());
    for c in uri.chars() {
        match c {
            '&' => text.push_str("&amp;"),
            '<' => text.push_str("&lt;"),
            '"' => text.push_str("&quot;"),
            '\t' | '\n' | '\r' => text.push_str(&format!("&#{};", u32::from(c))),
            other => text.push(other),
        }
    }
    Ok(text)
}
