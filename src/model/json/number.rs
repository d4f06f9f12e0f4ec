//! Does a decimal literal survive being an f64?

/// Whether the shortest decimal of `value` has the same digits and exponent as `literal` (a valid
/// JSON number). Up to 15 significant digits always do, so the comparison is for the rest.
pub fn survives(literal: &str, value: f64) -> bool {
    if !value.is_finite() {
        return false;
    }
    let written = normal(literal);
    // IEEE 754: 15 significant digits survive unless the value is subnormal.
    let few = written.0.len() <= 15 && (value == 0.0 || value.is_normal());
    if few && (value != 0.0 || written.0.is_empty()) {
        return true;
    }
    written == normal(&format!("{value:e}"))
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

    #[test]
    fn a_decimal_survives_or_is_refused() {
        let check = |literal: &str| survives(literal, literal.parse().unwrap());
        for good in ["0.5", "1.10", "0.1", "-0", "0e5", "1e2", "123456789.123456", "5e-324"] {
            assert!(check(good), "{good}");
        }
        for bad in ["1.00000000000000000001", "0.1234567890123456789", "1e400", "1e-400", "3e-324"]
        {
            assert!(!check(bad), "{bad}");
        }
    }
}
