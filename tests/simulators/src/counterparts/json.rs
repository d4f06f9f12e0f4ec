//! Strict reading of JSON requests and the forms their values must have.

use crate::counterparts::xml::Form;
use crate::counterparts::{Answer, Received};
use serde::de::DeserializeOwned;

/// Checks the method and content type and reads the body: unknown, missing and repeated keys are
/// refused. `Err` is the answer.
pub fn read<T: DeserializeOwned>(request: &Received) -> Result<T, Answer> {
    let content_type = request.header("content-type").unwrap_or_default().to_ascii_lowercase();
    let media = content_type.split(';').next().unwrap_or_default().trim().to_owned();
    if media != "application/json" {
        return Err(refuse(415, "E0415", "Content-Type is not application/json"));
    }
    serde_json::from_slice(&request.body).map_err(|error| {
        // serde's own text may repeat a value of the body: only its kind and place are told.
        let (line, column) = (error.line(), error.column());
        refuse(400, "E0201", &format!("{:?} at {line}:{column}", error.classify()))
    })
}

/// A refusal of something that must never have been sent.
pub fn refuse(status: u16, code: &str, problem: &str) -> Answer {
    let body = serde_json::json!({"code": code, "errorCode": code, "message": problem});
    Answer::json(status, &body).violating(problem)
}

/// Collects what is wrong with one document.
#[derive(Default)]
pub struct Check {
    problem: Option<String>,
}

impl Check {
    /// `name` must have this form.
    pub fn form(&mut self, name: &str, value: &str, form: Form) {
        self.that(name, form.fits(value));
    }

    /// `name` must have this form when it is there.
    pub fn optional(&mut self, name: &str, value: Option<&String>, form: Form) {
        self.that(name, value.is_none_or(|value| form.fits(value)));
    }

    /// `name` must satisfy what was checked.
    pub fn that(&mut self, name: &str, good: bool) {
        if !good && self.problem.is_none() {
            self.problem = Some(format!("{name} is not of the documented form"));
        }
    }

    /// The first problem, as an answer.
    pub fn end(self) -> Result<(), Answer> {
        match self.problem {
            None => Ok(()),
            Some(problem) => Err(refuse(400, "E0202", &problem)),
        }
    }
}

/// Whether a text is written in full width: no ASCII, no half-width kana.
pub fn is_full_width(text: &str) -> bool {
    !text.is_empty()
        && text.chars().all(|c| !c.is_ascii() && !('\u{FF61}'..='\u{FF9F}').contains(&c))
}
