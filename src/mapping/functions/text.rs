//! Functions over texts.

use crate::mapping::facts::{Gives, transfer};
use crate::mapping::functions::{
    Accepts, Arguments, Function, Growing, Outcome, Returns, kana, kind_of, not_convertible,
    parameter, plain, text, value,
};
use serde_json::Value;
use std::borrow::Cow;

pub(super) static FUNCTIONS: &[Function] = &[
    Function {
        name: "string",
        gives: Gives::By(transfer::string),
        parameters: &[parameter("value", Accepts::Scalar)],
        doc: "The value as text: a number with its digits, true or false as those words.",
        examples: &[("string(12)", "\"12\""), ("string(true)", "\"true\""), ("string($)", "M303")],
        ..plain(string)
    },
    Function {
        name: "trim",
        gives: Gives::By(transfer::trim),
        parameters: &[parameter("text", Accepts::Text)],
        doc: "Without white space (also full-width) at both ends.",
        examples: &[("trim(\"　a b \")", "\"a b\"")],
        ..plain(|a| a.map(|text| Ok(Cow::Borrowed(text.trim()))))
    },
    Function {
        name: "upper",
        gives: Gives::By(transfer::upper),
        parameters: &[parameter("text", Accepts::Text)],
        doc: "In capital letters.",
        examples: &[("upper(\"abc-ｄ\")", "\"ABC-Ｄ\"")],
        ..plain(|a| a.map(|text| Ok(Cow::Owned(text.to_uppercase()))))
    },
    Function {
        name: "lower",
        gives: Gives::By(transfer::lower),
        parameters: &[parameter("text", Accepts::Text)],
        doc: "In small letters.",
        examples: &[("lower(\"ABC\")", "\"abc\"")],
        ..plain(|a| a.map(|text| Ok(Cow::Owned(text.to_lowercase()))))
    },
    Function {
        name: "fullwidth",
        gives: Gives::By(transfer::fullwidth),
        parameters: &[parameter("text", Accepts::Text)],
        doc: "ASCII and half-width kana in their full-width forms (半角→全角); kanji untouched.",
        examples: &[
            ("fullwidth(\"ｶﾞｯｺｳ 1-2\")", "\"ガッコウ　１－２\""),
            ("fullwidth(\"渡邉\")", "\"渡邉\""),
        ],
        ..plain(|a| a.map(|text| Ok(kana::fullwidth(text))))
    },
    Function {
        name: "halfwidth",
        gives: Gives::By(transfer::halfwidth),
        parameters: &[parameter("text", Accepts::Text)],
        doc: "Full-width ASCII and katakana in their half-width forms (全角→半角).",
        examples: &[("halfwidth(\"ガッコウ　１\")", "\"ｶﾞｯｺｳ 1\"")],
        ..plain(|a| a.map(|text| Ok(kana::halfwidth(text))))
    },
    Function {
        name: "katakana",
        gives: Gives::By(transfer::katakana),
        parameters: &[parameter("text", Accepts::Text)],
        doc: "Hiragana and half-width kana as full-width katakana; the rest untouched.",
        examples: &[("katakana(\"わたしｶﾞ渡\")", "\"ワタシガ渡\"")],
        ..plain(|a| a.map(|text| Ok(kana::katakana(text))))
    },
    Function {
        name: "hiragana",
        gives: Gives::By(transfer::hiragana),
        parameters: &[parameter("text", Accepts::Text)],
        doc: "Katakana as hiragana; the rest untouched.",
        examples: &[("hiragana(\"ワタシー\")", "\"わたしー\"")],
        ..plain(|a| a.map(|text| Ok(kana::hiragana(text))))
    },
    Function {
        name: "replace",
        gives: Gives::By(transfer::replace),
        parameters: &[
            parameter("text", Accepts::Text),
            parameter("from", Accepts::NonEmpty),
            parameter("to", Accepts::Text),
        ],
        doc: "Every occurrence of `from` as `to`.",
        examples: &[("replace(\"1-2-3\", \"-\", \"\")", "\"123\"")],
        ..plain(replace)
    },
    Function {
        name: "cut",
        gives: Gives::By(transfer::cut),
        parameters: &[parameter("text", Accepts::Text), parameter("length", Accepts::Count)],
        doc: "The first characters; a character is never parted from its variation or voice mark.",
        examples: &[("cut(\"渡し船\", 2)", "\"渡し\""), ("cut(\"a\", 5)", "\"a\"")],
        ..plain(cut)
    },
    Function {
        name: "pad-left",
        gives: Gives::By(transfer::pad_left),
        parameters: &[
            parameter("text", Accepts::Text),
            parameter("length", Accepts::Count),
            parameter("character", Accepts::Character),
        ],
        doc: "Filled on the left up to that many characters; a longer text stays as it is.",
        examples: &[
            ("pad-left(\"7\", 3, \"0\")", "\"007\""),
            ("\"1234\" | pad-left(3, \"0\")", "\"1234\""),
        ],
        ..plain(|a| pad(a, true))
    },
    Function {
        name: "pad-right",
        gives: Gives::By(transfer::pad_right),
        parameters: &[
            parameter("text", Accepts::Text),
            parameter("length", Accepts::Count),
            parameter("character", Accepts::Character),
        ],
        doc: "Filled on the right up to that many characters; a longer text stays as it is.",
        examples: &[("pad-right(\"ab\", 4, \" \")", "\"ab  \"")],
        ..plain(|a| pad(a, false))
    },
    Function {
        name: "concat",
        gives: Gives::By(transfer::concat),
        parameters: &[parameter("value", Accepts::Scalar)],
        variadic: true,
        doc: "The values one after another; absent if one of them is.",
        examples: &[("concat(\"a\", 1, \"b\")", "\"a1b\""), ("concat(\"a\", missing)", "absent")],
        ..plain(concat)
    },
    Function {
        name: "split",
        gives: Gives::By(transfer::split),
        parameters: &[parameter("text", Accepts::Text), parameter("separator", Accepts::NonEmpty)],
        returns: Returns::Array,
        doc: "The parts between separators; an empty text has no parts.",
        examples: &[
            ("split(\"a,b,\", \",\")", "[\"a\", \"b\", \"\"]"),
            ("split(\"\", \",\")", "[]"),
        ],
        ..plain(split)
    },
    Function {
        name: "length",
        gives: Gives::By(transfer::length),
        parameters: &[parameter("text", Accepts::Text)],
        returns: Returns::Integer,
        carries: false,
        doc: "How many characters.",
        examples: &[("length(\"渡し\")", "2")],
        ..plain(|a| value(a.text(0).chars().count()))
    },
    Function {
        name: "contains",
        gives: Gives::By(transfer::contains),
        parameters: &[parameter("value", Accepts::ArrayOrText), parameter("part", Accepts::Scalar)],
        returns: Returns::Boolean,
        carries: false,
        doc: "Whether a text has the part, or an array the element.",
        examples: &[
            ("contains(\"abc\", \"bc\")", "true"),
            ("split(\"a,b\", \",\") | contains(\"b\")", "true"),
        ],
        ..plain(contains)
    },
    Function {
        name: "starts-with",
        gives: Gives::By(transfer::boolean),
        parameters: &[parameter("text", Accepts::Text), parameter("start", Accepts::Text)],
        returns: Returns::Boolean,
        carries: false,
        doc: "Whether a text begins so.",
        examples: &[("starts-with(\"TM0084\", \"TM\")", "true")],
        ..plain(|a| value(a.text(0).starts_with(a.text(1))))
    },
    Function {
        name: "digits",
        gives: Gives::By(transfer::digits),
        parameters: &[parameter("text", Accepts::Text)],
        doc: "The text as it is, refused unless it has only the digits 0 to 9.",
        examples: &[
            ("digits(\"0123\")", "\"0123\""),
            ("digits(\"12-3\")", "M304"),
            ("digits(\"\")", "M304"),
        ],
        ..plain(digits)
    },
];

fn string<'v>(arguments: Arguments<'v, '_>) -> Outcome<'v> {
    match arguments.get(0) {
        Value::String(_) => arguments.unchanged(),
        other => text(scalar_text(other)),
    }
}

/// The text of a scalar.
pub(super) fn scalar_text(scalar: &Value) -> Cow<'_, str> {
    match scalar {
        Value::String(text) => Cow::Borrowed(text),
        Value::Number(number) => super::number_text(number),
        other => Cow::Owned(other.to_string()),
    }
}

fn replace<'v>(arguments: Arguments<'v, '_>) -> Outcome<'v> {
    let (from, to) = (arguments.text(1), arguments.text(2));
    let mut parts = arguments.text(0).split(from);
    let first = parts.next().unwrap_or("");
    if first.len() == arguments.text(0).len() {
        return arguments.unchanged();
    }
    let mut out = Growing(first.to_owned());
    for part in parts {
        out.push(to)?;
        out.push(part)?;
    }
    text(out.0)
}

/// Marks that belong to the character before them.
fn joins(c: char) -> bool {
    matches!(c, '\u{FE00}'..='\u{FE0F}' | '\u{E0100}'..='\u{E01EF}' | '\u{3099}' | '\u{309A}')
}

fn cut<'v>(arguments: Arguments<'v, '_>) -> Outcome<'v> {
    let length = arguments.count(1);
    arguments.map(|text| {
        let Some((end, next)) = text.char_indices().nth(length) else {
            return Ok(Cow::Borrowed(text));
        };
        let kept = text.get(..end).unwrap_or("");
        let kept = match next {
            c if joins(c) => {
                let whole = kept.trim_end_matches(joins);
                whole.char_indices().next_back().and_then(|(at, _)| kept.get(..at)).unwrap_or("")
            }
            _ => kept,
        };
        Ok(Cow::Borrowed(kept))
    })
}

fn pad<'v>(arguments: Arguments<'v, '_>, left: bool) -> Outcome<'v> {
    let missing = arguments.count(1).saturating_sub(arguments.text(0).chars().count());
    if missing == 0 {
        return arguments.unchanged();
    }
    let filling = arguments.text(2).repeat(missing);
    let kept = arguments.text(0);
    text(if left { filling + kept } else { format!("{kept}{filling}") })
}

fn concat<'v>(arguments: Arguments<'v, '_>) -> Outcome<'v> {
    let mut out = Growing::default();
    out.push(&scalar_text(arguments.get(0)))?;
    for part in arguments.rest {
        out.push(&scalar_text(part))?;
    }
    text(out.0)
}

fn split<'v>(arguments: Arguments<'v, '_>) -> Outcome<'v> {
    if arguments.text(0).is_empty() {
        return value(Vec::<Value>::new());
    }
    let parts = arguments.text(0).split(arguments.text(1));
    let parts: Vec<Value> = parts.take(super::MAX_ELEMENTS + 1).map(Value::from).collect();
    super::array::limited(parts)
}

fn contains<'v>(arguments: Arguments<'v, '_>) -> Outcome<'v> {
    let part = arguments.get(1);
    match (arguments.get(0), part) {
        (Value::Array(elements), _) => value(elements.contains(part)),
        (Value::String(text), Value::String(part)) => value(text.contains(part.as_str())),
        _ => Err(super::wrong_type(&format!("contains: a text has no {}", kind_of(part)))),
    }
}

fn digits<'v>(arguments: Arguments<'v, '_>) -> Outcome<'v> {
    let text = arguments.text(0);
    let good = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    if good {
        return arguments.unchanged();
    }
    let kind = kind_of(arguments.get(0));
    Err(not_convertible(format!("digits: needs only 0 to 9, found other characters in {kind}")))
}

#[cfg(test)]
mod tests {
    use super::cut;
    use crate::mapping::functions::Arguments;
    use serde_json::json;
    use std::borrow::Cow;

    #[test]
    fn cut_keeps_a_character_and_its_marks_together() {
        // 邉 with variation selector 18, then は with a combining voice mark.
        for (text, length, kept) in [
            ("渡邉\u{E0101}x", 3, "渡邉\u{E0101}"),
            ("渡邉\u{E0101}x", 2, "渡"),
            ("は\u{3099}x", 1, ""),
            ("は\u{3099}x", 2, "は\u{3099}"),
        ] {
            let rest = [Cow::Owned(json!(length))];
            let arguments = Arguments { first: Cow::Owned(json!(text)), rest: &rest };
            assert_eq!(cut(arguments).unwrap().unwrap().as_str(), Some(kept), "{text} {length}");
        }
    }
}
