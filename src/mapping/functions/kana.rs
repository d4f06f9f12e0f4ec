//! Width and kana. An own table of pairs, never Unicode normalisation: NFKC would also change
//! kanji (compatibility ideographs), ligatures and circled numbers, and names must not change.

use std::borrow::Cow;

/// Half-width U+FF61 to U+FF9F in order, as full-width: the 63 pairs.
const FULL: [char; 63] = [
    '。', '「', '」', '、', '・', 'ヲ', 'ァ', 'ィ', 'ゥ', 'ェ', 'ォ', 'ャ', 'ュ', 'ョ', 'ッ', 'ー',
    'ア', 'イ', 'ウ', 'エ', 'オ', 'カ', 'キ', 'ク', 'ケ', 'コ', 'サ', 'シ', 'ス', 'セ', 'ソ', 'タ',
    'チ', 'ツ', 'テ', 'ト', 'ナ', 'ニ', 'ヌ', 'ネ', 'ノ', 'ハ', 'ヒ', 'フ', 'ヘ', 'ホ', 'マ', 'ミ',
    'ム', 'メ', 'モ', 'ヤ', 'ユ', 'ヨ', 'ラ', 'リ', 'ル', 'レ', 'ロ', 'ワ', 'ン', '゛', '゜',
];

/// A letter with its dakuten (濁点) form, and its handakuten (半濁点) form where it has one.
const VOICED: [(char, char, Option<char>); 23] = [
    ('カ', 'ガ', None),
    ('キ', 'ギ', None),
    ('ク', 'グ', None),
    ('ケ', 'ゲ', None),
    ('コ', 'ゴ', None),
    ('サ', 'ザ', None),
    ('シ', 'ジ', None),
    ('ス', 'ズ', None),
    ('セ', 'ゼ', None),
    ('ソ', 'ゾ', None),
    ('タ', 'ダ', None),
    ('チ', 'ヂ', None),
    ('ツ', 'ヅ', None),
    ('テ', 'デ', None),
    ('ト', 'ド', None),
    ('ハ', 'バ', Some('パ')),
    ('ヒ', 'ビ', Some('ピ')),
    ('フ', 'ブ', Some('プ')),
    ('ヘ', 'ベ', Some('ペ')),
    ('ホ', 'ボ', Some('ポ')),
    ('ウ', 'ヴ', None),
    ('ワ', 'ヷ', None),
    ('ヲ', 'ヺ', None),
];

const HALF_FIRST: u32 = 0xFF61;
const DAKUTEN: char = 'ﾞ';
const HANDAKUTEN: char = 'ﾟ';

fn full_kana(c: char) -> Option<char> {
    let index = (c as u32).checked_sub(HALF_FIRST)?;
    FULL.get(usize::try_from(index).ok()?).copied()
}

fn half_kana(c: char) -> Option<char> {
    let index = FULL.iter().position(|full| *full == c)?;
    char::from_u32(HALF_FIRST + u32::try_from(index).ok()?)
}

fn compose(base: char, mark: char) -> Option<char> {
    let (_, voiced, half_voiced) = VOICED.iter().find(|(plain, ..)| *plain == base)?;
    match mark {
        DAKUTEN => Some(*voiced),
        HANDAKUTEN => *half_voiced,
        _ => None,
    }
}

fn decompose(c: char) -> Option<(char, char)> {
    VOICED.iter().find_map(|(plain, voiced, half_voiced)| match c {
        _ if c == *voiced => Some((*plain, DAKUTEN)),
        _ if Some(c) == *half_voiced => Some((*plain, HANDAKUTEN)),
        _ => None,
    })
}

fn shift(c: char, by: i32) -> char {
    (c as u32).checked_add_signed(by).and_then(char::from_u32).unwrap_or(c)
}

/// Half-width kana as full-width katakana, a base and its mark as one letter; `other` does the
/// rest of the characters.
fn widen(text: &str, other: impl Fn(char) -> char) -> String {
    let mut out = String::with_capacity(text.len() + text.len() / 2);
    let mut characters = text.chars().peekable();
    while let Some(c) = characters.next() {
        let Some(full) = full_kana(c) else {
            out.push(other(c));
            continue;
        };
        match characters.peek().and_then(|mark| compose(full, *mark)) {
            Some(composed) => {
                out.push(composed);
                characters.next();
            }
            None => out.push(full),
        }
    }
    out
}

/// ASCII and half-width kana as their full-width forms.
pub(super) fn fullwidth(text: &str) -> Cow<'_, str> {
    let changes = |c: char| matches!(c, ' '..='~') || full_kana(c).is_some();
    if !text.contains(changes) {
        return Cow::Borrowed(text);
    }
    Cow::Owned(widen(text, |c| match c {
        ' ' => '\u{3000}',
        '!'..='~' => shift(c, 0xFEE0),
        _ => c,
    }))
}

/// Full-width ASCII and katakana as their half-width forms; letters without one stay.
pub(super) fn halfwidth(text: &str) -> Cow<'_, str> {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '\u{3000}' => out.push(' '),
            '！'..='～' => out.push(shift(c, -0xFEE0)),
            _ => match decompose(c).and_then(|(base, mark)| Some((half_kana(base)?, mark))) {
                Some((base, mark)) => out.extend([base, mark]),
                None => out.push(half_kana(c).unwrap_or(c)),
            },
        }
    }
    Cow::Owned(out)
}

/// Hiragana and half-width kana as full-width katakana.
pub(super) fn katakana(text: &str) -> Cow<'_, str> {
    Cow::Owned(widen(text, |c| match c {
        'ぁ'..='ゖ' | 'ゝ' | 'ゞ' => shift(c, 0x60),
        _ => c,
    }))
}

/// Katakana as hiragana; ヷ and its like have no hiragana and stay.
pub(super) fn hiragana(text: &str) -> Cow<'_, str> {
    let one = |c: char| match c {
        'ァ'..='ヶ' | 'ヽ' | 'ヾ' => shift(c, -0x60),
        _ => c,
    };
    Cow::Owned(text.chars().map(one).collect())
}

/// Half-width kana as full-width katakana.
pub(super) fn fullwidth_kana(text: &str) -> Cow<'_, str> {
    if !text.contains(|c| full_kana(c).is_some()) {
        return Cow::Borrowed(text);
    }
    Cow::Owned(widen(text, |c| c))
}

/// Katakana as half-width kana; letters without one stay.
pub(super) fn halfwidth_kana(text: &str) -> Cow<'_, str> {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        match decompose(c).and_then(|(base, mark)| Some((half_kana(base)?, mark))) {
            Some((base, mark)) => out.extend([base, mark]),
            None => out.push(half_kana(c).unwrap_or(c)),
        }
    }
    Cow::Owned(out)
}

/// ASCII as its full-width forms.
pub(super) fn fullwidth_ascii(text: &str) -> Cow<'_, str> {
    let one = |c: char| match c {
        ' ' => '\u{3000}',
        '!'..='~' => shift(c, 0xFEE0),
        _ => c,
    };
    Cow::Owned(text.chars().map(one).collect())
}

/// Full-width forms as ASCII.
pub(super) fn halfwidth_ascii(text: &str) -> Cow<'_, str> {
    let one = |c: char| match c {
        '\u{3000}' => ' ',
        '！'..='～' => shift(c, -0xFEE0),
        _ => c,
    };
    Cow::Owned(text.chars().map(one).collect())
}

/// Kana with a combining voice mark as the letter that has it.
pub(super) fn compose_kana(text: &str) -> Cow<'_, str> {
    if !text.contains(['\u{3099}', '\u{309A}']) {
        return Cow::Borrowed(text);
    }
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        let mark = match c {
            '\u{3099}' => DAKUTEN,
            '\u{309A}' => HANDAKUTEN,
            _ => {
                out.push(c);
                continue;
            }
        };
        let composed = out.chars().next_back().and_then(|base| match base {
            'ゝ' | 'ヽ' if mark == DAKUTEN => Some(shift(base, 1)),
            // わ and を have voiced forms in katakana only.
            'ぁ'..='ゖ' => compose(shift(base, 0x60), mark)
                .map(|letter| shift(letter, -0x60))
                .filter(|letter| matches!(letter, 'ぁ'..='ゖ')),
            _ => compose(base, mark),
        });
        match composed {
            Some(letter) => {
                out.pop();
                out.push(letter);
            }
            None => out.push(c),
        }
    }
    Cow::Owned(out)
}

/// Small kana as large ones.
pub(super) fn large_kana(text: &str) -> Cow<'_, str> {
    let one = |c: char| match c {
        'ぁ' | 'ぃ' | 'ぅ' | 'ぇ' | 'ぉ' | 'っ' | 'ゃ' | 'ゅ' | 'ょ' | 'ゎ' | 'ァ' | 'ィ'
        | 'ゥ' | 'ェ' | 'ォ' | 'ッ' | 'ャ' | 'ュ' | 'ョ' | 'ヮ' => shift(c, 1),
        'ヵ' => 'カ',
        'ヶ' => 'ケ',
        'ゕ' => 'か',
        'ゖ' => 'け',
        'ｧ'..='ｫ' => shift(c, 0x0A),
        'ｬ'..='ｮ' => shift(c, 0x28),
        'ｯ' => 'ﾂ',
        _ => c,
    };
    Cow::Owned(text.chars().map(one).collect())
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::{any, proptest};

    #[test]
    fn every_half_width_kana_has_its_pair() {
        for (code, full) in (0xFF61u32..=0xFF9F).zip(FULL) {
            let half = char::from_u32(code).unwrap().to_string();
            assert_eq!(fullwidth(&half), full.to_string());
            assert_eq!(halfwidth(&full.to_string()), half);
        }
    }

    #[test]
    fn marks_are_composed_and_decomposed() {
        for (half, full) in [
            ("ｶﾞｷﾞｸﾞｹﾞｺﾞ", "ガギグゲゴ"),
            ("ｻﾞｼﾞｽﾞｾﾞｿﾞ", "ザジズゼゾ"),
            ("ﾀﾞﾁﾞﾂﾞﾃﾞﾄﾞ", "ダヂヅデド"),
            ("ﾊﾞﾋﾞﾌﾞﾍﾞﾎﾞ", "バビブベボ"),
            ("ﾊﾟﾋﾟﾌﾟﾍﾟﾎﾟ", "パピプペポ"),
            ("ｳﾞﾜﾞｦﾞ", "ヴヷヺ"),
            ("ｱﾞｶﾟﾞ", "ア゛カ゜゛"),
            ("ﾔﾏﾀﾞ ﾀﾛｳ(ABC-12~)", "ヤマダ　タロウ（ＡＢＣ－１２～）"),
        ] {
            assert_eq!(fullwidth(half), full);
            assert_eq!(halfwidth(full), half);
        }
    }

    #[test]
    fn names_are_not_normalised() {
        // Compatibility ideographs, a ligature, a circled number, ㈱: NFKC would change each.
        for name in ["﨑神羽ﬁ①㈱", "渡邉󠄁", "ヰヱヮヵヶ"] {
            assert_eq!(fullwidth(name), name);
            assert_eq!(halfwidth(name), name);
        }
    }

    #[test]
    fn kana_change_script_and_nothing_else() {
        assert_eq!(katakana("ぁゔゖゝゞｶﾞ渡A"), "ァヴヶヽヾガ渡A");
        assert_eq!(hiragana("ァヴヶヽヾー渡Aヷ"), "ぁゔゖゝゞー渡Aヷ");
    }

    #[test]
    fn every_small_letter_grows() {
        let small = "ぁぃぅぇぉっゃゅょゎゕゖァィゥェォッャュョヮヵヶｧｨｩｪｫｬｭｮｯ";
        let large = "あいうえおつやゆよわかけアイウエオツヤユヨワカケｱｲｳｴｵﾔﾕﾖﾂ";
        assert_eq!(large_kana(small), large);
        assert_eq!(large_kana(large), large);
    }

    #[test]
    fn combining_marks_are_composed_and_nothing_else() {
        for (apart, whole) in [
            ("か\u{3099}は\u{309A}ハ\u{3099}", "がぱバ"),
            ("う\u{3099}ゝ\u{3099}ヽ\u{3099}ワ\u{3099}", "ゔゞヾヷ"),
            ("わ\u{3099}か\u{309A}渡\u{3099}\u{3099}", "わ\u{3099}か\u{309A}渡\u{3099}\u{3099}"),
        ] {
            assert_eq!(compose_kana(apart), whole);
        }
    }

    proptest! {
        #[test]
        fn kana_alone_survive_both_ways(text in "[ァ-ヴー。「」、・]{0,40}") {
            assert_eq!(fullwidth_kana(&halfwidth_kana(&text)), text);
        }

        #[test]
        fn ascii_alone_survives_both_ways(text in "[ -~]{0,40}") {
            assert_eq!(halfwidth_ascii(&fullwidth_ascii(&text)), text);
        }

        #[test]
        fn halving_what_was_widened_gives_it_back(text in "[ -~｡-ﾟ]{0,40}") {
            assert_eq!(halfwidth(&fullwidth(&text)), text);
        }

        #[test]
        fn widening_twice_is_widening_once(text in any::<String>()) {
            let once = fullwidth(&text).into_owned();
            assert_eq!(fullwidth(&once), once);
        }
    }
}
