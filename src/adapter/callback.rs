//! What a counterpart calls us with, as an adapter declares it: where it arrives, how its caller
//! proves who it is beside the certificate, and what follows.

use super::OutcomeTable;
use crate::mapping::path::Path;
use crate::model::Method;

/// A notice that a counterpart posts to us.
#[derive(Debug)]
pub struct PushIn {
    /// The last segment of its path: `/v1/callbacks/ADAPTER/SEGMENT`.
    pub segment: String,
    /// `POST` or `PUT`.
    pub method: Method,
    /// Largest body, in bytes.
    pub max_bytes: usize,
    /// The caller signs the body.
    pub signature: Option<Signature>,
    /// The caller shows a bearer token.
    pub bearer: bool,
    /// What follows.
    pub effect: Effect,
}

/// What follows from a notice.
#[derive(Debug)]
pub enum Effect {
    /// Exchanges of another operation that wait for their result are meant.
    Completes {
        /// That operation, of the same adapter.
        operation: String,
        /// Where the notice names their ticket.
        ticket: Path,
        /// What the notice says of the result; `None`: the result is asked for.
        outcomes: Option<OutcomeTable>,
    },
    /// It is a message of its own.
    Message {
        /// Its type.
        message_type: String,
        /// Where its id is.
        id: Path,
    },
}

/// HMAC-SHA-256 over the bytes of the body, in a header.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Signature {
    /// The header.
    pub header: String,
    /// What stands before the value.
    pub prefix: String,
    /// How the 32 bytes are written.
    pub encoding: Encoding,
}

/// How bytes are written in a header.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Encoding {
    /// Hexadecimal, in either case.
    Hex,
    /// Base64 with padding.
    Base64,
}
