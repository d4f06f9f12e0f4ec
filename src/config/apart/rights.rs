//! Who may read what is a municipality's own: owners and modes of its folders.

use super::holding::{Holding, What};
use super::{Config, Problem, problem};
use crate::diagnostic::Diagnostic;
use crate::model::codes::config as codes;
use std::path::Path;

/// Owner and mode of a file or folder.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rights {
    /// Number of the user.
    pub user: u32,
    /// Number of the group.
    pub group: u32,
    /// Permission bits.
    pub mode: u32,
}

/// Who owns what: the file system, or what a test says of it.
pub trait Facts {
    /// Owner and mode; `None` where there is nothing.
    fn rights(&self, path: &Path) -> Option<Rights>;
}

/// The file system of this machine.
#[derive(Clone, Copy, Debug, Default)]
pub struct OnDisk;

impl Facts for OnDisk {
    #[cfg(unix)]
    fn rights(&self, path: &Path) -> Option<Rights> {
        use std::os::unix::fs::MetadataExt as _;
        let found = std::fs::metadata(path).ok()?;
        Some(Rights { user: found.uid(), group: found.gid(), mode: found.mode() & 0o777 })
    }

    #[cfg(not(unix))]
    fn rights(&self, _path: &Path) -> Option<Rights> {
        None
    }
}

fn folder(holding: &Holding) -> Option<&Path> {
    match &holding.what {
        What::Folder(path) => Some(path),
        _ => None,
    }
}

/// Folders that everybody may enter, and folders that are not there, so that nothing is known of them.
pub(super) fn open_to_others(held: &[Holding], facts: &dyn Facts) -> Vec<Problem> {
    let mut found = Vec::new();
    for holding in held {
        let Some(path) = folder(holding) else { continue };
        let (code, message) = match facts.rights(path) {
            Some(rights) if rights.mode & 0o007 != 0 => {
                let message = format!("{} has mode {:04o}", holding.shown, rights.mode);
                (&codes::OTHERS_MAY_READ, message)
            }
            Some(_) => continue,
            None => (&codes::NOT_COMPARED, format!("{} is not there yet", holding.shown)),
        };
        found.push(Problem { span: holding.span.clone(), code, message });
    }
    found
}

/// Folders of two municipalities that one user owns, or that one group may enter.
pub(super) fn owned_by_one(
    configs: &[Config],
    all: &[(usize, Holding)],
    facts: &dyn Facts,
    problems: &mut Vec<Diagnostic>,
) {
    let known: Vec<(usize, &Holding, Rights)> = all
        .iter()
        .filter_map(|(number, holding)| Some((*number, holding, facts.rights(folder(holding)?)?)))
        .collect();
    for (index, (number, later, rights)) in known.iter().enumerate() {
        let shares = |other: &Rights| {
            let by_group = rights.group == other.group && (rights.mode & other.mode) & 0o070 != 0;
            rights.user == other.user || by_group
        };
        let mut earlier = known.iter().take(index);
        let met = earlier.find(|(other, _, facts)| other != number && shares(facts));
        let Some((other, one, _)) = met else { continue };
        let Some((here, there)) = configs.get(*number).zip(configs.get(*other)) else { continue };
        let (line, column) = there.file.position(one.span.start);
        let place = format!("{}:{line}:{column}", there.file.path);
        let message = format!(
            "the user (number {}) or group of {} may also read {} of {place}",
            rights.user, later.shown, one.shown
        );
        problems.push(problem(here, &later.span, &codes::OTHERS_MAY_READ, message));
    }
}
