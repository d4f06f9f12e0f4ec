//! The scenario `year`: one municipality from 2026-07-01 to 2027-06-30, day by day, with a clock
//! that is stepped. At its end the books of all counterparts are compared with the generator's
//! truth, item by item.

use crate::Trouble;
use crate::demo::folder;
use crate::demo::gateway::eprint_line;
use crate::demo::report::Report;
use crate::demo::{self, Options, Setting, Stage};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

pub mod applications;
pub mod books;
pub mod calendar;
pub mod campaign;
pub mod copies;
pub mod decisions;
pub mod demands;
pub mod downloads;
pub mod extracts;
pub mod flags;
pub mod inquiries;
pub mod life;
pub mod pen;
pub mod play;
pub mod prepared;
pub mod quiet;
pub mod reconcile;
pub mod record;
pub mod residents;
pub mod routes;
pub mod staff;
pub mod steer;
pub mod story;
pub mod upstream;
pub mod verdict;
pub mod welfare;

use steer::Steer;
use story::Script;
use verdict::Verdict;

/// Plays it; `true` when all books are equal and the oracle found nothing.
///
/// # Errors
/// When it could not be carried out at all.
pub async fn play(options: Options) -> Result<bool, Trouble> {
    if options.several.postgres.is_some() || options.kill > 0 || options.keep {
        return Err("a year knows no --postgres, --kill and --keep".into());
    }
    let script = story::write(options.seed, options.residents(), options.days_a_week);
    let folder = options.run_folder()?;
    std::fs::create_dir_all(&folder)?;
    let steer = Steer::new(&folder.canonicalize()?);
    steer.set(script.happenings.first().map_or(0, |one| one.at) - HOUR_BEFORE)?;
    let Script { town, happenings, truth } = script;
    let stage = demo::raise(options, town, setting(&steer, &folder.canonicalize()?)?).await?;
    let answers = tokio::spawn(std::sync::Arc::clone(&stage.desk).take_answers());
    let played = play::all(&stage, &steer, happenings).await?;
    answers.abort();
    let mut books = reconcile::all(&stage, &truth).await?;
    record::compared(&stage, &steer, &mut books).await?;
    let report = Report::collect(&stage, Vec::new()).await?;
    let verdict = Verdict { stage: &stage, report, played, books };
    Ok(verdict.print())
}

/// The gateway starts this long before the first thing happens, in milliseconds.
const HOUR_BEFORE: i64 = 3_600_000;

/// Where the files of the 予約システム go.
fn extracts_folder(stage: &Stage) -> PathBuf {
    stage.site.folder.join("files/reservation")
}

/// Where the files of the 生活保護システム come from.
fn daily_folder(stage: &Stage) -> PathBuf {
    stage.site.folder.join("files/public-assistance")
}

/// Where the 中間サーバー takes and gives files.
fn exchange_folder(stage: &Stage) -> PathBuf {
    stage.site.folder.join("files").join(routes::INTERMEDIATE_SERVER_FILES)
}

fn setting(steer: &Steer, folder: &Path) -> Result<Setting, Trouble> {
    let files = folder.join("files");
    // Days pass between two ticks of the sealing: how late it is, cannot be told by this clock.
    let mut more = "\n[record]\ngrace = \"365d\"\n".to_owned();
    let places = [
        ("reservation", "extracts"),
        ("public-assistance", "daily"),
        (routes::INTERMEDIATE_SERVER_FILES, "exchange"),
    ];
    for (name, place) in places {
        let path = files.join(name);
        std::fs::create_dir_all(&path)?;
        more.push_str(&format!(
            "\n[counterpart.{name}]\npoll-every = \"200ms\"\n\n[counterpart.{name}.place.{place}]\n\
             kind = \"folder\"\npath = \"{}\"\n",
            path.display()
        ));
    }
    std::fs::create_dir_all(files.join("public-assistance/statuses"))?;
    for folder in ["to-server", "from-server"] {
        std::fs::create_dir_all(files.join(routes::INTERMEDIATE_SERVER_FILES).join(folder))?;
    }
    let times = calendar::times(BTreeMap::new());
    let mut own: BTreeMap<&'static str, String> =
        times.closed.iter().map(|(name, all)| (*name, calendar::maintenance(all))).collect();
    // What others answer by hand takes hours: it is asked for less often.
    own.entry(crate::counterparts::INTERMEDIATE_SERVER)
        .or_default()
        .push_str("poll-every = \"1s\"\n");
    let fast = folder::TIMES.lines().filter(|line| !line.starts_with("poll-every"));
    let fast: String = fast.map(|line| format!("{line}\n")).collect();
    for name in [
        crate::counterparts::PMH,
        crate::counterparts::APPLICATION_INTAKE,
        crate::counterparts::APPLICATION_MANAGEMENT,
        crate::counterparts::INTEGRATED_DATABASE,
    ] {
        own.entry(name).or_default().push_str("poll-every = \"200ms\"\n");
    }
    Ok(Setting {
        routes: routes::toml(),
        times: fast,
        own,
        more,
        environment: steer.environment()?,
        longest_task_ms: 60,
        at_once: false,
    })
}

/// Says where the year is, for whoever watches.
fn told(stage: &Stage, text: &str) {
    eprint_line(&format!("{:5.0} s  {text}", stage.began.elapsed().as_secs_f64()));
}
