//! The scenario `year`: one municipality from 2026-07-01 to 2027-06-30, day by day, with a clock
//! that is stepped. At its end the books of all counterparts are compared with the generator's
//! truth, item by item.

use crate::Trouble;
use crate::demo::folder;
use crate::demo::gateway::eprint_line;
use crate::demo::report::Report;
use crate::demo::{self, Options, Setting, Stage};
use std::collections::BTreeMap;

pub mod books;
pub mod calendar;
pub mod life;
pub mod pen;
pub mod play;
pub mod quiet;
pub mod reconcile;
pub mod routes;
pub mod steer;
pub mod story;
pub mod verdict;

use steer::Steer;
use story::Script;
use verdict::Verdict;

/// Plays it; `true` when all books are equal and the oracle found nothing.
///
/// # Errors
/// When it could not be carried out at all.
pub async fn play(options: Options) -> Result<bool, Trouble> {
    let script = story::write(options.seed, options.residents(), options.days_a_week);
    let folder = options.run_folder()?;
    std::fs::create_dir_all(&folder)?;
    let steer = Steer::new(&folder.canonicalize()?);
    steer.set(script.happenings.first().map_or(0, |one| one.at) - HOUR_BEFORE)?;
    let Script { town, happenings, truth } = script;
    let stage = demo::raise(options, town, setting(&steer, &happenings)?).await?;
    let answers = tokio::spawn(std::sync::Arc::clone(&stage.desk).take_answers());
    let played = play::all(&stage, &steer, happenings).await?;
    answers.abort();
    let books = reconcile::all(&stage, &truth)?;
    let report = Report::collect(&stage, Vec::new()).await?;
    let verdict = Verdict { stage: &stage, report, played, books };
    Ok(verdict.print())
}

/// The gateway starts this long before the first thing happens, in milliseconds.
const HOUR_BEFORE: i64 = 3_600_000;

fn setting(steer: &Steer, _happenings: &[pen::Happening]) -> Result<Setting, Trouble> {
    let times = calendar::times(BTreeMap::new());
    let mut own: BTreeMap<&'static str, String> =
        times.closed.iter().map(|(name, all)| (*name, calendar::maintenance(all))).collect();
    // What others answer by hand is asked for some hours later, not five times a second.
    own.entry(crate::counterparts::INTERMEDIATE_SERVER)
        .or_default()
        .push_str("poll-every = \"5m\"\n");
    let fast = folder::TIMES.lines().filter(|line| !line.starts_with("poll-every"));
    let fast: String = fast.map(|line| format!("{line}\n")).collect();
    for name in [
        crate::counterparts::PMH,
        crate::counterparts::APPLICATION_INTAKE,
        crate::counterparts::APPLICATION_MANAGEMENT,
    ] {
        own.entry(name).or_default().push_str("poll-every = \"100ms\"\n");
    }
    Ok(Setting {
        routes: routes::toml(),
        times: fast,
        own,
        environment: steer.environment()?,
        longest_task_ms: 60,
        at_once: false,
        ..Setting::default()
    })
}

/// Says where the year is, for whoever watches.
fn told(stage: &Stage, text: &str) {
    eprint_line(&format!("{:5.0} s  {text}", stage.began.elapsed().as_secs_f64()));
}
