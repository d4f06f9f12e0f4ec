//! HTTPS in both directions: the client to counterparts and the listener for what comes in.

pub mod auth;
pub mod client;
mod connections;
pub mod failure;
pub mod ops_client;
pub mod probe;
pub mod resolve;
pub mod server;
#[cfg(test)]
pub(crate) mod testing;
#[cfg(test)]
mod tests;
pub mod tls;
mod tokens;

pub use auth::{AuthSettings, Credentials};
pub use client::{HttpsSettings, HttpsTarget};
pub use probe::{Probe, probe};
pub use resolve::{AllowList, Network};
pub use server::{Certificates, PeerCertificate, PeerChain, serve, serve_plain};
pub use tls::{Identity, KnownClient, PeerName, ServerTls, expires_at};
