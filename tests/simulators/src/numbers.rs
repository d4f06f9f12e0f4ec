//! Check digits, worked out from the rules and shared with nothing of the product.

use std::collections::BTreeSet;

/// Check digit of a 個人番号 over its 11 leading digits (総務省令第85号第5条).
pub fn my_number_check(body: &[u8]) -> Option<u8> {
    let digits = digits(body, 11)?;
    let sum: u32 = digits.iter().rev().zip([2, 3, 4, 5, 6, 7, 2, 3, 4, 5, 6]).map(product).sum();
    Some(match sum % 11 {
        0 | 1 => b'0',
        rest => b'0' + (11 - rest) as u8,
    })
}

/// Whether the text is a 個人番号: 12 digits, right check digit, not all zeros.
pub fn is_my_number(text: &str) -> bool {
    let bytes = text.as_bytes();
    match bytes.split_last() {
        Some((last, body)) if bytes.len() == 12 => {
            my_number_check(body) == Some(*last) && text != "000000000000"
        }
        _ => false,
    }
}

/// Check digit of a 宛名番号 over its 14 leading digits (M11W2～7); `None` for remainder 1, which
/// the rule leaves open, so that such numbers are skipped.
pub fn atena_check(body: &[u8]) -> Option<u8> {
    let digits = digits(body, 14)?;
    let weights = [2, 3, 4, 5, 6, 7].into_iter().cycle();
    let sum: u32 = digits.iter().rev().zip(weights).map(product).sum();
    match sum % 11 {
        0 => Some(b'0'),
        1 => None,
        rest => Some(b'0' + (11 - rest) as u8),
    }
}

/// Whether the text is a 宛名番号 of 15 digits with the right check digit.
pub fn is_atena_number(text: &str) -> bool {
    let bytes = text.as_bytes();
    match bytes.split_last() {
        Some((last, body)) if bytes.len() == 15 => atena_check(body) == Some(*last),
        _ => false,
    }
}

/// Finds 個人番号 in bytes, half or full width: any of `known`, also inside a longer run of digits.
/// With none known, exact runs of 12 digits with a right check digit.
pub fn contains_my_number(bytes: &[u8], known: &BTreeSet<String>) -> bool {
    let text = String::from_utf8_lossy(bytes);
    let mut run = String::new();
    for character in text.chars().chain(std::iter::once(' ')) {
        let digit = match character {
            '0'..='9' => Some(character),
            '０'..='９' => char::from_u32(character as u32 - 0xFF10 + 0x30),
            _ => None,
        };
        match digit {
            Some(digit) => run.push(digit),
            None if known.is_empty() && is_my_number(&run) => return true,
            None if windows(&run).any(|window| known.contains(window)) => return true,
            None => run.clear(),
        }
    }
    false
}

fn windows(run: &str) -> impl Iterator<Item = &str> {
    (0..=run.len()).map_while(move |start| run.get(start..start + 12))
}

fn digits(body: &[u8], count: usize) -> Option<Vec<u32>> {
    let good = body.len() == count && body.iter().all(u8::is_ascii_digit);
    good.then(|| body.iter().map(|byte| u32::from(byte - b'0')).collect())
}

fn product((digit, weight): (&u32, u32)) -> u32 {
    digit * weight
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn my_number_agrees_with_worked_examples() {
        for number in ["123456789018", "111111111118", "000000000140", "444444444440"] {
            assert!(is_my_number(number), "{number}");
        }
        for number in ["123456789019", "000000000000", "12345678901", "12345678901８"] {
            assert!(!is_my_number(number), "{number}");
        }
    }

    #[test]
    fn atena_number_agrees_with_worked_examples() {
        for number in ["000000000000019", "111111111111117", "123456789012340"] {
            assert!(is_atena_number(number), "{number}");
        }
        assert_eq!(atena_check(b"00000000000006"), None);
        assert!(!is_atena_number("123456789123456"));
    }

    #[test]
    fn a_number_is_found_in_any_width_and_only_as_a_whole_run() {
        let unknown = BTreeSet::new();
        assert!(contains_my_number(b"{\"x\":\"123456789018\"}", &unknown));
        assert!(contains_my_number("番号１２３４５６７８９０１８です".as_bytes(), &unknown));
        assert!(!contains_my_number(b"0123456789018", &unknown));
        assert!(!contains_my_number(b"123456789019", &unknown));
    }

    #[test]
    fn a_known_number_is_found_inside_longer_runs_and_others_are_not_taken_for_one() {
        let known = BTreeSet::from(["123456789018".to_owned()]);
        assert!(contains_my_number(b"x991234567890187y", &known));
        assert!(contains_my_number(b"123456789018", &known));
        assert!(!contains_my_number(b"111111111118", &known));
    }
}
