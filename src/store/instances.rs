//! Several instances over one store: roles, leases, and who there is. A store that one process owns
//! keeps to what is written here.

use super::Later;
use std::time::Duration;

/// One of several instances that share a store.
#[derive(Clone, Debug, serde::Serialize)]
pub struct InstanceView {
    /// Row; a new one with every start.
    pub id: i64,
    /// `gateway.name` of its configuration.
    pub name: String,
    /// Since when (RFC 3339, UTC).
    pub started_at: String,
    /// Seconds its lease has left; below zero it has ended.
    pub lease_seconds: i64,
    /// Roles that it alone has.
    pub roles: Vec<String>,
}

/// The part of a store that knows of several instances.
pub trait Instances {
    /// Whether this instance has a role that only one may have at a time: it keeps it, takes it when
    /// nobody has it, and takes it over from an instance whose lease has ended.
    fn lead(&self, role: String) -> Later<'_, bool> {
        let _only_one = role;
        Box::pin(async { Ok(true) })
    }
    /// Whether a request that begins now and may take this long ends within this instance's lease.
    /// One that does not must not begin: others may take what it is about for interrupted.
    fn covers(&self, time: Duration) -> bool {
        let _without_lease = time;
        true
    }
    /// The instances that share the store; none for a store that one process owns.
    fn instances(&self) -> Later<'_, Vec<InstanceView>> {
        Box::pin(async { Ok(Vec::new()) })
    }
}
