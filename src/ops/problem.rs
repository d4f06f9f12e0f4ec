//! Every error over HTTP as `application/problem+json` (RFC 9457) with its registered code.

use crate::model::{Code, Failure};
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde_json::json;

/// A problem document.
#[derive(Debug)]
pub struct Problem {
    status: StatusCode,
    code: &'static str,
    title: String,
    detail: String,
    remedy: &'static str,
    retry_after: Option<u64>,
}

impl Problem {
    /// A registered code under this status.
    pub fn new(status: StatusCode, code: &'static Code, detail: impl Into<String>) -> Problem {
        Problem {
            status,
            code: code.code,
            title: code.title.to_owned(),
            detail: detail.into(),
            remedy: code.remedy,
            retry_after: None,
        }
    }

    /// A failure of a message.
    pub fn of(status: StatusCode, failure: &Failure) -> Problem {
        Problem::new(status, failure.code, failure.detail.clone())
    }

    /// A problem of the request itself, which has no registered code.
    pub fn plain(status: StatusCode, title: &str) -> Problem {
        Problem {
            status,
            code: "",
            title: title.to_owned(),
            detail: String::new(),
            remedy: "",
            retry_after: None,
        }
    }

    /// The same for somebody who cannot do what a code's remedy says.
    #[must_use]
    pub fn without_remedy(self) -> Problem {
        Problem { remedy: "", ..self }
    }

    /// Its code, or a word for those that have none, for the metrics.
    pub fn word(&self) -> &'static str {
        if self.code.is_empty() { "request" } else { self.code }
    }

    /// Tells the client when to come back.
    #[must_use]
    pub fn retry_after(mut self, seconds: u64) -> Problem {
        self.retry_after = Some(seconds);
        self
    }
}

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        let mut body = json!({ "title": self.title, "status": self.status.as_u16() });
        if let Some(members) = body.as_object_mut() {
            for (name, text) in
                [("code", self.code), ("detail", &self.detail), ("remedy", self.remedy)]
            {
                if !text.is_empty() {
                    members.insert(name.to_owned(), text.into());
                }
            }
        }
        let kind = [(header::CONTENT_TYPE, "application/problem+json")];
        let mut response = (self.status, kind, body.to_string()).into_response();
        if let Some(seconds) = self.retry_after {
            response.headers_mut().insert(header::RETRY_AFTER, seconds.into());
        }
        response
    }
}

/// Answer to an unknown path.
pub async fn not_found() -> Problem {
    Problem::plain(StatusCode::NOT_FOUND, "no such resource")
}
