//! Charsets of files: UTF-8, CP932 (Windows-31J) and UTF-16, never replacing a character.

use encoding_rs::{DecoderResult, EncoderResult, SHIFT_JIS};
use std::borrow::Cow;

/// A charset.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Charset {
    /// UTF-8.
    Utf8,
    /// Windows-31J, what Japanese systems usually mean by Shift_JIS.
    Cp932,
    /// UTF-16, little-endian.
    Utf16Le,
    /// UTF-16, big-endian.
    Utf16Be,
}

impl Charset {
    /// The charset of that name in a layout; UTF-8 when none is named.
    pub fn from_layout(name: Option<&str>) -> Charset {
        match name {
            Some("cp932") => Charset::Cp932,
            Some("utf-16le") => Charset::Utf16Le,
            Some("utf-16be") => Charset::Utf16Be,
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
            Charset::Utf16Be => matches!(name, "utf-16be" | "utf-16"),
        }
    }

    /// The `Content-Type` of a CSV file, or of plain text.
    pub fn content_type(self, csv: bool) -> &'static str {
        match (csv, self) {
            (true, Charset::Utf8) => "text/csv; charset=utf-8",
            (true, Charset::Cp932) => "text/csv; charset=windows-31j",
            (true, Charset::Utf16Le) => "text/csv; charset=utf-16le",
            (true, Charset::Utf16Be) => "text/csv; charset=utf-16be",
            (false, Charset::Utf8) => "text/plain; charset=utf-8",
            (false, Charset::Cp932) => "text/plain; charset=windows-31j",
            (false, Charset::Utf16Le) => "text/plain; charset=utf-16le",
            (false, Charset::Utf16Be) => "text/plain; charset=utf-16be",
        }
    }

    /// Its byte order mark.
    pub fn mark(self) -> &'static [u8] {
        match self {
            Charset::Utf8 => &[0xEF, 0xBB, 0xBF],
            Charset::Cp932 => &[],
            Charset::Utf16Le => &[0xFF, 0xFE],
            Charset::Utf16Be => &[0xFE, 0xFF],
        }
    }

    /// Bytes of one code unit.
    pub fn unit(self) -> usize {
        if self.is_utf16() { 2 } else { 1 }
    }

    /// Whether it is one of the two orders of UTF-16.
    pub fn is_utf16(self) -> bool {
        matches!(self, Charset::Utf16Le | Charset::Utf16Be)
    }

    /// The text; `None` when some bytes are none.
    pub fn decode(self, bytes: &[u8]) -> Option<Cow<'_, str>> {
        match self {
            Charset::Utf8 => std::str::from_utf8(bytes).ok().map(Cow::Borrowed),
            // CP932 writes ASCII as ASCII.
            Charset::Cp932 if bytes.is_ascii() => {
                std::str::from_utf8(bytes).ok().map(Cow::Borrowed)
            }
            Charset::Cp932 => decode_cp932(bytes).ok().map(Cow::Owned),
            Charset::Utf16Le | Charset::Utf16Be => {
                let mut text = Vec::with_capacity(bytes.len());
                let mut transcoder = Transcoder::new(self);
                let whole = transcoder.push(bytes, &mut text) && transcoder.is_whole();
                let text = String::from_utf8(text).ok().filter(|_| whole)?;
                Some(Cow::Owned(text))
            }
        }
    }

    /// Bytes of the first `count` characters, or how many characters there are when there are
    /// fewer. Only the lead bytes are looked at: `decode` says whether they are characters.
    pub fn advance(self, bytes: &[u8], count: usize) -> Result<usize, usize> {
        if self.unit() == 1 && bytes.get(..count).is_some_and(<[u8]>::is_ascii) {
            return Ok(count);
        }
        let mut at = 0;
        for done in 0..count {
            let Some(lead) = bytes.get(at) else { return Err(done) };
            at += match (self, lead) {
                (Charset::Utf8, 0xC2..=0xDF) => 2,
                (Charset::Utf8, 0xE0..=0xEF) => 3,
                (Charset::Utf8, 0xF0..=0xF4) => 4,
                (Charset::Cp932, 0x81..=0x9F | 0xE0..=0xFC) => 2,
                (Charset::Utf8 | Charset::Cp932, _) => 1,
                (Charset::Utf16Le | Charset::Utf16Be, _) => {
                    let high = if self == Charset::Utf16Le { at + 1 } else { at };
                    let surrogate = matches!(bytes.get(high), Some(0xD8..=0xDB));
                    if surrogate { 4 } else { 2 }
                }
            };
            if at > bytes.len() {
                return Err(done);
            }
        }
        Ok(at)
    }

    /// Appends the bytes, or tells the first character that does not exist in the charset or
    /// would be read back as another one; nothing is appended then. User-defined characters
    /// (U+E000 to U+E757) are the caller's to refuse.
    pub fn encode(self, text: &str, out: &mut Vec<u8>) -> Result<(), char> {
        match self {
            Charset::Utf8 => out.extend_from_slice(text.as_bytes()),
            Charset::Cp932 if text.is_ascii() => out.extend_from_slice(text.as_bytes()),
            Charset::Cp932 => out.extend(encode_cp932(text)?),
            Charset::Utf16Le => out.extend(text.encode_utf16().flat_map(u16::to_le_bytes)),
            Charset::Utf16Be => out.extend(text.encode_utf16().flat_map(u16::to_be_bytes)),
        }
        Ok(())
    }
}

/// UTF-16 to UTF-8, in pieces of any length.
#[derive(Debug)]
pub struct Transcoder {
    little: bool,
    /// The first byte of a unit whose second has not come yet.
    odd: Option<u8>,
    /// The first half of a pair whose second has not come yet.
    high: Option<u16>,
}

impl Transcoder {
    /// For one of the two orders.
    pub fn new(charset: Charset) -> Transcoder {
        Transcoder { little: charset == Charset::Utf16Le, odd: None, high: None }
    }

    /// Appends what the bytes mean; `false` when they are not UTF-16, with all before that
    /// appended.
    pub fn push(&mut self, bytes: &[u8], out: &mut Vec<u8>) -> bool {
        for byte in bytes {
            let Some(first) = self.odd.take() else {
                self.odd = Some(*byte);
                continue;
            };
            let pair = [first, *byte];
            let unit =
                if self.little { u16::from_le_bytes(pair) } else { u16::from_be_bytes(pair) };
            if !self.unit(unit, out) {
                return false;
            }
        }
        true
    }

    fn unit(&mut self, unit: u16, out: &mut Vec<u8>) -> bool {
        let code = match (self.high.take(), unit) {
            (None, 0xD800..=0xDBFF) => {
                self.high = Some(unit);
                return true;
            }
            (None, unit) => u32::from(unit),
            (Some(high), 0xDC00..=0xDFFF) => {
                0x10000 + ((u32::from(high) - 0xD800) << 10) + (u32::from(unit) - 0xDC00)
            }
            (Some(_), _) => return false,
        };
        let Some(character) = char::from_u32(code) else { return false };
        out.extend_from_slice(character.encode_utf8(&mut [0; 4]).as_bytes());
        true
    }

    /// Whether no half of anything is left.
    pub fn is_whole(&self) -> bool {
        self.odd.is_none() && self.high.is_none()
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

    fn encoded(charset: Charset, text: &str) -> Result<Vec<u8>, char> {
        let mut bytes = Vec::new();
        charset.encode(text, &mut bytes).map(|()| bytes)
    }

    #[test]
    fn cp932_carries_the_extensions_and_refuses_what_it_would_change() {
        for text in ["髙﨑①㈱", "神", "ｶﾅ", "～∥￠－", "\u{E000}\u{E757}"] {
            let bytes = encoded(Charset::Cp932, text).unwrap();
            assert_eq!(Charset::Cp932.decode(&bytes).unwrap(), text);
        }
        for c in
            ['𠮟', '𠮷', '鷗', '噓', '㋿', '〜', '‖', '¢', '−', '¥', '‾', '—', '\u{A0}', '\u{E758}']
        {
            assert_eq!(encoded(Charset::Cp932, &format!("前{c}後")), Err(c), "{c}");
        }
    }

    #[test]
    fn broken_bytes_are_no_text() {
        for (charset, bytes) in [
            (Charset::Utf8, b"ab\xFFc".as_slice()),
            (Charset::Cp932, b"ab\x81"),
            (Charset::Cp932, b"ab\xA0c"),
            (Charset::Utf16Le, b"a\0\x00\xD8b\0"),
            (Charset::Utf16Le, b"a\0\x00\xDC"),
            (Charset::Utf16Le, b"a\0b"),
            (Charset::Utf16Be, b"\0a\xD8\x00"),
        ] {
            assert_eq!(charset.decode(bytes), None, "{bytes:?}");
        }
    }

    #[test]
    fn characters_are_counted_as_they_are_decoded() {
        let text = "a髙ｶ𠮷b";
        for charset in [Charset::Utf8, Charset::Utf16Le, Charset::Utf16Be] {
            let bytes = encoded(charset, text).unwrap();
            assert_eq!(charset.decode(&bytes).unwrap(), text);
            let four = charset.advance(&bytes, 4).unwrap();
            assert_eq!(charset.decode(&bytes[..four]).unwrap(), "a髙ｶ𠮷");
            assert_eq!(charset.advance(&bytes, 5), Ok(bytes.len()));
            assert_eq!(charset.advance(&bytes, 6), Err(5));
        }
        let bytes = encoded(Charset::Cp932, "a髙ｶb").unwrap();
        assert_eq!((Charset::Cp932.advance(&bytes, 3), bytes.len()), (Ok(4), 5));
    }
}
