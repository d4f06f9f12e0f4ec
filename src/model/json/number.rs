//! Does a decimal literal survive being an f64?

use serde_json::Number;

/// Whether `number`, written again, has the same digits and exponent as `literal` (a valid JSON
/// number with fraction or exponent, of which `number` is the nearest f64). Up to 15 significant
/// digits always do, so the comparison is for the rest.
pub fn survives(literal: &str, number: &Number) -> bool {
    let value = number.as_f64().unwrap_or(f64::NAN);
    let written = normal(literal);
    if value == 0.0 {
        return written.0.is_empty(); // else it was too small for an f64
    }
    // IEEE 754: 15 significant digits survive unless the value is subnormal.
    (written.0.len() <= 15 && value.is_normal()) || written == normal(&number.to_string())
}

/// Significant digits without zeros at either end, and the power of ten of the first one.
fn normal(literal: &str) -> (Vec<u8>, i64) {
    let literal = literal.strip_prefix('-').unwrap_or(literal);
    let (mantissa, exponent) = literal.split_once(['e', 'E']).unwrap_or((literal, "0"));
    let exponent: i64 = exponent.parse().unwrap_or(i64::MAX / 4);
    let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
    let digits: Vec<u8> = whole.bytes().chain(fraction.bytes()).collect();
    let leading = digits.iter().take_while(|digit| **digit == b'0').count();
    let mut significant: Vec<u8> = digits.into_iter().skip(leading).collect();
    while significant.last() == Some(&b'0') {
        significant.pop();
    }
    if significant.is_empty() {
        return (significant, 0);
    }
    let shift = i64::try_from(whole.len()).unwrap_or(0) - i64::try_from(leading).unwrap_or(0);
    (significant, exponent.saturating_add(shift))
}

#[cfg(test)]
mod tests {
    use super::survives;
    use serde_json::Number;

    #[test]
    fn a_decimal_survives_or_is_refused() {
        let check = |literal: &str| {
            let number = Number::from_f64(literal.parse().unwrap());
            number.is_some_and(|number| survives(literal, &number))
        };
        for good in [
            "0.5",
            "1.10",
            "0.1",
            "-0",
            "0e5",
            "1e2",
            "123456789.123456",
            "5e-324",
            "1415151223048672.2",
        ] {
            assert!(check(good), "{good}");
        }
        for bad in [
            "1.00000000000000000001",
            "0.1234567890123456789",
            "0.10000000000000001",
            "1e400",
            "1e-400",
            "3e-324",
        ] {
            assert!(!check(bad), "{bad}");
        }
    }
}
