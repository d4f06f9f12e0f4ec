//! The one place of this package that reads the clock. A simulated time is set here, and nowhere
//! else: everything of this process that asks what time it is then hears that one.

use jiff::Timestamp;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Instant;

/// How far the clock of this process is ahead of the machine's, in milliseconds.
static AHEAD_MS: AtomicI64 = AtomicI64::new(0);

/// The same before it was last set, and when that was, by [`passed_ms`].
static BEFORE_MS: AtomicI64 = AtomicI64::new(0);
static SET_AT_MS: AtomicI64 = AtomicI64::new(i64::MIN / 2);
/// How long a request may be on its way that was made before.
const WHILE_MS: i64 = 3_000;

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
    BEFORE_MS.store(AHEAD_MS.load(Ordering::Acquire), Ordering::Release);
    SET_AT_MS.store(passed_ms(), Ordering::Release);
    AHEAD_MS.store(seconds.saturating_mul(1_000), Ordering::Release);
}

/// Now, and just after the clock was set also what it would be without that: somebody else's clock,
/// which is set a moment later, may still have shown it when a request was made.
pub fn lately_ms() -> [i64; 2] {
    let just_set = passed_ms() - SET_AT_MS.load(Ordering::Acquire) < WHILE_MS;
    let before = if just_set { BEFORE_MS.load(Ordering::Acquire) } else { 0 };
    [now_ms(), if just_set { machine_ms() + before } else { now_ms() }]
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
