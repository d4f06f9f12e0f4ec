//! HTTPS in both directions: the client to counterparts and the listener for what comes in.

pub mod tls;
