//! Named points on the way of a message at which a development build ends when it is told to: what
//! a crash leaves behind is tried there, at every one of them.
//!
//! `WATASHI_CRASH_AT=7` ends the process at the seventh point it reaches, `=settle:before-commit@3`
//! at the third time it reaches that one; nothing is flushed, no destructor runs. Programs built
//! without debug assertions, as all that are shipped are, know nothing of this.

/// Every point, in the order of a message's way.
pub const POINTS: &[&str] = &[
    "accept:before-commit",
    "accept:after-commit",
    "ack:before",
    "ack:after",
    "deliver:before-intent",
    "intend:before-commit",
    "intend:after-commit",
    "deliver:after-intent",
    "call:before-send",
    "call:after-answer",
    "resolve:before-question",
    "settle:before-write",
    "settle:before-commit",
    "settle:after-commit",
    "settle:after-write",
    "outbox:before-publish",
    "outbox:after-publish",
    "outbox:after-mark",
    "act:before-commit",
    "act:after-commit",
    "file:planned",
    "file:hidden-written",
    "file:hidden-synced",
    "file:shown",
    "file:folder-synced",
    "file:before-last",
    "file:all-written",
    "file:settled",
    "file:accepted",
    "file:finishing",
    "file:moved-there",
    "file:moved",
    "other:before-commit",
    "other:after-commit",
    // Ids become a block.
    "ids:before-commit",
    "ids:after-commit",
    // The log goes into the database.
    "write-back:begun",
    "write-back:beside",
    "write-back:ended",
];

/// A point of the way is reached.
#[cfg(not(debug_assertions))]
#[inline]
pub fn reach(_: &'static str) {}

/// A point of the way is reached.
#[cfg(debug_assertions)]
pub fn reach(point: &'static str) {
    armed::reach(point);
}

#[cfg(debug_assertions)]
mod armed {
    use std::io::Write;
    use std::sync::OnceLock;
    use std::sync::atomic::{AtomicU64, Ordering};

    /// Where to end: at this point, or at any, when it is reached for the `number`th time.
    struct Plan {
        point: Option<String>,
        number: u64,
    }

    #[expect(clippy::disallowed_methods, reason = "no setting of the product: a test's word to it")]
    fn plan() -> Option<&'static Plan> {
        static PLAN: OnceLock<Option<Plan>> = OnceLock::new();
        let read = || {
            let text = std::env::var("WATASHI_CRASH_AT").ok()?;
            let (point, number) = match text.split_once('@') {
                Some((point, number)) => (Some(point.to_owned()), number),
                None => (None, text.as_str()),
            };
            Some(Plan { point, number: number.parse().ok()? })
        };
        PLAN.get_or_init(read).as_ref()
    }

    pub(super) fn reach(point: &'static str) {
        static REACHED: AtomicU64 = AtomicU64::new(0);
        let Some(plan) = plan() else { return };
        debug_assert!(super::POINTS.contains(&point), "{point} is not in the list");
        if plan.point.as_deref().is_some_and(|wanted| wanted != point) {
            return;
        }
        if REACHED.fetch_add(1, Ordering::SeqCst) + 1 == plan.number {
            // Whoever told us to end reads where it was.
            let _written = writeln!(std::io::stderr(), "crash at {point}");
            std::process::abort();
        }
    }
}
