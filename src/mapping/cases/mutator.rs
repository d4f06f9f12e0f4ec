//! Mutators: small mistakes an author could make in one expression.

use super::sites::walk;
use crate::mapping::path::Step;
use crate::mapping::syntax::{self, Expression, Kind, Operator, PathText, Root};
use crate::schema::Shape;
use serde_json::Value;
use std::ops::Range;

/// One mistake: other text for a part of an expression.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Mistake {
    pub span: Range<usize>,
    pub text: String,
}

/// Shapes that paths of an expression start from.
#[derive(Clone, Copy)]
pub(super) struct Places<'s> {
    pub here: Option<&'s Shape>,
    pub document: &'s Shape,
}

/// Every mistake in an expression, in the order of its text.
pub(super) fn mistakes(text: &str, places: Places<'_>) -> Vec<Mistake> {
    let Ok(expression) = syntax::parse(text) else { return Vec::new() };
    let mut mutator = Mutator { text, places, found: Vec::new() };
    mutator.visit(&expression);
    let mut found = mutator.found;
    found.retain(|mistake| text.get(mistake.span.clone()) != Some(mistake.text.as_str()));
    found
}

struct Mutator<'t, 's> {
    text: &'t str,
    places: Places<'s>,
    found: Vec<Mistake>,
}

impl Mutator<'_, '_> {
    fn add(&mut self, span: &Range<usize>, text: impl Into<String>) {
        self.found.push(Mistake { span: span.clone(), text: text.into() });
    }

    fn of(&self, part: &Expression) -> String {
        self.text.get(part.span.clone()).unwrap_or_default().to_owned()
    }

    fn visit(&mut self, expression: &Expression) {
        let span = &expression.span;
        match &expression.kind {
            Kind::Literal(value) => self.literal(span, value),
            Kind::Path(path) => self.path(span, path),
            Kind::Call { name, arguments, .. } => self.call(span, name, arguments),
            Kind::Default(parts) => {
                for (index, part) in parts.iter().enumerate() {
                    self.add(span, self.without(parts, index, " ?? "));
                    self.visit(part);
                }
            }
            Kind::And(parts) => self.conditions(span, parts, " and ", " or "),
            Kind::Or(parts) => self.conditions(span, parts, " or ", " and "),
            Kind::Not(part) => {
                self.add(span, format!("({})", self.of(part)));
                self.visit(part);
            }
            Kind::Compare { operator, left, right } => {
                for other in others(*operator) {
                    self.add(span, format!("{} {other} {}", self.of(left), self.of(right)));
                }
                self.visit(left);
                self.visit(right);
            }
            Kind::In { item, list } => {
                self.add(span, format!("not ({})", self.of(expression)));
                for (index, _) in list.iter().enumerate().filter(|_| list.len() > 1) {
                    let kept = list.iter().enumerate().filter(|(at, _)| *at != index);
                    let kept: Vec<String> = kept.map(|(_, (value, _))| value.to_string()).collect();
                    self.add(span, format!("{} in [{}]", self.of(item), kept.join(", ")));
                }
                self.visit(item);
            }
        }
    }

    /// The parts but one.
    fn without(&self, parts: &[Expression], gone: usize, separator: &str) -> String {
        let kept = parts.iter().enumerate().filter(|(index, _)| *index != gone);
        kept.map(|(_, part)| self.of(part)).collect::<Vec<_>>().join(separator)
    }

    fn conditions(&mut self, span: &Range<usize>, parts: &[Expression], own: &str, other: &str) {
        let texts: Vec<String> = parts.iter().map(|part| format!("({})", self.of(part))).collect();
        self.add(span, texts.join(other));
        for (index, part) in parts.iter().enumerate() {
            self.add(span, self.without(parts, index, own));
            self.visit(part);
        }
    }

    fn call(&mut self, span: &Range<usize>, name: &str, arguments: &[Expression]) {
        match (name, arguments) {
            ("if", [condition, then, otherwise]) => {
                self.add(&condition.span, format!("not ({})", self.of(condition)));
                self.add(span, format!("({})", self.of(then)));
                self.add(span, format!("({})", self.of(otherwise)));
                arguments.iter().for_each(|argument| self.visit(argument));
            }
            // The code is part of what the mapping promises; the text is for people.
            ("reject", [code, ..]) => {
                if let Kind::Literal(Value::String(text)) = &code.kind {
                    self.add(&code.span, Value::String(format!("{text}-X")).to_string());
                }
            }
            ("code", [key, table, rest @ ..]) => {
                if !rest.is_empty() {
                    self.add(span, format!("code({}, {})", self.of(key), self.of(table)));
                    rest.iter().for_each(|default| self.visit(default));
                }
                self.visit(key);
            }
            (_, [first, rest @ ..]) => {
                if !matches!(name, "nil" | "present") {
                    self.add(span, format!("({})", self.of(first)));
                }
                self.visit(first);
                rest.iter().for_each(|argument| self.visit(argument));
            }
            (_, []) => {}
        }
    }

    fn literal(&mut self, span: &Range<usize>, value: &Value) {
        match value {
            Value::String(text) => {
                // Of a code the last digit, else one more letter: both stay texts of that kind.
                let changed = match text.chars().last() {
                    Some(digit @ '0'..='8') => {
                        let next = char::from_u32(u32::from(digit) + 1).unwrap_or('9');
                        let mut changed = text.clone();
                        changed.pop();
                        changed.push(next);
                        changed
                    }
                    Some(_) if text.chars().count() == 1 => "0".to_owned(),
                    _ => format!("{text}X"),
                };
                self.add(span, Value::String(changed).to_string());
            }
            Value::Number(number) => {
                if let Some(whole) = number.as_i64() {
                    self.add(span, (whole + 1).to_string());
                }
            }
            Value::Bool(flag) => self.add(span, (!flag).to_string()),
            _ => {}
        }
    }

    /// The next member of the same parent and type.
    fn path(&mut self, span: &Range<usize>, path: &PathText) {
        let start = match path.root {
            Root::Here | Root::Element => self.places.here,
            Root::Document => Some(self.places.document),
            Root::Variable(_) => None,
        };
        let Some(((Step::Field(own), last), before)) = path.steps.split_last() else { return };
        let parent = start.and_then(|start| walk(start, before.iter().map(|(step, _)| step)));
        let Some(parent) = parent else { return };
        let Some(at) = parent.properties.iter().position(|property| property.name == *own) else {
            return;
        };
        let (until, after) = parent.properties.split_at(at);
        let Some((property, after)) = after.split_first() else { return };
        let types = &property.shape.types;
        let sibling = after.iter().chain(until).find(|other| other.shape.types == *types);
        if let Some(sibling) = sibling {
            let name = format!("`{}`", sibling.name);
            let plain = |c: char| c.is_alphanumeric() || c == '_';
            let name = if sibling.name.chars().all(plain) { &sibling.name } else { &name };
            let head = self.text.get(span.start..last.start).unwrap_or_default();
            self.add(span, format!("{head}{name}"));
        }
    }
}

fn others(operator: Operator) -> &'static [&'static str] {
    match operator {
        Operator::Equal => &["!="],
        Operator::NotEqual => &["=="],
        Operator::Less => &["<=", ">="],
        Operator::LessOrEqual => &["<", ">"],
        Operator::Greater => &[">=", "<="],
        Operator::GreaterOrEqual => &[">", "<"],
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn changed(text: &str) -> Vec<String> {
        let shape = Shape::default();
        let found = mistakes(text, Places { here: Some(&shape), document: &shape });
        let changed = |mistake: &Mistake| {
            let mut changed = text.to_owned();
            changed.replace_range(mistake.span.clone(), &mistake.text);
            assert!(syntax::parse(&changed).is_ok(), "{changed}");
            changed
        };
        found.iter().map(changed).collect()
    }

    #[test]
    fn each_kind_of_mistake_is_an_expression_again() {
        assert_eq!(changed("a ?? b"), ["b", "a"]);
        assert_eq!(changed("a | f | g(2)"), ["(a | f)", "(a) | g(2)", "a | f | g(3)"]);
        assert_eq!(
            changed(r#"if(a == "x1", reject("ABC", "no"), c)"#),
            [
                r#"if(not (a == "x1"), reject("ABC", "no"), c)"#,
                r#"(reject("ABC", "no"))"#,
                "(c)",
                r#"if(a != "x1", reject("ABC", "no"), c)"#,
                r#"if(a == "x2", reject("ABC", "no"), c)"#,
                r#"if(a == "x1", reject("ABC-X", "no"), c)"#,
            ]
        );
        assert_eq!(changed("code(a, t, \"9\")"), ["code(a, t)", "code(a, t, \"0\")"]);
        assert_eq!(changed("not a and b"), ["(not a) or (b)", "b", "(a) and b", "not a"]);
        assert_eq!(changed("a in [\"x\", \"y\"]").len(), 3);
        assert_eq!(changed("a < 3"), ["a <= 3", "a >= 3", "a < 4"]);
    }
}
