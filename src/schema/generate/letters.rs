//! The characters that hurt: what names, addresses and notes hold, and what programs stumble over.

use super::chance::Chance;

/// Each of them has broken a transfer somewhere: variants outside JIS X 0208 (髙, 﨑), beyond
/// the basic plane (𠮷, 𩸽), with an ideographic variation sequence, full and half width of
/// the same letter, kana that combine, marks that look alike, signs that markup and CSV use.
const HARD: &[&str] = &[
    "髙",
    "﨑",
    "𠮷",
    "𩸽",
    "葛\u{E0100}",
    "辻\u{E0101}",
    "々",
    "〆",
    "ヶ",
    "ゝ",
    "が",
    "か\u{3099}",
    "ガ",
    "ｶﾞ",
    "ﾊﾟ",
    "ヴ",
    "ｰ",
    "ー",
    "－",
    "―",
    "‐",
    "~",
    "～",
    "〜",
    "￥",
    "\\",
    "Ａ",
    "ａ",
    "０",
    "9",
    "ｱ",
    "\u{3000}",
    " ",
    "①",
    "Ⅲ",
    "㈱",
    "&",
    "<",
    ">",
    "\"",
    "'",
    ",",
    ";",
    "é",
    "ß",
    "İ",
    "'",
    "0",
    "-",
];

/// What is in everyday use, so that not every text is a nightmare.
const PLAIN: &[&str] = &[
    "山", "田", "太", "郎", "花", "子", "東", "京", "都", "市", "区", "町", "一", "丁", "目", "あ",
    "い", "の", "ん", "ア", "イ", "ン", "シ", "ョ", "A", "b", "z", "1", "2", "3",
];

/// Free text of exactly `length` characters (Unicode scalar values). Control characters and the
/// private use area are left out: whether those may stand there is for a `pattern` to say.
pub(super) fn text(length: usize, private_use: bool, chance: &mut Chance) -> String {
    let mut out = String::new();
    let mut left = length;
    let style = chance.below(6);
    // A text of one letter is the longest or shortest there is once it has been converted.
    let only = chance.pick(HARD).copied().unwrap_or("髙");
    while left > 0 {
        let next = match style {
            _ if style == 5 && only.chars().count() <= left => only,
            _ if private_use && chance.one_in(12) => "\u{E000}",
            0 => chance.pick(HARD).copied().unwrap_or("髙"),
            1 => chance.pick(PLAIN).copied().unwrap_or("山"),
            _ if chance.one_in(3) => chance.pick(HARD).copied().unwrap_or("髙"),
            _ => chance.pick(PLAIN).copied().unwrap_or("山"),
        };
        let count = next.chars().count();
        if count <= left {
            out.push_str(next);
            left -= count;
        }
    }
    out
}

/// One character of the ranges: often one that hurts, often an edge of a range.
pub(super) fn of(ranges: &[(char, char)], chance: &mut Chance) -> Option<char> {
    let inside = |c: char| ranges.iter().any(|(start, end)| (*start..=*end).contains(&c));
    let wide: u32 = ranges.iter().map(|(start, end)| u32::from(*end) - u32::from(*start) + 1).sum();
    // A class such as `[^0-9]` holds a million characters; those that people write come first.
    let tries = if wide > 1_000 { 24 } else { 2 };
    for _ in 0..tries {
        let letters = if chance.one_in(2) { HARD } else { PLAIN };
        let first = chance.pick(letters).and_then(|letter| letter.chars().next());
        if let Some(letter) = first.filter(|letter| inside(*letter)) {
            return Some(letter);
        }
    }
    let mut chosen = None;
    for _ in 0..8 {
        let (start, end) = *chance.pick(ranges)?;
        let code = match chance.below(4) {
            0 => u32::from(start),
            1 => u32::from(end),
            _ => start as u32 + chance.below((end as u32 - start as u32 + 1) as usize) as u32,
        };
        chosen = char::from_u32(code).or(Some(start));
        if chosen.is_some_and(writable) {
            return chosen;
        }
    }
    // The class holds little else: then it is meant.
    let meant = ranges.iter().flat_map(|(start, end)| [*start, *end]).find(|c| writable(*c));
    meant.or(chosen)
}

/// Neither a control character, nor private use, nor a code point that is no character.
fn writable(c: char) -> bool {
    let code = u32::from(c);
    let private = matches!(code, 0xE000..=0xF8FF | 0xF_0000..);
    let none = matches!(code, 0xFDD0..=0xFDEF) || code & 0xFFFE == 0xFFFE || code == 0xFEFF;
    !(c.is_control() || private || none)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_has_the_length_asked_for_and_no_control_characters() {
        let mut chance = Chance::new(11);
        for length in 0..300 {
            let text = text(length % 40, false, &mut chance);
            assert_eq!(text.chars().count(), length % 40);
            assert!(text.chars().all(writable), "{text:?}");
        }
    }

    #[test]
    fn a_class_gives_its_own() {
        let mut chance = Chance::new(5);
        for _ in 0..500 {
            assert!(of(&[('0', '9')], &mut chance).unwrap().is_ascii_digit());
            let any = of(&[('\0', '/'), (':', char::MAX)], &mut chance).unwrap();
            assert!(writable(any) && !any.is_ascii_digit(), "{any:?}");
        }
        assert_eq!(of(&[('\n', '\n')], &mut chance), Some('\n'));
        assert_eq!(of(&[], &mut chance), None);
    }
}
