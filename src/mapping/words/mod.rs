//! Expressions in words, for those who read a mapping as a table.

pub(crate) mod phrases;

use crate::mapping::syntax::{Expression, Kind, Operator, PathText, Root};
use serde_json::Value;

/// The language of words.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Language {
    /// Japanese.
    Ja,
    /// English.
    En,
}

impl Language {
    /// One of two texts.
    pub fn pick(self, ja: &'static str, en: &'static str) -> &'static str {
        match self {
            Language::Ja => ja,
            Language::En => en,
        }
    }

    /// `ja` or `en`.
    pub fn tag(self) -> &'static str {
        self.pick("ja", "en")
    }
}

/// How paths are called.
pub(crate) type Naming<'n> = &'n dyn Fn(&PathText) -> String;

/// A condition in words.
pub(crate) fn condition(expression: &Expression, language: Language, naming: Naming<'_>) -> String {
    Speaker { language, naming }.condition(expression)
}

/// An expression in words.
pub(crate) fn words(expression: &Expression, language: Language, naming: Naming<'_>) -> String {
    Speaker { language, naming }.say(expression)
}

struct Speaker<'n> {
    language: Language,
    naming: Naming<'n>,
}

impl Speaker<'_> {
    fn say(&self, expression: &Expression) -> String {
        let pick = |ja, en| self.language.pick(ja, en);
        match &expression.kind {
            Kind::Literal(value) => self.literal(value),
            Kind::Path(path) => self.path(path),
            Kind::Call { name, arguments, .. } => self.call(name, arguments),
            Kind::Default(parts) => self.default(parts),
            Kind::Or(parts) => self.conditions(parts, pick(" または ", " or ")),
            Kind::And(parts) => self.conditions(parts, pick(" かつ ", " and ")),
            Kind::Not(inner) => self.not(inner),
            Kind::Compare { operator, left, right } => {
                self.compare(*operator, &self.say(left), &self.say(right))
            }
            Kind::In { item, list } => {
                let list: Vec<String> = list.iter().map(|(value, _)| self.literal(value)).collect();
                let item = self.say(item);
                match self.language {
                    Language::Ja => format!("{item}が{}のいずれかである", list.join("、")),
                    Language::En => format!("{item} is one of {}", list.join(", ")),
                }
            }
        }
    }

    /// Something that holds or not, so that 場合 or a comma may follow.
    fn condition(&self, expression: &Expression) -> String {
        match (&expression.kind, self.language) {
            (Kind::Path(_), Language::Ja) => format!("{}である", self.say(expression)),
            (Kind::Path(_), Language::En) => format!("{} holds", self.say(expression)),
            _ => self.say(expression),
        }
    }

    fn not(&self, inner: &Expression) -> String {
        match (&inner.kind, self.language) {
            (Kind::Path(_), Language::Ja) => format!("{}でない", self.say(inner)),
            (Kind::Path(_), Language::En) => format!("not {}", self.say(inner)),
            (_, Language::Ja) => format!("「{}」ではない", self.condition(inner)),
            (_, Language::En) => format!("not ({})", self.condition(inner)),
        }
    }

    fn conditions(&self, parts: &[Expression], between: &str) -> String {
        let parts: Vec<String> = parts.iter().map(|part| self.condition(part)).collect();
        parts.join(between)
    }

    fn literal(&self, value: &Value) -> String {
        match value {
            Value::Null => self.language.pick("null", "null").to_owned(),
            Value::Bool(true) => self.language.pick("真", "true").to_owned(),
            Value::Bool(false) => self.language.pick("偽", "false").to_owned(),
            Value::String(text) if text.is_empty() => {
                self.language.pick("空文字", "an empty text").to_owned()
            }
            Value::String(text) => match self.language {
                Language::Ja => format!("「{text}」"),
                Language::En => format!("\"{text}\""),
            },
            other => other.to_string(),
        }
    }

    fn path(&self, path: &PathText) -> String {
        if path.root == Root::Variable("meta".to_owned())
            && let Some(name) = phrases::meta(&path.text(), self.language)
        {
            return name.to_owned();
        }
        (self.naming)(path)
    }

    fn joined(&self, parts: &[Expression], between: &str) -> String {
        let parts: Vec<String> = parts.iter().map(|part| self.say(part)).collect();
        parts.join(between)
    }

    /// `a ?? b ?? c`: each where those before it are absent.
    fn default(&self, parts: &[Expression]) -> String {
        self.joined(parts, self.language.pick("。無ければ、", "; if absent, "))
    }

    fn compare(&self, operator: Operator, left: &str, right: &str) -> String {
        match (self.language, operator) {
            (Language::Ja, Operator::Equal) => format!("{left}が{right}である"),
            (Language::Ja, Operator::NotEqual) => format!("{left}が{right}でない"),
            (Language::Ja, Operator::Less) => format!("{left}が{right}より小さい"),
            (Language::Ja, Operator::LessOrEqual) => format!("{left}が{right}以下である"),
            (Language::Ja, Operator::Greater) => format!("{left}が{right}より大きい"),
            (Language::Ja, Operator::GreaterOrEqual) => format!("{left}が{right}以上である"),
            (Language::En, Operator::Equal) => format!("{left} is {right}"),
            (Language::En, Operator::NotEqual) => format!("{left} is not {right}"),
            (Language::En, Operator::Less) => format!("{left} is less than {right}"),
            (Language::En, Operator::LessOrEqual) => format!("{left} is at most {right}"),
            (Language::En, Operator::Greater) => format!("{left} is more than {right}"),
            (Language::En, Operator::GreaterOrEqual) => format!("{left} is at least {right}"),
        }
    }

    fn call(&self, name: &str, arguments: &[Expression]) -> String {
        let said: Vec<String> = arguments
            .iter()
            .enumerate()
            .map(|(index, argument)| self.argument(name, index, argument))
            .collect();
        match phrases::of(name, self.language) {
            Some(phrase) if phrase.contains("{1}") || phrase.contains("{*}") => {
                fill(phrase, &said, self.language)
            }
            Some(phrase) => {
                let step = fill(phrase, &said, self.language);
                let first = said.first().map(String::as_str).unwrap_or_default();
                format!("{first} → {step}")
            }
            // A function without a phrase says its name.
            None => format!("{name}({})", said.join(", ")),
        }
    }

    /// Codes of `reject`, reasons of `nil` and names of tables and fields stand without quotes.
    fn argument(&self, function: &str, index: usize, argument: &Expression) -> String {
        let bare = matches!(
            (function, index),
            ("reject" | "nil", 0)
                | ("code" | "code-at" | "code-of" | "has-code" | "replace-table", 1)
                | ("sort-by" | "group-by" | "distinct-by" | "values-of", 1)
                | ("zip-by", 2)
        );
        match &argument.kind {
            Kind::Literal(Value::String(text)) if bare => text.clone(),
            Kind::Path(path) if bare => path.text(),
            _ if matches!(
                (function, index),
                ("if", 0) | ("filter" | "find" | "any" | "all", 1)
            ) =>
            {
                self.condition(argument)
            }
            // What has parts of its own is kept together.
            Kind::Default(_) => match self.language {
                Language::Ja => format!("（{}）", self.say(argument)),
                Language::En => format!("({})", self.say(argument)),
            },
            _ => self.say(argument),
        }
    }
}

/// A phrase with its arguments.
fn fill(phrase: &str, arguments: &[String], language: Language) -> String {
    let mut text = String::new();
    let mut rest = phrase;
    while let Some(open) = rest.find(['{', '[']) {
        text.push_str(rest.get(..open).unwrap_or_default());
        let bracket = rest.get(open..).unwrap_or_default();
        let close = if bracket.starts_with('{') { '}' } else { ']' };
        let end = bracket.find(close).unwrap_or(bracket.len().saturating_sub(1));
        let inner = bracket.get(1..end).unwrap_or_default();
        if close == ']' {
            // Its argument may have been left out.
            let missing =
                (1..=9).any(|n| inner.contains(&format!("{{{n}}}")) && arguments.len() < n);
            if !missing {
                text.push_str(&fill(inner, arguments, language));
            }
        } else if inner == "*" {
            text.push_str(&arguments.join(language.pick("、", ", ")));
        } else {
            let index = inner.parse::<usize>().ok().and_then(|n| n.checked_sub(1));
            text.push_str(index.and_then(|at| arguments.get(at)).map_or("", String::as_str));
        }
        rest = bracket.get(end + 1..).unwrap_or_default();
    }
    text.push_str(rest);
    text
}

#[cfg(test)]
mod tests {
    use super::phrases;
    use super::{Language, words};
    use crate::mapping::functions;
    use crate::mapping::syntax::parse;

    fn said(text: &str, language: Language) -> String {
        words(&parse(text).unwrap(), language, &|path| path.text())
    }

    #[test]
    fn rules_read_like_sentences() {
        for (text, ja, en) in [
            (
                "name | trim | cut(40)",
                "name → 前後の空白を除く → 先頭40文字までにする",
                "name → trim white space → cut to 40 characters",
            ),
            (
                r#"a.b ?? reject("B_MISSING", "no b")"#,
                "a.b。無ければ、拒否する（B_MISSING）",
                "a.b; if absent, refuse (B_MISSING)",
            ),
            (
                r#"if(event == "removed" and not present(x), concat(a, "-", b), 1)"#,
                "eventが「removed」である かつ 「xに値がある」ではない場合はa、「-」、bをつなげる、それ以外は1",
                "if event is \"removed\" and not (x has a value) then a, \"-\", b joined, else 1",
            ),
            (
                "code(sex, sexes)",
                "sex → コード表 sexes で変換",
                "sex → convert by code table sexes",
            ),
            (
                r#"code(sex, sexes, "0")"#,
                "sex → コード表 sexes で変換（表に無ければ「0」）",
                "sex → convert by code table sexes (if it has none: \"0\")",
            ),
            ("a in [\"x\", 2]", "aが「x」、2のいずれかである", "a is one of \"x\", 2"),
            (
                "$meta.acceptedDate | compact-date",
                "受付日 → YYYYMMDDにする",
                "the date of acceptance → as YYYYMMDD",
            ),
        ] {
            assert_eq!(said(text, Language::Ja), ja);
            assert_eq!(said(text, Language::En), en);
        }
    }

    #[test]
    fn every_function_has_a_phrase_in_both_languages() {
        let without: Vec<&str> = functions::all()
            .map(|function| function.name)
            .filter(|name| !phrases::all().any(|phrase| phrase.name == *name))
            .collect();
        assert!(without.is_empty(), "add to mapping/words/phrases.rs: {without:?}");
        for phrase in phrases::all() {
            assert!(!phrase.ja.is_empty() && !phrase.en.is_empty(), "{}", phrase.name);
            let Some(function) = functions::find(phrase.name) else { continue };
            let most = if function.parameters.is_empty() { 9 } else { function.parameters.len() };
            for text in [phrase.ja, phrase.en] {
                let beyond = (most + 1..=9).any(|n| text.contains(&format!("{{{n}}}")));
                assert!(!beyond, "{text}");
            }
        }
    }

    #[test]
    fn a_function_without_a_phrase_is_named() {
        assert_eq!(said("new-one(a, 2)", Language::En), "new-one(a, 2)");
    }
}
