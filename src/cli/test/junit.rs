//! A report in the form that build servers read (JUnit's XML).

use super::Tested;

/// One suite per mapping, one test per case.
pub(super) fn report(tested: &[Tested]) -> String {
    let mut out = String::from("<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<testsuites>\n");
    for one in tested {
        let failures = one.cases.iter().filter(|(_, end)| !end.passed).count();
        out.push_str(&format!(
            "  <testsuite name=\"{}\" tests=\"{}\" failures=\"{failures}\">\n",
            escape(&one.mapping.name),
            one.cases.len()
        ));
        for (case, end) in &one.cases {
            let (class, name) = (escape(&case.file.path), escape(&end.name));
            out.push_str(&format!("    <testcase classname=\"{class}\" name=\"{name}\""));
            if end.passed {
                out.push_str("/>\n");
            } else {
                let text = escape(&end.differences.join("\n"));
                out.push_str(&format!(
                    ">\n      <failure message=\"not as expected\">{text}</failure>\n    \
                     </testcase>\n"
                ));
            }
        }
        out.push_str("  </testsuite>\n");
    }
    out.push_str("</testsuites>\n");
    out
}

/// For element content and attribute values; what XML 1.0 cannot hold becomes U+FFFD.
fn escape(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            '\n' | '\t' => out.push(c),
            c if c.is_control() || matches!(c, '\u{FFFE}' | '\u{FFFF}') => out.push('\u{FFFD}'),
            c => out.push(c),
        }
    }
    out
}
