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

#[cfg(test)]
mod tests {
    use crate::adapter::Bundle;
    use crate::config::{agree, definitions, load};
    use crate::diagnostic::render;
    use crate::transport::clamd::{Address, Settings};
    use std::path::Path;
    use std::time::Duration;

    /// The example with the definitions of this repository.
    #[test]
    fn what_must_be_scanned_needs_a_scanner() {
        let root = Path::new(env!("CARGO_MANIFEST_DIR"));
        let example = std::fs::read_to_string(root.join("deploy/watashi.example.toml")).unwrap();
        let start = example.find("[scanner]\n").unwrap();
        let end = start + example[start..].find("\n\n").unwrap();
        let without = format!("{}{}", &example[..start], &example[end..]);
        let off = without.replace("  \"application-to-health\",\n", "");
        let mut problems = Vec::new();
        let files = definitions::read(root, &mut problems);
        for (name, text, expected) in
            [("example", &example, &[][..]), ("without", &without, &["C123"]), ("off", &off, &[])]
        {
            let name = format!("watashi-scanner-{}-{name}.toml", std::process::id());
            let file = std::env::temp_dir().join(name);
            std::fs::write(&file, text).unwrap();
            let config = load(&file).0.unwrap();
            std::fs::remove_file(&file).unwrap();
            let overrides = config.overrides();
            let bundle = Bundle::build(&files, &config.enabled, &overrides, &mut problems);
            let told = agree::check(&config, &bundle.unwrap());
            let codes: Vec<&str> = told.iter().map(|problem| problem.code.code).collect();
            assert_eq!(codes, expected, "{}", render::text(&told));
        }
    }

    /// What a section means, or what is told of it.
    fn read(name: &str, section: &str) -> Result<Option<Settings>, String> {
        let name = format!("watashi-scanner-{}-{name}.toml", std::process::id());
        let file = std::env::temp_dir().join(name);
        let head = "[gateway]\nmunicipalities = [\"131237\"]\n\
            [keys]\ncurrent = \"k1\"\nk1 = \"env:K1\"\n";
        std::fs::write(&file, format!("{head}{section}")).unwrap();
        let (config, diagnostics) = load(&file);
        std::fs::remove_file(&file).unwrap();
        config.map(|config| config.scanner).ok_or_else(|| render::text(&diagnostics))
    }

    #[test]
    fn one_place_on_this_machine() {
        assert!(read("none", "").unwrap().is_none());
        let given = read("socket", "[scanner]\nsocket = \"/run/clamav/clamd.ctl\"\n").unwrap();
        let given = given.unwrap();
        assert_eq!(given.address, Address::Unix("/run/clamav/clamd.ctl".into()));
        let limits = (given.max_bytes, given.timeout, given.connections);
        assert_eq!(limits, (25 << 20, Duration::from_secs(60), 4));
        let local = "[scanner]\naddress = \"127.0.0.1:3310\"\nmax-bytes = 2048\ntimeout = \"5s\"\n";
        let local = read("local", local).unwrap().unwrap();
        assert_eq!(local.address, Address::Tcp("127.0.0.1:3310".parse().unwrap()));
        for (name, section, expected) in [
            ("far", "address = \"192.0.2.7:3310\"", "C124"),
            ("both", "address = \"127.0.0.1:3310\"\nsocket = \"/x\"", "C124"),
            ("neither", "connections = 4", "C124"),
            ("host", "address = \"localhost:3310\"", "with an IP address"),
            ("endless", "socket = \"/x\"\ntimeout = \"1h\"", "at most 10m"),
            ("unknown", "socket = \"/x\"\nmax-byte = 7", "max-bytes"),
        ] {
            let told = read(name, &format!("[scanner]\n{section}\n")).unwrap_err();
            assert!(told.contains(expected), "{name}: {told}");
        }
    }
}
