//! `[counterpart.NAME.place.PLACE]`: where files are kept.

use super::connect::StartProblem;
use super::read::Sections;
use super::{Reference, keys};
use crate::diagnostic::yaml::Node;
use crate::model::codes::config as codes;
use crate::model::{Clock, Secret};
use crate::transport::Target;
use crate::transport::https::{AllowList, HttpsSettings, HttpsTarget, Network};
use crate::transport::place::Place;
use crate::transport::place::folder::Folder;
use crate::transport::place::s3::{ObjectStorage, Settings};
use crate::transport::place::sftp::Sftp;
use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;
use url::Url;

/// One place.
#[derive(Debug)]
pub enum PlaceConfig {
    /// A folder of this machine.
    Folder {
        /// Its path.
        path: PathBuf,
    },
    /// A bucket of an S3-compatible object storage.
    S3 {
        /// `https://host[:port]`.
        endpoint: Url,
        /// Its CA, PEM.
        ca: Reference,
        /// Addresses the host may resolve to.
        addresses: Vec<Network>,
        /// Bucket.
        bucket: String,
        /// What stands before every name.
        prefix: String,
        /// Region.
        region: String,
        /// Access key id.
        access_key: String,
        /// Secret access key.
        secret_key: Reference,
    },
    /// A server reached by SFTP.
    Sftp {
        /// Host.
        host: String,
        /// Port.
        port: u16,
        /// Login.
        user: String,
        /// Private key file.
        key: PathBuf,
        /// File of host keys.
        known_hosts: PathBuf,
        /// Folder there.
        path: String,
    },
}

impl PlaceConfig {
    /// The references it is made of.
    pub fn references(&self) -> Vec<&Reference> {
        match self {
            PlaceConfig::S3 { ca, secret_key, .. } => vec![ca, secret_key],
            PlaceConfig::Folder { .. } | PlaceConfig::Sftp { .. } => Vec::new(),
        }
    }
}

impl Sections<'_> {
    /// The places of a counterpart.
    pub(super) fn places(&mut self, node: Option<&Node>) -> BTreeMap<String, PlaceConfig> {
        let mut found = BTreeMap::new();
        for entry in node.and_then(Node::as_map).unwrap_or_default() {
            if let Some(place) = self.place(&entry.node) {
                found.insert(entry.key.clone(), place);
            }
        }
        found
    }

    fn place(&mut self, node: &Node) -> Option<PlaceConfig> {
        let kind = self.reader.required(node, "a place", "kind")?;
        match self.reader.text(kind, "`kind`")? {
            "folder" => {
                self.reader.keys(node, &keys::PLACE_FOLDER);
                let path = self.place_text(node, "path")?;
                Some(PlaceConfig::Folder { path: self.folder.join(path) })
            }
            "s3" => self.s3(node),
            "sftp" => self.sftp(node),
            other => {
                let message =
                    format!("`{other}` is not a kind of place; allowed: folder, s3, sftp");
                self.error(&codes::BAD_VALUE, kind, message);
                None
            }
        }
    }

    fn place_text(&mut self, node: &Node, key: &str) -> Option<String> {
        let found = self.reader.required(node, "a place", key)?;
        self.reader.text(found, &format!("`{key}`")).map(str::to_owned)
    }

    fn s3(&mut self, node: &Node) -> Option<PlaceConfig> {
        self.reader.keys(node, &keys::PLACE_S3);
        let endpoint = self.reader.required(node, "a place", "endpoint");
        let endpoint = endpoint.and_then(|node| self.base_url(node));
        let ca = self.required_reference(node, "a place", "ca");
        let secret_key = self.required_reference(node, "a place", "secret-key");
        let (bucket, access_key) =
            (self.place_text(node, "bucket"), self.place_text(node, "access-key"));
        let addresses = self.addresses(node);
        let prefix =
            self.reader.text_at(node, "prefix").unwrap_or_default().trim_matches('/').to_owned();
        let bucket = bucket?;
        let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '_' | '-');
        if bucket.is_empty()
            || !bucket.chars().all(plain)
            || !prefix.chars().all(|c| plain(c) || c == '/')
        {
            self.error(&codes::BAD_PLACE, node, "`bucket` and `prefix` have A-Z a-z 0-9 . _ -");
        }
        let endpoint = endpoint?;
        if endpoint.path() != "/" {
            self.error(&codes::BAD_BASE_URL, node, "`endpoint` is `https://host[:port]`");
        }
        Some(PlaceConfig::S3 {
            endpoint,
            ca: ca?,
            addresses,
            bucket,
            prefix,
            region: self.reader.text_at(node, "region").unwrap_or("us-east-1").to_owned(),
            access_key: access_key?,
            secret_key: secret_key?,
        })
    }

    fn sftp(&mut self, node: &Node) -> Option<PlaceConfig> {
        self.reader.keys(node, &keys::PLACE_SFTP);
        let text = |sections: &mut Self, key: &str| sections.place_text(node, key);
        let (host, user) = (text(self, "host"), text(self, "user"));
        let (key, known_hosts) = (text(self, "key"), text(self, "known-hosts"));
        let port = self.number(node, "port", 1, 65_535, 22);
        Some(PlaceConfig::Sftp {
            host: host?,
            port: u16::try_from(port).unwrap_or(22),
            user: user?,
            key: self.folder.join(key?),
            known_hosts: self.folder.join(known_hosts?),
            path: self.reader.text_at(node, "path").unwrap_or_default().to_owned(),
        })
    }
}

/// A place that can be used; nothing is connected.
///
/// # Errors
/// `C111` for what cannot be used, `C201` and `C202` for references.
pub fn open(
    name: &str,
    place: &PlaceConfig,
    clock: &Arc<dyn Clock>,
) -> Result<Arc<dyn Place>, StartProblem> {
    let unusable =
        |detail: String| StartProblem::new(&codes::BAD_PLACE, format!("{name}: {detail}"));
    Ok(match place {
        PlaceConfig::Folder { path } => {
            Arc::new(Folder::new(path).map_err(|error| unusable(error.detail))?)
        }
        PlaceConfig::S3 {
            endpoint,
            ca,
            addresses,
            bucket,
            prefix,
            region,
            access_key,
            secret_key,
        } => {
            let mut settings = HttpsSettings::new(name, endpoint.clone(), ca.text()?.into_bytes());
            settings.addresses = AllowList { networks: addresses.clone(), ..AllowList::default() };
            let target = HttpsTarget::new(settings, Arc::clone(clock));
            let target: Arc<dyn Target> = Arc::new(target.map_err(|error| unusable(error.detail))?);
            let host = endpoint.host_str().unwrap_or_default();
            let host =
                endpoint.port().map_or_else(|| host.to_owned(), |port| format!("{host}:{port}"));
            let secret = secret_key.secret()?;
            let settings = Settings {
                host,
                bucket: bucket.clone(),
                prefix: prefix.clone(),
                region: region.clone(),
                access_key: access_key.clone(),
                secret_key: Secret::new(secret.expose().trim().as_bytes().to_vec()),
            };
            Arc::new(ObjectStorage::new(target, settings, Arc::clone(clock)))
        }
        PlaceConfig::Sftp { host, port, user, key, known_hosts, path } => {
            for file in [key, known_hosts] {
                if !file.is_file() {
                    return Err(unusable(format!("{}: not a file", file.display())));
                }
            }
            let sftp = Sftp {
                host: host.clone(),
                port: *port,
                user: user.clone(),
                key: key.clone(),
                known_hosts: known_hosts.clone(),
                root: path.clone(),
                ssh: PathBuf::from("/usr/bin/ssh"),
            };
            if !sftp.is_safe() {
                return Err(unusable(
                    "`host`, `user` or `path` has characters that are not allowed".to_owned(),
                ));
            }
            Arc::new(sftp)
        }
    })
}
