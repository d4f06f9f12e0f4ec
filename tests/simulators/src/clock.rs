//! The one place of this package that reads the clock.

use jiff::Timestamp;

/// Now.
#[expect(clippy::disallowed_methods, reason = "this package has no pipeline to pass a clock to")]
pub fn now() -> Timestamp {
    Timestamp::now()
}

/// Now in milliseconds since 1970 (UTC).
pub fn now_ms() -> i64 {
    now().as_millisecond()
}

/// The 14 digits YYYYMMDDHHMMSS in UTC, for names of folders.
pub fn stamp() -> String {
    now().strftime("%Y%m%d%H%M%S").to_string()
}
