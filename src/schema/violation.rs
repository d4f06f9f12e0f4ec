//! `Violation`: where and how a document breaks its schema, without a single value of it.

use super::shape::Shape;
use crate::model::Code;
use crate::model::codes::document;
use crate::model::json::Segment;
use jsonschema::ValidationError;
use jsonschema::error::{TypeKind, ValidationErrorKind as Kind};
use jsonschema::paths::LocationSegment;
use serde_json::Value;
use std::fmt;

/// One breach of a schema. Safe to log and to answer with.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Violation {
    /// The registered code.
    pub code: &'static Code,
    /// JSON pointer; names that the schema does not declare are `?`, because a sender's key could
    /// hold data. Of a missing member, where it should be.
    pub path: String,
    /// The keyword of the schema that is not satisfied.
    pub keyword: String,
    /// What the schema wants there.
    pub expected: String,
    /// What kind of thing is there: its JSON type, and the length of a text or list.
    pub found: String,
}

impl fmt::Display for Violation {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let path = if self.path.is_empty() { "(root)" } else { &self.path };
        let (code, title) = (self.code.code, self.code.title);
        write!(formatter, "{code} {path}: {title}: expected {}", self.expected)?;
        write!(formatter, ", found {} ({})", self.found, self.keyword)
    }
}

/// At most this many are told.
const MOST: usize = 50;

/// The errors of the validator in our words.
pub(super) fn collect<'a>(
    errors: impl Iterator<Item = ValidationError<'a>>,
    shape: &Shape,
) -> Vec<Violation> {
    let mut found = Vec::new();
    for error in errors {
        translate(&error, shape, &mut found);
        if found.len() >= MOST {
            break;
        }
    }
    found.truncate(MOST);
    found
}

fn translate(error: &ValidationError<'_>, shape: &Shape, found: &mut Vec<Violation>) {
    if let Kind::AnyOf { context } | Kind::OneOfNotValid { context } = error.kind() {
        let before = found.len();
        if let Some(branch) = likeliest(error, context) {
            for inner in branch {
                translate(inner, shape, found);
            }
        }
        if found.len() > before {
            return;
        }
    }
    let mut segments = segments(error);
    let (code, expected) = describe(error.kind(), shape, &segments);
    let kind_of_found = match error.kind() {
        Kind::Required { property } => {
            segments.push(Segment::Key(property.as_str().unwrap_or_default().to_owned()));
            "nothing".to_owned()
        }
        Kind::AdditionalProperties { unexpected } | Kind::UnevaluatedProperties { unexpected } => {
            segments.push(Segment::Key(String::new()));
            format!("{} undeclared", unexpected.len())
        }
        _ => kind_of(error.instance()),
    };
    let keyword = match error.kind().keyword() {
        "" => "x-check".to_owned(), // the only keyword of our own that the validator runs
        keyword => keyword.to_owned(),
    };
    let path = shape.pointer(&segments);
    found.push(Violation { code, path, keyword, expected, found: kind_of_found });
}

/// The branch that was probably meant: the only one whose type fits, else the one that fails by
/// the fewest errors if no other fails by as few.
fn likeliest<'a>(
    error: &ValidationError<'_>,
    branches: &'a [Vec<ValidationError<'static>>],
) -> Option<&'a Vec<ValidationError<'static>>> {
    let here = error.instance_path();
    let fits = |branch: &&Vec<ValidationError<'static>>| {
        !branch.iter().any(|inner| {
            inner.instance_path() == here
                && matches!(inner.kind(), Kind::Type { .. } | Kind::Constant { .. })
        })
    };
    let mut fitting: Vec<_> = branches.iter().filter(fits).collect();
    fitting.sort_by_key(|branch| branch.len());
    match fitting.as_slice() {
        [only] => Some(only),
        [first, second, ..] if first.len() < second.len() => Some(first),
        _ => None,
    }
}

fn segments(error: &ValidationError<'_>) -> Vec<Segment> {
    error
        .instance_path()
        .segments()
        .map(|segment| match segment {
            LocationSegment::Property(name) => Segment::Key(name.into_owned()),
            LocationSegment::Index(index) => Segment::Index(index),
        })
        .collect()
}

fn describe(kind: &Kind, shape: &Shape, segments: &[Segment]) -> (&'static Code, String) {
    let rule = |text: &str| (&document::RULE, text.to_owned());
    match kind {
        Kind::Type { kind } => (&document::WRONG_TYPE, types(kind)),
        Kind::Required { .. } => (&document::MISSING, "a member".to_owned()),
        Kind::AdditionalProperties { .. } | Kind::UnevaluatedProperties { .. } => {
            (&document::UNDECLARED, declared(shape, segments))
        }
        Kind::FalseSchema => (&document::UNDECLARED, "nothing here".to_owned()),
        Kind::Enum { options } => {
            let options = options.as_array().map_or(&[][..], Vec::as_slice);
            (&document::NOT_ALLOWED, format!("one of {}", list(options)))
        }
        Kind::Constant { expected_value } => (&document::NOT_ALLOWED, expected_value.to_string()),
        Kind::MaxLength { limit } => (&document::LENGTH, format!("at most {limit} characters")),
        Kind::MinLength { limit } => (&document::LENGTH, format!("at least {limit} characters")),
        Kind::Pattern { pattern } => (&document::PATTERN, format!("text matching {pattern}")),
        Kind::Format { format } => (&document::FORMAT, format.clone()),
        Kind::Maximum { limit } => (&document::RANGE, format!("at most {limit}")),
        Kind::Minimum { limit } => (&document::RANGE, format!("at least {limit}")),
        Kind::ExclusiveMaximum { limit } => (&document::RANGE, format!("less than {limit}")),
        Kind::ExclusiveMinimum { limit } => (&document::RANGE, format!("more than {limit}")),
        Kind::MultipleOf { multiple_of } => {
            (&document::RANGE, format!("a multiple of {multiple_of}"))
        }
        Kind::MaxItems { limit } => (&document::COUNT, format!("at most {limit} elements")),
        Kind::MinItems { limit } => (&document::COUNT, format!("at least {limit} elements")),
        Kind::MaxProperties { limit } => (&document::COUNT, format!("at most {limit} members")),
        Kind::MinProperties { limit } => (&document::COUNT, format!("at least {limit} members")),
        Kind::UniqueItems => (&document::COUNT, "each element once".to_owned()),
        Kind::Contains => (&document::COUNT, "an element of the kind the schema names".to_owned()),
        Kind::AdditionalItems { limit } => (&document::COUNT, format!("at most {limit} elements")),
        Kind::UnevaluatedItems { .. } => (&document::COUNT, "no further elements".to_owned()),
        Kind::AnyOf { context } => {
            (&document::NO_ALTERNATIVE, format!("one of {} alternatives", context.len()))
        }
        Kind::OneOfNotValid { context } => {
            (&document::NO_ALTERNATIVE, format!("exactly one of {} alternatives", context.len()))
        }
        Kind::OneOfMultipleValid { context } => {
            (&document::NO_ALTERNATIVE, format!("only one of {} alternatives", context.len()))
        }
        Kind::Not { .. } => (&document::NO_ALTERNATIVE, "what `not` does not exclude".to_owned()),
        Kind::Custom { .. } => (&document::CHECK_DIGIT, "a number with its check digit".to_owned()),
        Kind::PropertyNames { .. } => rule("names as the schema says"),
        Kind::ContentEncoding { content_encoding } => rule(content_encoding),
        Kind::ContentMediaType { content_media_type } => rule(content_media_type),
        Kind::BacktrackLimitExceeded { .. }
        | Kind::RegexEngineFailure { .. }
        | Kind::FromUtf8 { .. }
        | Kind::Referencing(_) => rule("what the schema says"),
    }
}

fn types(kind: &TypeKind) -> String {
    match kind {
        TypeKind::Single(one) => one.as_str().to_owned(),
        TypeKind::Multiple(set) => {
            set.iter().map(|one| one.as_str()).collect::<Vec<_>>().join(" or ")
        }
    }
}

/// The members that are declared at a place.
fn declared(shape: &Shape, segments: &[Segment]) -> String {
    let mut here = Some(shape);
    for segment in segments {
        here = match segment {
            Segment::Index(_) => here.and_then(Shape::element),
            Segment::Key(name) => here.and_then(|s| s.property(name)).map(|found| &found.shape),
        };
    }
    let mut names: Vec<&str> = Vec::new();
    let mut open: Vec<&Shape> = here.into_iter().collect();
    while let Some(shape) = open.pop() {
        names.extend(shape.properties.iter().map(|property| property.name.as_str()));
        open.extend(&shape.alternatives);
    }
    if names.is_empty() {
        return "no members".to_owned();
    }
    let rest = names.len().saturating_sub(20);
    names.truncate(20);
    let more = if rest > 0 { format!(" and {rest} more") } else { String::new() };
    format!("only the declared members: {}{more}", names.join(", "))
}

fn list(options: &[Value]) -> String {
    let mut texts: Vec<String> = options.iter().take(12).map(Value::to_string).collect();
    if options.len() > texts.len() {
        texts.push(format!("{} more", options.len() - texts.len()));
    }
    texts.join(", ")
}

/// The JSON type, with the length of a text or list; never the value.
pub(crate) fn kind_of(value: &Value) -> String {
    match value {
        Value::Null => "null".to_owned(),
        Value::Bool(_) => "boolean".to_owned(),
        Value::Number(number) if number.is_f64() => "number".to_owned(),
        Value::Number(_) => "integer".to_owned(),
        Value::String(text) => format!("string of {} characters", text.chars().count()),
        Value::Array(elements) => format!("array of {}", elements.len()),
        Value::Object(_) => "object".to_owned(),
    }
}
