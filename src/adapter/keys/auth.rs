//! The keys of `auth`.

use super::WIRE_PATH;
use crate::diagnostic::keys::{Form, Key, Keys};

pub(super) const AUTH: Form =
    Form::Either(&[Form::Map(&AUTH_PLAIN), Form::Map(&AUTH_OAUTH), Form::Map(&AUTH_LOGIN)]);

/// Every `kind` of `auth`, as messages list them.
pub(in crate::adapter) const AUTH_KINDS: &str =
    "none, basic, client-secret-basic, client-secret-jwt, login-token";

pub(in crate::adapter) static AUTH_PLAIN: Keys = Keys::new(
    "auth-plain",
    "auth",
    "The client certificate is enough, or HTTP Basic.",
    &[Key::new("kind", Form::Words(&["none", "basic"]), "none or basic.").default("none")],
);

pub(in crate::adapter) static AUTH_OAUTH: Keys = Keys::new(
    "auth-oauth",
    "auth",
    "OAuth 2.0 client credentials.",
    &[
        Key::new(
            "kind",
            Form::Words(&["client-secret-basic", "client-secret-jwt"]),
            "How we authenticate: HTTP Basic, or an assertion signed by HS256.",
        )
        .required(),
        Key::new("token-path", WIRE_PATH, "Where tokens are fetched.").required(),
        Key::new("scope", Form::Text, "The scope asked for, unless a request names its own."),
        Key::new("audience", Form::Text, "Whom the token is for, where the server wants to know."),
    ],
);

pub(in crate::adapter) static AUTH_LOGIN: Keys = Keys::new(
    "auth-login",
    "auth",
    "A login of the counterpart's own making.",
    &[
        Key::new("kind", Form::Words(&["login-token"]), "login-token.").required(),
        Key::new("request", Form::Map(&LOGIN_REQUEST), "How we log in.").required(),
        Key::new("token", Form::Text, "The member of the answer that holds the token.").required(),
        Key::new("header", Form::Text, "The header that carries it.").required(),
        Key::new("prefix", Form::Text, "What stands before it."),
    ],
);

pub(in crate::adapter) static LOGIN_REQUEST: Keys = Keys::new(
    "login-request",
    "the login request",
    "How we log in.",
    &[
        Key::new("method", Form::Words(&["POST"]), "Always POST.").default("POST"),
        Key::new("path", WIRE_PATH, "Path on the counterpart's host.").required(),
        Key::new(
            "body",
            Form::Names(&Form::Text),
            "Members of the JSON body; {client-id} and {client-secret} are filled in.",
        ),
    ],
);
