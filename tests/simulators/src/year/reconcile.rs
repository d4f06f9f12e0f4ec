//! The comparison of all books at the end.

use super::books::{Books, Difference, compare};
use super::routes::{HEALTH, RESERVATION, STAFF};
use super::{extracts, staff, upstream};
use crate::Trouble;
use crate::counterparts::{APPLICATION_MANAGEMENT, INTERMEDIATE_SERVER, PMH};
use crate::demo::Stage;

/// What the comparison of all books brought.
#[derive(Clone, Debug, Default)]
pub struct Compared {
    /// How many items each owner must hold.
    pub items: Vec<(&'static str, usize)>,
    /// Where they part.
    pub differences: Vec<Difference>,
    /// What is wrong with files.
    pub problems: Vec<String>,
}

/// Counterparts that hold something.
const HOLDERS: [&str; 3] = [PMH, INTERMEDIATE_SERVER, APPLICATION_MANAGEMENT];

/// Compares what every counterpart holds with the truth.
pub(crate) async fn all(stage: &Stage, truth: &Books) -> Result<Compared, Trouble> {
    let mut compared = Compared::default();
    for owner in HOLDERS {
        let truth = truth.of(owner);
        compared.items.push((owner, truth.count()));
        compared.differences.extend(compare(owner, &truth, &stage.running.holdings(owner)));
    }
    let reached = truth.of(HEALTH);
    compared.items.push((HEALTH, reached.count()));
    let mut came = upstream::holdings(stage);
    came.absorb(staff::came(stage));
    compared.differences.extend(compare(HEALTH, &reached, &came));
    let decisions = truth.of(STAFF);
    compared.items.push((STAFF, decisions.count()));
    compared.differences.extend(compare(STAFF, &decisions, &staff::decided(stage).await?));
    // What others answered is theirs to say: it must be what came.
    let given = stage.running.given(INTERMEDIATE_SERVER);
    compared.items.push(("answers", given.count()));
    compared.differences.extend(compare("answers", &given, &upstream::answers(&stage.desk)));
    let (extracts, problems) = extracts::read(&super::extracts_folder(stage).join("subjects"))?;
    let subjects = truth.of(RESERVATION);
    compared.items.push((RESERVATION, subjects.count()));
    compared.differences.extend(compare(RESERVATION, &subjects, &extracts));
    compared.problems = problems;
    Ok(compared)
}
