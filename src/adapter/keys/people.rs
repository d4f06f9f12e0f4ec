//! Keys of what a route leaves to people, and of what it compares.

use super::FIELD;
use crate::diagnostic::keys::{Form, Key, Keys};

pub(in crate::adapter) static APPROVAL: Keys = Keys::new(
    "approval",
    "approval",
    "Prepared by one person, agreed to by another, with a reason; then it is sent.",
    &[
        Key::new("expires", Form::Duration, "How long it waits for the second person.").required(),
        Key::new(
            "answers",
            Form::Map(&ANSWERS),
            "It answers a demand: once, and none but an open one.",
        ),
    ],
);

pub(in crate::adapter) static BY_HAND: Keys = Keys::new(
    "by-hand",
    "by-hand",
    "What staff give instead of the counterpart's answer, dead letters included.",
    &[
        Key::new("mapping", Form::Text, "From what staff give to what upstream gets.").required(),
        Key::new(
            "persons",
            Form::Words(&["one", "two"]),
            "two: somebody else must give the same answer as well.",
        )
        .default("two"),
    ],
);

pub(in crate::adapter) static ANSWERS: Keys = Keys::new(
    "answers",
    "answers",
    "The demand that a message answers.",
    &[
        Key::new("kind", Form::Text, "Kind of the demand, as `demand.kind` of a route names it.")
            .required(),
        Key::new("number", FIELD, "Path: the number of the demand.").required(),
    ],
);

pub(in crate::adapter) static DEMAND: Keys = Keys::new(
    "demand",
    "demand",
    "What the counterpart asks for, and a person must answer.",
    &[
        Key::new("kind", Form::Text, "Its kind: answers name it.").required(),
        Key::new("number", FIELD, "Path: its number at the counterpart.").required(),
        Key::new("within", Form::Duration, "How soon it should be answered."),
    ],
);

pub(in crate::adapter) static PAIR: Keys = Keys::new(
    "pair",
    "a pair",
    "Paths in the outgoing document (remembers) or in the one that came (compares); of a list, in each element.",
    &[
        Key::new("key", FIELD, "Whose value it is.").required(),
        Key::new("value", FIELD, "The value.").required(),
    ],
);
