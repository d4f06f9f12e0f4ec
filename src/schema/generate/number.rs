//! Numbers: ranges, multiples, whole or not.

use super::chance::Chance;
use super::node::Constraints;
use serde_json::{Number, Value};

/// Where a number of JSON is the same in every program.
const SAFE: i128 = (1 << 53) - 1;

/// A whole number inside the range; `None` when there is none.
pub(super) fn whole(place: &Constraints, chance: &mut Chance) -> Option<Value> {
    let (low, high) = match (place.low, place.high) {
        (Some(low), Some(high)) => (low.whole, high.whole),
        (Some(low), None) => (low.whole, low.whole.max(SAFE)),
        (None, Some(high)) => (high.whole.min(-SAFE), high.whole),
        (None, None) => (-SAFE, SAFE),
    };
    if low > high {
        return None;
    }
    if let Some(step) = place.multiples.first() {
        return multiple(step, (low as f64, high as f64), true, chance);
    }
    let chosen = match chance.below(8) {
        0 => low,
        1 => high,
        2 => low.saturating_add(1),
        3 => high.saturating_sub(1),
        4 => 0,
        5 => 1,
        6 => chance.between_wide(low, high),
        _ => chance.between_wide(low.max(-1_000), high.min(1_000)),
    };
    Number::from_i128(chosen.clamp(low, high)).map(Value::Number)
}

/// Any number inside the range.
pub(super) fn any(place: &Constraints, chance: &mut Chance) -> Option<Value> {
    let low = place.low.map(|bound| bound.value);
    let high = place.high.map(|bound| bound.value);
    let (low, high) = match (low, high) {
        (Some(low), Some(high)) => (low, high),
        (Some(low), None) => (low, low + 1_000_000.0),
        (None, Some(high)) => (high - 1_000_000.0, high),
        (None, None) => (-1_000_000.0, 1_000_000.0),
    };
    if low > high {
        return None;
    }
    if let Some(step) = place.multiples.first() {
        return multiple(step, (low, high), false, chance);
    }
    if chance.one_in(3)
        && let Some(whole) = whole(place, chance)
    {
        return Some(whole);
    }
    let share = chance.between(1, 999) as f64 / 1_000.0;
    let value = low + (high - low) * share;
    // Few decimals, as amounts have; where the range is narrower than that, all of them.
    let places = 10_f64.powi(chance.between(0, 3) as i32);
    let rounded = (value * places).round() / places;
    let inside = rounded > low && rounded < high;
    Number::from_f64(if inside || low == high { rounded } else { value }).map(Value::Number)
}

/// A multiple of `step` inside the range, computed in decimal so that 0.01 is 0.01.
fn multiple(step: &Number, range: (f64, f64), whole: bool, chance: &mut Chance) -> Option<Value> {
    let text = step.to_string();
    let (mantissa, places) = decimal(&text)?;
    let unit = step.as_f64()?;
    let low = (range.0 / unit).ceil().clamp(-1e15, 1e15) as i128;
    let high = (range.1 / unit).floor().clamp(-1e15, 1e15) as i128;
    if low > high {
        return None;
    }
    let scale = 10_i128.checked_pow(places)?;
    for _ in 0..32 {
        let times = match chance.below(5) {
            0 => low,
            1 => high,
            2 => 0_i128.clamp(low, high),
            _ => chance.between_wide(low.max(-10_000).min(high), high.min(10_000).max(low)),
        };
        let value = times.checked_mul(mantissa)?;
        if value % scale == 0 {
            return Number::from_i128(value / scale).map(Value::Number);
        }
        if !whole {
            return Number::from_f64(value as f64 / scale as f64).map(Value::Number);
        }
    }
    None
}

/// `0.05` as 5 and 2 places.
fn decimal(text: &str) -> Option<(i128, u32)> {
    let (whole, part) = text.split_once('.').unwrap_or((text, ""));
    let mantissa = format!("{whole}{part}").parse().ok()?; // with an exponent it is none
    Some((mantissa, u32::try_from(part.len()).ok()?))
}
