//! `Method`: the HTTP methods a definition may name.

/// HTTP methods a definition may name.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, serde::Deserialize)]
#[serde(rename_all = "UPPERCASE")]
pub enum Method {
    /// Reads.
    Get,
    /// Creates or commands.
    Post,
    /// Replaces.
    Put,
    /// Removes.
    Delete,
}
