//! The keywords a schema may use, and which of them hold schemas.

/// What stands under a keyword.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Holds {
    /// A plain value.
    Value,
    /// One schema, describing another place of the document.
    Schema,
    /// One schema for the very same place.
    SamePlace,
    /// A list of schemas for the very same place.
    SamePlaceList,
    /// Schemas for other places, in order.
    List,
    /// Named schemas.
    Map,
    /// Named schemas for the very same place.
    SamePlaceMap,
}

/// What a keyword holds; `None` when there is no such keyword.
pub fn holds(keyword: &str) -> Option<Holds> {
    TABLE.iter().find(|(name, _)| *name == keyword).map(|(_, holds)| *holds)
}

/// Every keyword.
pub fn names() -> impl Iterator<Item = &'static str> {
    TABLE.iter().map(|(name, _)| *name)
}

/// Keywords that say nothing of validity: beside a `$ref` they override those of its target.
pub fn annotates(keyword: &str) -> bool {
    matches!(
        keyword,
        "title" | "description" | "default" | "examples" | "deprecated" | "readOnly" | "writeOnly"
    ) || keyword == "xml"
        || (keyword.starts_with("x-") && keyword != "x-check" && keyword != "x-open")
}

/// Formats that are really checked.
pub const FORMATS: &[&str] = &[
    "date",
    "date-time",
    "duration",
    "email",
    "hostname",
    "ipv4",
    "ipv6",
    "iri",
    "iri-reference",
    "json-pointer",
    "regex",
    "time",
    "uri",
    "uri-reference",
    "uri-template",
    "uuid",
];

/// Keywords allowed at the root of a file only.
pub const ROOT_ONLY: &[&str] =
    &["$schema", "$id", "x-message-types", "x-json", "x-xml", "x-soap", "x-csv"];

const TABLE: &[(&str, Holds)] = &[
    ("$schema", Holds::Value),
    ("$id", Holds::Value),
    ("$ref", Holds::Value),
    ("$defs", Holds::Map),
    ("$comment", Holds::Value),
    ("type", Holds::Value),
    ("enum", Holds::Value),
    ("const", Holds::Value),
    ("multipleOf", Holds::Value),
    ("maximum", Holds::Value),
    ("exclusiveMaximum", Holds::Value),
    ("minimum", Holds::Value),
    ("exclusiveMinimum", Holds::Value),
    ("maxLength", Holds::Value),
    ("minLength", Holds::Value),
    ("pattern", Holds::Value),
    ("format", Holds::Value),
    ("contentEncoding", Holds::Value),
    ("contentMediaType", Holds::Value),
    ("items", Holds::Schema),
    ("prefixItems", Holds::List),
    ("contains", Holds::Schema),
    ("maxItems", Holds::Value),
    ("minItems", Holds::Value),
    ("uniqueItems", Holds::Value),
    ("maxContains", Holds::Value),
    ("minContains", Holds::Value),
    ("unevaluatedItems", Holds::Schema),
    ("properties", Holds::Map),
    ("patternProperties", Holds::Map),
    ("additionalProperties", Holds::Schema),
    ("unevaluatedProperties", Holds::Schema),
    ("propertyNames", Holds::Schema),
    ("required", Holds::Value),
    ("dependentRequired", Holds::Value),
    ("dependentSchemas", Holds::SamePlaceMap),
    ("maxProperties", Holds::Value),
    ("minProperties", Holds::Value),
    ("allOf", Holds::SamePlaceList),
    ("anyOf", Holds::SamePlaceList),
    ("oneOf", Holds::SamePlaceList),
    ("not", Holds::SamePlace),
    ("if", Holds::SamePlace),
    ("then", Holds::SamePlace),
    ("else", Holds::SamePlace),
    ("title", Holds::Value),
    ("description", Holds::Value),
    ("default", Holds::Value),
    ("examples", Holds::Value),
    ("deprecated", Holds::Value),
    ("readOnly", Holds::Value),
    ("writeOnly", Holds::Value),
    ("xml", Holds::Value),
    ("x-message-types", Holds::Value),
    ("x-class", Holds::Value),
    ("x-item", Holds::Value),
    ("x-check", Holds::Value),
    ("x-open", Holds::Value),
    ("x-json", Holds::Value),
    ("x-xml", Holds::Value),
    ("x-soap", Holds::Value),
    ("x-csv", Holds::Value),
    ("x-csv-name", Holds::Value),
    ("x-fixed", Holds::Value),
    ("x-private-use", Holds::Value),
    ("x-repertoire", Holds::Value),
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_keyword_stands_once_and_every_format_is_known_to_the_validator() {
        let mut seen: Vec<&str> = names().collect();
        seen.sort_unstable();
        seen.dedup();
        assert_eq!(seen.len(), TABLE.len());
        for format in FORMATS {
            let options = jsonschema::options();
            assert!(options.is_known_format(jsonschema::Draft::Draft202012, format), "{format}");
        }
    }
}
