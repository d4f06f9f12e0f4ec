//! Waiting until everything has ended, and saying what has not when patience is over.

use crate::Trouble;
use crate::demo::Stage;
use crate::demo::gateway::{Count, eprint_line, items};
use crate::municipality::Fate;
use serde::Deserialize;
use std::collections::BTreeSet;
use std::time::{Duration, Instant};
use tokio::task::JoinHandle;

/// Nothing moved for so long: give up.
const PATIENCE: Duration = Duration::from_secs(60);

/// Nothing moved for so long: look for what waits for a person.
const PERSON_AFTER: Duration = Duration::from_secs(10);

/// States an exchange ends in.
const ENDED: [&str; 4] = ["delivered", "dead", "duplicate", "discarded"];

#[derive(Deserialize)]
struct Waiting {
    id: i64,
    message_id: String,
    counterpart: String,
}

/// Waits until all has ended; gives what is missing when it gave up.
pub(crate) async fn wait(
    stage: &Stage,
    kills: &JoinHandle<Result<(), Trouble>>,
) -> Result<Vec<String>, Trouble> {
    let mut last = (Vec::new(), 0, 0);
    let mut moved = Instant::now();
    let mut calm = 0;
    loop {
        tokio::time::sleep(Duration::from_millis(300)).await;
        // While kills are under way the gateway may rightly be down.
        if kills.is_finished() {
            for gateway in std::iter::once(&stage.gateway).chain(&stage.others) {
                gateway.check_alive().await?;
            }
        }
        let counts = stage.gateway.counts().await.unwrap_or_default();
        let now = (counts, stage.running.ledger.effects(), stage.desk.answered());
        if now != last {
            moved = Instant::now();
            last = now;
        }
        let missing = missing(stage, &last.0);
        calm = if missing.is_empty() { calm + 1 } else { 0 };
        if calm >= 3 && kills.is_finished() {
            return Ok(Vec::new());
        }
        if calm >= 3 && moved.elapsed() > PERSON_AFTER {
            // The last moments of killing lie beyond what took effect: nothing more to wait for.
            return Ok(Vec::new());
        }
        if moved.elapsed() > PERSON_AFTER && decide_as_a_person(stage).await? {
            moved = Instant::now();
        }
        if moved.elapsed() > PATIENCE {
            return Ok(missing);
        }
    }
}

fn missing(stage: &Stage, counts: &[Count]) -> Vec<String> {
    let mut missing = Vec::new();
    if counts.is_empty() {
        missing.push("the gateway's counts".to_owned());
    }
    for count in counts.iter().filter(|count| !ENDED.contains(&count.state.as_str())) {
        if count.count > 0 {
            missing.push(format!("{} {} of {}", count.count, count.state, count.route));
        }
    }
    // What was set aside when it was fetched goes by no route.
    let aside = counts.iter().filter(|count| count.route.is_empty() && count.state == "dead");
    let aside: u64 = aside.map(|count| count.count).sum();
    let spoilt = stage.town.spoilt().len() as u64;
    if aside < spoilt {
        missing.push(format!("{} applications that are spoilt", spoilt - aside));
    }
    let acknowledged: BTreeSet<String> =
        stage.desk.posted().into_iter().map(|posted| posted.message.id).collect();
    let asked = stage.town.messages.iter().filter(|message| message.answer.is_some());
    let asked = asked.filter(|message| acknowledged.contains(&message.id)).count();
    let expected = asked + stage.town.applications.len();
    let answered = stage.desk.answered();
    if answered < expected {
        missing.push(format!("{} answers of {expected}", expected - answered));
    }
    missing
}

/// What a person at the counterpart would say of an exchange that waits for one: a refusal after
/// an attempt without an answer. The counterparts' books prove that nothing was applied.
async fn decide_as_a_person(stage: &Stage) -> Result<bool, Trouble> {
    let arguments = ["list", "--state", "unknown", "--json"];
    let (_, text) = stage.gateway.cli("list-unknown", &arguments).await?;
    let mut acted = false;
    for waiting in items::<Waiting>(&text) {
        let refused = stage.town.messages.iter().any(|message| {
            message.id == waiting.message_id
                && message.expects.iter().any(|one| {
                    one.counterpart == waiting.counterpart && one.fate == Fate::RefusedThere
                })
        });
        if refused {
            let reason = "the counterpart confirms that it refused and applied nothing";
            let status = stage.gateway.act(waiting.id, "confirm-not-applied", reason).await?;
            let id = &waiting.message_id;
            eprint_line(&format!("as a person: {id} was not applied ({status})"));
            acted |= status == 200;
        }
    }
    Ok(acted)
}
