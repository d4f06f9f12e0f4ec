//! The keys of a demanded signature.

use super::{FIELD, RESPONSE};
use crate::diagnostic::keys::{Form, Key, Keys};

const KIND: Key = Key::new("kind", Form::Words(&["xml-dsig"]), "xml-dsig.").required();
const TRUST: Key = Key::new("trust", Form::Text, "A trust store of `watashi.toml`.").required();
const REVOCATION: Key = Key::new(
    "revocation",
    Form::Words(&["crl"]),
    "How revoked certificates are known: by lists of the trust store.",
)
.default("crl");
const NODE: Key = Key::new(
    "node",
    Form::Pattern("^[A-Za-z_][A-Za-z0-9_.-]*(/[A-Za-z_][A-Za-z0-9_.-]*){0,7}$"),
    "Names of the elements from the root to the one that must be signed.",
)
.required();
const NAMESPACE: Key =
    Key::new("namespace", Form::Text, "Their namespace; none: they are in none.");
const ID: Key =
    Key::new("id", Form::Text, "The attribute of the signed element that holds its id.")
        .default("Id");

pub(in crate::adapter) static SIGNATURE: Keys = Keys::new(
    "signature",
    "a signature",
    "The signature that what is fetched must carry; only what it covers goes on.",
    &[
        KIND,
        TRUST,
        REVOCATION,
        Key::new(
            "document",
            FIELD,
            "Path in the answer: the signed document, in base64. Without it the answer is it.",
        ),
        NODE,
        NAMESPACE,
        ID,
        Key::new("content", Form::Map(&RESPONSE), "How the signed element is laid out.").required(),
        Key::new("item", FIELD, "Path in the content: must be the id that was asked for."),
    ],
);

pub(in crate::adapter) static FILE_SIGNATURE: Keys = Keys::new(
    "file-signature",
    "a signature of a file",
    "The signature that a file of xml must carry; `schema` is the layout of the signed element.",
    &[KIND, TRUST, REVOCATION, NODE, NAMESPACE, ID],
);
