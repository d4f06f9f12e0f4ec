//! Finds what a JSON string must not hold as it is, eight bytes at a time.

const ONES: u64 = 0x0101_0101_0101_0101;
const HIGH: u64 = ONES * 0x80;

/// How many bytes stand before the first quote, backslash or control character.
pub(super) fn plain(bytes: &[u8]) -> usize {
    let (words, rest) = bytes.as_chunks::<8>();
    let mut at = 0;
    for word in words {
        let found = special(u64::from_le_bytes(*word));
        if found != 0 {
            return at + found.trailing_zeros() as usize / 8;
        }
        at += 8;
    }
    at + rest.iter().take_while(|byte| !matches!(byte, b'"' | b'\\' | 0..=0x1F)).count()
}

/// The high bit of every byte sought; above the lowest one a bit may be set without reason.
fn special(word: u64) -> u64 {
    let below = |word: u64, bound: u64| word.wrapping_sub(ONES * bound) & !word;
    let is = |byte: u8| below(word ^ (ONES * u64::from(byte)), 1);
    (below(word, 0x20) | is(b'"') | is(b'\\')) & HIGH
}

#[cfg(test)]
mod tests {
    use super::plain;

    #[test]
    fn the_first_one_is_found_wherever_it_stands() {
        for sought in [b'"', b'\\', 0, 0x1F, b'\n'] {
            for other in [0x20, 0x7F, 0x80, 0xE3, 0xFF, 0x21, 0x23, 0x5B, 0x5D] {
                for length in 0..20 {
                    let mut bytes = vec![other; length];
                    assert_eq!(plain(&bytes), length);
                    bytes.push(sought);
                    bytes.extend([other, sought, other, other, other, other, other, other, other]);
                    assert_eq!(plain(&bytes), length, "{sought} {other}");
                }
            }
        }
    }
}
