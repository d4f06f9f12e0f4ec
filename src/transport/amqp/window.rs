//! Which deliveries of one channel may be acknowledged, and with how few frames.
//!
//! Delivery tags of a channel count 1, 2, 3 …, over all its consumers together. `multiple=true`
//! acknowledges everything up to its tag, so it may only cover a run without a gap from the
//! beginning: a tag not completed yet, or not even seen yet, ends the run.

use std::collections::BTreeMap;

/// One `basic.ack` to send.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Ack {
    pub tag: u64,
    pub multiple: bool,
}

/// Completed tags that are beyond the run, and how far the run has come.
#[derive(Debug, Default)]
pub(super) struct Window {
    floor: u64,
    beyond: BTreeMap<u64, Waiting>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Waiting {
    /// Completed since the last round; the gap before it may still close.
    Fresh,
    /// Waited for one round.
    Straggler,
    /// Acknowledged alone; kept so that the run can pass over it.
    Acked,
}

impl Window {
    /// Notes that a delivery is safe. A tag completed twice counts once.
    pub fn complete(&mut self, tag: u64) {
        if tag > self.floor {
            self.beyond.entry(tag).or_insert(Waiting::Fresh);
        }
    }

    /// What to acknowledge now: the run in one frame, and alone whatever has waited for a round
    /// behind a gap that is still open.
    pub fn take(&mut self) -> Vec<Ack> {
        let mut acks = Vec::new();
        let mut run = None;
        while let Some(waiting) = self.beyond.remove(&(self.floor + 1)) {
            self.floor += 1;
            // A tag acknowledged already is unknown to the broker and must not be named again.
            if waiting != Waiting::Acked {
                run = Some(self.floor);
            }
        }
        acks.extend(run.map(|tag| Ack { tag, multiple: true }));
        for (tag, waiting) in &mut self.beyond {
            match *waiting {
                Waiting::Fresh => *waiting = Waiting::Straggler,
                Waiting::Straggler => {
                    *waiting = Waiting::Acked;
                    acks.push(Ack { tag: *tag, multiple: false });
                }
                Waiting::Acked => {}
            }
        }
        acks
    }

    /// Whether something completed still waits for its acknowledgement.
    pub fn is_waiting(&self) -> bool {
        self.beyond.values().any(|waiting| *waiting != Waiting::Acked)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::collections::BTreeSet;

    fn multiple(tag: u64) -> Ack {
        Ack { tag, multiple: true }
    }

    fn single(tag: u64) -> Ack {
        Ack { tag, multiple: false }
    }

    #[test]
    fn a_run_is_acknowledged_in_one_frame() {
        let mut window = Window::default();
        for tag in [2, 1, 3] {
            window.complete(tag);
        }
        assert_eq!(window.take(), [multiple(3)]);
        assert_eq!(window.take(), []);
        assert!(!window.is_waiting());
    }

    #[test]
    fn a_gap_holds_one_round_then_stragglers_go_alone() {
        let mut window = Window::default();
        window.complete(2);
        window.complete(3);
        assert_eq!(window.take(), []);
        assert!(window.is_waiting());
        assert_eq!(window.take(), [single(2), single(3)]);
        window.complete(1);
        assert_eq!(window.take(), [multiple(1)]);
        window.complete(4);
        assert_eq!(window.take(), [multiple(4)]);
    }

    #[test]
    fn completing_twice_or_late_counts_once() {
        let mut window = Window::default();
        window.complete(1);
        window.complete(1);
        assert_eq!(window.take(), [multiple(1)]);
        window.complete(1);
        assert_eq!(window.take(), []);
    }

    proptest! {
        /// The broker's view: every tag leaves exactly once, none before it is completed, and no
        /// frame names a tag that left before.
        #[test]
        fn nothing_is_acknowledged_too_early_or_twice(
            order in Just((1u64..=40).collect::<Vec<_>>()).prop_shuffle(),
            rounds in prop::collection::vec(1usize..6, 40),
        ) {
            let mut window = Window::default();
            let mut unacked: BTreeSet<u64> = (1..=40).collect();
            let mut completed = BTreeSet::new();
            let mut order = order.into_iter();
            for count in rounds {
                for tag in order.by_ref().take(count) {
                    window.complete(tag);
                    completed.insert(tag);
                }
                for ack in window.take() {
                    prop_assert!(unacked.contains(&ack.tag));
                    let gone: Vec<u64> = if ack.multiple {
                        unacked.range(..=ack.tag).copied().collect()
                    } else {
                        vec![ack.tag]
                    };
                    for tag in gone {
                        prop_assert!(completed.contains(&tag));
                        unacked.remove(&tag);
                    }
                }
            }
            prop_assert!(unacked.is_empty());
        }
    }
}
