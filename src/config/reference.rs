//! References to secrets: `file:PATH`, `env:NAME`. Values never stand in `watashi.toml` itself,
//! and messages show the reference, never what it resolves to.

use crate::model::codes::config as codes;
use crate::model::{Code, Secret};
use std::path::{Path, PathBuf};

/// Where a value is kept.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Reference {
    /// A file; relative paths start at the configuration's folder.
    File(PathBuf),
    /// An environment variable.
    Env(String),
    /// The value itself, where it is no secret (a broker on the loopback).
    Plain(String),
}

/// Why a reference could not be resolved; names the reference only.
#[derive(Clone, Debug)]
pub struct Unresolved {
    /// The registered code.
    pub code: &'static Code,
    /// Safe text.
    pub detail: String,
}

impl std::fmt::Display for Unresolved {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(formatter, "{} {}: {}", self.code.code, self.code.title, self.detail)
    }
}

impl std::error::Error for Unresolved {}

impl Reference {
    /// Reads `file:…` or `env:…`; anything else is taken as the value itself.
    pub fn parse(text: &str, folder: &Path) -> Reference {
        if let Some(path) = text.strip_prefix("file:") {
            return Reference::File(folder.join(path));
        }
        match text.strip_prefix("env:") {
            Some(name) => Reference::Env(name.to_owned()),
            None => Reference::Plain(text.to_owned()),
        }
    }

    /// A secret as text, without the newline at its end. Its file must be closed to others.
    ///
    /// # Errors
    /// `C201` when it cannot be read, `C202` when others may read it.
    pub fn secret(&self) -> Result<Secret<String>, Unresolved> {
        if let Reference::File(path) = self {
            refuse_exposed(path)?;
        }
        let text = self.text()?;
        Ok(Secret::new(text.trim_end_matches(['\r', '\n']).to_owned()))
    }

    /// A text that is no secret, such as a certificate.
    ///
    /// # Errors
    /// `C201` when it cannot be read.
    pub fn text(&self) -> Result<String, Unresolved> {
        match self {
            Reference::Plain(text) => Ok(text.clone()),
            Reference::Env(name) => {
                #[expect(
                    clippy::disallowed_methods,
                    reason = "the one place that reads the environment"
                )]
                let value = std::env::var(name);
                value.map_err(|_| unreadable(format!("env:{name}")))
            }
            Reference::File(path) => std::fs::read_to_string(path)
                .map_err(|error| unreadable(format!("{}: {}", path.display(), error.kind()))),
        }
    }

    /// How messages name it.
    pub fn shown(&self) -> String {
        match self {
            Reference::File(path) => format!("file:{}", path.display()),
            Reference::Env(name) => format!("env:{name}"),
            Reference::Plain(_) => "a plain value".to_owned(),
        }
    }
}

fn unreadable(detail: String) -> Unresolved {
    Unresolved { code: &codes::REFERENCE_NOT_READABLE, detail }
}

#[cfg(unix)]
fn refuse_exposed(path: &Path) -> Result<(), Unresolved> {
    use std::os::unix::fs::PermissionsExt;
    let metadata = std::fs::metadata(path)
        .map_err(|error| unreadable(format!("{}: {}", path.display(), error.kind())))?;
    let mode = metadata.permissions().mode() & 0o777;
    let directory = std::env::var_os("CREDENTIALS_DIRECTORY").map(PathBuf::from);
    if mode & exposing_bits(path, directory.as_deref()) == 0 {
        return Ok(());
    }
    let detail = format!("{} has mode {mode:04o}, allowed are 0400 and 0600", path.display());
    Err(Unresolved { code: &codes::SECRET_EXPOSED, detail })
}

/// Mode bits that expose a file. systemd (254 and later) hands a credential to its service by an
/// access list, which shows as the group's read bit, in a folder that nobody else may enter.
#[cfg(unix)]
fn exposing_bits(path: &Path, credentials: Option<&Path>) -> u32 {
    let is_credential = credentials.is_some_and(|folder| path.parent() == Some(folder));
    if is_credential { 0o037 } else { 0o077 }
}

#[cfg(not(unix))]
fn refuse_exposed(_path: &Path) -> Result<(), Unresolved> {
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::Reference;
    use std::path::{Path, PathBuf};

    #[test]
    fn files_are_relative_to_the_configuration() {
        let reference = Reference::parse("file:keys/k1", Path::new("/etc/watashi"));
        assert_eq!(reference, Reference::File(PathBuf::from("/etc/watashi/keys/k1")));
        assert_eq!(Reference::parse("env:TOKEN", Path::new("/")), Reference::Env("TOKEN".into()));
    }

    #[cfg(unix)]
    #[test]
    fn only_a_credential_of_systemd_may_be_readable_by_its_group() {
        use super::exposing_bits;
        let folder = Some(Path::new("/run/credentials/watashi.service"));
        let bits = |path: &str| 0o440 & exposing_bits(Path::new(path), folder);
        assert_eq!(bits("/run/credentials/watashi.service/k1"), 0);
        assert_ne!(bits("/run/credentials/watashi.service-other/k1"), 0);
        assert_ne!(bits("/etc/watashi/k1"), 0);
        assert_ne!(
            0o444 & exposing_bits(Path::new("/run/credentials/watashi.service/k1"), folder),
            0
        );
        assert_ne!(
            0o440 & exposing_bits(Path::new("/run/credentials/watashi.service/k1"), None),
            0
        );
    }

    #[cfg(unix)]
    #[test]
    fn a_secret_that_others_can_read_is_refused() {
        use std::os::unix::fs::PermissionsExt;
        let path = std::env::temp_dir().join(format!("watashi-reference-{}", std::process::id()));
        std::fs::write(&path, "s3cret\n").unwrap();
        let reference = Reference::File(path.clone());
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o644)).unwrap();
        assert_eq!(reference.secret().unwrap_err().code.code, "C202");
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o600)).unwrap();
        assert_eq!(reference.secret().unwrap().expose(), "s3cret");
        std::fs::remove_file(&path).unwrap();
        assert_eq!(reference.secret().unwrap_err().code.code, "C201");
    }
}
