//! A small disk in memory that is filled, made read-only, and as it was again. Only who may mount
//! has one.

use crate::Trouble;
use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

/// A mounted disk; it is gone with this value.
pub struct Disk {
    place: PathBuf,
}

impl Disk {
    /// Mounts an empty one over a folder; `None` where that is not allowed.
    pub fn mount(place: &Path, megabytes: usize) -> Result<Option<Disk>, Trouble> {
        fs::create_dir_all(place)?;
        let size = format!("size={megabytes}m,mode=755");
        let mounted = Command::new("mount")
            .args(["-t", "tmpfs", "-o", &size, "tmpfs"])
            .arg(place)
            .stderr(Stdio::null())
            .status()
            .is_ok_and(|status| status.success());
        Ok(mounted.then(|| Disk { place: place.to_path_buf() }))
    }

    /// Uses up all that is left.
    pub fn fill(&self) -> Result<(), Trouble> {
        let mut file = fs::File::create(self.filler())?;
        for chunk in [vec![0; 1 << 20], vec![0; 1 << 12]] {
            while file.write_all(&chunk).is_ok() {}
        }
        Ok(())
    }

    /// Gives it back.
    pub fn free(&self) -> Result<(), Trouble> {
        Ok(fs::remove_file(self.filler())?)
    }

    /// Nothing can be written any more, or again. Nobody may have a file open for writing.
    pub fn read_only(&self, is: bool) -> Result<(), Trouble> {
        let option = if is { "remount,ro" } else { "remount,rw" };
        let status = Command::new("mount").args(["-o", option]).arg(&self.place).status()?;
        match status.success() {
            true => Ok(()),
            false => Err(format!("mount -o {option}: {status}").into()),
        }
    }

    /// Copies what is on it to a folder that stays.
    pub fn keep(&self, folder: &Path) -> Result<(), Trouble> {
        Command::new("cp").arg("-a").arg(&self.place).arg(folder).status()?;
        Ok(())
    }

    fn filler(&self) -> PathBuf {
        self.place.join("filler")
    }
}

impl Drop for Disk {
    fn drop(&mut self) {
        let _gone = Command::new("umount").arg("-l").arg(&self.place).status();
    }
}
