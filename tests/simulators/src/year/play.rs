//! Plays what happens, moment by moment: the clocks are set, it happens, and nothing more until all
//! that could be done then was done.

use super::pen::{Daily, Happening, What};
use super::quiet::{self, Owed};
use super::routes::PUBLIC_ASSISTANCE;
use super::steer::Steer;
use super::{staff, told};
use crate::Trouble;
use crate::counterparts::{INTERMEDIATE_SERVER, PMH, times};
use crate::demo::Stage;
use crate::municipality::Message;
use std::fs;
use std::time::Duration;

/// What playing brought.
#[derive(Clone, Debug, Default)]
pub struct Played {
    /// Moments at which the clock stopped.
    pub moments: usize,
    /// What was owed at a moment and did not come.
    pub missing: Vec<String>,
    /// Connections that the gateway tried while PMH was out of reach.
    pub tried: u64,
    /// Alarms that were to be raised.
    pub alarms: usize,
}

/// Plays all.
pub(crate) async fn all(
    stage: &Stage,
    steer: &Steer,
    happenings: Vec<Happening>,
) -> Result<Played, Trouble> {
    let (mut played, mut owed) = (Played::default(), Owed::default());
    let mut month = 0;
    for moment in by_moment(happenings) {
        let Some(at) = moment.first().map(|one| one.at) else { continue };
        steer.set(at)?;
        played.moments += 1;
        let day = times::day(at);
        if day.month() != month {
            month = day.month();
            told(stage, &format!("{day}: {} effects", stage.running.ledger.effects()));
        }
        let (mut messages, mut alarms, mut acts) = (Vec::new(), Vec::new(), Vec::new());
        for happening in moment {
            match happening.what {
                What::Post(message) => messages.push(*message),
                What::Line { counterpart, down } => {
                    stage.running.set_down(counterpart, down);
                    match down {
                        true => owed.down.insert(counterpart),
                        false => owed.down.remove(counterpart),
                    };
                }
                What::Look => {}
                What::Arrives { message_type, from } => {
                    *owed.arrived.entry((message_type, from)).or_default() += 1;
                }
                What::Asks(demand) => stage.running.ask(INTERMEDIATE_SERVER, &demand),
                What::Staff(act) => acts.push(*act),
                What::File(daily) => {
                    let from = (STATUSES, PUBLIC_ASSISTANCE);
                    *owed.arrived.entry(from).or_default() += daily.good;
                    owed.exchanges += (daily.good + daily.bad) as u64;
                    put(stage, &daily)?;
                }
                What::Told(code) => alarms.push(code),
                What::Gathered => owed.gathered = true,
            }
        }
        owed.exchanges += messages.iter().map(exchanges).sum::<u64>();
        stage.desk.post_all(messages).await?;
        for act in acts {
            staff::act(stage, act, &mut owed).await?;
        }
        for left in quiet::until(stage, &owed).await? {
            told(stage, &format!("not in time: {left}"));
            played.missing.push(format!("{}: {left}", times::written(at)));
        }
        for code in alarms {
            if !is_told(stage, code).await? {
                played.missing.push(format!("{}: readiness told of {code}", times::written(at)));
            }
            played.alarms += 1;
        }
        if played.missing.len() > 10 {
            return Err(format!("given up: {}", played.missing.join("; ")).into());
        }
    }
    played.tried = stage.running.turned_away(PMH);
    Ok(played)
}

/// The type of a record of the daily file, at upstream.
const STATUSES: &str = "welfare.status-received";

/// On how many routes a message goes; that of the extract leads to no counterpart's ledger.
fn exchanges(message: &Message) -> u64 {
    let extracted = u64::from(message.message_type.starts_with("subject."));
    message.expects.len().max(1) as u64 + extracted
}

/// Puts a file where it is fetched, and its marker when it is whole.
fn put(stage: &Stage, daily: &Daily) -> Result<(), Trouble> {
    let folder = super::daily_folder(stage).join("statuses");
    let name = |end: &str| folder.join(format!("SEIHO_KUBUN_{}.{end}", daily.day));
    fs::write(name("csv"), &daily.text)?;
    fs::write(name("end"), "")?;
    Ok(())
}

/// Whether readiness tells of a code, now or within the next seconds.
async fn is_told(stage: &Stage, code: &str) -> Result<bool, Trouble> {
    for _ in 0..200 {
        let (_, text) = stage.gateway.get("/ready").await?;
        if text.contains(code) {
            return Ok(true);
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    Ok(false)
}

fn by_moment(happenings: Vec<Happening>) -> Vec<Vec<Happening>> {
    let mut moments: Vec<Vec<Happening>> = Vec::new();
    for happening in happenings {
        match moments.last_mut() {
            Some(last) if last.first().is_some_and(|first| first.at == happening.at) => {
                last.push(happening);
            }
            _ => moments.push(vec![happening]),
        }
    }
    moments
}
