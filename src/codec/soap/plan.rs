//! The compiled layout: which members there are, and which of a fault cross.

use super::{Block, FaultPlan, Soap, Version};
use crate::codec::field::{Problems, Scalar, flag, property_pointer, text, unify};
use crate::codec::xml::fragment;
use crate::model::codes::document::LAYOUT_SOAP;
use crate::schema::{Property, Shape};

/// Compiles a schema.
pub fn compile(shape: &Shape, problems: &mut Problems<'_>) -> Option<Soap> {
    let layout = &shape.layout;
    let version = match text(layout, "x-soap", "version") {
        Some("1.1") => Version::V1_1,
        Some("1.2") => Version::V1_2,
        _ => {
            problems.add(&LAYOUT_SOAP, "", "x-soap with a version (1.1 or 1.2) is missing");
            return None;
        }
    };
    let action = text(layout, "x-soap", "action").unwrap_or_default().to_owned();
    if !action.chars().all(|c| c.is_ascii_graphic() && c != '"' && c != '\\') {
        let message = "an action is a URI of printable ASCII without quotes";
        problems.add(&LAYOUT_SOAP, "/x-soap/action", message);
    }
    let content_type = match (version, action.as_str()) {
        (Version::V1_1, _) => "text/xml; charset=utf-8".to_owned(),
        (Version::V1_2, "") => "application/soap+xml; charset=utf-8".to_owned(),
        (Version::V1_2, action) => {
            format!("application/soap+xml; charset=utf-8; action=\"{action}\"")
        }
    };
    let nil_reason = text(layout, "x-soap", "nil-reason").unwrap_or("reason").to_owned();
    let mut soap = Soap { version, action, content_type, header: None, body: None, fault: None };
    let root = unify(shape);
    if root.types != ["object"] || root.nil {
        problems.add(&LAYOUT_SOAP, "", "the root is an object of header, body and fault");
        return None;
    }
    let mut compiler = Compiler { problems, nil_reason };
    for property in root.properties {
        let at = property_pointer("", &property.name);
        match property.name.as_str() {
            "header" => soap.header = compiler.blocks(&property.shape, &at),
            "body" => soap.body = compiler.element(property, &at),
            "fault" => soap.fault = compiler.fault(&property.shape, &at),
            other => {
                let message = format!("`{other}` is none of header, body and fault");
                compiler.problems.add(&LAYOUT_SOAP, &at, message);
            }
        }
    }
    Some(soap)
}

struct Compiler<'a, 'b> {
    problems: &'a mut Problems<'b>,
    nil_reason: String,
}

impl Compiler<'_, '_> {
    fn element(&mut self, property: &Property, at: &str) -> Option<crate::codec::xml::Xml> {
        if text(&property.shape.layout, "xml", "prefix") == Some("soap") {
            self.problems.add(&LAYOUT_SOAP, at, "the prefix `soap` is the envelope's");
        }
        fragment(property, at, &self.nil_reason, self.problems)
    }

    /// The members of `header` or `detail`, each an element.
    fn blocks(&mut self, shape: &Shape, at: &str) -> Option<Vec<Block>> {
        let unified = unify(shape);
        if unified.types != ["object"] || unified.nil {
            self.problems.add(&LAYOUT_SOAP, at, "this is an object, each member an element");
            return None;
        }
        let mut blocks: Vec<Block> = Vec::new();
        for property in unified.properties {
            let at = property_pointer(at, &property.name);
            let Some(xml) = self.element(property, &at) else { continue };
            if xml.name().1.is_none() {
                let message = "an element here needs a namespace of its own";
                self.problems.add(&LAYOUT_SOAP, &at, message);
            }
            if blocks.iter().any(|known| known.xml.name() == xml.name()) {
                let message = format!("two members are elements named `{}`", xml.name().0);
                self.problems.add(&LAYOUT_SOAP, &at, message);
            }
            let must_understand = flag(&property.shape.layout, "xml", "must-understand");
            blocks.push(Block { property: property.name.clone(), xml, must_understand });
        }
        Some(blocks)
    }

    fn fault(&mut self, shape: &Shape, at: &str) -> Option<FaultPlan> {
        let unified = unify(shape);
        let mut plan = FaultPlan::default();
        if !unified.properties.iter().any(|property| property.name == "code" && property.required) {
            self.problems.add(&LAYOUT_SOAP, at, "a fault is an object that requires `code`");
        }
        for property in unified.properties {
            let at = property_pointer(at, &property.name);
            let member = match property.name.as_str() {
                "detail" => {
                    plan.detail = self.blocks(&property.shape, &at);
                    continue;
                }
                "code" => None,
                "codeNamespace" => Some(&mut plan.code_namespace),
                "subcode" => Some(&mut plan.subcode),
                "subcodeNamespace" => Some(&mut plan.subcode_namespace),
                "reason" => Some(&mut plan.reason),
                "role" => Some(&mut plan.role),
                "node" => Some(&mut plan.node),
                other => {
                    let message = format!(
                        "`{other}` is no part of a fault; parts are code, codeNamespace, subcode, \
                         subcodeNamespace, reason, role, node, detail"
                    );
                    self.problems.add(&LAYOUT_SOAP, &at, message);
                    continue;
                }
            };
            if let Some(member) = member {
                *member = true;
            }
            if unify(&property.shape).scalar() != Some(Scalar::Text) {
                self.problems.add(&LAYOUT_SOAP, &at, "this part of a fault is a text");
            }
            if property.name == "reason" && !property.required {
                let message = "every fault has a reason, if only an empty one: require it, \
                               or leave it out of the schema";
                self.problems.add(&LAYOUT_SOAP, &at, message);
            }
        }
        Some(plan)
    }
}
