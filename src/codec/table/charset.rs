//! Charsets of files: UTF-8, CP932 (Windows-31J) and UTF-16LE, never replacing a character.

use encoding_rs::{DecoderResult, EncoderResult, SHIFT_JIS};

/// A charset.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Charset {
    /// UTF-8.
    Utf8,
    /// Windows-31J, what Japanese systems usually mean by Shift_JIS.
    Cp932,
    /// UTF-16, little-endian.
    Utf16Le,
}

impl Charset {
    /// The charset of that name in a layout; UTF-8 when none is named.
    pub fn from_layout(name: Option<&str>) -> Charset {
        match name {
            Some("cp932") => Charset::Cp932,
            Some("utf-16le") => Charset::Utf16Le,
            _ => Charset::Utf8,
        }
    }

    /// Whether `name` is one of its names in a `Content-Type` (lower case).
    pub fn is_called(self, name: &str) -> bool {
        match self {
            Charset::Utf8 => matches!(name, "utf-8" | "utf8"),
            Charset::Cp932 => {
                matches!(name, "shift_jis" | "shift-jis" | "windows-31j" | "cp932" | "ms932")
            }
            Charset::Utf16Le => matches!(name, "utf-16le" | "utf-16"),
        }
    }

    /// The `Content-Type` of a CSV file, or of plain text.
    pub fn content_type(self, csv: bool) -> &'static str {
        match (csv, self) {
            (true, Charset::Utf8) => "text/csv; charset=utf-8",
            (true, Charset::Cp932) => "text/csv; charset=windows-31j",
            (true, Charset::Utf16Le) => "text/csv; charset=utf-16le",
            (false, Charset::Utf8) => "text/plain; charset=utf-8",
            (false, Charset::Cp932) => "text/plain; charset=windows-31j",
            (false, Charset::Utf16Le) => "text/plain; charset=utf-16le",
        }
    }

    /// Its byte order mark.
    pub fn mark(self) -> &'static [u8] {
        match self {
            Charset::Utf8 => &[0xEF, 0xBB, 0xBF],
            Charset::Cp932 => &[],
            Charset::Utf16Le => &[0xFF, 0xFE],
        }
    }

    /// Bytes of one code unit.
    pub fn unit(self) -> usize {
        if self == Charset::Utf16Le { 2 } else { 1 }
    }

    /// The text, or the text up to the first bytes that are none.
    pub fn decode(self, bytes: &[u8]) -> Result<String, String> {
        match self {
            Charset::Utf8 => match std::str::from_utf8(bytes) {
                Ok(text) => Ok(text.to_owned()),
                Err(error) => {
                    let sound = bytes.get(..error.valid_up_to()).unwrap_or_default();
                    Err(String::from_utf8_lossy(sound).into_owned())
                }
            },
            Charset::Cp932 => decode_cp932(bytes),
            Charset::Utf16Le => decode_utf16(bytes),
        }
    }

    /// The bytes, or the first character that does not exist in the charset or would be read
    /// back as another one. User-defined characters (U+E000 to U+E757) are the caller's to refuse.
    pub fn encode(self, text: &str) -> Result<Vec<u8>, char> {
        match self {
            Charset::Utf8 => Ok(text.as_bytes().to_vec()),
            Charset::Utf16Le => Ok(text.encode_utf16().flat_map(u16::to_le_bytes).collect()),
            Charset::Cp932 => encode_cp932(text),
        }
    }
}

fn decode_cp932(bytes: &[u8]) -> Result<String, String> {
    let mut decoder = SHIFT_JIS.new_decoder_without_bom_handling();
    let mut text = String::new();
    let room = decoder.max_utf8_buffer_length_without_replacement(bytes.len()).unwrap_or(0);
    text.reserve(room);
    match decoder.decode_to_string_without_replacement(bytes, &mut text, true) {
        (DecoderResult::InputEmpty, _) => Ok(text),
        _ => Err(text),
    }
}

fn decode_utf16(bytes: &[u8]) -> Result<String, String> {
    let mut text = String::new();
    let pairs = bytes.chunks_exact(2);
    let odd = !pairs.remainder().is_empty();
    let units = pairs.map(|pair| match pair {
        [low, high] => u16::from_le_bytes([*low, *high]),
        _ => 0,
    });
    for c in char::decode_utf16(units) {
        match c {
            Ok(c) => text.push(c),
            Err(_) => return Err(text),
        }
    }
    if odd { Err(text) } else { Ok(text) }
}

fn encode_cp932(text: &str) -> Result<Vec<u8>, char> {
    let mut bytes = Vec::new();
    let mut rest = text;
    while !rest.is_empty() {
        let mut encoder = SHIFT_JIS.new_encoder();
        let room = encoder
            .max_buffer_length_from_utf8_without_replacement(rest.len())
            .unwrap_or(rest.len() * 4);
        bytes.reserve(room);
        match encoder.encode_from_utf8_to_vec_without_replacement(rest, &mut bytes, true) {
            (EncoderResult::InputEmpty, _) => break,
            (EncoderResult::Unmappable(c), read) => {
                bytes.extend(user_defined(c).ok_or(c)?);
                rest = rest.get(read..).unwrap_or_default();
            }
            (EncoderResult::OutputFull, read) => rest = rest.get(read..).unwrap_or_default(),
        }
    }
    // ¥, ‾ and − are written without complaint but come back as \, ~ and －.
    let back = decode_cp932(&bytes).unwrap_or_else(|sound| sound);
    if back == text {
        return Ok(bytes);
    }
    let differs = text.chars().zip(back.chars()).find(|(left, right)| left != right);
    Err(differs.map_or('\u{FFFD}', |(c, _)| c))
}

/// The user-defined area of CP932 (lead bytes F0 to F9), which decoders map to U+E000 onwards but
/// encoders leave out.
fn user_defined(c: char) -> Option<[u8; 2]> {
    let index = u32::from(c).checked_sub(0xE000).filter(|index| *index < 1880)?;
    let lead = 0xF0 + index / 188;
    let trail = index % 188;
    let trail = trail + if trail < 0x3F { 0x40 } else { 0x41 };
    Some([u8::try_from(lead).ok()?, u8::try_from(trail).ok()?])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cp932_carries_the_extensions_and_refuses_what_it_would_change() {
        for text in ["髙﨑①㈱", "神", "ｶﾅ", "～∥￠－", "\u{E000}\u{E757}"] {
            let bytes = Charset::Cp932.encode(text).unwrap();
            assert_eq!(Charset::Cp932.decode(&bytes).unwrap(), text);
        }
        for c in
            ['𠮟', '𠮷', '鷗', '噓', '㋿', '〜', '‖', '¢', '−', '¥', '‾', '—', '\u{A0}', '\u{E758}']
        {
            assert_eq!(Charset::Cp932.encode(&format!("前{c}後")), Err(c), "{c}");
        }
    }

    #[test]
    fn broken_bytes_are_told_with_the_sound_text_before_them() {
        assert_eq!(Charset::Utf8.decode(b"ab\xFFc"), Err("ab".to_owned()));
        assert_eq!(Charset::Cp932.decode(b"ab\x81"), Err("ab".to_owned()));
        assert_eq!(Charset::Cp932.decode(b"ab\xA0c"), Err("ab".to_owned()));
        assert_eq!(Charset::Utf16Le.decode(b"a\0\x00\xD8b\0"), Err("a".to_owned()));
        assert_eq!(Charset::Utf16Le.decode(b"a\0b"), Err("a".to_owned()));
    }
}
