//! Lexer: an expression's text to tokens.

use crate::diagnostic::yaml;
use crate::mapping::syntax::{Operator, SyntaxError};
use crate::model::codes::mapping as codes;
use serde_json::Number;
use std::ops::Range;

/// A token.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Token {
    /// `"text"` or `'text'`.
    Text(String),
    /// `12`, `-1.5`.
    Number(Number),
    /// A bare name: a segment, a function, or a word such as `and`.
    Name(String),
    /// A segment in backticks.
    Quoted(String),
    /// `$` or `$name`.
    Dollar(String),
    Compare(Operator),
    Pipe,
    Default,
    Open,
    Close,
    OpenBracket,
    CloseBracket,
    Comma,
    Dot,
}

/// Splits a text into tokens with their bytes.
pub(super) fn tokens(text: &str) -> Result<Vec<(Token, Range<usize>)>, SyntaxError> {
    let mut lexer = Lexer { text, at: 0, found: Vec::new() };
    while let Some(c) = lexer.peek() {
        if c.is_whitespace() {
            lexer.at += c.len_utf8();
        } else {
            let start = lexer.at;
            let token = lexer.token(c)?;
            lexer.found.push((token, start..lexer.at));
        }
    }
    Ok(lexer.found)
}

struct Lexer<'t> {
    text: &'t str,
    at: usize,
    found: Vec<(Token, Range<usize>)>,
}

impl Lexer<'_> {
    fn rest(&self) -> &str {
        self.text.get(self.at..).unwrap_or("")
    }

    fn peek(&self) -> Option<char> {
        self.rest().chars().next()
    }

    fn error(&self, span: Range<usize>, message: impl Into<String>) -> SyntaxError {
        SyntaxError { code: &codes::SYNTAX, message: message.into(), hint: None, span }
    }

    fn token(&mut self, first: char) -> Result<Token, SyntaxError> {
        let after_dot = matches!(self.found.last(), Some((Token::Dot, _)));
        match first {
            '"' | '\'' => self.string(first),
            '`' => self.backticks(),
            '$' => {
                self.at += 1;
                Ok(Token::Dollar(self.name()))
            }
            _ if first.is_ascii_digit() && !after_dot => self.number(),
            '-' if self
                .rest()
                .get(1..)
                .is_some_and(|r| r.starts_with(|c: char| c.is_ascii_digit())) =>
            {
                self.number()
            }
            _ if first.is_alphanumeric() || first == '_' => Ok(Token::Name(self.name())),
            _ => self.sign(first),
        }
    }

    fn sign(&mut self, first: char) -> Result<Token, SyntaxError> {
        const SIGNS: [(&str, Token); 15] = [
            ("??", Token::Default),
            ("==", Token::Compare(Operator::Equal)),
            ("!=", Token::Compare(Operator::NotEqual)),
            ("<=", Token::Compare(Operator::LessOrEqual)),
            (">=", Token::Compare(Operator::GreaterOrEqual)),
            ("<", Token::Compare(Operator::Less)),
            (">", Token::Compare(Operator::Greater)),
            ("|", Token::Pipe),
            ("(", Token::Open),
            (")", Token::Close),
            ("[", Token::OpenBracket),
            ("]", Token::CloseBracket),
            (",", Token::Comma),
            (".", Token::Dot),
            ("=", Token::Compare(Operator::Equal)),
        ];
        let found = SIGNS.iter().find(|(sign, _)| self.rest().starts_with(sign));
        let Some((sign, token)) = found else {
            let span = self.at..self.at + first.len_utf8();
            let mut error = self.error(span, format!("`{first}` means nothing here"));
            error.hint = match first {
                '+' | '-' => Some("use add(a, b) and subtract(a, b)".into()),
                '&' | '!' => Some("use the words and, or, not".into()),
                '「' | '『' | '“' | '”' => Some("texts are quoted with \" or '".into()),
                _ => None,
            };
            return Err(error);
        };
        if *sign == "=" {
            let mut error = self.error(self.at..self.at + 1, "`=` means nothing here");
            error.hint = Some("compare with `==`".into());
            return Err(error);
        }
        let token = token.clone();
        self.at += sign.len();
        Ok(token)
    }

    /// Letters, digits and `_`, with `-` inside; empty when none follow.
    fn name(&mut self) -> String {
        let rest = self.rest();
        let good = |c: char| c.is_alphanumeric() || c == '_';
        let mut end = 0;
        let mut characters = rest.char_indices().peekable();
        while let Some((at, c)) = characters.next() {
            let inside = c == '-' && at > 0 && characters.peek().is_some_and(|(_, n)| good(*n));
            if !good(c) && !inside {
                break;
            }
            end = at + c.len_utf8();
        }
        let name = rest.get(..end).unwrap_or("").to_owned();
        self.at += end;
        name
    }

    fn number(&mut self) -> Result<Token, SyntaxError> {
        let rest = self.rest();
        let part = |c: char| c.is_alphanumeric() || matches!(c, '.' | '_');
        let end = rest
            .char_indices()
            .find(|(at, c)| !(part(*c) || *at == 0 && *c == '-'))
            .map_or(rest.len(), |(at, _)| at);
        let text = rest.get(..end).unwrap_or("");
        let span = self.at..self.at + end;
        let number = yaml::number(text);
        self.at += end;
        number.map(Token::Number).ok_or_else(|| {
            let mut error = self.error(span, "not a number that keeps all its digits");
            error.hint = Some("write codes and long numbers as text, in quotes".into());
            error
        })
    }

    fn string(&mut self, quote: char) -> Result<Token, SyntaxError> {
        let start = self.at;
        let mut value = String::new();
        let mut characters = self.rest().char_indices().skip(1);
        while let Some((at, c)) = characters.next() {
            match c {
                _ if c == quote => {
                    self.at = start + at + 1;
                    return Ok(Token::Text(value));
                }
                '\\' => match characters.next() {
                    Some((_, 'n')) => value.push('\n'),
                    Some((_, 't')) => value.push('\t'),
                    Some((_, c @ ('\\' | '"' | '\''))) => value.push(c),
                    _ => {
                        let span = start + at..start + at + 1;
                        let known = r#"after `\` only n, t, \, " and ' may follow"#;
                        return Err(self.error(span, known));
                    }
                },
                _ => value.push(c),
            }
        }
        Err(self.error(start..self.text.len(), format!("the text is not closed with {quote}")))
    }

    fn backticks(&mut self) -> Result<Token, SyntaxError> {
        let start = self.at;
        let inside = self.rest().get(1..).unwrap_or("");
        let found = inside.split_once('`').map(|(name, _)| name.to_owned());
        match found {
            Some(name) if !name.is_empty() => {
                self.at += name.len() + 2;
                Ok(Token::Quoted(name))
            }
            _ => {
                Err(self
                    .error(start..self.text.len(), "a name in backticks is empty or not closed"))
            }
        }
    }
}
