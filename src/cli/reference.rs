//! `watashi reference`: reference pages generated from the code, as Markdown.

use super::trouble::Trouble;
use super::{Outcome, print};
use crate::mapping::functions;
use crate::model::codes;
use crate::telemetry::names::{LOG_FIELDS, METRICS};
use clap::{Args, ValueEnum};
use std::fmt::Write;

#[derive(Debug, Args)]
pub(super) struct Arguments {
    /// Which page
    #[arg(value_enum)]
    page: Page,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum Page {
    /// Every code with its page
    Codes,
    /// Every metric and log field
    Metrics,
    /// Every function of the mapping language
    Functions,
}

pub(super) fn run(arguments: &Arguments) -> Result<Outcome, Trouble> {
    let page = match arguments.page {
        Page::Codes => all_codes(),
        Page::Metrics => all_metrics(),
        Page::Functions => all_functions(),
    };
    print::data(&page)?;
    Ok(Outcome::Fine)
}

const NOTE: &str = "Generated from the code by `make generate`; do not edit.\n";

// Writing to a string cannot fail: the results are dropped on purpose.

fn all_codes() -> String {
    let mut page = format!("# Codes\n\n{NOTE}\n`watashi explain CODE` shows the same offline.\n");
    for code in codes::all() {
        let (fault, meaning, remedy) = (code.fault.name(), code.meaning, code.remedy);
        let _written = write!(
            page,
            "\n## {} {}\n\n{meaning}\n\nWho acts: {fault}. {remedy}\n",
            code.code, code.title
        );
    }
    page
}

fn all_metrics() -> String {
    let mut page = format!("# Metrics and log fields\n\n{NOTE}\n## Metrics\n\n");
    page.push_str("| metric | kind | labels | meaning |\n| --- | --- | --- | --- |\n");
    for metric in METRICS {
        let labels = metric.labels.join(", ");
        let _written =
            writeln!(page, "| `{}` | {} | {labels} | {} |", metric.name, metric.kind, metric.help);
    }
    page.push_str("\n## Log fields\n\n| field | meaning |\n| --- | --- |\n");
    for (field, meaning) in LOG_FIELDS {
        let _written = writeln!(page, "| `{field}` | {meaning} |");
    }
    page
}

const EXAMPLES: &str = "
Every example is run by the tests. Where one names a table, `sex` is `{male: \"1\", female: \"2\", unknown: \"0\"}`; `fee` gives for `a` \
`500` until 2024-03-31 and `600` from then on; `old-forms` gives 高 for 髙, 崎 for 﨑, （株） for ㈱, 邊 for 邉 with U+E0101. `doses` are two \
elements: 2026-05-01, lot `ab１`, done; 2026-06-01, planned.
";

fn all_functions() -> String {
    let mut page = format!("# Functions of the mapping language\n\n{NOTE}{EXAMPLES}");
    for function in functions::all() {
        let _written = write!(page, "\n## `{}`\n\n{}\n\n", function.signature(), function.doc);
        for (expression, result) in function.examples {
            let _written = writeln!(page, "- `{expression}` gives `{result}`");
        }
    }
    page
}
