//! Name resolution that only leads to allowed addresses.
//!
//! The check is made on the very addresses that are connected to, so a name that resolves
//! differently a moment later gains nothing.

use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::str::FromStr;

/// One address or one network in CIDR notation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Network {
    address: IpAddr,
    prefix: u8,
}

impl Network {
    /// Whether the address lies in the network; IPv4 addresses written as IPv6 count as IPv4.
    pub fn contains(&self, address: IpAddr) -> bool {
        match (self.address, address.to_canonical()) {
            (IpAddr::V4(network), IpAddr::V4(address)) => {
                let shift = 32_u32.saturating_sub(u32::from(self.prefix));
                let cut = |address: Ipv4Addr| u64::from(address.to_bits()) >> shift;
                cut(network) == cut(address)
            }
            (IpAddr::V6(network), IpAddr::V6(address)) => {
                let shift = 128_u32.saturating_sub(u32::from(self.prefix));
                let cut = |address: Ipv6Addr| address.to_bits().checked_shr(shift).unwrap_or(0);
                cut(network) == cut(address)
            }
            _ => false,
        }
    }
}

/// A text that is neither an address nor a network.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NotANetwork;

impl fmt::Display for NotANetwork {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("not an IP address or network such as 192.0.2.0/24")
    }
}

impl std::error::Error for NotANetwork {}

impl FromStr for Network {
    type Err = NotANetwork;

    fn from_str(text: &str) -> Result<Network, NotANetwork> {
        let (address, prefix) = match text.split_once('/') {
            Some((address, prefix)) => (address, Some(prefix)),
            None => (text, None),
        };
        let address: IpAddr = address.parse().map_err(|_| NotANetwork)?;
        let longest = if address.is_ipv4() { 32 } else { 128 };
        let prefix = prefix.map_or(Ok(longest), str::parse).map_err(|_| NotANetwork)?;
        if prefix > longest { Err(NotANetwork) } else { Ok(Network { address, prefix }) }
    }
}

/// Which addresses a counterpart may have.
#[derive(Clone, Debug, Default)]
pub struct AllowList {
    /// The only ones allowed; empty means any public address.
    pub networks: Vec<Network>,
    /// With an empty list: allow loopback, link-local and private addresses as well.
    pub allow_private: bool,
}

impl AllowList {
    /// Whether this address may be connected to.
    pub fn permits(&self, address: IpAddr) -> bool {
        let address = address.to_canonical();
        if self.networks.is_empty() {
            return self.allow_private || !is_special(address);
        }
        self.networks.iter().any(|network| network.contains(address))
    }

    /// The allowed addresses of a host: itself when it is a literal, else what its name leads to.
    pub(super) async fn resolve(&self, host: &str) -> Result<Vec<SocketAddr>, ResolveError> {
        let found: Vec<SocketAddr> = match host.parse::<IpAddr>() {
            Ok(address) => vec![SocketAddr::new(address, 0)],
            Err(_) => match tokio::net::lookup_host((host, 0)).await {
                Ok(found) => found.collect(),
                Err(_) => return Err(ResolveError::Unknown),
            },
        };
        if found.is_empty() {
            return Err(ResolveError::Unknown);
        }
        let allowed: Vec<_> = found.into_iter().filter(|found| self.permits(found.ip())).collect();
        if allowed.is_empty() { Err(ResolveError::Refused) } else { Ok(allowed) }
    }
}

/// Loopback, link-local, private, shared, multicast, unspecified.
/// Source: IANA special-purpose address registries (RFC 6890).
fn is_special(address: IpAddr) -> bool {
    match address {
        IpAddr::V4(address) => {
            let [first, second, ..] = address.octets();
            address.is_loopback()
                || address.is_private()
                || address.is_link_local()
                || address.is_unspecified()
                || address.is_multicast()
                || address.is_broadcast()
                || first == 0
                || (first == 100 && (64..128).contains(&second))
        }
        IpAddr::V6(address) => {
            address.is_loopback()
                || address.is_unspecified()
                || address.is_multicast()
                || address.is_unique_local()
                || address.is_unicast_link_local()
        }
    }
}

/// Why a name led nowhere.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum ResolveError {
    /// No such name, or no answer.
    Unknown,
    /// Only addresses that are not allowed.
    Refused,
}

impl fmt::Display for ResolveError {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(match self {
            ResolveError::Unknown => "name not found",
            ResolveError::Refused => "no allowed address",
        })
    }
}

impl std::error::Error for ResolveError {}

#[cfg(test)]
mod tests {
    use super::*;

    fn list(networks: &[&str]) -> AllowList {
        let networks = networks.iter().map(|text| text.parse().unwrap()).collect();
        AllowList { networks, allow_private: false }
    }

    fn permits(list: &AllowList, address: &str) -> bool {
        list.permits(address.parse().unwrap())
    }

    #[test]
    fn a_list_permits_what_it_names_and_nothing_else() {
        let list = list(&["10.1.0.0/16", "127.0.0.1", "2001:db8::/32"]);
        for address in ["10.1.255.255", "127.0.0.1", "::ffff:127.0.0.1", "2001:db8::1"] {
            assert!(permits(&list, address), "{address}");
        }
        for address in ["10.2.0.0", "127.0.0.2", "::1", "2001:db9::1", "198.51.100.1"] {
            assert!(!permits(&list, address), "{address}");
        }
    }

    #[test]
    fn without_a_list_only_public_addresses() {
        let public = AllowList::default();
        for address in [
            "127.0.0.1",
            "10.0.0.1",
            "169.254.169.254",
            "0.0.0.0",
            "100.64.0.1",
            "::1",
            "fe80::1",
            "fd00::1",
            "::ffff:192.168.0.1",
            "224.0.0.1",
        ] {
            assert!(!permits(&public, address), "{address}");
        }
        assert!(permits(&public, "203.0.113.1"));
        assert!(permits(&AllowList { allow_private: true, ..public }, "10.0.0.1"));
    }

    #[test]
    fn networks_are_read_strictly() {
        for text in ["", "10.0.0.0/33", "::/129", "10.0.0.0/-1", "host", "10.0.0.0/8/8", "10.0.0/8"]
        {
            assert!(text.parse::<Network>().is_err(), "{text}");
        }
        assert!(permits(&list(&["0.0.0.0/0"]), "203.0.113.1"));
        assert!(permits(&list(&["::/0"]), "2001:db8::1"));
    }
}
