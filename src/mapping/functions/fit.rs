//! Functions over the length of texts: in characters, or in the bytes of a charset.

use crate::codec::Charset;
use crate::mapping::facts::{Gives, transfer};
use crate::mapping::functions::{
    Accepts, Arguments, Fail, Function, Outcome, Returns, not_convertible, parameter, plain, text,
    value,
};
use crate::model::characters::{joins, units};
use std::borrow::Cow;

/// A charset as layouts call it.
const CHARSET: Accepts = Accepts::OneOf(&["utf-8", "cp932", "utf-16le"]);

pub(super) static FUNCTIONS: &[Function] = &[
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
        name: "tail",
        gives: Gives::By(transfer::cut),
        parameters: &[parameter("text", Accepts::Text), parameter("length", Accepts::Count)],
        doc: "The last characters; a character is never parted from its variation or voice mark.",
        examples: &[("tail(\"131237\", 4)", "\"1237\""), ("tail(\"a\", 5)", "\"a\"")],
        ..plain(tail)
    },
    Function {
        name: "skip",
        gives: Gives::By(transfer::texts::skip),
        parameters: &[parameter("text", Accepts::Text), parameter("count", Accepts::Count)],
        doc: "Without the first characters; `skip(2) | cut(3)` is the third to the fifth.",
        examples: &[("skip(\"131237\", 2) | cut(3)", "\"123\""), ("skip(\"a\", 5)", "\"\"")],
        ..plain(skip)
    },
    Function {
        name: "at-most",
        gives: Gives::By(transfer::texts::at_most),
        parameters: &[parameter("text", Accepts::Text), parameter("length", Accepts::Count)],
        doc: "The text as it is, refused when it has more characters.",
        examples: &[("at-most(\"渡し\", 2)", "\"渡し\""), ("at-most(\"渡し船\", 2)", "M304")],
        ..plain(at_most)
    },
    Function {
        name: "byte-length",
        gives: Gives::By(transfer::texts::byte_length),
        parameters: &[parameter("text", Accepts::Text), parameter("charset", CHARSET)],
        returns: Returns::Integer,
        carries: false,
        doc: "How many bytes in a charset; characters it lacks are refused.",
        examples: &[
            ("byte-length(\"渡ｱa\", \"cp932\")", "4"),
            ("byte-length(\"渡ｱa\", \"utf-8\")", "7"),
            ("byte-length(\"𠮷\", \"cp932\")", "M304"),
        ],
        ..plain(|a| value(encode(&a, a.text(0), 1)?))
    },
    Function {
        name: "cut-bytes",
        gives: Gives::By(transfer::texts::cut_bytes),
        parameters: &[
            parameter("text", Accepts::Text),
            parameter("length", Accepts::Count),
            parameter("charset", CHARSET),
        ],
        doc: "As many whole characters as fit into that many bytes of a charset.",
        examples: &[
            ("cut-bytes(\"渡し船\", 5, \"cp932\")", "\"渡し\""),
            ("cut-bytes(\"渡し船\", 5, \"utf-8\")", "\"渡\""),
        ],
        ..plain(cut_bytes)
    },
    Function {
        name: "pad-left-bytes",
        gives: Gives::By(transfer::texts::pad_left_bytes),
        parameters: PAD_BYTES,
        doc: "Filled on the left up to that many bytes of a charset; refused where it comes out uneven.",
        examples: &[("pad-left-bytes(\"渡\", 4, \" \", \"cp932\")", "\"  渡\"")],
        ..plain(|a| pad_bytes(a, true))
    },
    Function {
        name: "pad-right-bytes",
        gives: Gives::By(transfer::texts::pad_right_bytes),
        parameters: PAD_BYTES,
        doc: "Filled on the right up to that many bytes of a charset; refused where it comes out uneven.",
        examples: &[
            ("pad-right-bytes(\"渡\", 4, \"　\", \"cp932\")", "\"渡　\""),
            ("pad-right-bytes(\"渡\", 3, \"　\", \"cp932\")", "M304"),
        ],
        ..plain(|a| pad_bytes(a, false))
    },
];

const PAD_BYTES: &[crate::mapping::functions::Parameter] = &[
    parameter("text", Accepts::Text),
    parameter("length", Accepts::Count),
    parameter("character", Accepts::Character),
    parameter("charset", CHARSET),
];

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

fn tail<'v>(arguments: Arguments<'v, '_>) -> Outcome<'v> {
    let surplus = arguments.text(0).chars().count().saturating_sub(arguments.count(1));
    match behind(arguments.text(0), surplus) {
        kept if kept.len() == arguments.text(0).len() => arguments.unchanged(),
        kept => text(kept),
    }
}

fn skip<'v>(arguments: Arguments<'v, '_>) -> Outcome<'v> {
    match behind(arguments.text(0), arguments.count(1)) {
        kept if kept.len() == arguments.text(0).len() => arguments.unchanged(),
        kept => text(kept),
    }
}

/// What stands behind the first characters; a mark without its character is left out too.
fn behind(text: &str, count: usize) -> &str {
    let rest = text.char_indices().nth(count).and_then(|(at, _)| text.get(at..)).unwrap_or("");
    if count == 0 { rest } else { rest.trim_start_matches(joins) }
}

fn at_most<'v>(arguments: Arguments<'v, '_>) -> Outcome<'v> {
    let (found, most) = (arguments.text(0).chars().count(), arguments.count(1));
    if found <= most {
        return arguments.unchanged();
    }
    Err(not_convertible(format!("at-most: {found} characters, where {most} are allowed")))
}

/// Bytes of a text in the charset that an argument names.
fn encode(arguments: &Arguments<'_, '_>, text: &str, index: usize) -> Result<usize, Box<Fail>> {
    let charset = Charset::from_layout(Some(arguments.text(index)));
    let name = arguments.text(index);
    let missing = |c| not_convertible(format!("{name} has no U+{:04X}", u32::from(c)));
    let mut bytes = Vec::new();
    charset.encode(text, &mut bytes).map(|()| bytes.len()).map_err(missing)
}

fn cut_bytes<'v>(arguments: Arguments<'v, '_>) -> Outcome<'v> {
    let (source, most) = (arguments.text(0), arguments.count(1));
    let (mut end, mut used) = (0, 0);
    for unit in units(source) {
        used += encode(&arguments, unit, 2)?;
        if used > most {
            break;
        }
        end += unit.len();
    }
    match source.get(..end) {
        Some(kept) if end < source.len() => text(kept),
        _ => arguments.unchanged(),
    }
}

fn pad_bytes<'v>(arguments: Arguments<'v, '_>, left: bool) -> Outcome<'v> {
    let used = encode(&arguments, arguments.text(0), 3)?;
    let each = encode(&arguments, arguments.text(2), 3)?.max(1);
    let missing = arguments.count(1).saturating_sub(used);
    if missing == 0 {
        return arguments.unchanged();
    }
    if missing % each != 0 {
        let detail = format!("{missing} bytes cannot be filled with characters of {each} bytes");
        return Err(not_convertible(detail));
    }
    let filling = arguments.text(2).repeat(missing / each);
    let kept = arguments.text(0);
    text(if left { filling + kept } else { format!("{kept}{filling}") })
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
