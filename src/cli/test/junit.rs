//! A report in the form that build servers read (JUnit's XML).

use super::Tested;

/// One test of a suite.
struct Test<'t> {
    class: &'t str,
    name: String,
    failure: Option<String>,
}

/// One suite per mapping, one test per case and one for the generated documents.
pub(super) fn report(tested: &[Tested]) -> String {
    let suites: Vec<(&str, Vec<Test<'_>>)> =
        tested.iter().map(|one| (one.mapping.name.as_str(), tests(one))).collect();
    let failed = |tests: &[Test<'_>]| tests.iter().filter(|test| test.failure.is_some()).count();
    let all: usize = suites.iter().map(|(_, tests)| tests.len()).sum();
    let bad: usize = suites.iter().map(|(_, tests)| failed(tests)).sum();
    let mut out = String::from("<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n");
    out.push_str(&format!(
        "<testsuites name=\"mappings\" tests=\"{all}\" failures=\"{bad}\" errors=\"0\">\n"
    ));
    for (name, tests) in &suites {
        let (name, count, bad) = (escape(name), tests.len(), failed(tests));
        out.push_str(&format!(
            "  <testsuite name=\"{name}\" tests=\"{count}\" failures=\"{bad}\" errors=\"0\" \
             skipped=\"0\">\n"
        ));
        tests.iter().for_each(|test| out.push_str(&test.element()));
        out.push_str("  </testsuite>\n");
    }
    out.push_str("</testsuites>\n");
    out
}

fn tests(one: &Tested) -> Vec<Test<'_>> {
    let cases = one.cases.iter().map(|(case, end)| Test {
        class: &case.file.path,
        name: end.name.clone(),
        failure: (!end.passed).then(|| end.differences.join("\n")),
    });
    let generated = one.generated.iter().map(|ended| Test {
        class: &one.file.path,
        name: format!("generated documents of seed {}", ended.seed),
        failure: ended.told(&one.file.path, &one.mapping.name).map(|lines| lines.join("\n")),
    });
    cases.chain(generated).collect()
}

impl Test<'_> {
    fn element(&self) -> String {
        let (class, name) = (escape(self.class), escape(&self.name));
        let start = format!("    <testcase classname=\"{class}\" name=\"{name}\"");
        match &self.failure {
            None => format!("{start}/>\n"),
            Some(text) => format!(
                "{start}>\n      <failure message=\"not as expected\">{}</failure>\n    \
                 </testcase>\n",
                escape(text)
            ),
        }
    }
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
