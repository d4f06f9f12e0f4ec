//! What each function gives for what is known of its arguments.
//!
//! One function of this file stands beside one of the mapping language. It is told facts of
//! arguments that are values (never absent, null or nil) and of kinds their parameters admit.

use crate::mapping::facts::{Arrays, DATE, EXACT, Facts, Given, Numbers, Texts, language};
use crate::mapping::functions::apply;
use regex_syntax::hir::{ClassUnicode, ClassUnicodeRange};
use serde_json::Value;
use std::sync::Arc;

pub(crate) mod arrays;
pub(crate) mod dates;
pub(crate) mod decimals;
pub(crate) mod texts;

/// Most characters of a set that are mapped one by one.
const MAX_MAPPED: usize = 5_000;

/// A time that never fails to be one: year 1 to 9998, at most nine places of a second.
const TIME: &str = "^(000[1-9]|00[1-9][0-9]|0[1-9][0-9]{2}|[1-8][0-9]{3}|9[0-8][0-9]{2}|99[0-8][0-9]\
                    |999[0-8])-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}(\\.[0-9]{1,9})?\
                    (Z|[+-](0[0-9]|1[0-9]|2[0-3]):[0-5][0-9])$";

fn texts(arguments: &[Facts], one: impl Fn(&Texts) -> Texts) -> Given {
    let texts = arguments.first().map_or(&[][..], |facts| &facts.texts);
    Given::always(texts.iter().map(one).collect::<Vec<Texts>>())
}

/// The same, but for texts of which it is not certain that they have a form.
fn checked(
    arguments: &[Facts],
    certain: impl Fn(&Texts) -> bool,
    one: impl Fn(&Texts) -> Texts,
    why: &str,
) -> Given {
    let texts = arguments.first().map_or(&[][..], |facts| &facts.texts);
    let fails = texts.iter().any(|texts| !certain(texts)).then(|| why.to_owned());
    Given { facts: texts.iter().map(one).collect::<Vec<Texts>>().into(), fails }
}

/// The whole numbers an argument can be, as a range from 0.
fn count(arguments: &[Facts], index: usize) -> (usize, Option<usize>) {
    let numbers = arguments.get(index).map_or(&[][..], |facts| &facts.numbers);
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "within bounds")]
    let bound = |value: f64| (0.0..=10_000.0).contains(&value).then_some(value as usize);
    let least = numbers.iter().map(|one| bound(one.least).unwrap_or(0)).min().unwrap_or(0);
    let most: Option<Vec<usize>> = numbers.iter().map(|one| bound(one.most)).collect();
    (least, most.and_then(|all| all.into_iter().max()))
}

/// The one text an argument is.
fn literal(arguments: &[Facts], index: usize) -> Option<String> {
    match arguments.get(index)?.texts.as_slice() {
        [one] => match one.only.as_ref()?.iter().collect::<Vec<_>>().as_slice() {
            [text] => Some((*text).clone()),
            _ => None,
        },
        _ => None,
    }
}

/// All characters that the texts of an argument may have.
fn characters(facts: &Facts) -> Option<ClassUnicode> {
    let mut all = ClassUnicode::empty();
    for texts in &facts.texts {
        all.union(&texts.characters()?);
    }
    Some(all)
}

fn set(text: &str) -> ClassUnicode {
    ClassUnicode::new(text.chars().map(|c| ClassUnicodeRange::new(c, c)))
}

fn overlap(left: &ClassUnicode, right: &ClassUnicode) -> bool {
    let mut both = left.clone();
    both.intersect(right);
    !both.ranges().is_empty()
}

/// Texts of the same characters, of another length.
fn of_characters(class: Option<ClassUnicode>, least: usize, most: Option<usize>) -> Texts {
    let texts = Texts::of_length(least, most);
    match class {
        Some(class) => texts.with_pattern(language::only_of(&class)),
        None => texts,
    }
}

/// A function that changes one character after another (and may join a letter and its mark, or
/// give several for one): `away` holds of every result.
fn mapped(name: &'static str, away: &str, texts: &Texts, shrinks: bool, grows: usize) -> Texts {
    let least = if shrinks { texts.least.div_ceil(2) } else { texts.least };
    let most = texts.most.map(|most| most.saturating_mul(grows));
    let mut result = Texts::of_length(least, most).with_pattern(Arc::from(away));
    let Some(class) = texts.characters() else { return result };
    let size: usize =
        class.ranges().iter().map(|range| range.end() as usize - range.start() as usize + 1).sum();
    if size > MAX_MAPPED {
        return result;
    }
    let mut after = ClassUnicode::empty();
    let mut same = true;
    for c in class.ranges().iter().flat_map(|range| range.start()..=range.end()) {
        let before = c.to_string();
        let Some(Ok(Some(Value::String(mapped)))) = apply(name, &[Value::from(before.as_str())])
        else {
            return result;
        };
        same &= mapped == before;
        after.union(&set(&mapped));
        match c {
            // A mark joins the letter before it: any voiced letter may come of it.
            'ﾞ' | 'ﾟ' => after.push(ClassUnicodeRange::new('ァ', 'ヺ')),
            'Σ' => after.push(ClassUnicodeRange::new('ς', 'ς')),
            _ => {}
        }
    }
    if same {
        return texts.clone();
    }
    result = result.with_pattern(language::only_of(&after));
    result
}

pub(crate) fn upper(arguments: &[Facts]) -> Given {
    texts(arguments, |one| mapped("upper", "^[^a-zａ-ｚ]*$", one, false, 3))
}

pub(crate) fn lower(arguments: &[Facts]) -> Given {
    texts(arguments, |one| mapped("lower", "^[^A-ZＡ-Ｚ]*$", one, false, 3))
}

pub(crate) fn fullwidth(arguments: &[Facts]) -> Given {
    texts(arguments, |one| mapped("fullwidth", "^[^ -~｡-ﾟ]*$", one, true, 1))
}

pub(crate) fn halfwidth(arguments: &[Facts]) -> Given {
    texts(arguments, |one| mapped("halfwidth", "^[^\\x{3000}！-～]*$", one, false, 2))
}

pub(crate) fn katakana(arguments: &[Facts]) -> Given {
    texts(arguments, |one| mapped("katakana", "^[^ぁ-ゖゝゞ｡-ﾟ]*$", one, true, 1))
}

pub(crate) fn hiragana(arguments: &[Facts]) -> Given {
    texts(arguments, |one| mapped("hiragana", "^[^ァ-ヶヽヾ]*$", one, false, 1))
}

pub(crate) fn trim(arguments: &[Facts]) -> Given {
    texts(arguments, |one| {
        let class = one.characters();
        let spaces = language::characters("^\\p{White_Space}*$");
        match (&class, spaces) {
            (Some(class), Some(spaces)) if !overlap(class, &spaces) => one.clone(),
            _ => of_characters(class, 0, one.most),
        }
    })
}

pub(crate) fn cut(arguments: &[Facts]) -> Given {
    let (short, long) = count(arguments, 1);
    texts(arguments, |one| {
        if one.most.is_some_and(|most| most <= short) {
            return one.clone();
        }
        let class = one.characters();
        let marks =
            language::characters("^[\\x{FE00}-\\x{FE0F}\\x{E0100}-\\x{E01EF}\\x{3099}\\x{309A}]*$");
        let parted = match (&class, marks) {
            (Some(class), Some(marks)) => overlap(class, &marks),
            _ => true,
        };
        let least = if parted { 0 } else { one.least.min(short) };
        let most = one.most.into_iter().chain(long).min();
        of_characters(class, least, most)
    })
}

fn padded(arguments: &[Facts], left: bool) -> Given {
    let (short, long) = count(arguments, 1);
    let filling = literal(arguments, 2);
    texts(arguments, |one| {
        if long.is_some_and(|long| one.least >= long) {
            return one.clone();
        }
        let least = one.least.max(short);
        let most = one.most.zip(long).map(|(most, long)| most.max(long));
        let length = Texts::of_length(least, most);
        match &filling {
            Some(filling) => {
                let (filling, body) = (language::escape(filling), one.body());
                let pattern = if left {
                    format!("^(?:{filling})*{body}$")
                } else {
                    format!("^{body}(?:{filling})*$")
                };
                length.with_pattern(Arc::from(pattern))
            }
            None => length,
        }
    })
}

pub(crate) fn pad_left(arguments: &[Facts]) -> Given {
    padded(arguments, true)
}

pub(crate) fn pad_right(arguments: &[Facts]) -> Given {
    padded(arguments, false)
}

pub(crate) fn replace(arguments: &[Facts]) -> Given {
    let (from, to) = (literal(arguments, 1), literal(arguments, 2));
    texts(arguments, |one| {
        let (Some(from), Some(to)) = (&from, &to) else { return Texts::any() };
        let class = one.characters();
        if class.as_ref().is_some_and(|class| {
            !set(from).ranges().iter().all(|range| overlap(class, &ClassUnicode::new([*range])))
        }) {
            return one.clone();
        }
        let (removed, put) = (from.chars().count().max(1), to.chars().count());
        let most = if put <= removed {
            one.most
        } else {
            one.most.map(|most| (most / removed).saturating_mul(put) + most % removed)
        };
        let least = if put >= removed { one.least } else { one.least / removed * put };
        let class = class.map(|mut class| {
            if removed == 1 {
                class.difference(&set(from));
            }
            class.union(&set(to));
            class
        });
        of_characters(class, least, most)
    })
}

/// A scalar as the text it is written as.
fn written(facts: &Facts) -> Vec<Texts> {
    let mut all = facts.texts.clone();
    all.extend(facts.numbers.iter().map(number_text));
    let words = [(facts.yes, "true"), (facts.no, "false")];
    let words: Vec<String> =
        words.iter().filter(|(may, _)| *may).map(|(_, word)| (*word).to_owned()).collect();
    if !words.is_empty() {
        all.push(Texts::listed(words));
    }
    all
}

/// How a number is written.
pub(crate) fn number_text(numbers: &Numbers) -> Texts {
    if let Some(values) = numbers.values() {
        let texts = values.iter().filter_map(Value::as_number);
        return Texts::listed(
            texts.map(|number| crate::mapping::functions::number_text(number).into_owned()),
        );
    }
    if !numbers.is_exact() {
        return Texts::matching("^-?[0-9]+(\\.[0-9]+)?([eE][+-]?[0-9]+)?$");
    }
    let digits = |bound: f64| format!("{:.0}", bound.abs().floor()).len();
    let most = digits(numbers.least).max(digits(numbers.most)) - 1;
    let sign = if numbers.least < 0.0 { "-?" } else { "" };
    Texts::matching(&if numbers.least >= 1.0 {
        format!("^[1-9][0-9]{{0,{most}}}$")
    } else {
        format!("^{sign}(0|[1-9][0-9]{{0,{most}}})$")
    })
}

pub(crate) fn string(arguments: &[Facts]) -> Given {
    Given::always(arguments.first().map(written).unwrap_or_default())
}

pub(crate) fn concat(arguments: &[Facts]) -> Given {
    let mut all = vec![Texts::listed([String::new()])];
    for argument in arguments {
        let parts = written(argument);
        if all.len() * parts.len() > 24 {
            return Given::always(Texts::any());
        }
        all = all.iter().flat_map(|left| parts.iter().map(|right| both(left, right))).collect();
    }
    Given::always(all)
}

fn both(left: &Texts, right: &Texts) -> Texts {
    if let (Some(first), Some(second)) = (&left.only, &right.only)
        && first.len() * second.len() <= 64
    {
        let joined = first.iter().flat_map(|a| second.iter().map(move |b| format!("{a}{b}")));
        return Texts::listed(joined);
    }
    let most = left.most.zip(right.most).map(|(a, b)| a.saturating_add(b));
    let length = Texts::of_length(left.least.saturating_add(right.least), most);
    let pattern = format!("^{}{}$", left.body(), right.body());
    if pattern.len() > 2_000 { length } else { length.with_pattern(Arc::from(pattern)) }
}

pub(crate) fn join(arguments: &[Facts]) -> Given {
    let Some(array) = arguments.first() else { return Given::always(Texts::any()) };
    let element = array.element();
    let fails =
        (!element.arrays.is_empty() || !element.objects.is_empty() || !element.nils.is_empty())
            .then(|| "an element may be neither text nor number, true or false".to_owned());
    let parts = Facts::from(written(&element));
    let separator = arguments.get(1).cloned().unwrap_or_default();
    let class = characters(&parts).zip(characters(&separator)).map(|(mut parts, separator)| {
        parts.union(&separator);
        parts
    });
    let longest = |facts: &Facts| -> Option<usize> {
        let all: Option<Vec<usize>> = facts.texts.iter().map(|one| one.most).collect();
        all.map(|all| all.into_iter().max().unwrap_or(0))
    };
    let many: Option<Vec<usize>> = array.arrays.iter().map(|one| one.most).collect();
    let many = many.and_then(|all| all.into_iter().max());
    let most = match (many, longest(&parts), longest(&separator)) {
        (Some(many), Some(part), Some(separator)) => {
            Some(many.saturating_mul(part).saturating_add(many.saturating_sub(1) * separator))
        }
        _ => None,
    };
    let surely = array.arrays.iter().all(|one| one.least > 0) && !element.null;
    let shortest = parts.texts.iter().map(|one| one.least).min().unwrap_or(0);
    let least = if surely { shortest } else { 0 };
    Given { facts: of_characters(class, least, most).into(), fails }
}

pub(crate) fn split(arguments: &[Facts]) -> Given {
    let Some(source) = arguments.first() else { return Given::always(Facts::never()) };
    let arrays = source.texts.iter().map(|one| {
        let element = of_characters(one.characters(), 0, one.most);
        let (least, most) = (usize::from(one.least > 0), one.most.map(|most| most + 1));
        Facts::from(Arrays { least, most, element: Some(element.into()) })
    });
    Given::always(arrays.fold(Facts::never(), Facts::or))
}

fn as_f64(count: usize) -> f64 {
    u32::try_from(count).map_or(f64::INFINITY, f64::from)
}

fn range(least: usize, most: Option<usize>) -> Numbers {
    Numbers::whole(as_f64(least), most.map_or(f64::from(u32::MAX), as_f64))
}

pub(crate) fn length(arguments: &[Facts]) -> Given {
    let texts = arguments.first().map_or(&[][..], |facts| &facts.texts);
    let numbers = texts.iter().map(|one| Facts::from(range(one.least, one.most)));
    Given::always(numbers.fold(Facts::never(), Facts::or))
}

pub(crate) fn boolean(_: &[Facts]) -> Given {
    Given::always(Facts::boolean())
}

pub(crate) fn contains(arguments: &[Facts]) -> Given {
    let text = arguments.first().is_some_and(|first| !first.texts.is_empty());
    let part = arguments.get(1).cloned().unwrap_or_default();
    let other = part.yes || part.no || !part.numbers.is_empty();
    let fails = (text && other).then(|| "a text contains texts only".to_owned());
    Given { facts: Facts::boolean(), fails }
}

pub(crate) fn digits(arguments: &[Facts]) -> Given {
    let digits: Arc<str> = Arc::from("^[0-9]+$");
    checked(
        arguments,
        |one| one.has("^[0-9]+$"),
        |one| one.clone().with_pattern(Arc::clone(&digits)),
        "it may have other characters than the digits 0 to 9",
    )
}

/// The fewest digits that surely hold the whole part.
fn whole_digits(texts: &Texts) -> Option<usize> {
    (1..=18).find(|digits| texts.has(&format!("^-?0*[0-9]{{1,{digits}}}(\\.[0-9]*)?$")))
}

pub(crate) fn decimal(arguments: &[Facts]) -> Given {
    let (places, most) = count(arguments, 1);
    let Some(source) = arguments.first() else { return Given::always(Facts::never()) };
    let mut fails = None;
    let mut all = Vec::new();
    for one in written(source) {
        let wanted = match places {
            0 => "^-?[0-9]+(\\.0+)?$".to_owned(),
            _ => format!("^-?[0-9]+(\\.[0-9]{{0,{}}}[0-9]0*)?$", places - 1),
        };
        if !one.has(&wanted) {
            fails = Some(format!("it may be no decimal of at most {places} places"));
        }
        let sign = if one.has("^[^-]*$") { "" } else { "-?" };
        let whole =
            whole_digits(&one).map_or_else(|| "*".to_owned(), |n| format!("{{0,{}}}", n - 1));
        let fraction = match places {
            _ if most != Some(places) => "(\\.[0-9]+)?".to_owned(),
            0 => String::new(),
            _ => format!("\\.[0-9]{{{places}}}"),
        };
        all.push(Texts::matching(&format!("^{sign}(0|[1-9][0-9]{whole}){fraction}$")));
    }
    Given { facts: all.into(), fails }
}

pub(crate) fn integer(arguments: &[Facts]) -> Given {
    let Some(source) = arguments.first() else { return Given::always(Facts::never()) };
    let mut fails = None;
    let mut facts = Facts::never();
    for one in &source.numbers {
        if !one.is_exact() {
            fails = Some("the number may not be whole, or have more than 15 digits".to_owned());
        }
        let limit = |bound: f64, least: f64, most: f64| bound.clamp(least, most);
        let (least, most) = (limit(one.least, -1e19, 1e19), limit(one.most, -1e19, 1e19));
        facts = facts.or(Numbers { whole: true, least, most, ..one.clone() }.into());
    }
    for one in &source.texts {
        if !one.has("^-?0*[0-9]{1,18}$") {
            fails = Some("it may have other characters than digits, or more than 18".to_owned());
        }
        let digits = whole_digits(one).and_then(|digits| i32::try_from(digits).ok());
        let most = digits.map_or(1e19, |digits| 10f64.powi(digits) - 1.0);
        let least = match (one.has("^[^-]*$"), one.has("^0*[1-9]")) {
            (true, true) => 1.0,
            (true, false) => 0.0,
            _ => -most,
        };
        facts = facts.or(Numbers::whole(least, most).into());
    }
    Given { facts, fails }
}

pub(crate) fn number(arguments: &[Facts]) -> Given {
    let Some(source) = arguments.first() else { return Given::always(Facts::never()) };
    let mut facts = Facts { numbers: source.numbers.clone(), ..Facts::default() };
    let mut fails = None;
    for one in &source.texts {
        let whole = one.has("^(0|-?[1-9][0-9]{0,14})$");
        if !whole
            && !one.has("^(0|-?[1-9][0-9]{0,6})(\\.[0-9]{1,7})?$")
            && !one.has("^-?(0|[1-9][0-9]{0,6})(\\.[0-9]{1,7})$")
        {
            fails = Some("it may be no number that keeps its digits".to_owned());
        }
        let most = whole_digits(one).and_then(|digits| i32::try_from(digits).ok());
        let most = most.map_or(f64::INFINITY, |digits| 10f64.powi(digits));
        let least = if one.has("^[^-]*$") { 0.0 } else { -most };
        facts = facts.or(Numbers { least, most, whole, ..Numbers::any() }.into());
    }
    Given { facts, fails }
}

fn arithmetic(arguments: &[Facts], add: bool) -> Given {
    let bounds = |index: usize| {
        let numbers = arguments.get(index).map_or(&[][..], |facts| &facts.numbers);
        let least = numbers.iter().map(|one| one.least).fold(f64::INFINITY, f64::min);
        let most = numbers.iter().map(|one| one.most).fold(f64::NEG_INFINITY, f64::max);
        (least, most)
    };
    let ((a, b), (c, d)) = (bounds(0), bounds(1));
    let (least, most) = if add { (a + c, b + d) } else { (a - d, b - c) };
    let safe = |bound: f64| bound.abs() <= EXACT;
    let fails = !(safe(a) && safe(b) && safe(c) && safe(d));
    let fails = fails.then(|| "the numbers may have more than 15 digits".to_owned());
    let whole =
        if fails.is_some() { Numbers::whole(-1e19, 1e19) } else { Numbers::whole(least, most) };
    Given { facts: whole.into(), fails }
}

pub(crate) fn plus(arguments: &[Facts]) -> Given {
    arithmetic(arguments, true)
}

pub(crate) fn minus(arguments: &[Facts]) -> Given {
    arithmetic(arguments, false)
}

fn is_date(texts: &Texts) -> bool {
    texts.has_form("date")
}

fn dates() -> Texts {
    Texts::matching(DATE).with_form("date")
}

const NO_DATE: &str = "it may be no calendar date YYYY-MM-DD";

pub(crate) fn date(arguments: &[Facts]) -> Given {
    let one = |one: &Texts| one.clone().with_pattern(Arc::from(DATE)).with_form("date");
    checked(arguments, is_date, one, NO_DATE)
}

pub(crate) fn compact_date(arguments: &[Facts]) -> Given {
    let pattern = "^[0-9]{4}(0[1-9]|1[0-2])(0[1-9]|[12][0-9]|3[01])$";
    checked(arguments, is_date, |_| Texts::matching(pattern).with_form("compact-date"), NO_DATE)
}

pub(crate) fn from_compact_date(arguments: &[Facts]) -> Given {
    let certain = |one: &Texts| one.has_form("compact-date");
    checked(arguments, certain, |_| dates(), "it may be no calendar date YYYYMMDD")
}

pub(crate) fn wareki(arguments: &[Facts]) -> Given {
    let since = "^(187[3-9]|18[89][0-9]|19[0-9]{2}|[2-8][0-9]{3})-";
    let result =
        "^(明治|大正|昭和|平成|令和)[1-9][0-9]{0,3}-(0[1-9]|1[0-2])-(0[1-9]|[12][0-9]|3[01])$";
    checked(
        arguments,
        |one| is_date(one) && one.has(since),
        |_| Texts::matching(result),
        "it may be no calendar date from 1873-01-01 to 8999-12-31",
    )
}

pub(crate) fn from_wareki(arguments: &[Facts]) -> Given {
    checked(arguments, |_| false, |_| dates(), "it may be no day of an era")
}

pub(crate) fn date_add_days(arguments: &[Facts]) -> Given {
    let near = arguments.get(1).is_some_and(|days| {
        days.numbers.iter().all(|one| one.least >= -36_500.0 && one.most <= 36_500.0)
    });
    let inside = "^(0[1-9]|[1-8][0-9]|9[0-8])";
    checked(
        arguments,
        |one| near && is_date(one) && one.has(inside),
        |_| dates(),
        "it may be no calendar date, or lead out of the years 0000 to 9999",
    )
}

pub(crate) fn age(_: &[Facts]) -> Given {
    let why = "one may be no calendar date, or the second before the first";
    Given::or_fails(Numbers::whole(0.0, 9_999.0), why)
}

fn is_time(texts: &Texts) -> bool {
    texts.has_form("instant") || (texts.has_form("date-time") && texts.has(TIME))
}

const NO_TIME: &str = "it may be no RFC 3339 time of the years 0001 to 9998 in capitals";

pub(crate) fn jst_date(arguments: &[Facts]) -> Given {
    checked(arguments, is_time, |_| dates(), NO_TIME)
}

pub(crate) fn jst_compact_datetime(arguments: &[Facts]) -> Given {
    checked(arguments, is_time, |_| Texts::matching("^[0-9]{17}$"), NO_TIME)
}

pub(crate) fn municipality_5(arguments: &[Facts]) -> Given {
    checked(
        arguments,
        |one| one.has_form("municipality-code"),
        |_| Texts::matching("^[0-9]{5}$"),
        "it may be no 団体コード of six digits whose last one checks",
    )
}

pub(crate) fn json(_: &[Facts]) -> Given {
    Given::or_fails(Facts::any(), "the text may be no JSON")
}

pub(crate) fn to_json(_: &[Facts]) -> Given {
    Given::always(Texts::of_length(1, None))
}
