//! The one place of this package that reads the clock. A simulated time is set here, and nowhere
//! else: everything of this process that asks what time it is then hears that one.

use jiff::Timestamp;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Instant;

/// How far the clock of this process is ahead of the machine's, in milliseconds.
static AHEAD_MS: AtomicI64 = AtomicI64::new(0);

/// Now.
pub fn now() -> Timestamp {
    Timestamp::from_millisecond(now_ms()).unwrap_or_default()
}

/// Now in milliseconds since 1970 (UTC).
pub fn now_ms() -> i64 {
    machine_ms() + AHEAD_MS.load(Ordering::Acquire)
}

/// Milliseconds that have really passed since this was first asked, whatever the clock is set to.
pub fn passed_ms() -> i64 {
    static START: OnceLock<Instant> = OnceLock::new();
    i64::try_from(START.get_or_init(Instant::now).elapsed().as_millis()).unwrap_or(i64::MAX)
}

/// Sets the clock of this process so far ahead of the machine's, in seconds; negative: behind it.
pub fn set_ahead(seconds: i64) {
    AHEAD_MS.store(seconds.saturating_mul(1_000), Ordering::Release);
}

/// How many seconds a clock must be ahead of the machine's to show this time, in milliseconds
/// since 1970. At least so many: it shows it, or up to a second later.
pub fn ahead_for(ms: i64) -> i64 {
    (ms - machine_ms()).div_euclid(1_000) + 1
}

#[expect(clippy::disallowed_methods, reason = "this package has no pipeline to pass a clock to")]
fn machine_ms() -> i64 {
    Timestamp::now().as_millisecond()
}

/// The 14 digits YYYYMMDDHHMMSS in UTC, for names of folders.
pub fn stamp() -> String {
    now().strftime("%Y%m%d%H%M%S").to_string()
}
