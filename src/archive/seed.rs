//! Making a key that signs the record.

use crate::model::Secret;
use crate::model::codes::config as codes;
use crate::model::codes::store as store_codes;
use crate::record::note::SigningKey;
use crate::store::StoreError;
use aws_lc_rs::rand;
use std::fs::{File, OpenOptions};
use std::io::Write;
use std::path::Path;
use zeroize::Zeroizing;

/// A new private key of a name, as text.
///
/// # Errors
/// `C210` for a name that cannot be one, `T305` when the random source fails.
pub fn new(name: &str) -> Result<Secret<String>, StoreError> {
    let mut seed = Zeroizing::new([0u8; 32]);
    rand::fill(&mut *seed).map_err(|_| StoreError::new(&store_codes::SEALING_FAILED, ""))?;
    let unusable = |_| StoreError::new(&codes::BAD_SIGNING_KEY, "its name has a space or a plus");
    SigningKey::text_of(name, &seed).map_err(unusable)
}

/// Writes a private key into a new file that only its owner may read.
///
/// # Errors
/// `C211` when the file is there already or cannot be written.
pub fn write(path: &Path, key: &Secret<String>) -> Result<(), StoreError> {
    let failed = |error: std::io::Error| {
        let detail = format!("`{}`: {}", path.display(), error.kind());
        StoreError::new(&codes::SIGNING_KEY_NOT_WRITTEN, detail)
    };
    let mut options = OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    let mut file = options.open(path).map_err(failed)?;
    file.write_all(key.expose().as_bytes()).and_then(|()| file.write_all(b"\n")).map_err(failed)?;
    file.sync_all().map_err(failed)?;
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty());
    let folder = File::open(folder.unwrap_or(Path::new("."))).map_err(failed)?;
    folder.sync_all().map_err(failed)
}
