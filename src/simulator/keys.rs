//! The keys of `simulator.yaml`.

use crate::diagnostic::keys::{File, Form, Key, Keys};

/// `adapters/<name>/simulator.yaml`.
pub static SIMULATOR_FILE: File = File {
    name: "simulator",
    title: "A simulated counterpart (adapters/<name>/simulator.yaml)",
    root: Form::Map(&SIMULATOR),
};

const STATUS: Form = Form::Count(100, 599);

pub(super) static SIMULATOR: Keys = Keys::new(
    "simulator",
    "a simulator",
    "What the counterpart of an adapter answers, for the run of `watashi check --against-simulator`.",
    &[
        Key::new("simulator", Form::Text, "The adapter's name.").required(),
        Key::new(
            "operations",
            Form::Names(&Form::Map(&OPERATION)),
            "Its answers, by operation of the adapter.",
        )
        .required(),
        Key::new("availability", Form::Map(&ANSWERS), "`open` and `closed`."),
        Key::new("trust", Form::Names(&Form::Map(&TRUST)), "Trust stores of the run, by name."),
    ],
);

pub(super) static TRUST: Keys = Keys::new(
    "simulated-trust",
    "a trust store",
    "Who may have signed the documents that wait.",
    &[
        Key::new("authorities", Form::Text, "Certificates, PEM.").required(),
        Key::new("revocation-list", Form::Text, "What they revoked, PEM.").required(),
    ],
);

pub(super) static OPERATION: Keys = Keys::new(
    "simulated-operation",
    "a simulated operation",
    "What one operation answers.",
    &[
        Key::new(
            "knows-by",
            Form::Either(&[Form::Text, Form::List(&Form::Text)]),
            "Path, or paths, in the request or in an item of a batch: by these values the \
             counterpart knows a thing again. Without it: by the idempotency key, if there is one.",
        ),
        Key::new(
            "repeated",
            Form::Words(&["known", "done-again"]),
            "What becomes of a request that comes again: it is known, or simply done again. \
             Without `knows-by` and idempotency key nothing is known.",
        )
        .default("known"),
        Key::new("submit", Form::Map(&ANSWERS), "Answers to the submit, or the only request."),
        Key::new("poll", Form::Map(&ANSWERS), "Answers to the question for the result."),
        Key::new("fetch", Form::Map(&ANSWERS), "Answers to fetching the result."),
        Key::new("ask", Form::Map(&ANSWERS), "Answers to the question after a lost answer."),
        Key::new("list", Form::Map(&ANSWERS), "Of a pull: answers to the list request."),
        Key::new("get", Form::Map(&ANSWERS), "Of a pull: answers to getting one."),
        Key::new(
            "items",
            Form::Map(&ITEMS),
            "Results by item, where an answer has `{items}`; of files that are written, their lines in the file of results.",
        ),
        Key::new(
            "documents",
            Form::List(&Form::Map(&DOCUMENT)),
            "Of a pull: what waits there. Of files that come: their records.",
        ),
        Key::new(
            "head",
            Form::Any,
            "Of files that come as one document: what stands beside the records.",
        ),
        Key::new("entry", Form::Any, "Of a pull: one line of the list, with `{id}`."),
        Key::new(
            "notice",
            Form::Any,
            "Of a push-in: the document that says that something is done, with `{ticket}`.",
        ),
    ],
);

pub(super) static ANSWERS: Keys = {
    const ONE: Form = Form::Map(&ANSWER);
    Keys::new(
        "answers",
        "answers",
        "Answers by the word that the adapter's outcome table must judge them with.",
        &[
            Key::new(
                "finds-by",
                Form::Text,
                "Path in the request: where the ticket or key is that the path does not carry.",
            ),
            Key::new("applied", ONE, "It was done."),
            Key::new("refused", ONE, "It will not be done."),
            Key::new("retry", ONE, "Not now."),
            Key::new("accepted", ONE, "Taken; the result later."),
            Key::new("pending", ONE, "No result yet."),
            Key::new("ready", ONE, "There is a result."),
            Key::new("not-applied", ONE, "Nothing is known of it."),
            Key::new("open", ONE, "Requests are taken."),
            Key::new("closed", ONE, "No requests are taken now."),
        ],
    )
};

pub(super) static ANSWER: Keys = Keys::new(
    "answer",
    "an answer",
    "Status and document. In texts, `{ticket}`, `{key}`, `{number}`, `{id}`, `{name}`, and \
     `{request.PATH}` are filled in; `{items}`, `{entries}` and `{document}` stand alone.",
    &[
        Key::new("status", STATUS, "HTTP status.").required(),
        Key::new("body", Form::Any, "The decoded document; without it the body is empty."),
        Key::new(
            "also",
            Form::List(&Form::Any),
            "Other documents that the adapter must take for the same: what is asked for gets them in turn.",
        ),
    ],
);

pub(super) static ITEMS: Keys = Keys::new(
    "simulated-items",
    "results by item",
    "One result, with `{number}`.",
    &[
        Key::new("applied", Form::Any, "Of an item that was done.").required(),
        Key::new("refused", Form::Any, "Of one that will not be."),
        Key::new("retry", Form::Any, "Of a record of a file, for which there is no time now."),
    ],
);

pub(super) static DOCUMENT: Keys = Keys::new(
    "waiting-document",
    "a document",
    "One that waits to be fetched.",
    &[
        Key::new("id", Form::Text, "By which it is fetched.").required(),
        Key::new("body", Form::Any, "The document.").required(),
    ],
);
