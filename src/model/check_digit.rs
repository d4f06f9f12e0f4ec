//! Check digits of the numbers that cross: 個人番号, 法人番号, 市区町村コード, 宛名番号.
//!
//! Each function takes the number as text, because leading zeros matter, and never shows it.

/// 個人番号: twelve digits, the last one the check digit (総務省令第85号第5条). Twelve zeros pass
/// the arithmetic but stand for "no number" and are refused.
pub fn my_number(text: &str) -> bool {
    let Some((body, check)) = split_last(text, 12) else { return false };
    if body.iter().all(|digit| *digit == 0) {
        return false;
    }
    let weights = [2, 3, 4, 5, 6, 7, 2, 3, 4, 5, 6];
    let sum: u32 = body.iter().rev().zip(weights).map(|(digit, weight)| digit * weight).sum();
    let expected = match sum % 11 {
        0 | 1 => 0,
        rest => 11 - rest,
    };
    check == expected
}

/// 法人番号: thirteen digits, the first one the check digit, never 0 (財務省令第70号第2条).
pub fn corporate_number(text: &str) -> bool {
    let Some(digits) = digits(text, 13) else { return false };
    let Some((check, body)) = digits.split_first() else { return false };
    let sum: u32 =
        body.iter().rev().zip([1, 2].iter().cycle()).map(|(digit, weight)| digit * weight).sum();
    *check == 9 - sum % 9
}

/// 全国地方公共団体コード: six digits, the last one the check digit.
pub fn municipality_code(text: &str) -> bool {
    let Some((body, check)) = split_last(text, 6) else { return false };
    let sum: u32 = body.iter().zip([6, 5, 4, 3, 2]).map(|(digit, weight)| digit * weight).sum();
    check == (11 - sum % 11) % 10
}

/// 宛名番号: fifteen digits. Its check digit is not tested: numbers given before the rule keep
/// their old last digit (共通機能標準仕様書, footnotes on 宛名番号), so a wrong one proves nothing.
pub fn atena_number(text: &str) -> bool {
    digits(text, 15).is_some()
}

/// The digits of `text` when it consists of exactly `count` ASCII digits.
fn digits(text: &str, count: usize) -> Option<Vec<u32>> {
    let all = text.len() == count && text.bytes().all(|byte| byte.is_ascii_digit());
    all.then(|| text.bytes().map(|byte| u32::from(byte - b'0')).collect())
}

fn split_last(text: &str, count: usize) -> Option<(Vec<u32>, u32)> {
    let mut body = digits(text, count)?;
    let check = body.pop()?;
    Some((body, check))
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
    fn old_atena_numbers_pass_whatever_their_last_digit() {
        assert!(atena_number("123456789123456"));
        assert!(!atena_number("12345678912345"));
        assert!(!atena_number("12345678912345a"));
    }
}
