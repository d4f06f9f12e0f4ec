//! Parser: tokens to a tree, by recursive descent with a counted depth.

use crate::mapping::path::Step;
use crate::mapping::syntax::lexer::{Token, tokens};
use crate::mapping::syntax::{Expression, Kind, MAX_BYTES, MAX_DEPTH, PathText, Root, SyntaxError};
use crate::model::codes::mapping as codes;
use serde_json::Value;
use std::ops::Range;

/// Reads an expression.
pub(crate) fn parse(text: &str) -> Result<Expression, SyntaxError> {
    if text.len() > MAX_BYTES {
        let message = format!("the expression has {} bytes; at most {MAX_BYTES}", text.len());
        let code = &codes::EXPRESSION_TOO_LONG;
        return Err(SyntaxError { code, message, hint: None, span: 0..text.len() });
    }
    let mut parser = Parser { tokens: tokens(text)?, at: 0, depth: 0, length: text.len() };
    let expression = parser.expression()?;
    match parser.peek() {
        None => Ok(expression),
        Some(_) => Err(parser.unexpected("an operator or the end")),
    }
}

type Parsed = Result<Expression, SyntaxError>;

struct Parser {
    tokens: Vec<(Token, Range<usize>)>,
    at: usize,
    depth: usize,
    length: usize,
}

impl Parser {
    fn peek(&self) -> Option<&Token> {
        self.tokens.get(self.at).map(|(token, _)| token)
    }

    fn span(&self) -> Range<usize> {
        let end = self.length..self.length;
        self.tokens.get(self.at).map_or(end, |(_, span)| span.clone())
    }

    fn next(&mut self) -> Option<(Token, Range<usize>)> {
        let found = self.tokens.get(self.at).cloned();
        self.at += 1;
        found
    }

    /// Where the token before this one ended.
    fn last_end(&self) -> usize {
        let last = self.at.checked_sub(1).and_then(|at| self.tokens.get(at));
        last.map_or(0, |(_, span)| span.end)
    }

    fn take(&mut self, token: &Token) -> bool {
        let found = self.peek() == Some(token);
        if found {
            self.at += 1;
        }
        found
    }

    fn word(&mut self, word: &str) -> bool {
        let found = matches!(self.peek(), Some(Token::Name(name)) if name == word);
        if found {
            self.at += 1;
        }
        found
    }

    fn need(&mut self, token: &Token, what: &str) -> Result<(), SyntaxError> {
        if self.take(token) { Ok(()) } else { Err(self.unexpected(what)) }
    }

    fn unexpected(&self, wanted: &str) -> SyntaxError {
        let found = match self.peek() {
            None => "the expression ends",
            Some(Token::Text(_)) => "a text stands here",
            Some(Token::Number(_)) => "a number stands here",
            Some(Token::Name(_) | Token::Quoted(_) | Token::Dollar(_)) => "a name stands here",
            Some(_) => "another sign stands here",
        };
        let message = format!("{found} where {wanted} is expected");
        SyntaxError { code: &codes::SYNTAX, message, hint: None, span: self.span() }
    }

    fn too_deep(&self, span: Range<usize>) -> SyntaxError {
        let message = format!("the expression is more than {MAX_DEPTH} deep");
        let hint = Some("split it with `let`".into());
        SyntaxError { code: &codes::EXPRESSION_TOO_DEEP, message, hint, span }
    }

    fn node(&self, kind: Kind, span: Range<usize>) -> Parsed {
        let below = match &kind {
            Kind::Literal(_) | Kind::Path(_) => 0,
            Kind::Call { arguments: many, .. }
            | Kind::Default(many)
            | Kind::Or(many)
            | Kind::And(many) => many.iter().map(|one| one.height).max().unwrap_or(0),
            Kind::Not(one) | Kind::In { item: one, .. } => one.height,
            Kind::Compare { left, right, .. } => left.height.max(right.height),
        };
        if below >= MAX_DEPTH {
            return Err(self.too_deep(span));
        }
        Ok(Expression { kind, span, height: below + 1 })
    }

    /// Runs a rule one level deeper; the only place where parsing recurses.
    fn deeper(&mut self, rule: impl FnOnce(&mut Self) -> Parsed) -> Parsed {
        if self.depth >= MAX_DEPTH {
            return Err(self.too_deep(self.span()));
        }
        self.depth += 1;
        let result = rule(self);
        self.depth -= 1;
        result
    }

    fn expression(&mut self) -> Parsed {
        self.deeper(|parser| parser.chain(Self::or, |p| p.take(&Token::Default), Kind::Default))
    }

    fn or(&mut self) -> Parsed {
        self.chain(Self::and, |p| p.word("or"), Kind::Or)
    }

    fn and(&mut self) -> Parsed {
        self.chain(Self::not, |p| p.word("and"), Kind::And)
    }

    /// `part (separator part)*` as one flat node, so that long chains are not deep.
    fn chain(
        &mut self,
        part: fn(&mut Self) -> Parsed,
        separator: fn(&mut Self) -> bool,
        kind: fn(Vec<Expression>) -> Kind,
    ) -> Parsed {
        let first = part(self)?;
        let start = first.span.start;
        let mut parts = vec![first];
        while separator(self) {
            parts.push(part(self)?);
        }
        match parts.pop() {
            Some(only) if parts.is_empty() => Ok(only),
            last => {
                parts.extend(last);
                self.node(kind(parts), start..self.last_end())
            }
        }
    }

    fn not(&mut self) -> Parsed {
        let start = self.span().start;
        if self.word("not") {
            let inner = self.deeper(Self::not)?;
            let span = start..inner.span.end;
            return self.node(Kind::Not(Box::new(inner)), span);
        }
        self.comparison()
    }

    fn comparison(&mut self) -> Parsed {
        let left = self.pipe()?;
        let start = left.span.start;
        if let Some(Token::Compare(operator)) = self.peek() {
            let operator = *operator;
            self.at += 1;
            let right = self.pipe()?;
            let span = start..right.span.end;
            let kind = Kind::Compare { operator, left: Box::new(left), right: Box::new(right) };
            return self.node(kind, span);
        }
        if self.word("in") {
            self.need(&Token::OpenBracket, "`[` and a list of literals")?;
            let mut list = Vec::new();
            while !self.take(&Token::CloseBracket) {
                if !list.is_empty() {
                    self.need(&Token::Comma, "`,` or `]`")?;
                }
                list.push(self.literal()?);
            }
            let span = start..self.last_end();
            return self.node(Kind::In { item: Box::new(left), list }, span);
        }
        Ok(left)
    }

    fn literal(&mut self) -> Result<(Value, Range<usize>), SyntaxError> {
        let error = self.unexpected("a literal");
        let Some((token, span)) = self.next() else { return Err(error) };
        let value = match token {
            Token::Text(text) => Value::String(text),
            Token::Number(number) => Value::Number(number),
            Token::Name(name) => word_literal(&name).ok_or(error)?,
            _ => return Err(error),
        };
        Ok((value, span))
    }

    fn pipe(&mut self) -> Parsed {
        let mut left = self.primary()?;
        while self.take(&Token::Pipe) {
            let name_span = self.span();
            let Some(Token::Name(name)) = self.peek().cloned() else {
                return Err(self.unexpected("the name of a function"));
            };
            self.at += 1;
            let start = left.span.start;
            let mut arguments = vec![left];
            if self.take(&Token::Open) {
                self.arguments(&mut arguments)?;
            }
            let kind = Kind::Call { name, name_span, arguments };
            left = self.node(kind, start..self.last_end())?;
        }
        Ok(left)
    }

    /// What follows `(`, up to and with `)`.
    fn arguments(&mut self, arguments: &mut Vec<Expression>) -> Result<(), SyntaxError> {
        let mut first = true;
        while !self.take(&Token::Close) {
            if !first {
                self.need(&Token::Comma, "`,` or `)`")?;
            }
            first = false;
            arguments.push(self.expression()?);
        }
        Ok(())
    }

    fn primary(&mut self) -> Parsed {
        let error = self.unexpected("a value");
        let Some((token, span)) = self.next() else { return Err(error) };
        let root = match token {
            Token::Text(text) => return self.node(Kind::Literal(Value::String(text)), span),
            Token::Number(number) => return self.node(Kind::Literal(Value::Number(number)), span),
            Token::Open => {
                let inner = self.expression()?;
                self.need(&Token::Close, "`)`")?;
                return Ok(Expression { span: span.start..self.last_end(), ..inner });
            }
            Token::Name(name) => {
                if let Some(value) = word_literal(&name) {
                    return self.node(Kind::Literal(value), span);
                }
                if matches!(name.as_str(), "and" | "or" | "not" | "in") {
                    return Err(SyntaxError { span, ..error });
                }
                if self.take(&Token::Open) {
                    let mut arguments = Vec::new();
                    self.arguments(&mut arguments)?;
                    let whole = span.start..self.last_end();
                    return self.node(Kind::Call { name, name_span: span, arguments }, whole);
                }
                if name == "_" {
                    Root::Element
                } else {
                    return self.path(Root::Here, vec![(Step::Field(name), span.clone())], span);
                }
            }
            Token::Quoted(name) => {
                return self.path(Root::Here, vec![(Step::Field(name), span.clone())], span);
            }
            Token::Dollar(name) if name.is_empty() => Root::Document,
            Token::Dollar(name) => Root::Variable(name),
            _ => return Err(SyntaxError { span, ..error }),
        };
        self.path(root, Vec::new(), span)
    }

    fn path(
        &mut self,
        root: Root,
        mut steps: Vec<(Step, Range<usize>)>,
        start: Range<usize>,
    ) -> Parsed {
        loop {
            if self.take(&Token::Dot) {
                match self.next() {
                    Some((Token::Name(name) | Token::Quoted(name), span)) => {
                        steps.push((Step::Field(name), span));
                    }
                    _ => {
                        self.at -= 1;
                        return Err(self.unexpected("a name after `.`"));
                    }
                }
            } else if self.take(&Token::OpenBracket) {
                let span = self.span();
                match self.next() {
                    Some((Token::Number(number), _)) if number.is_u64() => {
                        let index = number.as_u64().and_then(|n| usize::try_from(n).ok());
                        steps.push((Step::Index(index.unwrap_or(usize::MAX)), span));
                    }
                    _ => {
                        self.at -= 1;
                        return Err(self.unexpected("the number of an element, from 0"));
                    }
                }
                self.need(&Token::CloseBracket, "`]`")?;
            } else {
                let span = start.start..self.last_end();
                return self.node(Kind::Path(PathText { root, steps }), span);
            }
        }
    }
}

fn word_literal(name: &str) -> Option<Value> {
    match name {
        "true" => Some(Value::Bool(true)),
        "false" => Some(Value::Bool(false)),
        "null" => Some(Value::Null),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::parse;
    use crate::mapping::syntax::{Kind, Root};
    use proptest::prelude::{any, proptest};

    fn error(text: &str) -> String {
        let error = parse(text).unwrap_err();
        format!("{} {}..{} {}", error.code.code, error.span.start, error.span.end, error.message)
    }

    #[test]
    fn a_default_binds_weaker_than_a_pipe() {
        let Kind::Default(parts) = parse(r#"a | decimal(2) ?? "0.50""#).unwrap().kind else {
            panic!()
        };
        let Kind::Call { name, arguments, .. } = &parts[0].kind else { panic!() };
        assert_eq!((name.as_str(), arguments.len()), ("decimal", 2));
        assert!(matches!(parts[1].kind, Kind::Literal(_)));
    }

    #[test]
    fn names_are_of_any_script_and_may_hold_dashes() {
        let Kind::Path(path) = parse("接種.`ロット 番号`[2].in.2nd.pmh-sex").unwrap().kind
        else {
            panic!()
        };
        assert_eq!(path.text(), "接種.ロット 番号[2].in.2nd.pmh-sex");
        let Kind::Path(path) = parse("$meta.ticket").unwrap().kind else { panic!() };
        assert_eq!(path.root, Root::Variable("meta".into()));
    }

    #[test]
    fn errors_name_the_column() {
        assert_eq!(error("a = b"), "M110 2..3 `=` means nothing here");
        assert_eq!(
            error("a |"),
            "M110 3..3 the expression ends where the name of a function is expected"
        );
        assert_eq!(error("\"open"), "M110 0..5 the text is not closed with \"");
        assert_eq!(
            error("a b"),
            "M110 2..3 a name stands here where an operator or the end is expected"
        );
        assert_eq!(error("f(a"), "M110 3..3 the expression ends where `,` or `)` is expected");
        assert_eq!(error(""), "M110 0..0 the expression ends where a value is expected");
        assert_eq!(error("a and or"), "M110 6..8 a name stands here where a value is expected");
        assert_eq!(
            error("a.[0]"),
            "M110 2..3 another sign stands here where a name after `.` is expected"
        );
        assert_eq!(error("007"), "M110 0..3 not a number that keeps all its digits");
        assert_eq!(
            error("a in b"),
            "M110 5..6 a name stands here where `[` and a list of literals is expected"
        );
    }

    #[test]
    fn long_and_deep_texts_are_errors_not_crashes() {
        assert!(error(&"-".repeat(30_000)).starts_with("M111"));
        assert!(error(&"(".repeat(30_000)).starts_with("M111"));
        for deep in ["(", "not ", "f(", "a | f(", "a ?? ("] {
            let text = deep.repeat(1000 / deep.len());
            assert!(error(&text).starts_with("M112"), "{deep}");
        }
        assert!(error(&"-".repeat(1000)).starts_with("M110"));
        assert!(error(&format!("a{}", "|f".repeat(400))).starts_with("M112"));
        assert!(parse(&format!("a{}", " ?? a".repeat(200))).is_ok());
    }

    proptest! {
        #[test]
        fn never_panics(text in any::<String>()) {
            let _ = parse(&text);
        }

        #[test]
        fn never_panics_on_near_expressions(text in "[a-c$_.|()\\[\\],?=<> \"0-9'`!-]{0,60}") {
            if let Ok(expression) = parse(&text) {
                assert!(text.get(expression.span).is_some());
            }
        }
    }
}
