//! What clamd answers, read with distrust: pure, so that it can be fuzzed by itself.

/// What an answer to `INSTREAM` says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Answer {
    /// `stream: OK`
    Clean,
    /// `stream: NAME FOUND`; the name in letters that are safe anywhere.
    Found(String),
    /// `INSTREAM size limit exceeded. ERROR`
    TooLarge,
    /// Anything else: the scanner says that it failed, or something that means nothing.
    Failed,
}

/// Longest answer that is read, in bytes.
pub const LONGEST: usize = 1_024;
/// Longest name of a signature that is told.
const NAME: usize = 100;
/// Longest version that is told.
const VERSION: usize = 100;
/// Stands for a name that is not told.
const UNNAMED: &str = "unnamed";

/// Reads the answer to `INSTREAM`, without the zero byte that ends it. Only the exact words of a
/// clean verdict are one.
pub fn verdict(answer: &[u8]) -> Answer {
    let Ok(text) = std::str::from_utf8(answer) else { return Answer::Failed };
    if text == "INSTREAM size limit exceeded. ERROR" {
        return Answer::TooLarge;
    }
    match text.strip_prefix("stream: ") {
        Some("OK") => Answer::Clean,
        Some(rest) => rest.strip_suffix(" FOUND").map_or(Answer::Failed, |name| {
            let safe = !name.is_empty() && name.len() <= NAME && name.bytes().all(is_of_a_name);
            Answer::Found(if safe { name } else { UNNAMED }.to_owned())
        }),
        None => Answer::Failed,
    }
}

/// Engine and database as the answer to `VERSION` names them; `None` where it is no such answer.
pub fn version(answer: &[u8]) -> Option<&str> {
    let text = std::str::from_utf8(answer).ok()?;
    let is_safe = |byte: u8| is_of_a_name(byte) || matches!(byte, b' ' | b'/' | b'+' | b'~');
    let good = text.starts_with("ClamAV ") && text.len() <= VERSION && text.bytes().all(is_safe);
    good.then_some(text)
}

fn is_of_a_name(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'-' | b'_' | b':')
}

#[cfg(test)]
mod tests {
    use super::{Answer, verdict, version};

    #[test]
    fn verdicts_are_read() {
        let found = |name: &str| Answer::Found(name.to_owned());
        for (answer, expected) in [
            ("stream: OK", Answer::Clean),
            ("stream: Eicar-Signature FOUND", found("Eicar-Signature")),
            ("stream: Heuristics.Encrypted.Zip FOUND", found("Heuristics.Encrypted.Zip")),
            ("stream: Test.UNOFFICIAL FOUND", found("Test.UNOFFICIAL")),
            ("INSTREAM size limit exceeded. ERROR", Answer::TooLarge),
            ("stream: Can't allocate memory ERROR", Answer::Failed),
            // A name that may hold anything is not told, but it is a finding.
            ("stream: 佐藤 花子 FOUND", found("unnamed")),
            ("stream: a\nb FOUND", found("unnamed")),
            ("stream:  FOUND", found("unnamed")),
        ] {
            assert_eq!(verdict(answer.as_bytes()), expected, "{answer}");
        }
        let long = format!("stream: {} FOUND", "x".repeat(101));
        assert_eq!(verdict(long.as_bytes()), found("unnamed"));
    }

    #[test]
    fn only_the_exact_words_are_a_clean_verdict() {
        for answer in [
            "",
            "OK",
            "stream: ok",
            "stream: OK ",
            "stream: OK\n",
            "stream: OK\0",
            " stream: OK",
            "stream: OK FOUND ERROR",
            "1: stream: OK",
            "stream: FOUND",
            "UNKNOWN COMMAND",
        ] {
            assert_eq!(verdict(answer.as_bytes()), Answer::Failed, "{answer:?}");
        }
        assert_eq!(verdict(b"stream: OK\xff"), Answer::Failed);
    }

    #[test]
    fn versions_are_read() {
        for good in ["ClamAV 1.4.6", "ClamAV 1.4.6/27826/Mon Nov 23 08:00:00 2026"] {
            assert_eq!(version(good.as_bytes()), Some(good));
        }
        for bad in ["", "ClamAV", "clamav 1.4.6", "ClamAV 1.4\n6", "UNKNOWN COMMAND"] {
            assert_eq!(version(bad.as_bytes()), None, "{bad:?}");
        }
    }
}
