//! `Clock`: time comes in from outside, so that tests and replays own it.

use jiff::Timestamp;

/// Wall time for records and due times. Timeouts use tokio's monotonic clock instead.
pub trait Clock: Send + Sync + 'static {
    /// The current instant (UTC).
    fn now(&self) -> Timestamp;
}

/// The machine's clock; made once, in `app`.
pub struct SystemClock;

impl Clock for SystemClock {
    #[expect(clippy::disallowed_methods, reason = "the one place where wall time enters")]
    fn now(&self) -> Timestamp {
        Timestamp::now()
    }
}
