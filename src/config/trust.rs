//! `[counterpart.NAME.trust.STORE]`: who may have signed, and whose certificates are revoked.

use super::connect::StartProblem;
use super::read::Sections;
use super::{Reference, keys};
use crate::codec::signed::Trust;
use crate::diagnostic::yaml::Node;
use crate::model::codes::config as codes;
use aws_lc_rs::digest::{Context, SHA256};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

/// Lists in one folder.
const MAX_LISTS: usize = 256;
/// Bytes of all lists of one folder.
const MAX_BYTES: u64 = 64 << 20;

/// One trust store.
#[derive(Debug)]
pub struct TrustConfig {
    /// Certificates of the authorities, PEM.
    pub authorities: Reference,
    /// Folder of the revocation lists.
    pub lists: PathBuf,
}

impl Sections<'_> {
    /// The trust stores of a counterpart.
    pub(super) fn trust(&mut self, node: Option<&Node>) -> BTreeMap<String, TrustConfig> {
        let mut found = BTreeMap::new();
        for entry in node.and_then(Node::as_map).unwrap_or_default() {
            self.reader.keys(&entry.node, &keys::TRUST);
            let what = keys::TRUST.what;
            let authorities = self.required_reference(&entry.node, what, "authorities");
            let lists = self.reader.required(&entry.node, what, "revocation-lists");
            let lists = lists.and_then(|node| self.reader.text(node, "`revocation-lists`"));
            if let (Some(authorities), Some(lists)) = (authorities, lists) {
                let lists = self.folder.join(lists);
                found.insert(entry.key.clone(), TrustConfig { authorities, lists });
            }
        }
        found
    }
}

/// Reads a trust store.
///
/// # Errors
/// `C201` for the reference, `C122` for what is no certificate or no list.
pub fn open(name: &str, config: &TrustConfig) -> Result<Trust, StartProblem> {
    let unusable = |detail| StartProblem::new(&codes::BAD_TRUST, format!("{name}: {detail}"));
    let authorities = config.authorities.text()?;
    let files = files(&config.lists).map_err(unusable)?;
    if files.is_empty() {
        return Err(unusable(format!("{}: no `*.crl` there", config.lists.display())));
    }
    let lists: Vec<Vec<u8>> = files.into_iter().map(|(_, bytes)| bytes).collect();
    Trust::read(&authorities, &lists).map_err(unusable)
}

/// What the lists of a store are now; what cannot be read has a text of its own.
pub(super) fn lists_digest(config: &TrustConfig) -> String {
    let mut context = Context::new(&SHA256);
    match files(&config.lists) {
        Ok(files) => {
            for (path, bytes) in files {
                context.update(path.display().to_string().as_bytes());
                context.update(&(bytes.len() as u64).to_be_bytes());
                context.update(&bytes);
            }
        }
        Err(detail) => context.update(detail.as_bytes()),
    }
    crate::record::hex(context.finish().as_ref())
}

/// The lists of a folder, by name.
fn files(folder: &Path) -> Result<Vec<(PathBuf, Vec<u8>)>, String> {
    let told = |error: std::io::Error| format!("{}: {}", folder.display(), error.kind());
    let mut paths = Vec::new();
    for entry in std::fs::read_dir(folder).map_err(told)? {
        let path = entry.map_err(told)?.path();
        if path.extension().is_some_and(|end| end == "crl") {
            paths.push(path);
        }
    }
    paths.sort();
    if paths.len() > MAX_LISTS {
        return Err(format!("{}: more than {MAX_LISTS} lists", folder.display()));
    }
    let mut left = MAX_BYTES;
    let mut found = Vec::with_capacity(paths.len());
    for path in paths {
        let size = std::fs::metadata(&path).map_err(told)?.len();
        left = left
            .checked_sub(size)
            .ok_or_else(|| format!("{}: more than {MAX_BYTES} bytes", folder.display()))?;
        let bytes = std::fs::read(&path).map_err(told)?;
        found.push((path, bytes));
    }
    Ok(found)
}
