//! `watashi run`: carries messages until told to stop.

use super::trouble::Trouble;
use super::{Global, Outcome, load};

pub(super) fn run(global: &Global) -> Result<Outcome, Trouble> {
    let config = load::config(global)?;
    load::runtime()?.block_on(crate::app::run(config)).map_err(|error| {
        let trouble = Trouble::new(error.exit_code(), error.to_string());
        match error.remedy() {
            Some(remedy) => trouble.hint(remedy),
            None => trouble,
        }
    })?;
    Ok(Outcome::Fine)
}
