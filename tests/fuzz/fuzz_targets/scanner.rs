//! Arbitrary bytes as the answer of a scanner: only the exact words are a clean verdict, and nothing
//! unsafe is told.
#![no_main]

use libfuzzer_sys::fuzz_target;
use watashi::answer::{Answer, verdict, version};

fuzz_target!(|bytes: &[u8]| {
    match verdict(bytes) {
        Answer::Clean => assert_eq!(bytes, b"stream: OK"),
        Answer::Found(name) => {
            assert!(bytes.starts_with(b"stream: ") && bytes.ends_with(b" FOUND"));
            let safe = |byte: u8| byte.is_ascii_alphanumeric() || b".-_:".contains(&byte);
            assert!(!name.is_empty() && name.len() <= 100 && name.bytes().all(safe));
        }
        Answer::TooLarge => assert_eq!(bytes, b"INSTREAM size limit exceeded. ERROR"),
        Answer::Failed => {}
    }
    if let Some(text) = version(bytes) {
        assert!(text.len() <= 100 && text.bytes().all(|byte| (b' '..=b'~').contains(&byte)));
    }
});
