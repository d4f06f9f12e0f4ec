//! The table as CSV that a spreadsheet opens: UTF-8 with a mark, CRLF, every cell in quotes.

use super::{class, need, types, words};
use crate::mapping::describe::Description;
use crate::mapping::words::Language;

/// The heads, in the order of the columns.
pub(super) fn heads(language: Language) -> [&'static str; 13] {
    match language {
        Language::Ja => [
            "番号",
            "送付先項目",
            "名称",
            "型",
            "桁数",
            "必須",
            "元項目",
            "元項目の名称",
            "編集内容",
            "式",
            "行",
            "データ区分",
            "法定項目コード",
        ],
        Language::En => [
            "no.",
            "target item",
            "title",
            "type",
            "length",
            "required",
            "source item",
            "source title",
            "rule in words",
            "expression",
            "line",
            "data class",
            "legal item code",
        ],
    }
}

pub(super) fn table(page: &Description, language: Language) -> String {
    let mut text = String::from("\u{feff}");
    line(&mut text, heads(language).iter().map(|head| (*head).to_owned()));
    for (index, row) in page.rows.iter().enumerate() {
        let rule = row.rule.as_ref();
        let sources = rule.map(|rule| rule.sources.as_slice()).unwrap_or_default();
        let list = |each: &dyn Fn(&crate::mapping::describe::SourceItem) -> String| {
            sources.iter().map(each).collect::<Vec<_>>().join("\n")
        };
        let cells = [
            (index + 1).to_string(),
            row.path.clone(),
            row.title.clone().unwrap_or_default(),
            types(row, language),
            row.length.clone().unwrap_or_default(),
            need(row.need, language).to_owned(),
            list(&|source| source.path.clone()),
            list(&|source| source.title.clone().unwrap_or_default()),
            words(row, language),
            rule.map(|rule| rule.text.clone()).unwrap_or_default(),
            rule.map(|rule| rule.line.to_string()).unwrap_or_default(),
            class(row.class).to_owned(),
            row.item.clone().unwrap_or_default(),
        ];
        line(&mut text, cells.into_iter());
    }
    text
}

pub(in crate::cli) fn line(into: &mut String, cells: impl Iterator<Item = String>) {
    let quoted: Vec<String> = cells.map(|cell| quoted(&cell)).collect();
    into.push_str(&quoted.join(","));
    into.push_str("\r\n");
}

/// A cell in quotes. A spreadsheet takes what begins with `=`, `+`, `-` or `@` for a formula; a
/// quote in front keeps it text.
fn quoted(cell: &str) -> String {
    let formula = cell.starts_with(['=', '+', '-', '@', '\t']);
    let mark = if formula { "'" } else { "" };
    format!("\"{mark}{}\"", cell.replace('"', "\"\""))
}

#[cfg(test)]
mod tests {
    use super::quoted;

    #[test]
    fn no_cell_is_a_formula() {
        assert_eq!(quoted("=1+1"), "\"'=1+1\"");
        assert_eq!(quoted("a \"b\""), "\"a \"\"b\"\"\"");
    }
}
