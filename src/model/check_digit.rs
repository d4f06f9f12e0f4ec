//! Check digits of the numbers that cross: 個人番号, 法人番号, 市区町村コード, 宛名番号.
//!
//! Each function takes the number as text, because leading zeros matter, and never shows it.

/// Numbers whose check digit can be computed, by the names that definitions use.
pub const KINDS: &[&str] = &["my-number", "corporate-number", "municipality-code", "atena-number"];

/// A body with its check digit where that kind of number has it; `None` when the body is not
/// digits of the right count.
///
/// 宛名番号 (modulus 11, weights 2 to 7): the rule leaves open what a remainder of 1, which would
/// give 10, becomes. `zero_for_ten` writes 0; otherwise such a body has no number.
pub fn complete(kind: &str, body: &str, zero_for_ten: bool) -> Option<String> {
    let check = match kind {
        "my-number" => my_number_check(&digits::<11>(body)?),
        "corporate-number" => {
            let check = corporate_number_check(&digits::<12>(body)?);
            return Some(format!("{check}{body}"));
        }
        "municipality-code" => municipality_code_check(&digits::<5>(body)?),
        "atena-number" => {
            let (check, open) = atena_number_check(&digits::<14>(body)?);
            (!open || zero_for_ten).then_some(check)?
        }
        _ => return None,
    };
    Some(format!("{body}{check}"))
}

fn weighed(digits: impl Iterator<Item = u32>, weights: &[u32]) -> u32 {
    digits.zip(weights.iter().cycle()).map(|(digit, weight)| digit * weight).sum()
}

fn my_number_check(body: &[u32]) -> u32 {
    match weighed(body.iter().rev().copied(), &[2, 3, 4, 5, 6, 7]) % 11 {
        0 | 1 => 0,
        rest => 11 - rest,
    }
}

fn corporate_number_check(body: &[u32]) -> u32 {
    9 - weighed(body.iter().rev().copied(), &[1, 2]) % 9
}

fn municipality_code_check(body: &[u32]) -> u32 {
    (11 - weighed(body.iter().copied(), &[6, 5, 4, 3, 2]) % 11) % 10
}

/// The check digit, and whether the rule leaves it open (a remainder of 1).
fn atena_number_check(body: &[u32]) -> (u32, bool) {
    match weighed(body.iter().rev().copied(), &[2, 3, 4, 5, 6, 7]) % 11 {
        0 => (0, false),
        1 => (0, true),
        rest => (11 - rest, false),
    }
}

/// 個人番号: twelve digits, the last one the check digit (総務省令第85号第5条). Twelve zeros pass
/// the arithmetic but stand for "no number" and are refused.
pub fn my_number(text: &str) -> bool {
    let Some([body @ .., check]) = digits::<12>(text) else { return false };
    if body.iter().all(|digit| *digit == 0) {
        return false;
    }
    check == my_number_check(&body)
}

/// 法人番号: thirteen digits, the first one the check digit, never 0 (財務省令第70号第2条).
pub fn corporate_number(text: &str) -> bool {
    digits::<13>(text).is_some_and(|[check, body @ ..]| check == corporate_number_check(&body))
}

/// 全国地方公共団体コード: six digits, the last one the check digit.
pub fn municipality_code(text: &str) -> bool {
    digits::<6>(text).is_some_and(|[body @ .., check]| check == municipality_code_check(&body))
}

/// 宛名番号: fifteen digits. Its check digit is not tested: numbers given before the rule keep
/// their old last digit (共通機能標準仕様書, footnotes on 宛名番号), so a wrong one proves nothing.
pub fn atena_number(text: &str) -> bool {
    digits::<15>(text).is_some()
}

/// 宛名番号 whose last digit follows the rule (modulus 11, weights 2 to 7): those given since it
/// is in force. Where the rule leaves the digit open, 0 is taken.
pub fn atena_number_by_rule(text: &str) -> bool {
    digits::<15>(text).is_some_and(|[body @ .., check]| check == atena_number_check(&body).0)
}

/// The digits of `text` when it consists of exactly `N` ASCII digits.
fn digits<const N: usize>(text: &str) -> Option<[u32; N]> {
    let bytes: &[u8; N] = text.as_bytes().try_into().ok()?;
    let all = bytes.iter().all(u8::is_ascii_digit);
    all.then(|| bytes.map(|byte| u32::from(byte - b'0')))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn my_numbers_follow_the_ordinance() {
        for good in ["123456789018", "111111111118", "000000000140", "444444444440"] {
            assert!(my_number(good), "{good}");
        }
        for bad in [
            "210987654321",
            "000000000000",
            "12345678901",
            "1234567890188",
            "１２３４５６７８９０１８",
        ] {
            assert!(!my_number(bad), "{bad}");
        }
    }

    #[test]
    fn any_single_wrong_digit_of_a_my_number_with_a_check_digit_above_zero_is_seen() {
        let good = b"123456789018";
        for place in 0..12 {
            for digit in b'0'..=b'9' {
                let mut text = *good;
                text[place] = digit;
                let text = std::str::from_utf8(&text).unwrap();
                assert_eq!(my_number(text), text.as_bytes() == good, "{text}");
            }
        }
    }

    #[test]
    fn corporate_numbers_begin_with_their_check_digit() {
        for good in ["7123456789012", "9111111111111", "8000000000001"] {
            assert!(corporate_number(good), "{good}");
        }
        for bad in ["6123456789012", "0111111111111", "712345678901"] {
            assert!(!corporate_number(bad), "{bad}");
        }
    }

    #[test]
    fn municipality_codes_of_every_remainder() {
        for good in ["131016", "131237", "131121", "011002", "131041", "131130"] {
            assert!(municipality_code(good), "{good}");
        }
        for bad in ["131238", "13123", "1312370", "13123x"] {
            assert!(!municipality_code(bad), "{bad}");
        }
    }

    #[test]
    fn bodies_get_the_check_digit_of_the_published_tables() {
        for (kind, body, number) in [
            ("my-number", "12345678901", "123456789018"),
            ("my-number", "21098765432", "210987654320"),
            ("my-number", "34567890123", "345678901234"),
            ("corporate-number", "123456789012", "7123456789012"),
            ("corporate-number", "000000000001", "8000000000001"),
            ("municipality-code", "01100", "011002"),
            ("municipality-code", "13113", "131130"),
            ("atena-number", "00000000000001", "000000000000019"),
            ("atena-number", "11111111111111", "111111111111117"),
            ("atena-number", "12345678901234", "123456789012340"),
            ("atena-number", "12345678912345", "123456789123452"),
        ] {
            assert_eq!(complete(kind, body, false).as_deref(), Some(number), "{kind}");
            assert_eq!(complete(kind, &body[1..], true), None, "{kind}");
        }
        assert_eq!(complete("atena-number", "00000000000006", false), None);
        let open = complete("atena-number", "00000000000006", true);
        assert_eq!(open.as_deref(), Some("000000000000060"));
        assert!(atena_number_by_rule("000000000000060"));
        assert!(!atena_number_by_rule("123456789123456"));
    }

    #[test]
    fn old_atena_numbers_pass_whatever_their_last_digit() {
        assert!(atena_number("123456789123456"));
        assert!(!atena_number("12345678912345"));
        assert!(!atena_number("12345678912345a"));
    }
}
