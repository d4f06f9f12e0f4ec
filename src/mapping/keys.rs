//! The keys of mapping files, their cases and code tables.

use crate::diagnostic::keys::{File, Form, Key, Keys};
use crate::mapping::compile::KEYWORDS;

/// `mappings/<name>/mapping.yaml`.
pub static MAPPING_FILE: File = File {
    name: "mapping",
    title: "A mapping of Watashi (mappings/<name>/mapping.yaml)",
    root: Form::Map(&MAPPING),
};

/// `mappings/<name>/cases/*.yaml`.
pub static CASE_FILE: File = File {
    name: "case",
    title: "A case of a mapping (mappings/<name>/cases/*.yaml)",
    root: Form::Map(&CASE),
};

/// `mappings/tables/<name>.yaml`.
pub static TABLE_FILE: File = File {
    name: "table",
    title: "A code table that several mappings use (mappings/tables/<name>.yaml)",
    root: Form::Map(&TABLE),
};

const SCHEMA_ID: Form = Form::Pattern("^[a-z0-9-]+/[a-z0-9-]+@[1-9][0-9]*$");

/// An expression: a text, or a number, true, false, null that stand for themselves.
static EXPRESSION: Form = Form::Scalar;

static RULE: Form = Form::Either(&[Form::Scalar, Form::Map(&RULE_KEYS), Form::Map(&TARGETS)]);

pub(crate) static MAPPING: Keys = Keys::new(
    "mapping",
    "a mapping",
    "Rules from one schema to another.",
    &[
        Key::new("mapping", Form::Text, "The mapping's name, which is its folder's.").required(),
        Key::new("title", Form::Text, "For people."),
        Key::new("description", Form::Text, "For people."),
        Key::new("from", SCHEMA_ID, "Schema of the documents it takes: folder/name@version.")
            .required(),
        Key::new("to", SCHEMA_ID, "Schema of the documents it gives.").required(),
        Key::new(
            "request",
            SCHEMA_ID,
            "Of a reply: schema of the request that was sent, which the rules see as $request.",
        ),
        Key::new(
            "inverse",
            Form::Either(&[Form::Text, Form::Map(&INVERSE)]),
            "The mapping that undoes this one: generated documents must survive the way there and \
             back.",
        ),
        Key::new(
            "tables",
            Form::Names(&ENTRIES),
            "Code tables of this mapping, used as code(value, name). Tables that several mappings \
             use are files in mappings/tables/.",
        ),
        Key::new(
            "let",
            Form::Names(&EXPRESSION),
            "Names for expressions, used as $name; each may use those above.",
        ),
        Key::new(
            "each",
            Form::Scalar,
            "The target is an array: an expression that gives an array, one target element per \
             element. Paths in `rules` start at the element.",
        ),
        Key::new(
            "when",
            Form::Scalar,
            "Only beside `each`: keeps the elements for which it holds.",
        ),
        Key::new("rules", Form::Map(&TARGETS), "Target fields and what sets them.").required(),
    ],
);

pub(crate) static INVERSE: Keys = Keys::new(
    "inverse",
    "`inverse`",
    "The mapping that undoes this one, and what is lost on the way.",
    &[
        Key::new("mapping", Form::Text, "Its name.").required(),
        Key::new(
            "except",
            Form::List(&Form::Text),
            "Source fields that do not come back: paths such as person.name.",
        ),
    ],
);

static TARGETS: Keys = Keys {
    name: "targets",
    what: "rules",
    doc: "Target fields, each with an expression, an object of rules, or a rule with conditions. \
          A field that is called like a keyword of a rule is written with a leading `=`.",
    keys: &[],
    one_of: &[],
    rest: Some(&RULE),
    reserved: &KEYWORDS,
};

pub(crate) static RULE_KEYS: Keys = Keys {
    one_of: &["value", "rules"],
    ..Keys::new(
        "rule",
        "a rule",
        "One target field under conditions.",
        &[
            Key::new(
                "each",
                Form::Scalar,
                "An expression that gives an array: one target element per element. Paths start \
                 at the element, `$` is the whole document, `_` the element itself.",
            ),
            Key::new(
                "when",
                Form::Scalar,
                "The rule applies only where this is true; beside `each` it keeps elements.",
            ),
            Key::new("let", Form::Names(&EXPRESSION), "Names for this rule, used as $name."),
            Key::new("value", Form::Scalar, "An expression."),
            Key::new("rules", Form::Map(&TARGETS), "A nested object of rules."),
        ],
    )
};

static ENTRIES: Form = Form::Names(&Form::Either(&[
    Form::Scalar,
    Form::Map(&PERIOD),
    Form::List(&Form::Map(&PERIOD)),
]));

/// A date in a table.
const DAY: Form = Form::Pattern("^[0-9]{4}-[0-9]{2}-[0-9]{2}$");

pub(crate) static PERIOD: Keys = Keys::new(
    "period",
    "an entry with validity dates",
    "A target value that is valid for a time only; asked for with code-at(value, table, date).",
    &[
        Key::new("to", Form::Scalar, "The target value.").required(),
        Key::new("valid-from", DAY, "First day; without it: always before."),
        Key::new("valid-to", DAY, "Last day, itself included; without it: ever after."),
    ],
);

pub(crate) static TABLE: Keys = Keys::new(
    "table",
    "a code table",
    "Source values and what they become.",
    &[
        Key::new("table", Form::Text, "The table's name, which is its file's.").required(),
        Key::new("title", Form::Text, "For people."),
        Key::new("description", Form::Text, "For people."),
        Key::new("entries", ENTRIES, "Source value to target value.").required(),
    ],
);

pub(crate) static CASE: Keys = Keys {
    one_of: &["expected", "expected-text", "rejected"],
    ..Keys::new(
        "case",
        "a case",
        "What a mapping is shown to do, with synthetic data only.",
        &[
            Key::new("case", Form::Text, "What it shows, in a sentence.").required(),
            Key::new("meta", Form::Map(&META), "What `$meta` tells; the rest has fixed values."),
            Key::new("input", Form::Any, "A document that is valid under `from`."),
            Key::new(
                "request",
                Form::Any,
                "What `$request` is, valid under `request` of the mapping.",
            ),
            Key::new("input-text", Form::Map(&WRITTEN), "The same as the text that crosses."),
            Key::new("expected", Form::Any, "What must come out, valid under `to`."),
            Key::new("expected-text", Form::Map(&WRITTEN), "The same as the text that crosses."),
            Key::new(
                "rejected",
                Form::Text,
                "The code it must be rejected with: the author's of `reject`, or a registered one.",
            ),
        ],
    )
};

pub(crate) static WRITTEN: Keys = Keys::new(
    "written",
    "a document as text",
    "A document as it crosses; the codec of its schema reads it.",
    &[
        Key::new("format", Form::Words(&["json", "xml", "csv", "fixed"]), "Its format.").required(),
        Key::new("text", Form::Text, "The text, usually as a block.").required(),
    ],
);

pub(crate) static META: Keys = Keys::new(
    "meta",
    "`meta`",
    "What the mapping knows of the message.",
    &[
        Key::new("messageId", Form::Text, "The sender's id.").default("case-1"),
        Key::new("messageType", Form::Text, "The message type.").default("case"),
        Key::new("source", Form::Text, "Who sent it.").default("case"),
        Key::new("municipality", Form::Text, "団体コード, 6 digits."),
        Key::new("operator", Form::Text, "Who at the sender did it."),
        Key::new("acceptedAt", Form::Text, "When it was accepted: an RFC 3339 time."),
        Key::new("idempotencyKey", Form::Text, "The key every attempt carries.").default("case-1"),
        Key::new("correlationId", Form::Text, "The exchange this belongs to."),
        Key::new("ticket", Form::Text, "The counterpart's ticket."),
    ],
);
