//! Validate: is the document what its schema says, and does it belong here?

use super::context::Context;
use crate::adapter::{Bundle, Route};
use crate::codec::{self, Limits};
use crate::model::codes::message as codes;
use crate::model::json::{Node, Tree};
use crate::model::{Class, Code, Failure, Stage};
use crate::store::Claimed;

/// Reads the sealed original again and checks it against the schema its mapping starts from.
///
/// # Errors
/// `G107` when it cannot be read, `G201` with every violation by path, `G109` for a document of
/// another municipality.
pub fn validate<'a>(
    claimed: &'a Claimed,
    route: &Route,
    bundle: &'a Bundle,
    cx: &Context,
) -> Result<Tree<'a>, Failure> {
    let document = read(claimed, bundle, cx)?;
    check(&document, route, cx)?;
    Ok(document)
}

/// The document of a claimed exchange, read by the bundle it goes by; its texts are borrowed from
/// the body.
///
/// # Errors
/// `G107` when it cannot be read.
pub fn read<'a>(
    claimed: &'a Claimed,
    bundle: &'a Bundle,
    cx: &Context,
) -> Result<Tree<'a>, Failure> {
    let body = claimed.body.expose();
    let limits = Limits { max_bytes: cx.settings.max_body, ..Limits::default() };
    let pulled = bundle.pull_of(&claimed.envelope.message_type);
    let decoded = match pulled.and_then(|pulled| pulled.operation.content()) {
        Some(response) => response.codec.read(body, &limits),
        None => codec::json::read_strict(body, &limits),
    };
    decoded.map_err(|error| failure(&codes::BODY_NOT_READABLE, error.to_string()))
}

/// Checks a document for a route.
///
/// # Errors
/// `G201` with every violation by path, `G109` for a document of another municipality.
pub fn check<'v>(
    document: impl Into<Node<'v>>,
    route: &Route,
    cx: &Context,
) -> Result<(), Failure> {
    let document = document.into();
    if let Err(violations) = route.mapping.from.validate(document) {
        let shown: Vec<String> = violations.iter().take(10).map(ToString::to_string).collect();
        let more = violations.len().saturating_sub(shown.len());
        let tail = if more > 0 { format!("; and {more} more") } else { String::new() };
        return Err(failure(&codes::SCHEMA_VIOLATION, format!("{}{tail}", shown.join("; "))));
    }
    let town =
        route.municipality.as_ref().and_then(|path| path.node(document)).and_then(Node::as_str);
    match town {
        Some(code) if !cx.settings.municipalities.iter().any(|served| served == code) => {
            Err(failure(&codes::WRONG_MUNICIPALITY, "not one of `gateway.municipalities`"))
        }
        _ => Ok(()),
    }
}

fn failure(code: &'static Code, detail: impl Into<String>) -> Failure {
    Failure { code, stage: Stage::Validate, class: Class::Never, detail: detail.into() }
}
