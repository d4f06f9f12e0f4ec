//! `[scanner]`: the scanner that looks for malware in what comes.

use super::read::Sections;
use super::{Config, keys};
use crate::adapter::{Adapter, Bundle, Operation};
use crate::diagnostic::yaml::Node;
use crate::model::codes::config as codes;
use crate::transport::Scanner;
use crate::transport::clamd::{Address, Clamd, Settings};
use std::sync::Arc;
use std::time::Duration;

/// Bytes that are sent where nothing is said: `StreamMaxLength` as Debian configures clamd.
const MAX_BYTES: u64 = 25 << 20;
/// Longest time that may be set for one content.
const LONGEST: Duration = Duration::from_secs(600);

impl Sections<'_> {
    pub(super) fn scanner(&mut self, node: &Node) -> Option<Settings> {
        self.reader.keys(node, &keys::SCANNER);
        let timeout = self.duration(node, "timeout").unwrap_or(Duration::from_secs(60));
        if timeout.is_zero() || timeout > LONGEST {
            let at = node.get("timeout").unwrap_or(node);
            self.error(&codes::BAD_VALUE, at, "`timeout` must be at most 10m, and not nothing");
        }
        Some(Settings {
            address: self.scanner_address(node)?,
            max_bytes: self.number(node, "max-bytes", 1_024, 1 << 30, MAX_BYTES) as usize,
            timeout,
            connections: self.number(node, "connections", 1, 64, 4) as usize,
        })
    }

    fn scanner_address(&mut self, node: &Node) -> Option<Address> {
        match (node.get("socket"), node.get("address")) {
            (Some(socket), None) => {
                let path = self.reader.text(socket, "`socket`")?;
                Some(Address::Unix(self.folder.join(path)))
            }
            (None, Some(at)) => {
                let address = self.address(node, keys::SCANNER.what, "address")?;
                if !address.ip().is_loopback() {
                    let message =
                        "off the loopback everybody on the way could read what is scanned";
                    self.error(&codes::SCANNER_SETTINGS, at, message);
                    return None;
                }
                Some(Address::Tcp(address))
            }
            (socket, address) => {
                let message = "exactly one of `socket` and `address` says where the scanner is";
                let at = socket.or(address).unwrap_or(node);
                self.error(&codes::SCANNER_SETTINGS, at, message);
                None
            }
        }
    }
}

/// The scanner of a configuration, if it has one. Connects nothing.
pub fn open(config: &Config) -> Option<Arc<dyn Scanner>> {
    let settings = config.scanner.clone()?;
    Some(Arc::new(Clamd::new(settings)))
}

/// Operations of an adapter that enabled routes lead from, and that demand a scanner.
pub fn demanded<'a>(
    adapter: &'a Adapter,
    bundle: &'a Bundle,
) -> impl Iterator<Item = &'a Operation> {
    let all = adapter.operations.values().map(Arc::as_ref);
    all.filter(move |one| one.scan.is_some() && bundle.is_used(adapter, one))
}
