//! The keys of a demanded scan.

use super::FIELD;
use crate::diagnostic::keys::{Form, Key, Keys};

/// The key of an operation that holds it.
pub(super) const KEY: Key = Key::new(
    "scan",
    Form::Map(&SCAN),
    "Of a pull, push-in or file-in: what comes is scanned for malware before it goes on.",
);

pub(in crate::adapter) static SCAN: Keys = Keys::new(
    "scan",
    "a scan",
    "What comes is scanned for malware as it came, and each file in it as the file it is.",
    &[Key::new(
        "files",
        Form::List(&FIELD),
        "Paths of members that hold a file in base64; a list on the way stands for each of its elements.",
    )],
);
