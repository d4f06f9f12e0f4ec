//! An envelope to its document.

use super::{Block, FaultPlan, Soap, Version};
use crate::codec::json::under;
use crate::codec::xml::{Node, Tree, is_space, located, parse};
use crate::model::Code;
use crate::model::codes::document;
use crate::model::json::{DecodeError, Limits};
use serde_json::{Map, Value};

type Outcome<T> = Result<T, DecodeError>;

const V1_1: &str = "http://schemas.xmlsoap.org/soap/envelope/";
const V1_2: &str = "http://www.w3.org/2003/05/soap-envelope";

/// `faultcode` of 1.1, `Value` of 1.2.
fn holds_name(local: &str, namespace: Option<&str>) -> bool {
    match namespace {
        None => local == "faultcode",
        Some(namespace) => local == "Value" && namespace == V1_2,
    }
}

/// Reads an envelope.
pub fn envelope(soap: &Soap, bytes: &[u8], limits: &Limits) -> Outcome<Value> {
    let mut tree = parse(bytes, limits, holds_name)?;
    let children = std::mem::take(&mut tree.root.children);
    let reading = Reading { soap, tree };
    reading.check_envelope()?;
    let mut document = Map::new();
    let mut children = children.into_iter().peekable();
    if let Some(header) = children.next_if(|node| reading.is_own(node, "Header"))
        && let Some(header) = reading.header(header)?
    {
        document.insert("header".to_owned(), header);
    }
    match (children.next(), children.next()) {
        (Some(body), None) if reading.is_own(&body, "Body") => {
            reading.body(body, &mut document)?;
        }
        (Some(stray), _) if !reading.is_own(&stray, "Body") => {
            let detail = "in the envelope stand one Header at most and then one Body";
            return Err(reading.fail(&document::SOAP_ENVELOPE, &stray, detail));
        }
        (_, Some(stray)) => {
            return Err(reading.fail(&document::SOAP_ENVELOPE, &stray, "nothing follows the Body"));
        }
        _ => {
            let detail = "the Body is missing";
            return Err(reading.fail(&document::SOAP_ENVELOPE, &reading.tree.root, detail));
        }
    }
    Ok(Value::Object(document))
}

struct Reading<'a> {
    soap: &'a Soap,
    /// The root is without its children.
    tree: Tree<'a>,
}

impl Reading<'_> {
    fn fail(&self, code: &'static Code, node: &Node, detail: impl Into<String>) -> DecodeError {
        located(code, node.offset, &self.tree.text, detail)
    }

    fn own(&self) -> &'static str {
        self.soap.version.namespace()
    }

    fn is_own(&self, node: &Node, local: &str) -> bool {
        node.local == local && node.namespace.as_deref() == Some(self.own())
    }

    fn check_envelope(&self) -> Outcome<()> {
        let root = &self.tree.root;
        if self.is_own(root, "Envelope") {
            return self.check_part(root);
        }
        let detail = match root.namespace.as_deref() {
            Some(V1_1) if root.local == "Envelope" => "an envelope of SOAP 1.1; expected 1.2",
            Some(V1_2) if root.local == "Envelope" => "an envelope of SOAP 1.2; expected 1.1",
            _ => "the root element must be the Envelope",
        };
        Err(self.fail(&document::SOAP_ENVELOPE, root, detail))
    }

    /// Of Envelope, Header and Body: no text, and attributes only of other namespaces, which
    /// are passed over.
    fn check_part(&self, node: &Node) -> Outcome<()> {
        if !node.text.chars().all(is_space) {
            let detail = "this element holds elements, no text";
            return Err(self.fail(&document::XML_TEXT, node, detail));
        }
        for attribute in &node.attributes {
            let foreign = attribute.namespace.as_deref().is_some_and(|name| name != self.own());
            if !foreign {
                let detail = "an encodingStyle or another attribute that is not passed over";
                return Err(self.fail(&document::XML_ATTRIBUTE, node, detail));
            }
        }
        Ok(())
    }

    /// The declared blocks; one that must be understood and is not declared is refused.
    fn header(&self, node: Node) -> Outcome<Option<Value>> {
        self.check_part(&node)?;
        let declared = self.soap.header.as_deref();
        let mut members = Map::new();
        for mut block in node.children {
            let must = self.must_be_understood(&block)?;
            let known = find(declared.unwrap_or_default(), &block);
            let Some(known) = known else {
                if must {
                    let detail = "a header block that must be understood is not declared";
                    return Err(self.fail(&document::SOAP_HEADER, &block, detail));
                }
                continue;
            };
            let own = self.own();
            block.attributes.retain(|attribute| attribute.namespace.as_deref() != Some(own));
            self.member(known, &block, "/header", &mut members)?;
        }
        Ok(declared.map(|_| Value::Object(members)))
    }

    /// `mustUnderstand` of a block that is for us: for the next node, or the last one.
    fn must_be_understood(&self, block: &Node) -> Outcome<bool> {
        let own = |local: &str| {
            let found = block.attributes.iter().find(|attribute| {
                attribute.local == local && attribute.namespace.as_deref() == Some(self.own())
            });
            found.map(|attribute| attribute.value.as_str())
        };
        let must = match (self.soap.version, own("mustUnderstand")) {
            (_, None | Some("0")) | (Version::V1_2, Some("false")) => false,
            (_, Some("1")) | (Version::V1_2, Some("true")) => true,
            (_, Some(_)) => {
                let detail = "mustUnderstand is 0 or 1";
                return Err(self.fail(&document::SOAP_HEADER, block, detail));
            }
        };
        let for_others = match self.soap.version {
            Version::V1_1 => own("actor").is_some_and(|actor| {
                !actor.is_empty() && actor != "http://schemas.xmlsoap.org/soap/actor/next"
            }),
            Version::V1_2 => own("role").is_some_and(|role| {
                !matches!(
                    role.strip_prefix("http://www.w3.org/2003/05/soap-envelope/role/"),
                    Some("next" | "ultimateReceiver")
                ) && !role.is_empty()
            }),
        };
        Ok(must && !for_others)
    }

    fn member(
        &self,
        block: &Block,
        node: &Node,
        path: &str,
        members: &mut Map<String, Value>,
    ) -> Outcome<()> {
        let path = format!("{path}{}", under(&block.property, ""));
        if members.contains_key(&block.property) {
            let error = self.fail(&document::XML_ELEMENT, node, "this element stands twice");
            return Err(DecodeError { path, ..error });
        }
        let value = block
            .xml
            .decode_node(node, &self.tree.text)
            .map_err(|error| DecodeError { path: format!("{path}{}", error.path), ..error })?;
        members.insert(block.property.clone(), value);
        Ok(())
    }

    fn body(&self, node: Node, document: &mut Map<String, Value>) -> Outcome<()> {
        self.check_part(&node)?;
        let mut children = node.children.into_iter();
        let Some(content) = children.next() else { return Ok(()) };
        if let Some(second) = children.next() {
            let detail = "in the Body stands one element at most";
            return Err(self.fail(&document::SOAP_ENVELOPE, &second, detail));
        }
        if self.is_own(&content, "Fault") {
            let Some(plan) = &self.soap.fault else {
                let detail = "a fault; the schema declares none";
                return Err(self.fail(&document::SOAP_FAULT, &content, detail));
            };
            let fault = self.fault(plan, &content).map_err(|error| {
                let path = format!("/fault{}", error.path);
                DecodeError { path, ..error }
            })?;
            document.insert("fault".to_owned(), Value::Object(fault));
            return Ok(());
        }
        let Some(xml) = &self.soap.body else {
            let detail = "an element in the Body; the schema declares none";
            return Err(self.fail(&document::XML_ELEMENT, &content, detail));
        };
        let value = xml
            .decode_node(&content, &self.tree.text)
            .map_err(|error| DecodeError { path: format!("/body{}", error.path), ..error })?;
        document.insert("body".to_owned(), value);
        Ok(())
    }

    fn fault(&self, plan: &FaultPlan, node: &Node) -> Outcome<Map<String, Value>> {
        let mut fault = Map::new();
        match self.soap.version {
            Version::V1_1 => self.parts_1_1(plan, node, &mut fault)?,
            Version::V1_2 => self.parts_1_2(plan, node, &mut fault)?,
        }
        Ok(fault)
    }

    fn parts_1_1(
        &self,
        plan: &FaultPlan,
        node: &Node,
        fault: &mut Map<String, Value>,
    ) -> Outcome<()> {
        let part = |local: &str| {
            node.children.iter().find(|child| child.local == local && child.namespace.is_none())
        };
        let missing = || self.fail(&document::SOAP_FAULT, node, "the fault has no faultcode");
        let (name, namespace) = self.name(part("faultcode").ok_or_else(missing)?)?;
        let own = namespace.as_deref() == Some(self.own());
        let (code, subcode) = name.split_once('.').unwrap_or((&name, ""));
        let standard = self.version_has(code) && (own || namespace.is_none());
        if standard && !subcode.is_empty() && plan.subcode {
            fault.insert("subcode".to_owned(), Value::from(subcode));
        }
        let code = if standard { code } else { name.as_str() };
        fault.insert("code".to_owned(), Value::from(code));
        if let Some(namespace) = namespace.filter(|_| !own) {
            if !plan.code_namespace {
                let detail = "a code of a namespace of its own; declare `codeNamespace`";
                return Err(self.fail(&document::SOAP_FAULT, node, detail));
            }
            fault.insert("codeNamespace".to_owned(), Value::from(namespace));
        }
        for (wanted, local, name) in
            [(plan.reason, "faultstring", "reason"), (plan.role, "faultactor", "role")]
        {
            if let (true, Some(part)) = (wanted, part(local)) {
                fault.insert(name.to_owned(), self.text(part)?);
            }
        }
        if plan.reason && !fault.contains_key("reason") {
            return Err(self.fail(&document::SOAP_FAULT, node, "the fault has no faultstring"));
        }
        self.detail(plan, part("detail"), fault)
    }

    fn parts_1_2(
        &self,
        plan: &FaultPlan,
        node: &Node,
        fault: &mut Map<String, Value>,
    ) -> Outcome<()> {
        let inside = |node: &'_ Node, local: &str| -> Option<usize> {
            node.children.iter().position(|child| self.is_own(child, local))
        };
        let part = |local: &str| inside(node, local).and_then(|index| node.children.get(index));
        let code = part("Code")
            .ok_or_else(|| self.fail(&document::SOAP_FAULT, node, "the fault has no Code"))?;
        let (name, namespace) = self.value(code)?;
        if namespace.as_deref() != Some(self.own()) || !self.version_has(&name) {
            let detail = format!("a code is one of {}", self.soap.version.codes().join(", "));
            return Err(self.fail(&document::SOAP_FAULT, code, detail));
        }
        fault.insert("code".to_owned(), Value::from(name));
        if plan.subcode {
            self.subcodes(plan, code, fault)?;
        }
        if plan.reason {
            let missing = || self.fail(&document::SOAP_FAULT, node, "the fault has no Reason");
            fault.insert("reason".to_owned(), self.reason(part("Reason").ok_or_else(missing)?)?);
        }
        for (wanted, local, name) in [(plan.node, "Node", "node"), (plan.role, "Role", "role")] {
            if let (true, Some(part)) = (wanted, part(local)) {
                fault.insert(name.to_owned(), self.text(part)?);
            }
        }
        self.detail(plan, part("Detail"), fault)
    }

    /// Subcodes inside one another, joined by `/`.
    fn subcodes(
        &self,
        plan: &FaultPlan,
        code: &Node,
        fault: &mut Map<String, Value>,
    ) -> Outcome<()> {
        let mut names: Vec<String> = Vec::new();
        let mut common = None;
        let mut at = code;
        while let Some(inner) = at.children.iter().find(|child| self.is_own(child, "Subcode")) {
            let (name, namespace) = self.value(inner)?;
            if !names.is_empty() && common != namespace && plan.subcode_namespace {
                let detail = "subcodes of different namespaces inside one another";
                return Err(self.fail(&document::SOAP_FAULT, inner, detail));
            }
            common = namespace;
            names.push(name);
            at = inner;
        }
        if names.is_empty() {
            return Ok(());
        }
        fault.insert("subcode".to_owned(), Value::from(names.join("/")));
        if let (true, Some(namespace)) = (plan.subcode_namespace, common) {
            fault.insert("subcodeNamespace".to_owned(), Value::from(namespace));
        }
        Ok(())
    }

    /// The text in Japanese, else in English, else the first.
    fn reason(&self, reason: &Node) -> Outcome<Value> {
        let texts = || reason.children.iter().filter(|child| self.is_own(child, "Text"));
        let of = |language: &str| {
            texts().find(|text| {
                text.attributes.iter().any(|attribute| {
                    let tag = attribute.value.get(..2).unwrap_or_default();
                    attribute.local == "lang" && tag.eq_ignore_ascii_case(language)
                })
            })
        };
        match of("ja").or_else(|| of("en")).or_else(|| texts().next()) {
            Some(text) => self.text(text),
            None => Err(self.fail(&document::SOAP_FAULT, reason, "the reason has no text")),
        }
    }

    fn detail(
        &self,
        plan: &FaultPlan,
        node: Option<&Node>,
        fault: &mut Map<String, Value>,
    ) -> Outcome<()> {
        let (Some(blocks), Some(node)) = (&plan.detail, node) else { return Ok(()) };
        let mut members = Map::new();
        for child in &node.children {
            if let Some(block) = find(blocks, child) {
                self.member(block, child, "/detail", &mut members)?;
            }
        }
        fault.insert("detail".to_owned(), Value::Object(members));
        Ok(())
    }

    fn version_has(&self, code: &str) -> bool {
        self.soap.version.codes().contains(&code)
    }

    fn text(&self, node: &Node) -> Outcome<Value> {
        if node.children.is_empty() {
            return Ok(Value::from(node.text.as_str()));
        }
        Err(self.fail(&document::XML_TEXT, node, "this element holds text only"))
    }

    /// The name in the `Value` of a code or subcode.
    fn value(&self, node: &Node) -> Outcome<(String, Option<String>)> {
        let found = node.children.iter().find(|child| self.is_own(child, "Value"));
        let missing = || self.fail(&document::SOAP_FAULT, node, "the code has no Value");
        self.name(found.ok_or_else(missing)?)
    }

    /// The qualified name that an element holds.
    fn name(&self, node: &Node) -> Outcome<(String, Option<String>)> {
        let names = &self.tree.names;
        let found = names.iter().find(|(offset, _)| *offset == node.offset);
        let Some((_, Some((local, namespace)))) = found.filter(|_| node.children.is_empty()) else {
            return Err(self.fail(&document::SOAP_FAULT, node, "a code is a qualified name"));
        };
        let namespace = namespace.as_deref().map(str::to_owned);
        if namespace.as_deref() == Some("http://www.w3.org/XML/1998/namespace") {
            return Err(self.fail(&document::SOAP_FAULT, node, "a code of the namespace of XML"));
        }
        Ok((local.clone(), namespace))
    }
}

fn find<'b>(blocks: &'b [Block], node: &Node) -> Option<&'b Block> {
    blocks.iter().find(|block| block.xml.name() == (node.local.as_str(), node.namespace.as_deref()))
}
