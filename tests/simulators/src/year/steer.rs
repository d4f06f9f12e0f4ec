//! The clock of a run: the gateway's and the counterparts' are stepped together.
//!
//! The gateway's is set from outside, by libfaketime: it needs no switch of its own for this. Its
//! monotonic clock goes on as it is, so timeouts and pauses take as long as they really take.

use crate::Trouble;
use crate::clock;
use crate::torture::mixed;
use std::fs;
use std::path::{Path, PathBuf};

/// Both clocks.
pub struct Steer {
    file: PathBuf,
}

impl Steer {
    /// Clocks that are set by a file in this folder.
    pub fn new(folder: &Path) -> Steer {
        Steer { file: folder.join("clock") }
    }

    /// What the gateway and its commands need in their environment.
    pub fn environment(&self) -> Result<Vec<(String, String)>, Trouble> {
        let library = mixed::faketime()?.display().to_string();
        let file = self.file.display().to_string();
        let pairs = [
            ("LD_PRELOAD", library.as_str()),
            ("FAKETIME_TIMESTAMP_FILE", file.as_str()),
            // Looked at every time: between two looks no step is missed.
            ("FAKETIME_NO_CACHE", "1"),
            ("FAKETIME_DONT_FAKE_MONOTONIC", "1"),
        ];
        Ok(pairs.map(|(name, value)| (name.to_owned(), value.to_owned())).to_vec())
    }

    /// Sets both clocks to a moment, in milliseconds since 1970.
    pub fn set(&self, to: i64) -> Result<(), Trouble> {
        let ahead = clock::ahead_for(to);
        // The counterparts' goes first: nothing may reach them before it was sent.
        clock::set_ahead(ahead);
        // In one piece: a reader sees the old line or the new one.
        let part = self.file.with_extension("part");
        fs::write(&part, format!("{ahead:+}\n"))?;
        fs::rename(part, &self.file)?;
        Ok(())
    }
}
