//! `watashi new adapter`: one operation, its two schemas, a README with the provisional table.

use super::super::trouble::Trouble;
use super::super::{Outcome, files, print};
use super::schema::pretty;
use super::{Plan, check_name, editor_schema};
use crate::adapter::keys::ADAPTER_FILE;
use clap::Args;
use serde_json::{Value, json};
use std::path::Path;

const EXAMPLES: &str = "\
Examples:
  watashi new adapter post
  watashi new adapter post --operation place";

#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(super) struct Arguments {
    /// Its name
    #[arg(value_name = "NAME")]
    name: String,
    /// The name of its first operation
    #[arg(long, value_name = "NAME", default_value = "send")]
    operation: String,
}

pub(super) fn run(folder: &Path, arguments: &Arguments) -> Result<Outcome, Trouble> {
    let (name, operation) = (arguments.name.as_str(), arguments.operation.as_str());
    check_name(name, "an adapter")?;
    check_name(operation, "an operation")?;
    let mut plan = Plan::default();
    plan.add(format!("adapters/{name}/adapter.yaml"), definition(name, operation));
    plan.add(format!("adapters/{name}/README.md"), readme(name, operation));
    plan.add(
        format!("schemas/{name}/{operation}/1.schema.json"),
        pretty(&request(name, operation))?,
    );
    plan.add(
        format!("schemas/{name}/{operation}-answer/1.schema.json"),
        pretty(&answer(name, operation))?,
    );
    editor_schema(folder, &ADAPTER_FILE, &mut plan)?;
    plan.write(folder)?;
    print::human(&format!(
        "next: what {name} takes and answers (schemas/{name}/), what its answers mean \
         (outcomes), `watashi new mapping`, a route, `watashi lint`"
    ));
    Ok(Outcome::Fine)
}

fn definition(name: &str, operation: &str) -> String {
    let modeline = files::modeline(&ADAPTER_FILE, 2);
    format!(
        "{modeline}adapter: {name}
title: {{ja: {name}, en: {name}}}
provisional: true  # layouts to be confirmed; README.md says where each comes from
auth: {{kind: none}}  # the client certificate is enough
limits: {{concurrency: 16, timeout: 30s}}
retry: {{first: 1s, max: 5m, max-attempts: 20, max-age: 24h}}

operations:
  {operation}:
    title: {{ja: {operation}, en: {operation}}}
    interaction: request-reply
    # What to do when the answer was lost. `resend` only where the same request again does no
    # harm there; `ask` where one can ask; else a person decides.
    unknown: person
    request: {{method: POST, path: /{operation}, format: json, schema: {name}/{operation}@1}}
    response: {{format: json, schema: {name}/{operation}-answer@1}}
    outcomes:
      - {{status: [200, 201], when: present(id), then: applied, reference: id}}
      - {{status: [400, 422], when: present(code), then: refused, detail: code}}
      - {{status: [429, 503], then: retry, undecoded: true}}

# A route leads messages there. `on` names message types that the mapping's source schema declares.
# routes:
#   my-mapping:
#     on: [order.placed]
#     operation: {operation}
#     mapping: my-mapping
#     ordering-key: person.atenaNumber
#     subject: person.atenaNumber
#     municipality: municipalityCode
#     record: {{kind: 送付}}
#     basis: {{law: 番号法第9条第1項 別表, affair: 事務の名称}}
"
    )
}

fn readme(name: &str, operation: &str) -> String {
    format!(
        "# {name}

What the counterpart is, who runs it, and which interface this is.

## What is known, and from where

| item | value here | source (document, page, version) | confirmed |
|---|---|---|---|
| address and path | `/{operation}` | | no |
| authentication | client certificate | | no |
| layout of the request | `{name}/{operation}@1` | | no |
| layout of the answer | `{name}/{operation}-answer@1` | | no |
| what each answer means | `outcomes` of `{operation}` | | no |
| the same request twice | `unknown: person` | | no |
| limits (size, rate, hours) | 16 at once, 30 s | | no |

`provisional: true` stays until every line is confirmed.
"
    )
}

fn request(name: &str, operation: &str) -> Value {
    json!({
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": format!("{name} {operation}"),
        "$comment": "draft: declare what the counterpart takes; `watashi new schema` drafts from samples",
        "type": "object",
        "properties": {
            "id": {"type": "string", "title": "ID", "minLength": 1, "maxLength": 40},
        },
        "required": ["id"],
        "additionalProperties": false,
    })
}

fn answer(name: &str, operation: &str) -> Value {
    json!({
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": format!("{name} {operation}: answer"),
        "$comment": "draft: every answer that counts must be valid under this, the good one and the error",
        "oneOf": [
            {
                "title": "good",
                "type": "object",
                "properties": {"id": {"type": "string", "minLength": 1, "maxLength": 100}},
                "required": ["id"],
                "additionalProperties": false,
            },
            {
                "title": "error",
                "type": "object",
                "properties": {
                    "code": {"type": "string", "minLength": 1, "maxLength": 40},
                    "message": {"type": "string", "maxLength": 1000},
                },
                "required": ["code"],
                "additionalProperties": false,
            },
        ],
    })
}
