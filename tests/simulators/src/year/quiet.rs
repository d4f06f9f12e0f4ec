//! Waits until all that can be done at a moment was done: nothing under way, nothing owed to
//! anybody but by counterparts that are closed, out of reach, or have not answered yet.

use super::routes::{self, Route};
use crate::Trouble;
use crate::counterparts::INTERMEDIATE_SERVER;
use crate::demo::Stage;
use crate::demo::gateway::Count;
use std::collections::{BTreeMap, BTreeSet};
use std::time::{Duration, Instant};

/// Nothing is waited for longer.
const PATIENCE: Duration = Duration::from_secs(45);
/// Pause between two looks.
const PAUSE: Duration = Duration::from_millis(15);

/// States an exchange ends in.
const ENDED: [&str; 4] = ["delivered", "dead", "duplicate", "discarded"];

/// The state of what waits for a second person.
const DECIDING: &str = "waiting-approval";

/// What has been asked of the gateway so far.
#[derive(Clone, Debug, Default)]
pub struct Owed {
    /// Exchanges that must have been accepted.
    pub exchanges: u64,
    /// Counterparts out of reach.
    pub down: BTreeSet<&'static str>,
    /// How many messages of each type must have come, and from where.
    pub arrived: BTreeMap<(&'static str, &'static str), usize>,
    /// Nothing may wait for a file any more.
    pub gathered: bool,
    /// How many wait for a second person.
    pub deciding: u64,
}

/// Waits; gives what is left when patience is over.
pub(crate) async fn until(stage: &Stage, owed: &Owed) -> Result<Vec<String>, Trouble> {
    let began = Instant::now();
    loop {
        stage.gateway.check_alive().await?;
        let left = left(stage, owed, &stage.gateway.counts().await.unwrap_or_default());
        if left.is_empty() || began.elapsed() > PATIENCE {
            return Ok(left);
        }
        tokio::time::sleep(PAUSE).await;
    }
}

fn left(stage: &Stage, owed: &Owed, counts: &[Count]) -> Vec<String> {
    let mut left = Vec::new();
    let now = crate::clock::now_ms();
    let times = &stage.town.knowledge.times;
    let away = |name: &str| owed.down.contains(name) || times.is_closed(name, now);
    let sum = |wanted: &dyn Fn(&&Count) -> bool| -> u64 {
        counts.iter().filter(wanted).map(|count| count.count).sum()
    };
    let accepted = sum(&|count| count.state != "duplicate");
    if accepted < owed.exchanges {
        left.push(format!("{} exchanges of {}", owed.exchanges - accepted, owed.exchanges));
    }
    let deciding = sum(&|count| count.state == DECIDING);
    if deciding != owed.deciding {
        left.push(format!("{deciding} wait for a second person, not {}", owed.deciding));
    }
    let waiting = sum(&|count| routes::asks(&count.route) && count.state == "waiting-result");
    let pending = stage.running.pending(INTERMEDIATE_SERVER) as u64;
    if waiting > pending && !away(INTERMEDIATE_SERVER) {
        left.push(format!("{} answers that are there", waiting - pending));
    }
    let rests = |count: &&Count| ENDED.contains(&count.state.as_str()) || count.state == DECIDING;
    for count in counts.iter().filter(|count| !rests(count)) {
        let Some(route) = routes::of(&count.route) else {
            left.push(format!("{} {} of {}", count.count, count.state, count.route));
            continue;
        };
        let asked = count.state == "waiting-result" && routes::asks(&count.route);
        let rightly = asked || (route.gathers && !owed.gathered) || away(route.counterpart);
        if count.count > 0 && !rightly {
            left.push(format!("{} {} of {}", count.count, count.state, count.route));
        }
    }
    for ((message_type, from), count) in &owed.arrived {
        let came = stage.desk.came(message_type);
        if came < *count && !away(from) {
            left.push(format!("{} {message_type} from {from}", count - came));
        }
    }
    for Route { name, reply, .. } in routes::ALL {
        let Some(reply) = reply else { continue };
        let delivered = sum(&|count| count.route == *name && count.state == "delivered");
        let came = stage.desk.came(reply) as u64;
        // One type may come of several routes.
        if came < delivered {
            left.push(format!("{} {reply}", delivered - came));
        }
    }
    left
}
