//! The comparison of all books at the end.

use super::books::{Books, Difference, compare};
use super::routes::{HEALTH, RESERVATION, STAFF};
use super::{extracts, staff, upstream};
use crate::Trouble;
use crate::counterparts::holdings::Holdings;
use crate::counterparts::{
    APPLICATION_MANAGEMENT, BEHIND_PMH, INTERMEDIATE_SERVER, MYNAPORTAL, PMH,
};
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

impl Compared {
    /// Compares one more owner's books.
    pub fn compare(&mut self, owner: &'static str, truth: &Holdings, held: &Holdings) {
        self.items.push((owner, truth.count()));
        self.differences.extend(compare(owner, truth, held));
    }
}

/// Counterparts that hold something.
const HOLDERS: [&str; 4] = [PMH, INTERMEDIATE_SERVER, APPLICATION_MANAGEMENT, MYNAPORTAL];

/// Compares what every counterpart holds with the truth.
pub(crate) async fn all(stage: &Stage, truth: &Books) -> Result<Compared, Trouble> {
    let mut compared = Compared::default();
    for owner in HOLDERS {
        let truth = truth.of(owner);
        compared.items.push((owner, truth.count()));
        compared.differences.extend(compare(owner, &truth, &stage.running.holdings(owner)));
    }
    compared.compare(BEHIND_PMH, &truth.of(BEHIND_PMH), &stage.running.behind.holdings());
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
