//! Plays what happens, moment by moment: the clocks are set, it happens, and nothing more until all
//! that could be done then was done.

use super::pen::{Happening, What};
use super::quiet::{self, Owed};
use super::steer::Steer;
use super::told;
use crate::Trouble;
use crate::counterparts::{PMH, times};
use crate::demo::Stage;
use crate::municipality::Message;

/// What playing brought.
#[derive(Clone, Debug, Default)]
pub struct Played {
    /// Moments at which the clock stopped.
    pub moments: usize,
    /// What was owed at a moment and did not come.
    pub missing: Vec<String>,
    /// Connections that the gateway tried while PMH was out of reach.
    pub tried: u64,
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
        let mut messages = Vec::new();
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
            }
        }
        owed.exchanges += messages.iter().map(exchanges).sum::<u64>();
        stage.desk.post_all(messages).await?;
        for left in quiet::until(stage, &owed).await? {
            played.missing.push(format!("{}: {left}", times::written(at)));
        }
        if played.missing.len() > 10 {
            return Err(format!("given up: {}", played.missing.join("; ")).into());
        }
    }
    played.tried = stage.running.turned_away(PMH);
    Ok(played)
}

/// On how many routes a message goes.
fn exchanges(message: &Message) -> u64 {
    message.expects.len().max(1) as u64
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
