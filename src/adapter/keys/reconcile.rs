//! The keys of `reconcile:`.

use super::{FIELD, SCHEMA_ID, TITLE};
use crate::diagnostic::keys::{Form, Key, Keys};

const MAPPING_DOC: &str = "Makes of a record what is compared; none: it is compared as it is.";
const WHEN_DOC: &str = "Only records that satisfy this are compared.";

pub(in crate::adapter) static RECONCILE: Keys = Keys::new(
    "reconcile",
    "a reconciliation",
    "What the counterpart holds against what we hold, by key.",
    &[
        Key::new("title", TITLE, "For people."),
        Key::new("theirs", Form::Map(&FILES), "An export of what the counterpart holds.")
            .required(),
        Key::new(
            "ours",
            Form::Either(&[Form::Map(&FILES), Form::Map(&ENTRIES)]),
            "The originals: an export of them, or entries of our own record.",
        )
        .required(),
        Key::new("key", FIELD, "What a record is found by; told in the clear.").required(),
        Key::new(
            "where-both",
            Form::List(&FIELD),
            "Members that are compared only where both sides have them; others differ when one side lacks them.",
        ),
    ],
);

pub(in crate::adapter) static FILES: Keys = Keys::new(
    "reconcile-files",
    "a side",
    "Files that are compared, read record by record.",
    &[
        Key::new("format", Form::Words(&["csv", "fixed", "lines"]), "How records are laid out.")
            .required(),
        Key::new("schema", SCHEMA_ID, "Of the whole file; lines have none."),
        Key::new("record", SCHEMA_ID, "Of one record.").required(),
        Key::new("mapping", Form::Text, MAPPING_DOC),
        Key::new("when", Form::Text, WHEN_DOC),
    ],
);

pub(in crate::adapter) static ENTRIES: Keys = Keys::new(
    "reconcile-entries",
    "a side",
    "Entries of our own record that are compared.",
    &[
        Key::new("entries", Form::List(&Form::Words(&super::RECORD_KINDS)), "Their kinds.")
            .required(),
        Key::new("mapping", Form::Text, "Makes of watashi/record-entry@1 what is compared.")
            .required(),
        Key::new("when", Form::Text, WHEN_DOC),
    ],
);
