//! `watashi new schema`: a draft from samples.

use super::super::trouble::{Trouble, USAGE};
use super::super::{Outcome, print};
use super::draft::{Flag, Options, Seen};
use super::sample::{self, Column, Format};
use super::{Plan, check_name, shown};
use clap::Args;
use serde_json::{Map, Value, json};
use std::path::{Path, PathBuf};

const EXAMPLES: &str = "\
Every property gets a `$comment` that begins with `draft` where something was inferred: read them
all, then remove them. Values of the samples are not copied, since they could be somebody's; with
--enum and several samples, few repeated values of fields that do not look personal are.

The columns of a fixed-width file stand in a file of lines `name,width[,title]`.

Examples:
  watashi new schema shop/order --sample order.json --sample other.json
  watashi new schema shop/order@2 --sample order.xml
  watashi new schema town/payment --sample payments.txt --columns columns.csv";

#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(super) struct Arguments {
    /// folder/name, or folder/name@version
    #[arg(value_name = "NAME")]
    name: String,
    /// A sample document; several make a better draft
    #[arg(long = "sample", value_name = "FILE")]
    samples: Vec<PathBuf>,
    /// How the samples are laid out [default: by their names and beginnings]
    #[arg(long, value_enum)]
    format: Option<Format>,
    /// The columns of a fixed-width file
    #[arg(long, value_name = "FILE")]
    columns: Option<PathBuf>,
    /// Write few repeated values of several samples as `enum`
    #[arg(long = "enum")]
    enums: bool,
}

pub(super) fn run(folder: &Path, arguments: &Arguments) -> Result<Outcome, Trouble> {
    let (id_folder, name, version) = id(&arguments.name)?;
    let columns = match &arguments.columns {
        Some(path) => sample::columns(path)?,
        None => Vec::new(),
    };
    if arguments.format == Some(Format::Fixed) && columns.is_empty() {
        return Err(Trouble::usage("a fixed-width sample needs its columns")
            .hint("name a file of lines `name,width[,title]` with --columns"));
    }
    let (schema, flags) = draft(arguments, &columns, &format!("{id_folder}/{name}"))?;
    let text = pretty(&schema)?;
    let path = format!("schemas/{id_folder}/{name}/{version}.schema.json");
    let mut plan = Plan::default();
    plan.add(&path, text);
    plan.write(folder)?;
    for flag in &flags {
        print::human(&format!("{}: {} {}", flag.path, flag.class.name(), flag.why));
    }
    let drafts = count(&schema);
    print::human(&format!(
        "next: decide on {} in {}, add examples beside it, `watashi lint`",
        print::plural(drafts, "remark"),
        shown(&folder.join(path)),
    ));
    Ok(Outcome::Fine)
}

fn id(name: &str) -> Result<(&str, &str, u32), Trouble> {
    let (path, version) = name.split_once('@').unwrap_or((name, "1"));
    let version = version.parse().ok().filter(|version| *version > 0);
    match (path.split_once('/'), version) {
        (Some((folder, name)), Some(version)) => {
            check_name(folder, "a folder of schemas")?;
            check_name(name, "a schema")?;
            Ok((folder, name, version))
        }
        _ => Err(Trouble::usage(format!("`{name}` is not folder/name or folder/name@version"))),
    }
}

fn draft(
    arguments: &Arguments,
    columns: &[Column],
    name: &str,
) -> Result<(Value, Vec<Flag>), Trouble> {
    let mut seen = Seen::default();
    let mut layout = None;
    let mut text_only = false;
    let mut records = arguments.samples.len();
    for path in &arguments.samples {
        let bytes = sample::read(path)?;
        let format = arguments
            .format
            .unwrap_or_else(|| sample::format_of(path, &bytes, !columns.is_empty()));
        let unreadable = |detail: String| {
            Trouble::new(USAGE, format!("`{}` is not readable: {detail}", path.display()))
        };
        let (document, found) = match format {
            Format::Json => (sample::json(&bytes).map_err(unreadable)?, None),
            Format::Xml => {
                let (document, layout) = sample::xml(&bytes).map_err(unreadable)?;
                (document, Some(("x-xml", layout)))
            }
            Format::Csv => {
                let (document, layout) = sample::csv(&bytes).map_err(unreadable)?;
                (document, Some(("x-csv", layout)))
            }
            Format::Fixed => {
                let (document, layout) = sample::fixed(&bytes, columns).map_err(unreadable)?;
                (document, Some(("x-fixed", layout)))
            }
        };
        text_only |= found.is_some();
        layout = layout.or(found);
        let table = matches!(format, Format::Csv | Format::Fixed);
        if table {
            // Each row is a sample of its own.
            records = records.max(document.as_array().map_or(0, Vec::len));
        }
        take_in(&mut seen, document, table, columns);
    }
    let options = Options { samples: records, enums: arguments.enums, text_only };
    let mut flags = Vec::new();
    let root = if arguments.samples.is_empty() {
        json!({"type": "object", "properties": {}, "additionalProperties": false})
    } else {
        seen.schema("", &options, &mut flags)
    };
    Ok((whole(root, name, arguments.samples.len(), layout, columns), flags))
}

fn take_in(seen: &mut Seen, mut document: Value, table: bool, columns: &[Column]) {
    if table && let Some(rows) = document.as_array_mut() {
        // The header of a CSV file comes as a row with an empty name.
        let header = rows.first().and_then(|row| row.get("")).and_then(Value::as_array).cloned();
        if header.is_some() {
            rows.remove(0);
        }
        let names = header.into_iter().flatten();
        let names = names.filter_map(|name| name.as_str().map(str::to_owned));
        let names = names.chain(columns.iter().map(|column| column.name.clone()));
        for name in names {
            seen.elements().member(&name);
        }
    }
    seen.add(&document);
}

/// The root with what a file needs besides.
fn whole(
    root: Value,
    name: &str,
    samples: usize,
    layout: Option<(&'static str, Value)>,
    columns: &[Column],
) -> Value {
    let mut schema = Map::new();
    schema.insert("$schema".into(), json!("https://json-schema.org/draft/2020-12/schema"));
    schema.insert("title".into(), json!(name));
    let remark = match samples {
        0 => "draft: declare the members".to_owned(),
        count => format!(
            "draft: inferred from {}; every remark that begins with `draft` wants a decision",
            print::plural(count, "sample")
        ),
    };
    schema.insert("$comment".into(), json!(remark));
    if let Some((keyword, layout)) = layout {
        schema.insert(keyword.into(), layout);
    }
    if let Value::Object(members) = root {
        for (key, value) in members {
            schema.entry(key).or_insert(value);
        }
    }
    for column in columns {
        let place = schema.get_mut("items").and_then(|items| items.get_mut("properties"));
        let property =
            place.and_then(|all| all.get_mut(&column.name)).and_then(Value::as_object_mut);
        let Some(property) = property else { continue };
        if let Some(title) = &column.title {
            property.insert("title".into(), json!(title));
        }
        if property.contains_key("maxLength") {
            property.insert("maxLength".into(), json!(column.width));
        }
        property
            .insert("x-fixed".into(), json!({"width": column.width, "align": "left", "pad": " "}));
    }
    Value::Object(schema)
}

/// How many remarks of a draft there are.
fn count(schema: &Value) -> usize {
    match schema {
        Value::Object(members) => {
            let own = members.get("$comment").and_then(Value::as_str);
            let own = usize::from(own.is_some_and(|text| text.starts_with("draft")));
            own + members.values().map(count).sum::<usize>()
        }
        Value::Array(list) => list.iter().map(count).sum(),
        _ => 0,
    }
}

pub(super) fn pretty(schema: &Value) -> Result<String, Trouble> {
    let text = serde_json::to_string_pretty(schema)
        .map_err(|error| Trouble::new(USAGE, format!("not expressible as JSON: {error}")))?;
    Ok(format!("{text}\n"))
}
