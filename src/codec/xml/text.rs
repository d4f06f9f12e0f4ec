//! Text as XML carries it: what a reader would change is written as a reference.

use super::is_char;

/// What a byte of UTF-8 needs.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Class {
    /// Nothing: it is written as it is.
    Plain,
    /// In an attribute a reference, elsewhere nothing.
    Space,
    /// A reference.
    Special,
    /// A look at its character, which XML may not be able to carry.
    Suspect,
}

/// By byte. U+FFFE and U+FFFF, which XML cannot carry, begin with 0xEF.
const CLASSES: [Class; 256] = {
    let mut classes = [Class::Plain; 256];
    let mut byte = 0;
    while byte < 256 {
        #[expect(clippy::indexing_slicing, reason = "below the length, when compiling")]
        {
            classes[byte] = match byte as u8 {
                b'\t' | b'\n' => Class::Space,
                b'<' | b'>' | b'&' | b'"' | b'\r' => Class::Special,
                0..0x20 | 0xEF => Class::Suspect,
                _ => Class::Plain,
            };
        }
        byte += 1;
    }
    classes
};

fn class(byte: u8) -> Class {
    CLASSES.get(usize::from(byte)).copied().unwrap_or(Class::Suspect)
}

/// Adds a text to `out`.
///
/// # Errors
/// The first character that XML 1.0 cannot carry.
pub fn put_escaped(text: &str, attribute: bool, out: &mut Vec<u8>) -> Result<(), char> {
    let mut from = 0;
    for (at, byte) in text.bytes().enumerate() {
        let reference: &[u8] = match (class(byte), byte) {
            (Class::Plain, _) => continue,
            (Class::Space, _) if !attribute => continue,
            (Class::Space, b'\n') => b"&#10;",
            (Class::Space, _) => b"&#9;",
            (Class::Special, b'<') => b"&lt;",
            (Class::Special, b'>') => b"&gt;",
            (Class::Special, b'&') => b"&amp;",
            (Class::Special, b'"') => b"&quot;",
            (Class::Special, _) => b"&#13;",
            (Class::Suspect, _) => match text.get(at..).and_then(|rest| rest.chars().next()) {
                Some(c) if !is_char(c) => return Err(c),
                _ => continue,
            },
        };
        out.extend_from_slice(text.as_bytes().get(from..at).unwrap_or_default());
        out.extend_from_slice(reference);
        from = at + 1;
    }
    out.extend_from_slice(text.as_bytes().get(from..).unwrap_or_default());
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::put_escaped;
    use crate::codec::xml::is_char;
    use proptest::prelude::{any, proptest};

    /// The same, character by character.
    fn slowly(text: &str, attribute: bool) -> Result<String, char> {
        let mut out = String::new();
        for c in text.chars() {
            match c {
                _ if !is_char(c) => return Err(c),
                '<' => out.push_str("&lt;"),
                '>' => out.push_str("&gt;"),
                '&' => out.push_str("&amp;"),
                '"' => out.push_str("&quot;"),
                '\r' => out.push_str("&#13;"),
                '\n' if attribute => out.push_str("&#10;"),
                '\t' if attribute => out.push_str("&#9;"),
                other => out.push(other),
            }
        }
        Ok(out)
    }

    fn check(text: &str) {
        for attribute in [true, false] {
            let mut out = Vec::new();
            let found = put_escaped(text, attribute, &mut out);
            let found = found.map(|()| String::from_utf8(out).unwrap());
            assert_eq!(found, slowly(text, attribute), "{text:?}");
        }
    }

    #[test]
    fn every_character_at_the_edges() {
        for c in ('\0'..='\u{FF}').chain('\u{E000}'..='\u{10010}') {
            check(&format!("前{c}後"));
        }
    }

    proptest! {
        #[test]
        fn any_text(text in any::<String>(), special in "[<>&\"\r\n\t\u{1}-\u{FF}！-～渡]{0,20}") {
            check(&text);
            check(&special);
        }
    }
}
