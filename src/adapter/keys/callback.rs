//! The keys of operations that a counterpart calls us with.

use super::{FIELD, SCHEMA_ID};
use crate::diagnostic::keys::{Form, Key, Keys};

pub(in crate::adapter) static CALLBACK: Keys = Keys::new(
    "callback",
    "a callback",
    "Where and how the counterpart calls us; the caller always shows a client certificate.",
    &[
        Key::new(
            "path",
            Form::Pattern("^[a-z0-9][a-z0-9-]{0,63}$"),
            "Last segment of `/v1/callbacks/ADAPTER/SEGMENT`.",
        )
        .required(),
        Key::new("method", Form::Words(&["POST", "PUT"]), "HTTP method.").default("POST"),
        Key::new(
            "format",
            Form::Words(&["json", "xml", "soap", "csv", "fixed"]),
            "Layout of the body.",
        )
        .default("json"),
        Key::new("schema", SCHEMA_ID, "Every notice is valid under it.").required(),
        Key::new("max-bytes", Form::Count(1, 16 << 20), "Largest body.").default("65536"),
        Key::new("bearer", Form::Flag, "The caller shows the token of `watashi.toml` as well.")
            .default("false"),
        Key::new("signature", Form::Map(&SIGNATURE), "The caller signs the body as well."),
    ],
);

pub(in crate::adapter) static SIGNATURE: Keys = Keys::new(
    "caller-signature",
    "a signature of the caller",
    "HMAC-SHA-256 over the bytes of the body, under the `hmac-key` of `watashi.toml`.",
    &[
        Key::new("header", Form::Text, "The header that carries it.").required(),
        Key::new("prefix", Form::Text, "What stands before it in the header."),
        Key::new("encoding", Form::Words(&["hex", "base64"]), "How it is written.").default("hex"),
    ],
);

pub(in crate::adapter) static MESSAGE: Keys = Keys::new(
    "callback-message",
    "message",
    "The notice is a message of its own.",
    &[
        Key::new("type", Form::Text, "Its message type; its source is the adapter.").required(),
        Key::new("id", FIELD, "Path of its id: the same id is accepted once.").required(),
    ],
);
