//! The table as one HTML file: nothing is loaded, it prints on A4 and reads well aloud.

use super::{class, need, types, words};
use crate::mapping::describe::{Description, Need, Row};
use crate::mapping::words::Language;
use crate::schema::Class;
use std::fmt::Write;

const STYLE: &str = "\
:root{--ink:#1c2430;--dim:#5b6675;--line:#d5dbe3;--soft:#f4f6f9;--accent:#1f5fa8}\
*{box-sizing:border-box}\
body{margin:0 auto;padding:2rem;max-width:105rem;color:var(--ink);background:#fff;\
font:15px/1.6 'BIZ UDPGothic','Noto Sans CJK JP','Noto Sans JP','Hiragino Sans','Yu Gothic UI',Meiryo,sans-serif}\
h1{font-size:1.5rem;margin:0}h2{font-size:1.1rem;margin:2rem 0 .5rem}\
p{margin:.4rem 0}.dim{color:var(--dim)}\
dl{display:grid;grid-template-columns:max-content 1fr;gap:.1rem 1rem;margin:1rem 0}\
dt{color:var(--dim)}dd{margin:0}\
.scroll{overflow-x:auto}\
table{border-collapse:collapse;width:100%;font-size:.87rem}\
caption{text-align:left;color:var(--dim);padding:.3rem 0}\
th,td{border-bottom:1px solid var(--line);padding:.4rem .6rem;text-align:left;vertical-align:top}\
thead th{background:var(--soft);border-bottom:2px solid var(--ink);white-space:nowrap;position:sticky;top:0}\
tbody th{font-weight:600}tbody tr:hover{background:#fafbfd}\
td.num,th.num{text-align:right;color:var(--dim)}td.mid{text-align:center}td.len{white-space:nowrap}\
code{font:.92em/1.5 'BIZ UDGothic',ui-monospace,'Cascadia Mono',Consolas,'Noto Sans Mono CJK JP',monospace;overflow-wrap:anywhere}\
tr.group{background:var(--soft)}tr.unset td,tr.unset th{color:var(--dim)}\
.tag{display:inline-block;border:1px solid currentColor;border-radius:.25rem;padding:0 .35rem;font-size:.85em;white-space:nowrap}\
.c1{color:#5b6675}.c2{color:#8a5a00}.c3{color:#8a3a00}.c4{color:#a3123a;font-weight:600}\
.cond{color:var(--accent)}ul{margin:0;padding:0;list-style:none}li+li{margin-top:.2rem}\
.tables{display:flex;flex-wrap:wrap;gap:1rem 2rem}.tables table{width:auto}\
@media print{@page{size:A4 landscape;margin:10mm}body{padding:0;font-size:9pt;max-width:none}\
.scroll{overflow:visible}thead th{position:static}tr{break-inside:avoid}thead{display:table-header-group}}";

// Writing to a string cannot fail: the results are dropped on purpose.

/// The page of one mapping.
pub(super) fn page(page: &Description, language: Language) -> String {
    let title = format!("{}: {}", language.pick("項目対応表", "Item table"), page.name);
    let mut out = head(&title, language);
    let _written = writeln!(out, "<main>\n<h1>{}</h1>", escape(&title));
    if let Some(title) = &page.title {
        let _written = writeln!(out, "<p>{}</p>", escape(title));
    }
    let side = |(id, title): &(String, String)| {
        format!("{} <code class=\"dim\">{}</code>", escape(title), escape(id))
    };
    let set = page.rows.iter().filter(|row| row.rule.is_some()).count();
    let _written = writeln!(
        out,
        "<dl><dt>{}</dt><dd>{}</dd><dt>{}</dt><dd>{}</dd><dt>{}</dt><dd>{}</dd></dl>",
        language.pick("元", "from"),
        side(&page.from),
        language.pick("送付先", "to"),
        side(&page.to),
        language.pick("項目", "items"),
        match language {
            Language::Ja => format!("{} 項目、うち編集あり {set}", page.rows.len()),
            Language::En => format!("{}, of which {set} have a rule", page.rows.len()),
        }
    );
    items(&mut out, page, language);
    names(&mut out, page, language);
    tables(&mut out, page, language);
    out.push_str("</main>\n</body>\n</html>\n");
    out
}

fn head(title: &str, language: Language) -> String {
    format!(
        "<!doctype html>\n<html lang=\"{}\">\n<head>\n<meta charset=\"utf-8\">\n\
         <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n\
         <title>{}</title>\n<style>{STYLE}</style>\n</head>\n<body>\n",
        language.tag(),
        escape(title)
    )
}

fn items(out: &mut String, page: &Description, language: Language) {
    let heads = [
        ("num", "番号", "No."),
        ("", "送付先項目", "Target item"),
        ("", "型", "Type"),
        ("", "桁数", "Length"),
        ("", "必須", "Required"),
        ("", "元項目", "Source items"),
        ("", "編集内容", "Rule"),
        ("", "データ区分", "Data class"),
        ("", "法定項目", "Legal item"),
    ];
    let caption = language.pick(
        "必須: ○ 常に必要、△ 形式により必要。桁数は文字数。",
        "Required: yes always, sometimes in some forms. Lengths count characters.",
    );
    let _written =
        writeln!(out, "<div class=\"scroll\"><table>\n<caption>{caption}</caption>\n<thead><tr>");
    for (kind, ja, en) in heads {
        let text = language.pick(ja, en);
        let _written = writeln!(out, "<th scope=\"col\" class=\"{kind}\">{text}</th>");
    }
    out.push_str("</tr></thead>\n<tbody>\n");
    for (index, row) in page.rows.iter().enumerate() {
        item(out, index + 1, row, language);
    }
    out.push_str("</tbody>\n</table></div>\n");
}

fn item(out: &mut String, number: usize, row: &Row, language: Language) {
    let group = row.types.contains("object") || row.types.contains("array");
    let kind = match (&row.rule, group) {
        (_, true) => " class=\"group\"",
        (None, false) => " class=\"unset\"",
        _ => "",
    };
    let depth = row.path.matches('.').count();
    let mut sources = String::new();
    for source in row.rule.iter().flat_map(|rule| &rule.sources) {
        let title = source.title.as_deref().map(|title| format!("{}<br>", escape(title)));
        let _written = write!(
            sources,
            "<li>{}<code class=\"dim\">{}</code></li>",
            title.unwrap_or_default(),
            escape(&source.path)
        );
    }
    let sources = if sources.is_empty() { sources } else { format!("<ul>{sources}</ul>") };
    let _written = writeln!(
        out,
        "<tr{kind}><td class=\"num\">{number}</td>\
         <th scope=\"row\" style=\"padding-left:{}rem\">{}<br><code class=\"dim\">{}</code></th>\
         <td>{}</td><td class=\"len\">{}</td><td class=\"mid\">{}</td><td>{sources}</td><td>{}</td>\
         <td>{}</td><td>{}</td></tr>",
        0.6 + depth as f32 * 1.1,
        escape(row.title.as_deref().unwrap_or("—")),
        escape(&row.path),
        escape(&types(row, language)),
        escape(row.length.as_deref().unwrap_or_default()),
        required(row.need, language),
        rule(row, language),
        tag(row.class),
        escape(row.item.as_deref().unwrap_or_default()),
    );
}

/// Marks are read aloud as words.
fn required(of: Need, language: Language) -> String {
    let mark = need(of, language);
    match (of, language) {
        (Need::Never, _) | (_, Language::En) => mark.to_owned(),
        (Need::Always, Language::Ja) => format!("<span aria-label=\"必須\">{mark}</span>"),
        (Need::Sometimes, Language::Ja) => {
            format!("<span aria-label=\"形式により必須\">{mark}</span>")
        }
    }
}

fn rule(row: &Row, language: Language) -> String {
    let said = escape(&words(row, language));
    match &row.rule {
        Some(rule) if !rule.text.is_empty() && rule.text != rule.words => {
            format!("{said}<br><code class=\"dim\">{}</code>", escape(&rule.text))
        }
        _ => said,
    }
}

fn tag(of: Class) -> String {
    let level = match of {
        Class::Plain => return String::new(),
        Class::Personal => "c1",
        Class::Sensitive => "c2",
        Class::SpecificPersonal => "c3",
        Class::MyNumber => "c4",
    };
    format!("<span class=\"tag {level}\">{}</span>", class(of))
}

fn names(out: &mut String, page: &Description, language: Language) {
    if page.names.is_empty() {
        return;
    }
    let _written = writeln!(
        out,
        "<h2>{}</h2>\n<table>\n<thead><tr><th scope=\"col\">{}</th><th scope=\"col\">{}</th>\
         <th scope=\"col\">{}</th></tr></thead>\n<tbody>",
        language.pick("名前を付けた式", "Named expressions"),
        language.pick("名前", "Name"),
        language.pick("内容", "Meaning"),
        language.pick("式", "Expression"),
    );
    for (name, text, said) in &page.names {
        let _written = writeln!(
            out,
            "<tr><th scope=\"row\">{}</th><td>{}</td><td><code>{}</code></td></tr>",
            escape(name),
            escape(said),
            escape(text)
        );
    }
    out.push_str("</tbody>\n</table>\n");
}

fn tables(out: &mut String, page: &Description, language: Language) {
    if page.tables.is_empty() {
        return;
    }
    let heading = language.pick("コード表", "Code tables");
    let _written = writeln!(out, "<h2>{heading}</h2>\n<div class=\"tables\">");
    for (name, entries) in &page.tables {
        let _written = writeln!(
            out,
            "<table>\n<caption>{}</caption>\n<thead><tr><th scope=\"col\">{}</th>\
             <th scope=\"col\">{}</th></tr></thead>\n<tbody>",
            escape(name),
            language.pick("元の値", "From"),
            language.pick("変換後", "To"),
        );
        for (from, to) in entries {
            let _written = writeln!(
                out,
                "<tr><th scope=\"row\"><code>{}</code></th><td><code>{}</code></td></tr>",
                escape(from),
                escape(to)
            );
        }
        out.push_str("</tbody>\n</table>\n");
    }
    out.push_str("</div>\n");
}

/// The page that leads to the others.
pub(super) fn index(pages: &[Description], language: Language) -> String {
    let title = language.pick("項目対応表", "Item tables");
    let mut out = head(title, language);
    let _written = writeln!(
        out,
        "<main>\n<h1>{title}</h1>\n<table>\n<thead><tr><th scope=\"col\">{}</th>\
         <th scope=\"col\">{}</th><th scope=\"col\">{}</th><th scope=\"col\" class=\"num\">{}</th>\
         </tr></thead>\n<tbody>",
        language.pick("マッピング", "Mapping"),
        language.pick("元", "From"),
        language.pick("送付先", "To"),
        language.pick("項目数", "Items"),
    );
    for page in pages {
        let (name, tag) = (escape(&page.name), language.tag());
        let _written = writeln!(
            out,
            "<tr><th scope=\"row\"><a href=\"{name}.{tag}.html\">{name}</a></th><td>{}</td>\
             <td>{}</td><td class=\"num\">{}</td></tr>",
            escape(&page.from.1),
            escape(&page.to.1),
            page.rows.len()
        );
    }
    out.push_str("</tbody>\n</table>\n</main>\n</body>\n</html>\n");
    out
}

fn escape(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;")
}
