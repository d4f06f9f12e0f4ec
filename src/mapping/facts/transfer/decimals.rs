//! What the functions over exact decimals and whole numbers give.

use super::{checked, count, written};
use crate::mapping::facts::{EXACT, Facts, Given, Numbers, Texts};

/// How much room a decimal takes.
#[derive(Clone, Copy)]
struct Size {
    whole: usize,
    places: usize,
    negative: bool,
}

/// The room a text surely fits in; `None` when it may be no decimal or a long one.
fn size(texts: &Texts) -> Option<Size> {
    if !texts.has("^-?[0-9]{1,16}(\\.[0-9]{1,10})?$") {
        return None;
    }
    let whole = (1..16).find(|n| texts.has(&format!("^-?0*[0-9]{{1,{n}}}(\\.|$)"))).unwrap_or(16);
    let places = (0..10).find(|n| match n {
        0 => texts.has("^-?[0-9]+(\\.0+)?$"),
        n => texts.has(&format!("^-?[0-9]+(\\.[0-9]{{1,{n}}}0*)?$")),
    });
    Some(Size { whole, places: places.unwrap_or(10), negative: !texts.has("^[^-]*$") })
}

/// The room every variant of an argument fits in.
fn room(facts: Option<&Facts>) -> Option<Size> {
    let texts = written(facts?);
    let sizes: Option<Vec<Size>> = texts.iter().map(size).collect();
    sizes?.into_iter().reduce(|a, b| Size {
        whole: a.whole.max(b.whole),
        places: a.places.max(b.places),
        negative: a.negative || b.negative,
    })
}

const NO_DECIMAL: &str = "it may be no decimal of at most 16 digits and 10 places";

/// A decimal without zeros at its end.
fn shortest(size: Option<Size>) -> Given {
    let Some(Size { whole, places, negative }) = size else {
        let any = Texts::matching("^-?(0|[1-9][0-9]*)(\\.[0-9]*[1-9])?$");
        return Given::or_fails(any, NO_DECIMAL);
    };
    let sign = if negative { "-?" } else { "" };
    let fraction = match places.checked_sub(1) {
        Some(before) => format!("(\\.[0-9]{{0,{before}}}[1-9])?"),
        None => String::new(),
    };
    let digits = whole.saturating_sub(1);
    Given::always(Texts::matching(&format!("^{sign}(0|[1-9][0-9]{{0,{digits}}}){fraction}$")))
}

fn two(arguments: &[Facts]) -> Option<(Size, Size)> {
    room(arguments.first()).zip(room(arguments.get(1)))
}

pub(crate) fn add(arguments: &[Facts]) -> Given {
    shortest(two(arguments).map(|(a, b)| Size {
        whole: a.whole.max(b.whole) + 1,
        places: a.places.max(b.places),
        negative: a.negative || b.negative,
    }))
}

pub(crate) fn subtract(arguments: &[Facts]) -> Given {
    shortest(two(arguments).map(|(a, b)| Size {
        whole: a.whole.max(b.whole) + 1,
        places: a.places.max(b.places),
        negative: true,
    }))
}

pub(crate) fn multiply(arguments: &[Facts]) -> Given {
    let size = two(arguments).map(|(a, b)| Size {
        whole: a.whole + b.whole,
        places: a.places + b.places,
        negative: a.negative || b.negative,
    });
    shortest(size.filter(|size| size.whole + size.places <= 37))
}

/// A decimal with an exact number of places.
fn fixed(size: Option<Size>, places: (usize, Option<usize>), why: &str) -> Given {
    let fraction = match places {
        (0, Some(0)) => String::new(),
        (n, Some(m)) if n == m => format!("\\.[0-9]{{{n}}}"),
        _ => "(\\.[0-9]+)?".to_owned(),
    };
    match size {
        Some(size) => {
            let sign = if size.negative { "-?" } else { "" };
            let digits = size.whole.saturating_sub(1);
            let text = format!("^{sign}(0|[1-9][0-9]{{0,{digits}}}){fraction}$");
            Given::always(Texts::matching(&text))
        }
        None => Given::or_fails(Texts::matching(&format!("^-?(0|[1-9][0-9]*){fraction}$")), why),
    }
}

pub(crate) fn divide(arguments: &[Facts]) -> Given {
    let places = count(arguments, 2);
    let zero =
        arguments.get(1).is_none_or(|divisor| !written(divisor).iter().all(|one| one.has("[1-9]")));
    let size = two(arguments).filter(|_| !zero).zip(places.1).and_then(|((a, b), most)| {
        let room = a.whole + a.places + b.whole + b.places + most;
        let negative = a.negative || b.negative;
        (room <= 37).then_some(Size { whole: a.whole + b.places + 1, places: most, negative })
    });
    fixed(size, places, "one may be no decimal of few digits, or the second be zero")
}

pub(crate) fn round(arguments: &[Facts]) -> Given {
    let places = count(arguments, 1);
    let size = room(arguments.first()).zip(places.1).filter(|(_, most)| *most <= 10);
    let size = size.map(|(size, most)| {
        let more = usize::from(size.places > places.0);
        Size { whole: size.whole + more, places: most, ..size }
    });
    fixed(size, places, NO_DECIMAL)
}

pub(crate) fn compare(arguments: &[Facts]) -> Given {
    let facts = Numbers::whole(-1.0, 1.0);
    match two(arguments) {
        Some(_) => Given::always(facts),
        None => Given::or_fails(facts, NO_DECIMAL),
    }
}

pub(crate) fn between(arguments: &[Facts]) -> Given {
    match (two(arguments), room(arguments.get(2))) {
        (Some(_), Some(_)) => Given::always(Facts::boolean()),
        _ => Given::or_fails(Facts::boolean(), NO_DECIMAL),
    }
}

/// The numbers an argument can be, as a range; `None` when it may be a text.
fn bounds(facts: Option<&Facts>) -> Option<(f64, f64)> {
    let facts = facts.filter(|facts| facts.texts.is_empty())?;
    let least = facts.numbers.iter().map(|one| one.least).reduce(f64::min)?;
    Some((least, facts.numbers.iter().map(|one| one.most).reduce(f64::max)?))
}

pub(crate) fn within(arguments: &[Facts]) -> Given {
    let Some(source) = arguments.first() else { return Given::always(Facts::never()) };
    let (low, high) = (bounds(arguments.get(1)), bounds(arguments.get(2)));
    let mut facts = source.clone();
    for one in facts.numbers.iter_mut().filter(|one| one.only.is_none()) {
        one.least = low.map_or(one.least, |(low, _)| one.least.max(low));
        one.most = high.map_or(one.most, |(_, high)| one.most.min(high));
    }
    facts.numbers.retain(|one| !one.is_never());
    let safe = |one: &Numbers| {
        let inside = low.is_some_and(|(_, low)| one.least >= low)
            && high.is_some_and(|(high, _)| one.most <= high);
        inside && one.is_exact()
    };
    let plain = room(arguments.get(1)).is_some() && room(arguments.get(2)).is_some();
    if plain && source.texts.is_empty() && source.numbers.iter().all(safe) {
        return Given::always(facts);
    }
    Given::or_fails(facts, "the number may be outside of the range")
}

/// What a function gives for the texts an argument is written as.
fn of_written(
    arguments: &[Facts],
    certain: impl Fn(&Texts) -> bool,
    one: impl Fn(&Texts) -> Texts,
    why: &str,
) -> Given {
    let written: Vec<Texts> = arguments.first().map(written).unwrap_or_default();
    checked(&[Facts { texts: written, ..Facts::default() }], certain, one, why)
}

pub(crate) fn thousands(arguments: &[Facts]) -> Given {
    of_written(
        arguments,
        |one| one.has("^-?[0-9]+(\\.[0-9]+)?$"),
        |one| {
            let most = one.most.map(|most| most + most / 3);
            Texts::matching("^-?[0-9]{1,3}(,[0-9]{3})*(\\.[0-9]+)?$").with_length(one.least, most)
        },
        "it may be no decimal",
    )
}

pub(crate) fn from_thousands(arguments: &[Facts]) -> Given {
    checked(
        arguments,
        |one| one.has("^-?([0-9]{1,3}(,[0-9]{3})+|[0-9]+)(\\.[0-9]+)?$"),
        |one| Texts::matching("^-?[0-9]+(\\.[0-9]+)?$").with_length(0, one.most),
        "it may be no digits with a comma between groups of three",
    )
}

pub(crate) fn zero_pad(arguments: &[Facts]) -> Given {
    let (short, long) = count(arguments, 1);
    of_written(
        arguments,
        |one| one.has("^[0-9]+$") && one.most.is_some_and(|most| most <= short),
        |_| Texts::matching("^[0-9]+$").with_length(short, long),
        "it may have other characters than digits, or too many of them",
    )
}

pub(crate) fn from_implied(arguments: &[Facts]) -> Given {
    let places = count(arguments, 1);
    let digits = |one: &Texts| one.has("^-?[0-9]{1,16}$");
    let texts = arguments.first().map(written).unwrap_or_default();
    let size = room(arguments.first())
        .filter(|_| texts.iter().all(digits) && places.1.is_some_and(|most| most <= 38))
        .map(|size| Size { whole: size.whole.saturating_sub(places.0).max(1), ..size });
    fixed(size, places, "it may be no digits, or more than 16")
}

pub(crate) fn to_implied(arguments: &[Facts]) -> Given {
    let (short, long) = count(arguments, 1);
    let size = room(arguments.first())
        .zip(long)
        .filter(|(size, most)| size.places <= short && size.whole + most <= 37);
    let size = size.map(|(size, most)| Size { whole: size.whole + most, ..size });
    fixed(size, (0, Some(0)), "it may be no decimal of so few places")
}

pub(crate) fn sum(arguments: &[Facts]) -> Given {
    let mut all = Some(Size { whole: 1, places: 0, negative: false });
    for array in arguments.first().map_or(&[][..], |facts| &facts.arrays) {
        let element = array.element.clone().unwrap_or_else(Facts::any);
        if array.most == Some(0) || element.is_never() {
            continue;
        }
        let scalar = Facts {
            texts: element.texts.clone(),
            numbers: element.numbers.clone(),
            ..Facts::default()
        };
        // No message has so many elements that eleven digits would not count them.
        let more = array.most.map_or(11, |most| most.to_string().len());
        let size = room(Some(&element)).filter(|_| scalar == element);
        all = all.zip(size).map(|(all, size)| Size {
            whole: all.whole.max(size.whole + more),
            places: all.places.max(size.places),
            negative: all.negative || size.negative,
        });
    }
    shortest(all)
}

/// The bounds of two whole numbers; `None` when one may have more than 15 digits.
fn whole(arguments: &[Facts]) -> Option<((f64, f64), (f64, f64))> {
    let safe = |(least, most): &(f64, f64)| least.abs() <= EXACT && most.abs() <= EXACT;
    let (a, b) = (bounds(arguments.first())?, bounds(arguments.get(1))?);
    (safe(&a) && safe(&b)).then_some((a, b))
}

const OVERFLOW: &str = "the result may have more than 15 digits";

pub(crate) fn times(arguments: &[Facts]) -> Given {
    let products = whole(arguments).map(|((a, b), (c, d))| [a * c, a * d, b * c, b * d]);
    match products.filter(|all| all.iter().all(|one| one.abs() <= EXACT)) {
        Some(all) => Given::always(Numbers::whole(
            all.into_iter().fold(f64::INFINITY, f64::min),
            all.into_iter().fold(f64::NEG_INFINITY, f64::max),
        )),
        None => Given::or_fails(Numbers::whole(-1e19, 1e19), OVERFLOW),
    }
}

/// Whether the second number may be zero.
fn may_be_zero(arguments: &[Facts]) -> bool {
    arguments.get(1).is_none_or(|divisor| divisor.may_be(&serde_json::Value::from(0)))
}

fn divided(arguments: &[Facts], facts: Option<Numbers>) -> Given {
    match facts {
        Some(facts) if !may_be_zero(arguments) => Given::always(facts),
        Some(facts) => Given::or_fails(facts, "the second number may be zero"),
        None => Given::or_fails(Numbers::whole(-1e19, 1e19), OVERFLOW),
    }
}

pub(crate) fn quotient(arguments: &[Facts]) -> Given {
    let facts = whole(arguments).map(|((least, most), (divisor, _))| {
        if least >= 0.0 && divisor >= 0.0 {
            return Numbers::whole(0.0, (most / divisor.max(1.0)).floor());
        }
        let all = least.abs().max(most.abs());
        Numbers::whole(-all, all)
    });
    divided(arguments, facts)
}

pub(crate) fn remainder(arguments: &[Facts]) -> Given {
    let facts = whole(arguments).map(|(_, (least, most))| {
        Numbers::whole(0.0, (least.abs().max(most.abs()) - 1.0).max(0.0))
    });
    divided(arguments, facts)
}
