//! The keys of operations that write and read files.

use super::hours::HOURS;
use super::{CHARACTERS, FIELD, ITEM_OUTCOMES, OUTCOMES, SCHEMA_ID};
use crate::diagnostic::keys::{Form, Key, Keys};

/// `files` of either kind.
pub(super) const FILES: Form = Form::Either(&[Form::Map(&FILES_OUT), Form::Map(&FILES_IN)]);

/// The formats of files, as messages list them.
pub(in crate::adapter) const FORMATS: &str = "csv, fixed, lines, json, xml";

const FORMAT: Form = Form::Words(&["csv", "fixed", "lines", "json", "xml"]);
const NAME_DOC: &str = "Name of a file; {date}, {time}, {set:N}, {part:N} are filled in.";
const FOLDER_DOC: &str = "Folder in the place; none: the place itself.";
const SCHEMA_DOC: &str = "Of the whole file; lines have none.";
const RECORD_DOC: &str = "Of one record, which is one message (or an array of some).";
const RECORDS_DOC: &str = "Of json and xml: members that lead to the array of records.";
const TIME: Form = Form::Pattern("^([01][0-9]|2[0-3]):[0-5][0-9]$");

pub(in crate::adapter) static FILES_OUT: Keys = Keys::new(
    "files-out",
    "files",
    "The files of a set.",
    &[
        Key::new("folder", Form::Text, FOLDER_DOC),
        Key::new("name", Form::Text, NAME_DOC).required(),
        Key::new("format", FORMAT, "How records are laid out.").required(),
        Key::new("schema", SCHEMA_ID, SCHEMA_DOC),
        Key::new("record", SCHEMA_ID, RECORD_DOC).required(),
        Key::new("records", Form::Text, RECORDS_DOC),
        Key::new("head", Form::Text, "Of json and xml: a mapping from watashi/file@1 to the rest."),
        Key::new("header", Form::Map(&SHEET), "In front of the records."),
        Key::new("trailer", Form::Map(&SHEET), "Behind the records."),
        Key::new("split", Form::Count(1, 100_000), "Most records of one file.").default("100000"),
        Key::new(
            "companions",
            Form::List(&Form::Map(&COMPANION)),
            "Further files, written after the records, in this order.",
        ),
        Key::new("manifest", Form::Text, "A file that lists the others, with counts and digests."),
        Key::new("marker", Form::Text, "An empty file that says that the set is whole."),
        Key::new("characters", Form::Map(&CHARACTERS), "Which characters the receiver knows."),
    ],
);

pub(in crate::adapter) static SHEET: Keys = Keys::new(
    "sheet",
    "a sheet",
    "What is written of the set or the file itself.",
    &[
        Key::new("format", FORMAT, "How it is laid out.").required(),
        Key::new("schema", SCHEMA_ID, "Of the document.").required(),
        Key::new("mapping", Form::Text, "Makes it from watashi/file@1.").required(),
    ],
);

pub(in crate::adapter) static COMPANION: Keys = Keys::new(
    "companion",
    "a companion",
    "A file beside those of records.",
    &[
        Key::new("name", Form::Text, NAME_DOC).required(),
        Key::new("each", Form::Words(&["part", "set"]), "One for each part, or one for the set.")
            .default("set"),
        Key::new("format", FORMAT, "How it is laid out.").required(),
        Key::new("schema", SCHEMA_ID, "Of the document.").required(),
        Key::new("mapping", Form::Text, "Makes it from watashi/file@1.").required(),
    ],
);

pub(in crate::adapter) static GATHER: Keys = Keys::new(
    "gather",
    "gather",
    "When a set is written: when it is full, when its first message has waited, at times of day.",
    &[
        Key::new("max-items", Form::Count(1, 100_000), "Most messages.").default("10000"),
        Key::new("max-bytes", Form::Count(1, 1 << 30), "Most bytes of records.")
            .default("67108864"),
        Key::new("max-wait", Form::Duration, "How long one waits for others; none with `at`.")
            .default("60s"),
        Key::new("at", Form::List(&TIME), "Times of day in Japan."),
        Key::new("days", Form::Map(&HOURS), "Days that count for `at`; hours play no part."),
        Key::new("empty", Form::Flag, "At these times a set without records is written too.")
            .default("false"),
    ],
);

pub(in crate::adapter) static FILES_IN: Keys = Keys::new(
    "files-in",
    "files",
    "The files that come.",
    &[
        Key::new("folder", Form::Text, FOLDER_DOC),
        Key::new("name", Form::Text, "Which files; {date}, {time}, {set:N}, {part:N}, one `*`.")
            .required(),
        Key::new("format", FORMAT, "How records are laid out.").required(),
        Key::new("schema", SCHEMA_ID, SCHEMA_DOC),
        Key::new("record", SCHEMA_ID, RECORD_DOC),
        Key::new("records", Form::Text, RECORDS_DOC),
        Key::new("header", Form::Map(&EDGE), "The first line, where it is no record."),
        Key::new("trailer", Form::Map(&EDGE), "The last line, where it is no record."),
        Key::new("whole", Form::Map(&WHOLE), "How it is seen that a file is whole.").required(),
        Key::new("each", Form::Words(&["record", "file"]), "What becomes a message.")
            .default("record"),
        Key::new(
            "on-bad-record",
            Form::Words(&["dead-letter", "refuse-file"]),
            "It alone is put aside, or the whole file, before anything of it is taken.",
        )
        .default("dead-letter"),
        Key::new(
            "signature",
            Form::Map(&super::signature::FILE_SIGNATURE),
            "Of xml: who must have signed the file; only what that covers is read.",
        ),
        Key::new("id", FIELD, "What tells a record: the same in another file is the same fact."),
        Key::new("done", Form::Text, "Folder for files that were read; `remove`: they go.")
            .default("done"),
        Key::new("aside", Form::Text, "Folder for files that cannot be used.").default("aside"),
        Key::new("max-bytes", Form::Count(1, 1 << 30), "Largest file.").default("67108864"),
        Key::new("max-records", Form::Count(1, 10_000_000), "Most records.").default("1000000"),
    ],
);

pub(in crate::adapter) static EDGE: Keys = Keys::new(
    "edge",
    "a line of its own",
    "A line in front of the records, or behind them, that says something of the file.",
    &[
        Key::new("format", Form::Words(&["csv", "fixed", "json"]), "How it is laid out.")
            .required(),
        Key::new("schema", SCHEMA_ID, "Of the line; of a table: an array with one record.")
            .required(),
        Key::new("count", FIELD, "Where it says how many records there are."),
    ],
);

pub(in crate::adapter) static WHOLE: Keys = Keys {
    one_of: &["marker", "manifest", "still"],
    ..Keys::new(
        "whole",
        "whole",
        "How it is seen that a file is whole; exactly one of them.",
        &[
            Key::new("marker", Form::Text, "A file of this name is there as well."),
            Key::new("manifest", Form::Text, "A manifest of this name lists it."),
            Key::new("still", Form::Duration, "Its size has not changed for so long."),
        ],
    )
};

pub(in crate::adapter) static EXPECT: Keys = Keys::new(
    "expect",
    "expect",
    "When a file should have come, and how much of it.",
    &[
        Key::new("by", TIME, "Time of day in Japan.").required(),
        Key::new("days", Form::Map(&HOURS), "Days that count; hours play no part."),
        Key::new("min-percent", Form::Count(0, 100), "Least records, of the usual number.")
            .default("0"),
    ],
);

pub(in crate::adapter) static SETTLES: Keys = Keys::new(
    "settles",
    "settles",
    "The records are results of files that an operation of this adapter wrote.",
    &[
        Key::new("operation", Form::Text, "That operation.").required(),
        Key::new("set", FIELD, "Where a record names the set; without it the file's name does."),
        Key::new("item", FIELD, "Where it names the record in the set, from 1.").required(),
        Key::new("item-outcomes", OUTCOMES, ITEM_OUTCOMES).required(),
    ],
);
