//! What more of the functions over texts give: width, length, bytes, numbers of people and places.

use super::{
    characters, checked, count, literal, mapped, of_characters, overlap, range, set, texts,
};
use crate::mapping::facts::{Facts, Given, Texts, language};
use crate::mapping::functions::apply;
use regex_syntax::hir::ClassUnicode;
use serde_json::Value;
use std::sync::Arc;

pub(crate) fn collapse_spaces(arguments: &[Facts]) -> Given {
    let space = arguments.get(1).cloned().unwrap_or_default();
    let widest: Option<Vec<usize>> = space.texts.iter().map(|one| one.most).collect();
    let widest = widest.map(|all| all.into_iter().max().unwrap_or(0).max(1));
    let put = characters(&space);
    let spaces = language::characters("^\\p{White_Space}*$");
    texts(arguments, |one| {
        let class = one.characters();
        if let (Some(class), Some(spaces)) = (&class, &spaces)
            && !overlap(class, spaces)
        {
            return one.clone();
        }
        let both = class.zip(put.clone()).map(|(mut class, put)| {
            class.union(&put);
            class
        });
        let most = one.most.zip(widest).map(|(most, widest)| most.saturating_mul(widest));
        of_characters(both, 0, most)
    })
}

pub(crate) fn non_blank(arguments: &[Facts]) -> Given {
    let source = arguments.first().map_or(&[][..], |facts| &facts.texts);
    let absent = !source.iter().all(|one| one.has("\\S"));
    let kept = source.iter().filter_map(|one| match &one.only {
        Some(_) => one.retain(|text| !text.trim().is_empty()),
        None => Some(one.clone().with_pattern(Arc::from("\\S"))),
    });
    let facts = Facts::from(kept.collect::<Vec<Texts>>());
    Given::always(Facts { absent, ..facts })
}

pub(crate) fn absent_if(arguments: &[Facts]) -> Given {
    let value = arguments.first().cloned().unwrap_or_default();
    let same = match arguments.get(1).and_then(Facts::values) {
        Some(others) => others.iter().any(|other| value.may_be(other)),
        None => true,
    };
    Given::always(if same { value.or(Facts::absent()) } else { value })
}

pub(crate) fn any(_: &[Facts]) -> Given {
    Given::always(Texts::any())
}

pub(crate) fn keep_digits(arguments: &[Facts]) -> Given {
    texts(arguments, |one| match one.has("^[0-9]*$") {
        true => one.clone(),
        false => Texts::of_length(0, one.most).with_pattern(Arc::from("^[0-9]*$")),
    })
}

pub(crate) fn fullwidth_kana(arguments: &[Facts]) -> Given {
    texts(arguments, |one| mapped("fullwidth-kana", "^[^｡-ﾟ]*$", one, true, 1))
}

pub(crate) fn halfwidth_kana(arguments: &[Facts]) -> Given {
    let away = "^[^アイウエオカ-モヤユヨラ-ロワヲン]*$";
    texts(arguments, |one| mapped("halfwidth-kana", away, one, false, 2))
}

pub(crate) fn fullwidth_ascii(arguments: &[Facts]) -> Given {
    texts(arguments, |one| mapped("fullwidth-ascii", "^[^ -~]*$", one, false, 1))
}

pub(crate) fn halfwidth_ascii(arguments: &[Facts]) -> Given {
    texts(arguments, |one| mapped("halfwidth-ascii", "^[^\\x{3000}！-～]*$", one, false, 1))
}

pub(crate) fn large_kana(arguments: &[Facts]) -> Given {
    let away = "^[^ぁぃぅぇぉっゃゅょゎゕゖァィゥェォッャュョヮヵヶｧ-ｯ]*$";
    texts(arguments, |one| mapped("large-kana", away, one, false, 1))
}

pub(crate) fn compose_kana(arguments: &[Facts]) -> Given {
    let marks = set("\u{3099}\u{309A}");
    texts(arguments, |one| match one.characters() {
        Some(class) if !overlap(&class, &marks) => one.clone(),
        _ => Texts::of_length(one.least.div_ceil(2), one.most),
    })
}

pub(crate) fn skip(arguments: &[Facts]) -> Given {
    let (short, long) = count(arguments, 1);
    let marks =
        language::characters("^[\\x{FE00}-\\x{FE0F}\\x{E0100}-\\x{E01EF}\\x{3099}\\x{309A}]*$");
    texts(arguments, |one| {
        if long == Some(0) {
            return one.clone();
        }
        let class = one.characters();
        let whole =
            matches!((&class, &marks), (Some(class), Some(marks)) if !overlap(class, marks));
        let least = long.filter(|_| whole).map_or(0, |long| one.least.saturating_sub(long));
        of_characters(class, least, one.most.map(|most| most.saturating_sub(short)))
    })
}

pub(crate) fn at_most(arguments: &[Facts]) -> Given {
    let (short, long) = count(arguments, 1);
    checked(
        arguments,
        |one| one.most.is_some_and(|most| most <= short),
        |one| match &one.only {
            Some(_) => one.clone(),
            None => one.clone().with_length(0, long),
        },
        "it may have more characters",
    )
}

/// The fewest and most bytes of a character, and whether the charset surely has it.
fn bytes(class: Option<&ClassUnicode>, charset: Option<&str>) -> (usize, usize, bool) {
    let few = class.filter(|class| {
        let size = |range: &regex_syntax::hir::ClassUnicodeRange| {
            range.end() as usize - range.start() as usize + 1
        };
        class.ranges().iter().map(size).sum::<usize>() <= super::MAX_MAPPED
    });
    let widest = match charset {
        Some("utf-8") => (1, 4, true),
        Some("utf-16le") => (2, 4, true),
        Some("cp932") => (1, 2, false),
        _ => (1, 4, false),
    };
    let (Some(class), Some(charset)) = (few, charset) else { return widest };
    let (mut least, mut most, mut all) = (usize::MAX, 1, true);
    for c in class.ranges().iter().flat_map(|range| range.start()..=range.end()) {
        let one = [Value::from(c.to_string()), Value::from(charset)];
        match apply("byte-length", &one) {
            Some(Ok(Some(found))) => {
                let found = found.as_u64().and_then(|n| usize::try_from(n).ok()).unwrap_or(1);
                (least, most) = (least.min(found), most.max(found));
            }
            _ => all = false,
        }
    }
    (least.min(most), most, all)
}

const NOT_ENCODED: &str = "it may have characters that the charset lacks";

pub(crate) fn byte_length(arguments: &[Facts]) -> Given {
    let charset = literal(arguments, 1);
    let mut given = Given::always(Facts::never());
    for one in arguments.first().map_or(&[][..], |facts| &facts.texts) {
        let (least, most, all) = bytes(one.characters().as_ref(), charset.as_deref());
        if !all {
            given.fails = Some(NOT_ENCODED.to_owned());
        }
        let longest = one.most.map(|length| length.saturating_mul(most));
        let numbers = range(one.least.saturating_mul(least), longest);
        given.facts = given.facts.or(numbers.into());
    }
    given
}

pub(crate) fn cut_bytes(arguments: &[Facts]) -> Given {
    let (short, long) = count(arguments, 1);
    let charset = literal(arguments, 2);
    checked(
        arguments,
        |one| bytes(one.characters().as_ref(), charset.as_deref()).2,
        |one| {
            let class = one.characters();
            let (least, most, _) = bytes(class.as_ref(), charset.as_deref());
            if one.most.is_some_and(|length| length.saturating_mul(most) <= short) {
                return one.clone();
            }
            let fit = long.map(|long| long / least.max(1));
            of_characters(class, 0, one.most.into_iter().chain(fit).min())
        },
        NOT_ENCODED,
    )
}

fn padded_bytes(arguments: &[Facts], left: bool) -> Given {
    let (_, long) = count(arguments, 1);
    let filling = literal(arguments, 2);
    let charset = literal(arguments, 3);
    let each = bytes(filling.as_deref().map(set).as_ref(), charset.as_deref());
    checked(
        arguments,
        |one| each == (1, 1, true) && bytes(one.characters().as_ref(), charset.as_deref()).2,
        |one| {
            let most = one.most.zip(long).map(|(most, long)| most.max(long));
            let length = Texts::of_length(one.least, most);
            let Some(filling) = filling.as_deref().map(language::escape) else { return length };
            let pattern = match left {
                true => format!("^(?:{filling})*{}$", one.body()),
                false => format!("^{}(?:{filling})*$", one.body()),
            };
            length.with_pattern(Arc::from(pattern))
        },
        "it may have characters that the charset lacks, or not be filled evenly",
    )
}

pub(crate) fn pad_left_bytes(arguments: &[Facts]) -> Given {
    padded_bytes(arguments, true)
}

pub(crate) fn pad_right_bytes(arguments: &[Facts]) -> Given {
    padded_bytes(arguments, false)
}

pub(crate) fn mask(arguments: &[Facts]) -> Given {
    let (short, _) = count(arguments, 1);
    texts(arguments, |one| {
        if one.most.is_some_and(|most| most <= short) {
            return one.clone();
        }
        let class = one.characters().map(|mut class| {
            class.union(&set("*"));
            class
        });
        of_characters(class, one.least, one.most)
    })
}

fn completed(arguments: &[Facts], kind: &str, zero_for_ten: bool) -> Given {
    let (body, whole) = match kind {
        "my-number" => ("^[0-9]{11}$", "^[0-9]{12}$"),
        "corporate-number" => ("^[0-9]{12}$", "^[0-9]{13}$"),
        "municipality-code" => ("^[0-9]{5}$", "^[0-9]{6}$"),
        _ => ("^[0-9]{14}$", "^[0-9]{15}$"),
    };
    checked(
        arguments,
        |one| (kind != "atena-number" || zero_for_ten) && one.has(body),
        |one| {
            let number = Texts::matching(whole);
            // All zeros get a check digit, but are no 個人番号.
            let valid = kind != "my-number" || one.has("[1-9]");
            if valid { number.with_form(kind) } else { number }
        },
        "it may be no body of as many digits, or one without a check digit",
    )
}

pub(crate) fn with_check_digit(arguments: &[Facts]) -> Given {
    let zero_for_ten = literal(arguments, 2).as_deref() == Some("zero");
    match literal(arguments, 1) {
        Some(kind) => completed(arguments, &kind, zero_for_ten),
        None => Given::or_fails(Texts::matching("^[0-9]{6,15}$"), "the kind is not known"),
    }
}

pub(crate) fn municipality_6(arguments: &[Facts]) -> Given {
    completed(arguments, "municipality-code", false)
}

pub(crate) fn postal_code(arguments: &[Facts]) -> Given {
    checked(
        arguments,
        |one| one.has("^([0-9]{7}|[0-9]{3}-[0-9]{4})$"),
        |_| Texts::matching("^[0-9]{7}$"),
        "it may not be seven digits, or three and four with a hyphen",
    )
}
