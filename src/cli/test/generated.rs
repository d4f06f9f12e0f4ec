//! `--generate`: every mapping on documents made from its source schema.

use super::{Definitions, Tested, name_of, part};
use crate::codec::Format;
use crate::diagnostic::Diagnostic;
use crate::mapping::Mapping;
use crate::mapping::cases::generated::{Failure, Generated, Trial};
use crate::schema::generate::Unsatisfied;
use serde_json::{Value, json};

/// How the generated documents of one mapping ended.
pub(super) struct Ended {
    pub seed: u64,
    pub result: Result<Generated, Unsatisfied>,
}

/// Tries every mapping that compiled.
pub(super) fn all(
    definitions: &Definitions,
    tested: &mut [Tested],
    (count, seed): (u64, u64),
    diagnostics: &mut Vec<Diagnostic>,
) {
    let formats = definitions.formats();
    let files = part(&definitions.files, "mappings/", "/mapping.yaml");
    for one in tested {
        let back = one.mapping.inverse().and_then(|inverse| {
            let file = files.iter().find(|file| name_of(&file.path) == Some(&inverse.mapping));
            let found = file.and_then(|file| definitions.mapping(file, &mut Vec::new()));
            let names: Vec<&str> = files.iter().filter_map(|file| name_of(&file.path)).collect();
            let before = diagnostics.len();
            inverse.check(&one.mapping, found.as_ref(), &names, diagnostics);
            found.filter(|_| diagnostics.len() == before)
        });
        let formats = formats.get(one.mapping.to.id()).map(Vec::as_slice).unwrap_or_default();
        let result = tried(&one.mapping, formats, back.as_ref(), (count, seed));
        one.generated = Some(Ended { seed, result });
    }
}

fn tried(
    mapping: &Mapping,
    formats: &[Format],
    back: Option<&Mapping>,
    (count, seed): (u64, u64),
) -> Result<Generated, Unsatisfied> {
    Trial::new(mapping, formats, back)?.run(seed, count)
}

impl Ended {
    /// Whether nothing failed.
    pub fn passed(&self) -> bool {
        self.result.as_ref().is_ok_and(|generated| generated.failure.is_none())
    }

    /// For a column of a table.
    pub fn cell(&self) -> String {
        match &self.result {
            Err(_) => "none could be made".to_owned(),
            Ok(Generated { failure: Some(failure), .. }) => format!("failed at {}", failure.index),
            Ok(generated) => {
                let rejected: u64 = generated.rejected.values().sum();
                match rejected {
                    0 => generated.mapped.to_string(),
                    some => format!("{}, {some} rejected", generated.mapped),
                }
            }
        }
    }

    /// What failed, in lines; the documents are synthetic.
    pub fn told(&self, file: &str, name: &str) -> Option<Vec<String>> {
        match &self.result {
            Err(error) => Some(vec![format!("{file}: {error}")]),
            Ok(Generated { failure: Some(failure), .. }) => Some(self.failure(file, name, failure)),
            Ok(_) => None,
        }
    }

    fn failure(&self, file: &str, name: &str, failure: &Failure) -> Vec<String> {
        let fault = &failure.fault;
        let place =
            fault.place.map_or_else(String::new, |(line, column)| format!(":{line}:{column}"));
        let path = if fault.path.is_empty() { "(root)" } else { &fault.path };
        let mut lines = vec![
            format!("{file}{place}: generated document {} of seed {}", failure.index, self.seed),
            format!("  {} {path}: {}", fault.code, fault.detail),
            format!("  input, made as small as it fails: {}", failure.input),
        ];
        if let Some(field) = &failure.message_id_from {
            lines.push(format!("  with `{field}` as the message id"));
        }
        let count = failure.index + 1;
        lines.push(format!("  again: watashi test {name} --generate {count} --seed {}", self.seed));
        lines
    }

    /// As JSON.
    pub fn page(&self) -> Value {
        let generated = match &self.result {
            Err(error) => {
                return json!({"seed": self.seed, "code": error.code.code, "path": error.path,
                              "detail": error.detail});
            }
            Ok(generated) => generated,
        };
        let failure = generated.failure.as_ref().map(|failure| {
            json!({
                "index": failure.index,
                "code": failure.fault.code,
                "path": failure.fault.path,
                "line": failure.fault.place.map(|(line, _)| line),
                "column": failure.fault.place.map(|(_, column)| column),
                "detail": failure.fault.detail,
                "input": failure.input,
                "messageIdFrom": failure.message_id_from,
            })
        });
        json!({
            "seed": self.seed,
            "documents": generated.documents,
            "mapped": generated.mapped,
            "rejected": generated.rejected,
            "failure": failure,
        })
    }
}
