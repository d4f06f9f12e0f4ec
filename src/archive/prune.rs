//! Which entries may be pruned: whole years, after their retention, when they were exported.

use super::export::reached;
use super::verify::{Unreadable, folder};
use super::{Archive, failed};
use crate::model::codes::store as codes;
use crate::record::note::VerifyingKey;
use crate::record::verifier::PRUNED;
use crate::record::{Draft, Frontier, Kind, Phase};
use crate::store::record::tree_at;
use crate::store::{Store, StoreError};
use jiff::Timestamp;
use jiff::civil::date;
use jiff::tz::Offset;

/// Who wants what pruned.
#[derive(Clone, Debug)]
pub struct Asked {
    /// First year (年度, from April) that stays.
    pub before: i16,
    /// Years that must be kept after the one an entry is of.
    pub keep_years: u16,
    /// Who.
    pub operator: String,
    /// Why.
    pub reason: String,
    /// When.
    pub now: Timestamp,
}

/// What goes.
#[derive(Clone, Debug)]
pub struct Plan {
    /// First entry that goes.
    pub first: u64,
    /// The tree over all that is gone then.
    pub tree: Frontier,
    /// The entry that tells of it.
    pub note: Draft,
    /// Segments that hold what goes.
    pub segments: Vec<String>,
}

/// Begin of a year (年度) in Japan.
fn april(year: i16) -> Option<Timestamp> {
    if !(1900..=9500).contains(&year) {
        return None;
    }
    Offset::constant(9).to_timestamp(date(year, 4, 1).at(0, 0, 0, 0)).ok()
}

/// Plans a pruning.
///
/// # Errors
/// `T409` before the retention ends, when nothing is to be pruned, or when the segments are not all
/// exported and good; `T405` when they cannot be read.
pub async fn plan(
    store: &dyn Store,
    archive: &Archive,
    keys: &[VerifyingKey],
    asked: Asked,
) -> Result<Plan, StoreError> {
    let refused = |why: String| StoreError::new(&codes::PRUNING_REFUSED, why);
    let Asked { before, keep_years, operator, reason, now } = asked;
    let kept = i16::try_from(keep_years).unwrap_or(i16::MAX);
    let allowed = april(before.saturating_add(kept)).filter(|allowed| *allowed <= now);
    let (Some(border), Some(_)) = (april(before), allowed) else {
        let year = before.saturating_add(kept);
        return Err(refused(format!("{keep_years} years are kept: not before April {year}")));
    };
    let pruned = store.pruned().await?.size();
    let mut size = pruned;
    'pages: loop {
        let page = store.checkpoints(size, 1_000).await?;
        if page.is_empty() {
            break;
        }
        for checkpoint in page {
            if checkpoint.at >= border {
                break 'pages;
            }
            size = checkpoint.head.size;
        }
    }
    if size == pruned {
        return Err(refused(format!("there is nothing from before April {before}")));
    }
    let outside = |error| failed(archive.folder(), &error);
    let names = archive.segments().map_err(outside)?;
    let covers = names.first().is_some_and(|name| name.first <= pruned + 1);
    if !covers || reached(store, archive).await?.days < size {
        return Err(refused(format!("entries {} to {size} are not all exported", pruned + 1)));
    }
    match folder(archive, keys, &[]) {
        Ok(report) if report.finding.is_none() => {}
        Ok(_) | Err(Unreadable::Checkpoint(..) | Unreadable::Other(_)) => {
            return Err(refused("the exported segments do not verify".to_owned()));
        }
        Err(Unreadable::File(error)) => return Err(outside(error)),
    }
    let note = Draft {
        outcome: Some(PRUNED.to_owned()),
        reference: Some(size.to_string()),
        operator: Some(operator.into()),
        reason: Some(reason),
        ..Draft::new(Kind::System, Phase::Noted, now)
    };
    let gone = names.iter().filter(|name| name.last <= size);
    Ok(Plan {
        first: pruned + 1,
        tree: tree_at(store, size).await?,
        note,
        segments: gone.map(ToString::to_string).collect(),
    })
}
