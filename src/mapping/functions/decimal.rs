//! Exact decimals: texts or numbers in, texts out, at most 38 digits, no float anywhere.

use crate::mapping::facts::{Gives, transfer};
use crate::mapping::functions::{
    Accepts, Arguments, Fail, Function, Outcome, Returns, kind_of, not_convertible, number,
    parameter, plain, text, value,
};
use serde_json::Value;
use std::cmp::Ordering;

/// How the digits behind the last place are dropped.
const MODE: Accepts =
    Accepts::OneOf(&["half-up", "half-even", "half-down", "up", "down", "ceiling", "floor"]);

const TWO: &[crate::mapping::functions::Parameter] =
    &[parameter("a", Accepts::TextOrNumber), parameter("b", Accepts::TextOrNumber)];

pub(super) static FUNCTIONS: &[Function] = &[
    Function {
        name: "decimal-add",
        gives: Gives::By(transfer::decimals::add),
        parameters: TWO,
        doc: "The exact sum of two decimals, without zeros at its end.",
        examples: &[
            ("decimal-add(\"0.1\", \"0.2\")", "\"0.3\""),
            ("decimal-add(\"0.50\", 1)", "\"1.5\""),
            ("decimal-add(\"1e3\", 1)", "M304"),
        ],
        ..plain(|a| exact(Exact::add(&decimal(&a, 0)?, &decimal(&a, 1)?)))
    },
    Function {
        name: "decimal-subtract",
        gives: Gives::By(transfer::decimals::subtract),
        parameters: TWO,
        doc: "The exact first decimal less the second.",
        examples: &[("decimal-subtract(\"0.3\", \"0.1\")", "\"0.2\"")],
        ..plain(|a| exact(Exact::add(&decimal(&a, 0)?, &decimal(&a, 1)?.negated())))
    },
    Function {
        name: "decimal-multiply",
        gives: Gives::By(transfer::decimals::multiply),
        parameters: TWO,
        doc: "The exact product of two decimals.",
        examples: &[
            ("decimal-multiply(\"1.1\", \"1.1\")", "\"1.21\""),
            ("decimal-multiply(\"99999999999999999999\", \"99999999999999999999\")", "M304"),
        ],
        ..plain(|a| exact(Exact::multiply(&decimal(&a, 0)?, &decimal(&a, 1)?)))
    },
    Function {
        name: "decimal-divide",
        gives: Gives::By(transfer::decimals::divide),
        parameters: &[
            parameter("a", Accepts::TextOrNumber),
            parameter("b", Accepts::TextOrNumber),
            parameter("places", Accepts::Count),
            parameter("mode", MODE),
        ],
        doc: "The first decimal divided by the second, rounded to that many places.",
        examples: &[
            ("decimal-divide(2, 3, 2, \"half-up\")", "\"0.67\""),
            ("decimal-divide(2, 3, 2, \"down\")", "\"0.66\""),
            ("decimal-divide(1, 0, 2, \"down\")", "M304"),
        ],
        ..plain(divide)
    },
    Function {
        name: "round",
        gives: Gives::By(transfer::decimals::round),
        parameters: &[
            parameter("value", Accepts::TextOrNumber),
            parameter("places", Accepts::Count),
            parameter("mode", MODE),
        ],
        doc: "A decimal text with exactly that many places; half-up is 四捨五入, down 切捨て, up 切上げ.",
        examples: &[
            ("round(\"0.125\", 2, \"half-up\")", "\"0.13\""),
            ("round(\"0.125\", 2, \"half-even\")", "\"0.12\""),
            ("round(\"-1.5\", 0, \"floor\")", "\"-2\""),
            ("round(3, 1, \"up\")", "\"3.0\""),
        ],
        ..plain(round)
    },
    Function {
        name: "decimal-compare",
        gives: Gives::By(transfer::decimals::compare),
        parameters: TWO,
        returns: Returns::Integer,
        carries: false,
        doc: "-1, 0 or 1: whether the first decimal is less than, equal to or more than the second.",
        examples: &[
            ("decimal-compare(\"10\", \"9.5\")", "1"),
            ("decimal-compare(\"1.0\", 1)", "0"),
        ],
        ..plain(|a| match decimal(&a, 0)?.compare(&decimal(&a, 1)?) {
            Some(order) => value(order as i64),
            None => Err(too_many_digits()),
        })
    },
    Function {
        name: "between",
        gives: Gives::By(transfer::decimals::between),
        parameters: RANGE,
        returns: Returns::Boolean,
        carries: false,
        doc: "Whether a decimal is in a range, both ends included.",
        examples: &[("between(\"0.5\", 0, 1)", "true"), ("between(\"1.01\", 0, 1)", "false")],
        ..plain(|a| value(between(&a)?))
    },
    Function {
        name: "within",
        gives: Gives::By(transfer::decimals::within),
        parameters: RANGE,
        returns: Returns::Any,
        doc: "The number as it is, refused outside of a range; both ends are inside.",
        examples: &[("within(\"0.50\", 0, 1)", "\"0.50\""), ("within(7, 0, 5)", "M304")],
        ..plain(|a| {
            if between(&a)? {
                return a.unchanged();
            }
            Err(not_convertible("within: the number is outside of the range"))
        })
    },
    Function {
        name: "thousands",
        gives: Gives::By(transfer::decimals::thousands),
        parameters: &[parameter("value", Accepts::TextOrNumber)],
        doc: "A decimal with a comma between groups of three digits.",
        examples: &[
            ("thousands(\"1234567.50\")", "\"1,234,567.50\""),
            ("thousands(-999)", "\"-999\""),
        ],
        ..plain(thousands)
    },
    Function {
        name: "from-thousands",
        gives: Gives::By(transfer::decimals::from_thousands),
        parameters: &[parameter("text", Accepts::Text)],
        doc: "A decimal written with commas between groups of three digits, without them.",
        examples: &[
            ("from-thousands(\"1,234,567.50\")", "\"1234567.50\""),
            ("from-thousands(\"999\")", "\"999\""),
            ("from-thousands(\"12,34\")", "M304"),
        ],
        ..plain(from_thousands)
    },
    Function {
        name: "zero-pad",
        gives: Gives::By(transfer::decimals::zero_pad),
        parameters: &[
            parameter("value", Accepts::TextOrNumber),
            parameter("length", Accepts::Count),
        ],
        doc: "Digits with zeros on the left up to that length; longer ones and other signs are refused.",
        examples: &[
            ("zero-pad(7, 3)", "\"007\""),
            ("zero-pad(\"1234\", 3)", "M304"),
            ("zero-pad(-7, 3)", "M304"),
        ],
        ..plain(zero_pad)
    },
    Function {
        name: "from-implied",
        gives: Gives::By(transfer::decimals::from_implied),
        parameters: &[
            parameter("text", Accepts::TextOrNumber),
            parameter("places", Accepts::Count),
        ],
        doc: "A decimal from digits whose last ones stand behind a point that is not written.",
        examples: &[
            ("from-implied(\"00050\", 2)", "\"0.50\""),
            ("from-implied(\"-125\", 1)", "\"-12.5\""),
            ("from-implied(\"1.5\", 1)", "M304"),
        ],
        ..plain(from_implied)
    },
    Function {
        name: "to-implied",
        gives: Gives::By(transfer::decimals::to_implied),
        parameters: &[
            parameter("value", Accepts::TextOrNumber),
            parameter("places", Accepts::Count),
        ],
        doc: "The digits of a decimal with that many places, without the point; none is lost.",
        examples: &[
            ("to-implied(\"0.5\", 2) | zero-pad(5)", "\"00050\""),
            ("to-implied(\"0.555\", 2)", "M304"),
        ],
        ..plain(to_implied)
    },
    Function {
        name: "decimal-sum",
        gives: Gives::By(transfer::decimals::sum),
        parameters: &[parameter("array", Accepts::Array)],
        doc: "The exact sum of the decimals in an array; \"0\" when there is none.",
        examples: &[
            ("decimal-sum(split(\"0.1,0.2,1\", \",\"))", "\"1.3\""),
            ("decimal-sum(parse-json(\"[]\"))", "\"0\""),
            ("decimal-sum(parse-json(\"[{}]\"))", "M304"),
        ],
        ..plain(sum)
    },
];

const RANGE: &[crate::mapping::functions::Parameter] = &[
    parameter("value", Accepts::TextOrNumber),
    parameter("low", Accepts::TextOrNumber),
    parameter("high", Accepts::TextOrNumber),
];

/// Most digits of a decimal that is computed with.
const DIGITS: usize = 38;

/// `mantissa` × 10 to the power of −`places`.
#[derive(Clone, Copy, Debug)]
struct Exact {
    mantissa: i128,
    places: u32,
}

fn too_many_digits() -> Box<Fail> {
    not_convertible(format!("the result has more than {DIGITS} digits"))
}

fn power(exponent: u32) -> Option<i128> {
    10_i128.checked_pow(exponent)
}

impl Exact {
    fn of(found: &Value) -> Result<Exact, Box<Fail>> {
        let source = super::text::scalar_text(found);
        let refused = || {
            let kind = kind_of(found);
            not_convertible(format!("needs digits and at most one `.`, found {kind}"))
        };
        if !matches!(found, Value::String(_) | Value::Number(_)) {
            return Err(refused());
        }
        let parsed = number::parse(&source).ok_or_else(refused)?;
        if parsed.whole.len() + parsed.fraction.len() > DIGITS {
            return Err(not_convertible(format!("a decimal of more than {DIGITS} digits")));
        }
        let digits = format!("0{}{}", parsed.whole, parsed.fraction);
        let mantissa: i128 = digits.parse().map_err(|_| too_many_digits())?;
        let mantissa = if parsed.negative { -mantissa } else { mantissa };
        let places = u32::try_from(parsed.fraction.len()).map_err(|_| too_many_digits())?;
        Ok(Exact { mantissa, places })
    }

    fn negated(self) -> Exact {
        Exact { mantissa: -self.mantissa, ..self }
    }

    /// Both mantissas at the same number of places.
    fn aligned(&self, other: &Exact) -> Option<(i128, i128, u32)> {
        let places = self.places.max(other.places);
        let left = self.mantissa.checked_mul(power(places - self.places)?)?;
        let right = other.mantissa.checked_mul(power(places - other.places)?)?;
        Some((left, right, places))
    }

    fn add(&self, other: &Exact) -> Option<Exact> {
        let (left, right, places) = self.aligned(other)?;
        Some(Exact { mantissa: left.checked_add(right)?, places }.shortest())
    }

    fn multiply(&self, other: &Exact) -> Option<Exact> {
        let mantissa = self.mantissa.checked_mul(other.mantissa)?;
        Some(Exact { mantissa, places: self.places + other.places }.shortest())
    }

    fn compare(&self, other: &Exact) -> Option<Ordering> {
        let (left, right, _) = self.aligned(other)?;
        Some(left.cmp(&right))
    }

    /// Divided and rounded to that many places.
    fn divide(&self, other: &Exact, places: u32, mode: &str) -> Option<Exact> {
        let up = places + other.places;
        let (numerator, denominator) = match up.checked_sub(self.places) {
            Some(more) => (self.mantissa.checked_mul(power(more)?)?, other.mantissa),
            None => (self.mantissa, other.mantissa.checked_mul(power(self.places - up)?)?),
        };
        Some(Exact { mantissa: rounded(numerator, denominator, mode)?, places })
    }

    fn shortest(mut self) -> Exact {
        while self.places > 0 && self.mantissa % 10 == 0 {
            self.mantissa /= 10;
            self.places -= 1;
        }
        self
    }

    fn fits(&self) -> bool {
        self.mantissa.unsigned_abs().checked_ilog10().is_none_or(|log| (log as usize) < DIGITS)
    }
}

impl std::fmt::Display for Exact {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let places = self.places as usize;
        let digits = format!("{:0>1$}", self.mantissa.unsigned_abs(), places + 1);
        let (whole, fraction) = digits.split_at(digits.len() - places);
        let sign = if self.mantissa < 0 { "-" } else { "" };
        let point = if places == 0 { "" } else { "." };
        write!(formatter, "{sign}{whole}{point}{fraction}")
    }
}

/// A quotient as a whole number; `None` for a division by zero or one that is too large.
fn rounded(numerator: i128, denominator: i128, mode: &str) -> Option<i128> {
    let quotient = numerator.checked_div(denominator)?;
    let rest = numerator.checked_rem(denominator)?.unsigned_abs();
    if rest == 0 {
        return Some(quotient);
    }
    let negative = (numerator < 0) != (denominator < 0);
    let half = (denominator.unsigned_abs() - rest).cmp(&rest);
    let away = match mode {
        "half-up" => half != Ordering::Greater,
        "half-down" => half == Ordering::Less,
        "half-even" => half == Ordering::Less || half == Ordering::Equal && quotient % 2 != 0,
        "up" => true,
        "ceiling" => !negative,
        "floor" => negative,
        _ => false,
    };
    let step = i128::from(away) * if negative { -1 } else { 1 };
    quotient.checked_add(step)
}

fn decimal(arguments: &Arguments<'_, '_>, index: usize) -> Result<Exact, Box<Fail>> {
    Exact::of(arguments.get(index))
}

fn exact<'v>(found: Option<Exact>) -> Outcome<'v> {
    match found.filter(Exact::fits) {
        Some(found) => text(found.to_string()),
        None => Err(too_many_digits()),
    }
}

fn places(arguments: &Arguments<'_, '_>, index: usize) -> Result<u32, Box<Fail>> {
    u32::try_from(arguments.count(index)).map_err(|_| too_many_digits())
}

fn divide<'v>(arguments: Arguments<'v, '_>) -> Outcome<'v> {
    let (left, right) = (decimal(&arguments, 0)?, decimal(&arguments, 1)?);
    if right.mantissa == 0 {
        return Err(not_convertible("decimal-divide: a division by zero"));
    }
    exact(left.divide(&right, places(&arguments, 2)?, arguments.text(3)))
}

fn round<'v>(arguments: Arguments<'v, '_>) -> Outcome<'v> {
    let one = Exact { mantissa: 1, places: 0 };
    exact(decimal(&arguments, 0)?.divide(&one, places(&arguments, 1)?, arguments.text(2)))
}

fn between(arguments: &Arguments<'_, '_>) -> Result<bool, Box<Fail>> {
    let found = decimal(arguments, 0)?;
    let low = found.compare(&decimal(arguments, 1)?).ok_or_else(too_many_digits)?;
    let high = found.compare(&decimal(arguments, 2)?).ok_or_else(too_many_digits)?;
    Ok(low != Ordering::Less && high != Ordering::Greater)
}

fn thousands<'v>(arguments: Arguments<'v, '_>) -> Outcome<'v> {
    let source = super::text::scalar_text(arguments.get(0)).into_owned();
    if number::parse(&source).is_none() {
        let kind = kind_of(arguments.get(0));
        return Err(not_convertible(format!("thousands: needs a decimal, found {kind}")));
    }
    let (sign, digits) = source.strip_prefix('-').map_or(("", source.as_str()), |rest| ("-", rest));
    let (whole, fraction) = digits.split_at(digits.find('.').unwrap_or(digits.len()));
    let mut out = String::from(sign);
    for (index, digit) in whole.chars().enumerate() {
        if index > 0 && (whole.len() - index) % 3 == 0 {
            out.push(',');
        }
        out.push(digit);
    }
    text(out + fraction)
}

fn from_thousands<'v>(arguments: Arguments<'v, '_>) -> Outcome<'v> {
    let source = arguments.text(0);
    let whole = source.strip_prefix('-').unwrap_or(source);
    let whole = whole.split_once('.').map_or(whole, |(whole, _)| whole);
    let mut groups = whole.split(',');
    let first = groups.next().unwrap_or("").len();
    let grouped = whole.contains(',');
    let even = groups.all(|group| group.len() == 3) && (!grouped || (1..=3).contains(&first));
    let bare = source.replace(',', "");
    let misplaced = source.split_once('.').is_some_and(|(_, fraction)| fraction.contains(','));
    if !even || misplaced || number::parse(&bare).is_none() {
        let detail = "from-thousands: not digits with a comma between groups of three";
        return Err(not_convertible(detail));
    }
    text(bare)
}

fn zero_pad<'v>(arguments: Arguments<'v, '_>) -> Outcome<'v> {
    let source = super::text::scalar_text(arguments.get(0)).into_owned();
    let length = arguments.count(1);
    if source.is_empty() || !source.bytes().all(|byte| byte.is_ascii_digit()) {
        let kind = kind_of(arguments.get(0));
        return Err(not_convertible(format!("zero-pad: needs only digits, found {kind}")));
    }
    if source.len() > length {
        let found = source.len();
        return Err(not_convertible(format!("zero-pad: {found} digits do not fit into {length}")));
    }
    text(format!("{source:0>length$}"))
}

fn from_implied<'v>(arguments: Arguments<'v, '_>) -> Outcome<'v> {
    let found = decimal(&arguments, 0)?;
    let source = super::text::scalar_text(arguments.get(0));
    if source.contains('.') {
        return Err(not_convertible("from-implied: there is a point already"));
    }
    let places = places(&arguments, 1)?;
    if places as usize > DIGITS {
        return Err(too_many_digits());
    }
    text(Exact { places, ..found }.to_string())
}

fn to_implied<'v>(arguments: Arguments<'v, '_>) -> Outcome<'v> {
    let found = decimal(&arguments, 0)?;
    let places = places(&arguments, 1)?;
    let Some(more) = places.checked_sub(found.places) else {
        let lost = found.places;
        return Err(not_convertible(format!("to-implied: {lost} places do not fit into {places}")));
    };
    let mantissa = power(more).and_then(|by| found.mantissa.checked_mul(by));
    exact(mantissa.map(|mantissa| Exact { mantissa, places: 0 }))
}

fn sum<'v>(arguments: Arguments<'v, '_>) -> Outcome<'v> {
    let mut total = Some(Exact { mantissa: 0, places: 0 });
    for element in arguments.array(0) {
        let element = Exact::of(element)?;
        total = total.and_then(|total| total.add(&element));
    }
    exact(total)
}

#[cfg(test)]
mod tests {
    use super::{Exact, rounded};
    use proptest::prelude::{any, proptest};
    use serde_json::json;

    fn of(text: &str) -> Exact {
        Exact::of(&json!(text)).unwrap()
    }

    #[test]
    fn every_mode_rounds_both_signs_as_it_is_called() {
        let modes = ["half-up", "half-even", "half-down", "up", "down", "ceiling", "floor"];
        for (tenths, expected) in [
            (25, [3, 2, 2, 3, 2, 3, 2]),
            (35, [4, 4, 3, 4, 3, 4, 3]),
            (-25, [-3, -2, -2, -3, -2, -2, -3]),
            (24, [2, 2, 2, 3, 2, 3, 2]),
            (26, [3, 3, 3, 3, 2, 3, 2]),
            (30, [3, 3, 3, 3, 3, 3, 3]),
        ] {
            for (mode, expected) in modes.into_iter().zip(expected) {
                assert_eq!(rounded(tenths, 10, mode), Some(expected), "{tenths} {mode}");
                assert_eq!(rounded(-tenths, -10, mode), Some(expected), "{tenths} {mode}");
            }
        }
        assert_eq!(rounded(1, 0, "up"), None);
    }

    proptest! {
        /// Whole numbers are the oracle: every decimal here is one of them over 10,000.
        #[test]
        fn sums_and_products_agree_with_whole_numbers(a in any::<i32>(), b in any::<i32>()) {
            let four = |n: i64| {
                let sign = if n < 0 { "-" } else { "" };
                format!("{sign}{}.{:04}", n.abs() / 10_000, n.abs() % 10_000)
            };
            let (left, right) = (of(&four(a.into())), of(&four(b.into())));
            let scaled = |found: Exact| found.mantissa * 10_i128.pow(8 - found.places);
            let (a, b) = (i128::from(a), i128::from(b));
            assert_eq!(scaled(left.add(&right).unwrap()), (a + b) * 10_000);
            assert_eq!(scaled(left.multiply(&right).unwrap()), a * b);
            assert_eq!(left.compare(&right), Some(a.cmp(&b)));
            let sum = left.add(&right).unwrap();
            assert_eq!(scaled(sum.add(&right.negated()).unwrap()), a * 10_000);
        }

        #[test]
        fn what_was_divided_is_less_than_a_step_away(a in any::<i64>(), b in 1i64.., places in 0u32..6) {
            let (left, right) = (of(&a.to_string()), of(&b.to_string()));
            let up = left.divide(&right, places, "ceiling").unwrap().mantissa;
            let down = left.divide(&right, places, "floor").unwrap().mantissa;
            let exact = i128::from(a) * 10_i128.pow(places);
            assert!(down * i128::from(b) <= exact && exact <= up * i128::from(b));
            assert!(up - down <= 1 && (up == down) == (exact % i128::from(b) == 0));
        }

        #[test]
        fn a_decimal_is_written_as_it_was_read(whole in "0|[1-9][0-9]{0,17}", fraction in "[0-9]{0,19}[1-9]") {
            let source = format!("{whole}.{fraction}");
            assert_eq!(of(&source).to_string(), source);
        }
    }
}
