//! Repertoires: which characters a system knows.
//!
//! Three are built in besides Unicode itself: CP932 (Windows-31J) and JIS X 0208 as `encoding_rs`
//! has them, JIS X 0213:2004 from a generated list. Others, such as 文字情報基盤 (MJ), are files
//! that the definitions bring along: code points, ranges and sequences, one a line.
//!
//! The unit is what a reader sees as one character: a base with the variation selectors and
//! combining voice marks behind it.

use encoding_rs::{EUC_JP, SHIFT_JIS};
use std::collections::BTreeSet;
use std::sync::{Arc, LazyLock};

mod read;

pub use read::Fault;

/// Names of the built-in repertoires.
pub const BUILT_IN: &[&str] = &["cp932", "jisx0208", "jisx0213", "unicode-bmp", "unicode"];

const WORDS: usize = 0x11_0000 / 64;

/// The characters a system knows. Line breaks and tabs belong to every repertoire.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Repertoire {
    name: String,
    points: Box<[u64]>,
    /// Units of more than one code point that are known as a whole.
    sequences: BTreeSet<String>,
}

/// JIS X 0208 and JIS X 0213 leave the Unicode character of these open: systems that follow
/// Windows and systems that follow the standard's own table write different ones for the same.
const EITHER: [char; 17] =
    ['＼', '～', '〜', '∥', '‖', '－', '−', '￠', '¢', '￡', '£', '￢', '¬', '￣', '￥', '—', '―'];

static CP932: LazyLock<Arc<Repertoire>> = LazyLock::new(|| {
    let mut found = Repertoire::empty("cp932");
    for lead in 0x81..=0xFC_u8 {
        for trail in 0x40..=0xFC_u8 {
            found.add_decoded(SHIFT_JIS, &[lead, trail]);
        }
    }
    found.add_range('｡', 'ﾟ');
    // Decoders give the user-defined area U+E000 onwards: those characters are each town's own.
    found.remove_range('\u{E000}', '\u{F8FF}');
    Arc::new(found)
});

static JISX0208: LazyLock<Arc<Repertoire>> = LazyLock::new(|| {
    let mut found = Repertoire::empty("jisx0208");
    // Rows 9 to 15 and 85 to 94 are extensions of vendors.
    for row in (1..=8_u8).chain(16..=84) {
        for cell in 1..=94_u8 {
            found.add_decoded(EUC_JP, &[0xA0 + row, 0xA0 + cell]);
        }
    }
    EITHER.iter().for_each(|c| found.add(*c));
    Arc::new(found)
});

static JISX0213: LazyLock<Arc<Repertoire>> = LazyLock::new(|| {
    let read = Repertoire::read("jisx0213", include_str!("jisx0213.txt"));
    let mut found = read.unwrap_or_else(|_| Repertoire::empty("jisx0213"));
    EITHER.iter().for_each(|c| found.add(*c));
    Arc::new(found)
});

static BMP: LazyLock<Arc<Repertoire>> = LazyLock::new(|| {
    let mut found = Repertoire::empty("unicode-bmp");
    found.add_range('\u{A0}', '\u{FFFD}');
    found.remove_range('\u{E000}', '\u{F8FF}');
    Arc::new(found)
});

static UNICODE: LazyLock<Arc<Repertoire>> = LazyLock::new(|| {
    let mut found = Repertoire::empty("unicode");
    found.add_range('\u{A0}', '\u{EFFFF}');
    found.remove_range('\u{E000}', '\u{F8FF}');
    Arc::new(found)
});

/// Marks that belong to the character before them: variation selectors (also of IVS) and the
/// combining voice marks.
pub fn joins(c: char) -> bool {
    matches!(c, '\u{FE00}'..='\u{FE0F}' | '\u{E0100}'..='\u{E01EF}' | '\u{3099}' | '\u{309A}')
}

/// The units of a text, in order.
pub fn units(text: &str) -> impl Iterator<Item = &str> {
    let mut rest = text;
    std::iter::from_fn(move || {
        let first = rest.chars().next()?;
        let marks = rest.get(first.len_utf8()..).unwrap_or("");
        let length = rest.len() - marks.trim_start_matches(joins).len();
        let (unit, behind) = rest.split_at_checked(length)?;
        rest = behind;
        Some(unit)
    })
}

/// Code points as people write them: `U+9089 U+E0101`.
pub fn code_points(unit: &str) -> String {
    let points: Vec<String> = unit.chars().map(|c| format!("U+{:04X}", u32::from(c))).collect();
    points.join(" ")
}

impl Repertoire {
    /// Printable ASCII, and nothing else yet.
    fn empty(name: &str) -> Repertoire {
        let points = vec![0; WORDS].into_boxed_slice();
        let mut found = Repertoire { name: name.to_owned(), points, sequences: BTreeSet::new() };
        found.add_range(' ', '~');
        found
    }

    /// A built-in repertoire.
    pub fn built_in(name: &str) -> Option<Arc<Repertoire>> {
        let found = match name {
            "cp932" => &CP932,
            "jisx0208" => &JISX0208,
            "jisx0213" => &JISX0213,
            "unicode-bmp" => &BMP,
            "unicode" => &UNICODE,
            _ => return None,
        };
        Some(Arc::clone(found))
    }

    /// Its name.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Whether a unit is known as it is.
    pub fn has(&self, unit: &str) -> bool {
        let mut characters = unit.chars();
        match (characters.next(), characters.next()) {
            (Some(only), None) => matches!(only, '\t' | '\n' | '\r') || self.has_point(only),
            (None, _) => true,
            _ => self.sequences.contains(unit),
        }
    }

    /// Whether every unit of a text is known.
    pub fn has_all(&self, text: &str) -> bool {
        let plain = text.bytes().all(|byte| matches!(byte, b' '..=b'~'));
        plain || units(text).all(|unit| self.has(unit))
    }

    /// How many units of `other` this one lacks, and one of them.
    pub fn lacks(&self, other: &Repertoire) -> (usize, Option<String>) {
        let mut count = 0;
        let mut example = None;
        for (index, (ours, theirs)) in self.points.iter().zip(&other.points).enumerate() {
            let missing = theirs & !ours;
            count += missing.count_ones() as usize;
            if example.is_none() && missing != 0 {
                let point = index * 64 + missing.trailing_zeros() as usize;
                let point = u32::try_from(point).ok().and_then(char::from_u32);
                example = point.map(|point| code_points(point.encode_utf8(&mut [0; 4])));
            }
        }
        let mut sequences = other.sequences.difference(&self.sequences);
        if example.is_none() {
            example = sequences.clone().next().map(|unit| code_points(unit));
        }
        count += sequences.by_ref().count();
        (count, example)
    }

    fn has_point(&self, c: char) -> bool {
        let (word, bit) = place(c);
        self.points.get(word).is_some_and(|bits| bits >> bit & 1 == 1)
    }

    fn add(&mut self, c: char) {
        let (word, bit) = place(c);
        if let Some(bits) = self.points.get_mut(word) {
            *bits |= 1 << bit;
        }
    }

    fn add_range(&mut self, first: char, last: char) {
        (first..=last).for_each(|c| self.add(c));
    }

    fn remove_range(&mut self, first: char, last: char) {
        for c in first..=last {
            let (word, bit) = place(c);
            if let Some(bits) = self.points.get_mut(word) {
                *bits &= !(1 << bit);
            }
        }
    }

    fn add_decoded(&mut self, encoding: &'static encoding_rs::Encoding, bytes: &[u8]) {
        let decoded = encoding.decode_without_bom_handling_and_without_replacement(bytes);
        let mut characters = decoded.as_deref().unwrap_or("").chars();
        if let (Some(only), None) = (characters.next(), characters.next()) {
            self.add(only);
        }
    }
}

/// Word and bit of a code point.
fn place(c: char) -> (usize, u32) {
    let point = u32::from(c);
    ((point / 64) as usize, point % 64)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn built_in(name: &str) -> Arc<Repertoire> {
        Repertoire::built_in(name).unwrap()
    }

    fn count(repertoire: &Repertoire) -> usize {
        repertoire.points.iter().map(|bits| bits.count_ones() as usize).sum::<usize>()
            + repertoire.sequences.len()
    }

    #[test]
    fn each_repertoire_has_as_many_characters_as_its_standard() {
        // ASCII (95), 6,879 characters of JIS X 0208, and the second spellings of EITHER.
        assert_eq!(count(&built_in("jisx0208")), 95 + 6_879 + 7);
        let listed = Repertoire::read("x", include_str!("jisx0213.txt")).unwrap();
        // 11,233 characters; two of them are ASCII in Unicode.
        assert_eq!(count(&listed), 95 + 11_233 - 2);
        assert_eq!(listed.sequences.len(), 25);
        // Windows-31J: 7,332 distinct characters of two bytes less the second cells of some, kana.
        assert!((7_400..7_600).contains(&count(&built_in("cp932"))));
    }

    #[test]
    fn what_tells_them_apart() {
        let has = |unit: &str| {
            let known = BUILT_IN.iter().filter(|name| built_in(name).has(unit));
            known.copied().collect::<Vec<&str>>().join(" ")
        };
        assert_eq!(has("渡"), "cp932 jisx0208 jisx0213 unicode-bmp unicode");
        assert_eq!(has("～"), "cp932 jisx0208 jisx0213 unicode-bmp unicode");
        assert_eq!(has("﨑"), "cp932 jisx0213 unicode-bmp unicode");
        assert_eq!(has("髙"), "cp932 unicode-bmp unicode");
        assert_eq!(has("①"), "cp932 jisx0213 unicode-bmp unicode");
        assert_eq!(has("ｱ"), "cp932 unicode-bmp unicode");
        assert_eq!(has("𠮷"), "unicode");
        assert_eq!(has("𠮟"), "jisx0213 unicode");
        assert_eq!(has("か\u{309A}"), "jisx0213");
        assert_eq!(has("邉\u{E0101}"), "");
        assert_eq!(has("\u{E000}"), "");
        assert_eq!(has("\n"), "cp932 jisx0208 jisx0213 unicode-bmp unicode");
        assert_eq!(has("\u{7}"), "");
    }

    #[test]
    fn a_unit_is_a_character_with_its_marks() {
        let text = "渡邉\u{E0101}か\u{3099}\u{3099}a";
        let found: Vec<&str> = units(text).collect();
        assert_eq!(found, ["渡", "邉\u{E0101}", "か\u{3099}\u{3099}", "a"]);
        assert_eq!(code_points("邉\u{E0101}"), "U+9089 U+E0101");
    }

    #[test]
    fn the_wider_lacks_nothing_of_the_narrower() {
        assert_eq!(built_in("jisx0213").lacks(&built_in("jisx0208")), (0, None));
        assert_eq!(built_in("unicode").lacks(&built_in("unicode-bmp")), (0, None));
        let (missing, example) = built_in("jisx0208").lacks(&built_in("cp932"));
        assert!(missing > 400 && example.is_some());
    }
}
