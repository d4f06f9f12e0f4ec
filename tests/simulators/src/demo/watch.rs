//! What goes on beside the posting: the progress line, and the moments at which harm is done.

use crate::counterparts::ledger::Ledger;
use crate::demo::Options;
use crate::demo::desk::Desk;
use crate::demo::gateway::eprint_line;
use crate::municipality::{Fate, Municipality};
use crate::random::Random;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

/// Numbers of effects after which the gateway is killed: seeded, spread over the whole run.
pub fn moments(options: &Options, town: &Municipality) -> Vec<usize> {
    let expects = town.messages.iter().flat_map(|message| &message.expects);
    let effects = expects.filter(|expected| expected.fate == Fate::Delivered).count();
    let mut random = Random::new(options.seed, "kills");
    let mut moments: Vec<usize> =
        (0..options.kill).map(|_| effects / 50 + random.below(effects * 9 / 10)).collect();
    moments.sort_unstable();
    moments
}

/// One line every two seconds.
pub async fn show_progress(desk: Arc<Desk>, ledger: Arc<Ledger>, total: usize, began: Instant) {
    loop {
        tokio::time::sleep(Duration::from_secs(2)).await;
        let evidence = ledger.evidence();
        let faults: u64 = evidence.faults.values().sum();
        eprint_line(&format!(
            "{:5.0} s  posted {} ({total} planned, then status changes)  requests {}  effects {}  faults {faults}  answers {}",
            began.elapsed().as_secs_f64(),
            desk.done.load(Ordering::Relaxed),
            evidence.receipts.len(),
            evidence.effects.len(),
            desk.answered(),
        ));
    }
}
