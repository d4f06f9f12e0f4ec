//! `watashi new`: files ready to be edited. Nothing that is there is written over.

mod adapter;
mod by_name;
mod draft;
mod mapping;
mod personal;
mod sample;
mod schema;

use super::files;
use super::trouble::Trouble;
use super::{Global, Outcome, format, print};
use clap::{Args, Subcommand};
use std::path::{Path, PathBuf};

const EXAMPLES: &str = "\
Examples:
  watashi new schema shop/order --sample order.json --sample other.json
  watashi new schema town/payment --sample payments.txt --columns columns.csv
  watashi new mapping order-to-parcel --from shop/order@1 --to post/parcel@1
  watashi new adapter post";

#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(super) struct Arguments {
    #[command(subcommand)]
    what: What,
}

#[derive(Debug, Subcommand)]
enum What {
    /// A schema, drafted from samples; no value of a sample is copied
    Schema(schema::Arguments),
    /// A first mapping, by the names of source and target
    Mapping(mapping::Arguments),
    /// An adapter with one operation, its schemas and its README
    Adapter(adapter::Arguments),
}

pub(super) fn run(global: &Global, arguments: &Arguments) -> Result<Outcome, Trouble> {
    let folder = format::definitions_folder(global);
    match &arguments.what {
        What::Schema(arguments) => schema::run(&folder, arguments),
        What::Mapping(arguments) => mapping::run(&folder, arguments),
        What::Adapter(arguments) => adapter::run(&folder, arguments),
    }
}

/// Files to be written together: none of them if one is there already.
#[derive(Default)]
struct Plan {
    files: Vec<(PathBuf, String)>,
}

impl Plan {
    fn add(&mut self, path: impl Into<PathBuf>, text: String) {
        self.files.push((path.into(), text));
    }

    fn write(self, folder: &Path) -> Result<(), Trouble> {
        for (path, _) in &self.files {
            let path = folder.join(path);
            if path.exists() {
                let message = format!("`{}` is there already", shown(&path));
                return Err(Trouble::usage(message).hint("choose another name, or edit that file"));
            }
        }
        for (path, text) in self.files {
            let path = folder.join(path);
            files::write_new(&path, &text)?;
            print::data(&format!("wrote {}\n", shown(&path)))?;
        }
        Ok(())
    }
}

fn shown(path: &Path) -> String {
    path.strip_prefix(".").unwrap_or(path).display().to_string()
}

/// The JSON Schema that a new YAML file names at its top, if it is not there yet.
fn editor_schema(
    folder: &Path,
    file: &'static crate::diagnostic::keys::File,
    plan: &mut Plan,
) -> Result<(), Trouble> {
    let path = Path::new(files::SCHEMA_FOLDER).join(format!("{}.schema.json", file.name));
    if !folder.join(&path).exists() {
        plan.add(path, files::schema_text(file)?);
    }
    Ok(())
}

/// A name of a folder: a-z, 0-9 and hyphens.
fn check_name(name: &str, what: &str) -> Result<(), Trouble> {
    let plain = !name.is_empty()
        && name.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-');
    if plain {
        return Ok(());
    }
    let message = format!("`{name}` cannot be the name of {what}");
    Err(Trouble::usage(message).hint("a-z, 0-9 and hyphens"))
}
