//! The keys of `counts/<name>.yaml`.

use crate::diagnostic::keys::{File, Form, Key, Keys};

/// `counts/<name>.yaml`.
pub static COUNTS_FILE: File =
    File { name: "counts", title: "Monthly counts (counts/<name>.yaml)", root: Form::Map(&COUNTS) };

pub(super) static COUNTS: Keys = Keys::new(
    "counts",
    "a definition of counts",
    "What is counted by month, and by what; small cells are withheld.",
    &[
        Key::new("counts", Form::Text, "Its name, that of the file.").required(),
        Key::new("title", Form::Text, "What it is, for people."),
        Key::new("route", Form::Text, "The route whose delivered messages are counted.").required(),
        Key::new("date", Form::Text, "Path of the day (2026-10-05) that decides the month.")
            .required(),
        Key::new("record", Form::Text, "Path of what tells records apart: each is counted once."),
        Key::new(
            "revision",
            Form::Text,
            "Path of a number: the state with the highest one counts.",
        ),
        Key::new("withdrawn", Form::Text, "Condition of a state that is not counted."),
        Key::new(
            "dimensions",
            Form::Names(&Form::Map(&DIMENSION)),
            "By what is counted, the outermost first: totals are made from the inside out.",
        )
        .required(),
        Key::new("threshold", Form::Count(3, 1_000), "Cells from 1 to below it are withheld.")
            .default("10"),
    ],
);

pub(super) static DIMENSION: Keys = Keys::new(
    "dimension",
    "a dimension",
    "`item` with values that the schema or `values` lists, or `birth-date` with `ages`.",
    &[
        Key::new("item", Form::Text, "Path of a value."),
        Key::new(
            "values",
            Form::Either(&[Form::List(&Form::Text), Form::Names(&Form::Text)]),
            "The values, in order, each with a label if wanted; all others are one category.",
        ),
        Key::new("birth-date", Form::Text, "Path of a birth date."),
        Key::new(
            "ages",
            Form::List(&Form::Count(0, 120)),
            "First year of each band; the last one has no end.",
        ),
    ],
);
