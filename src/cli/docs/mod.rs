//! `watashi docs`: mappings as tables (項目対応表), for those who check them on paper.

pub(super) mod csv;
mod html;

use super::trouble::{CONFIGURATION, Trouble};
use super::{Global, Outcome, files, format, print};
use crate::config::definitions;
use crate::diagnostic::nearest::nearest;
use crate::diagnostic::{Severity, SourceFile, render};
use crate::mapping::describe::{Description, Need, Row};
use crate::mapping::words::Language;
use crate::mapping::{Mapping, Tables};
use crate::schema::{Class, Schemas};
use clap::{Args, ValueEnum};
use serde_json::{Value, json};
use std::path::{Path, PathBuf};
use std::sync::Arc;

const EXAMPLES: &str = "\
One row per target item: path, title, type, length, whether it is required, the source items, the
rule and what it says, data class, legal item code.

Examples:
  watashi docs mapping my-mapping                        a table for the terminal
  watashi docs mapping my-mapping --html > table.html    one file, for browser and printer
  watashi docs mapping my-mapping --csv --lang ja > table.csv
  watashi docs --out tables                              every mapping, HTML and CSV, both languages";

#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(super) struct Arguments {
    /// The word `mapping`; every mapping without it
    #[arg(value_enum, requires = "name")]
    what: Option<What>,
    /// Name of a mapping
    #[arg(value_name = "NAME")]
    name: Option<String>,
    /// As one HTML file
    #[arg(long, conflicts_with = "csv")]
    html: bool,
    /// As CSV that a spreadsheet opens: UTF-8 with a mark, CRLF
    #[arg(long)]
    csv: bool,
    /// Language of heads and rules
    #[arg(long, value_enum)]
    lang: Option<Lang>,
    /// Write into this folder instead of standard output
    #[arg(long, value_name = "DIR", required_unless_present = "what")]
    out: Option<PathBuf>,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum What {
    /// One mapping
    Mapping,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum Lang {
    Ja,
    En,
}

pub(super) fn run(global: &Global, arguments: &Arguments) -> Result<Outcome, Trouble> {
    let (mappings, tables) = load(global)?;
    let wanted = chosen(&mappings, arguments.name.as_deref())?;
    match &arguments.out {
        Some(folder) => write(folder, arguments, &wanted, &tables)?,
        None => {
            for mapping in wanted {
                show(global, arguments, &mapping.describe(&tables, language(arguments)))?;
            }
        }
    }
    Ok(Outcome::Fine)
}

fn language(arguments: &Arguments) -> Language {
    match arguments.lang {
        Some(Lang::En) => Language::En,
        Some(Lang::Ja) | None => Language::Ja,
    }
}

/// Every mapping that compiles, and the shared code tables. What has problems is named.
fn load(global: &Global) -> Result<(Vec<Mapping>, Tables), Trouble> {
    let folder = format::definitions_folder(global);
    let mut found = Vec::new();
    let files = definitions::read(&folder, &mut found);
    let of = |start: &str, end: &str| -> Vec<Arc<SourceFile>> {
        let wanted =
            |file: &&Arc<SourceFile>| file.path.starts_with(start) && file.path.ends_with(end);
        files.iter().filter(wanted).cloned().collect()
    };
    let schemas = Schemas::load(&of("schemas/", ".schema.json"), &mut found);
    let tables = Tables::load(&of("mappings/tables/", ".yaml"), &mut found);
    let mut mappings = Vec::new();
    for file in of("mappings/", "/mapping.yaml") {
        mappings.extend(Mapping::compile(&file, &schemas, &tables, &mut found));
    }
    if found.iter().any(|problem| problem.severity == Severity::Error) {
        print::human(render::text(&found).trim_end());
        let shown = folder.display();
        let message = format!("the definitions in `{shown}` must be mended first");
        return Err(Trouble::new(CONFIGURATION, message));
    }
    Ok((mappings, tables))
}

fn chosen<'m>(mappings: &'m [Mapping], name: Option<&str>) -> Result<Vec<&'m Mapping>, Trouble> {
    let Some(name) = name else { return Ok(mappings.iter().collect()) };
    match mappings.iter().find(|mapping| mapping.name == name) {
        Some(mapping) => Ok(vec![mapping]),
        None => {
            let trouble = Trouble::usage(format!("there is no mapping `{name}`"));
            Err(match nearest(name, mappings.iter().map(|mapping| mapping.name.as_str())) {
                Some(near) => trouble.hint(format!("did you mean `{near}`?")),
                None => trouble.hint("`watashi list mappings` shows them"),
            })
        }
    }
}

fn show(global: &Global, arguments: &Arguments, page: &Description) -> Result<(), Trouble> {
    let language = language(arguments);
    if global.json {
        return print::json(&as_json(page));
    }
    if arguments.html {
        return print::data(&html::page(page, language));
    }
    if arguments.csv {
        return print::data(&csv::table(page, language));
    }
    let rows: Vec<Vec<String>> = page
        .rows
        .iter()
        .map(|row| {
            vec![
                row.path.clone(),
                row.title.clone().unwrap_or_default(),
                types(row, language),
                row.length.clone().unwrap_or_default(),
                need(row.need, language).to_owned(),
                words(row, language),
                class(row.class).to_owned(),
                row.item.clone().unwrap_or_default(),
            ]
        })
        .collect();
    let head = [
        language.pick("項目", "item"),
        language.pick("名称", "title"),
        language.pick("型", "type"),
        language.pick("桁数", "length"),
        language.pick("必須", "required"),
        language.pick("編集内容", "rule"),
        language.pick("区分", "class"),
        language.pick("法定項目", "legal item"),
    ];
    print::data(&print::table(&head, &rows))
}

/// Files for every mapping, language and format that was not left out.
fn write(
    folder: &Path,
    arguments: &Arguments,
    mappings: &[&Mapping],
    tables: &Tables,
) -> Result<(), Trouble> {
    let languages: &[Language] = match arguments.lang {
        None => &[Language::Ja, Language::En],
        Some(Lang::Ja) => &[Language::Ja],
        Some(Lang::En) => &[Language::En],
    };
    let both = !arguments.html && !arguments.csv;
    let mut written = 0;
    for language in languages.iter().copied() {
        let mut pages = Vec::new();
        for mapping in mappings {
            let page = mapping.describe(tables, language);
            let path = |end: &str| folder.join(format!("{}.{}.{end}", page.name, language.tag()));
            if both || arguments.html {
                files::write(&path("html"), &html::page(&page, language))?;
                written += 1;
            }
            if both || arguments.csv {
                files::write(&path("csv"), &csv::table(&page, language))?;
                written += 1;
            }
            pages.push(page);
        }
        if both || arguments.html {
            let index = folder.join(format!("index.{}.html", language.tag()));
            files::write(&index, &html::index(&pages, language))?;
            written += 1;
        }
    }
    let count = print::plural(mappings.len(), "mapping");
    print::human(&format!("wrote {written} files about {count} to {}", folder.display()));
    Ok(())
}

fn as_json(page: &Description) -> Value {
    let row = |row: &Row| {
        let rule = row.rule.as_ref().map(|rule| {
            let sources: Vec<Value> = rule
                .sources
                .iter()
                .map(|source| json!({"path": source.path, "title": source.title, "class": source.class.name()}))
                .collect();
            json!({
                "line": rule.line,
                "expression": rule.text,
                "words": rule.words,
                "conditions": rule.conditions,
                "sources": sources,
            })
        });
        json!({
            "path": row.path,
            "title": row.title,
            "types": row.types,
            "length": row.length,
            "values": row.values,
            "required": match row.need {
                Need::Always => "always",
                Need::Sometimes => "sometimes",
                Need::Never => "never",
            },
            "class": row.class.name(),
            "item": row.item,
            "rule": rule,
        })
    };
    json!({
        "mapping": page.name,
        "from": page.from.0,
        "to": page.to.0,
        "items": page.rows.iter().map(row).collect::<Vec<Value>>(),
    })
}

/// Types in the words of a language, with the values where they are listed.
fn types(row: &Row, language: Language) -> String {
    let word = |name: &str| match name {
        "string" => language.pick("文字", "text"),
        "date" => language.pick("日付", "date"),
        "date-time" => language.pick("日時", "time"),
        "integer" => language.pick("整数", "whole number"),
        "number" => language.pick("数値", "number"),
        "boolean" => language.pick("真偽", "true/false"),
        "object" => language.pick("グループ", "group"),
        "array" => language.pick("繰返し", "list"),
        "null" => language.pick("null可", "or null"),
        "nil" => language.pick("nil可", "or nil"),
        _ => "",
    };
    let mut text: Vec<&str> = row.types.split(", ").map(word).collect();
    text.retain(|word| !word.is_empty());
    let between = language.pick("・", ", ");
    if row.values.is_empty() {
        return text.join(between);
    }
    format!("{}: {}", text.join(between), row.values.join(" / "))
}

fn need(need: Need, language: Language) -> &'static str {
    match need {
        Need::Always => language.pick("○", "yes"),
        Need::Sometimes => language.pick("△", "sometimes"),
        Need::Never => "",
    }
}

fn class(class: Class) -> &'static str {
    if class == Class::Plain { "" } else { class.name() }
}

/// What a rule says, its conditions first.
fn words(row: &Row, language: Language) -> String {
    let Some(rule) = &row.rule else {
        // A group is set by what is in it.
        let group = row.types.contains("object") || row.types.contains("array");
        return if group {
            String::new()
        } else {
            language.pick("設定しない", "not set").to_owned()
        };
    };
    let conditions = rule.conditions.join(language.pick(" かつ ", " and "));
    match (conditions.is_empty(), rule.words.is_empty(), language) {
        (true, _, _) => rule.words.clone(),
        (false, true, Language::Ja) => format!("{conditions}場合だけ"),
        (false, true, Language::En) => format!("only if {conditions}"),
        (false, false, Language::Ja) => format!("{conditions}場合: {}", rule.words),
        (false, false, Language::En) => format!("if {conditions}: {}", rule.words),
    }
}
