//! Reads what of a route needs persons: an approval before it is sent, a demand to be answered.

use super::Loader;
use super::sink::{Sink, Start};
use crate::adapter::{AnswersRule, ApprovalRule, DemandRule, Destination, Route, keys};
use crate::diagnostic::Diagnostic;
use crate::diagnostic::Location;
use crate::diagnostic::nearest::nearest;
use crate::diagnostic::yaml::Node;
use crate::model::codes::adapter as codes;
use crate::schema::Shape;
use std::sync::Arc;

impl Loader<'_, '_> {
    /// `approval:`, where one message goes to one operation.
    pub(super) fn approval(
        &mut self,
        node: &Node,
        destination: &Destination,
        shape: Option<&Shape>,
    ) -> Option<ApprovalRule> {
        let found = node.get("approval")?;
        self.reader.keys(found, &keys::people::APPROVAL)?;
        let against = match destination {
            Destination::Publish(_) => Some("the route publishes"),
            Destination::Operation(operation) if operation.batch.is_some() => {
                Some("the operation sends several messages in one request")
            }
            _ if node.get("when-stuck").and_then(Node::as_str) == Some("supersede") => {
                Some("newer messages take the place of older ones")
            }
            Destination::Operation(_) => None,
        };
        if let Some(why) = against {
            self.error(&codes::APPROVAL_NOT_HERE, found, format!("`approval:` where {why}"));
        }
        self.reader.required(found, "approval", "expires")?;
        let expires = self.duration_at(found, "expires")?;
        let answers = found.get("answers").and_then(|node| self.answers(node, shape));
        Some(ApprovalRule { expires, answers })
    }

    fn answers(&mut self, node: &Node, shape: Option<&Shape>) -> Option<AnswersRule> {
        self.reader.keys(node, &keys::people::ANSWERS)?;
        self.reader.required(node, "answers", "kind")?;
        self.reader.required(node, "answers", "number")?;
        let kind = self.reader.text_at(node, "kind")?.to_owned();
        let number = self.sink(node, Sink::Number, Start::whole(shape))?;
        Some(AnswersRule { kind, number })
    }

    /// `demand:`, of what a counterpart sent.
    pub(super) fn demand(
        &mut self,
        node: &Node,
        destination: &Destination,
        shape: Option<&Shape>,
    ) -> Option<DemandRule> {
        let found = node.get("demand")?;
        self.reader.keys(found, &keys::people::DEMAND)?;
        if let Destination::Operation(operation) = destination {
            let message = format!("`demand:` of a route to operation `{}`", operation.name);
            self.error(&codes::DEMAND_NOT_HERE, found, message);
        }
        self.reader.required(found, "demand", "kind")?;
        self.reader.required(found, "demand", "number")?;
        let kind = self.reader.text_at(found, "kind")?.to_owned();
        let number = self.sink(found, Sink::Number, Start::whole(shape))?;
        Some(DemandRule { kind, number, within: self.duration_at(found, "within") })
    }
}

/// Answers must name a kind of demand that a route of their adapter opens.
pub(in crate::adapter) fn check_answers(
    routes: &[(Arc<Route>, Location)],
    found: &mut Vec<Diagnostic>,
) {
    for (route, place) in routes {
        let answers = route.approval.as_ref().and_then(|rule| rule.answers.as_ref());
        let Some(AnswersRule { kind, .. }) = answers else { continue };
        let of_adapter = routes.iter().filter(|(one, _)| one.adapter.name == route.adapter.name);
        let opened: Vec<&str> = of_adapter
            .filter_map(|(one, _)| one.demand.as_ref())
            .map(|demand| demand.kind.as_str())
            .collect();
        if opened.contains(&kind.as_str()) {
            continue;
        }
        let message =
            format!("route `{}` answers demands `{kind}`, which nothing opens", route.name);
        let mut problem = Diagnostic::error(&codes::ANSWERS_NO_DEMAND, place.clone(), message);
        problem.hint = nearest(kind, opened).map(|name| format!("did you mean `{name}`?"));
        found.push(problem);
    }
}
