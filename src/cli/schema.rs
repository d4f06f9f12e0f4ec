//! `watashi schema`: JSON Schemas of the files people write, from the tables the readers use.

use super::files::{self, KINDS};
use super::trouble::Trouble;
use super::{Global, Outcome, print};
use crate::diagnostic::nearest::nearest;
use clap::Args;
use serde_json::json;
use std::path::PathBuf;

const EXAMPLES: &str = "\
An editor with a YAML language server completes and checks a file that begins with
  # yaml-language-server: $schema=../../docs/reference/schema/mapping.schema.json
and a TOML editor one that begins with
  #:schema docs/reference/schema/watashi.schema.json

Examples:
  watashi schema                                   list them
  watashi schema mapping                           print one
  watashi schema --out docs/reference/schema       write all of them";

#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(super) struct Arguments {
    /// Which kind of file
    #[arg(value_name = "NAME")]
    name: Option<String>,
    /// Write all of them into this folder
    #[arg(long, value_name = "DIR", conflicts_with = "name")]
    out: Option<PathBuf>,
}

pub(super) fn run(global: &Global, arguments: &Arguments) -> Result<Outcome, Trouble> {
    if let Some(folder) = &arguments.out {
        for file in KINDS {
            let path = folder.join(format!("{}.schema.json", file.name));
            files::write(&path, &files::schema_text(file)?)?;
            print::human(&format!("wrote {}", path.display()));
        }
        return Ok(Outcome::Fine);
    }
    match &arguments.name {
        Some(name) => {
            let Some(file) = KINDS.iter().find(|file| file.name == *name) else {
                let trouble = Trouble::usage(format!("there is no kind of file `{name}`"));
                return Err(match nearest(name, KINDS.iter().map(|file| file.name)) {
                    Some(near) => trouble.hint(format!("did you mean `{near}`?")),
                    None => trouble.hint("`watashi schema` lists them"),
                });
            };
            print::data(&files::schema_text(file)?)?;
        }
        None if global.json => {
            let one = |file: &&crate::diagnostic::keys::File| json!({"name": file.name, "title": file.title});
            print::json(&KINDS.iter().map(one).collect::<Vec<_>>())?;
        }
        None => {
            let rows: Vec<Vec<String>> = KINDS
                .iter()
                .map(|file| vec![file.name.to_owned(), file.title.to_owned()])
                .collect();
            print::data(&print::table(&["name", "what"], &rows))?;
        }
    }
    Ok(Outcome::Fine)
}
