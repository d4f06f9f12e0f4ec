//! Which code a broker error is: decided by error kinds and AMQP reply codes, never by text.

use super::BrokerError;
use crate::model::Code;
use crate::model::codes::transport as codes;
use lapin::ErrorKind;
use lapin::types::ReplyCode;
use std::io;

/// AMQP reply code of a declaration whose arguments differ from what exists.
pub(super) const PRECONDITION_FAILED: ReplyCode = 406;
/// AMQP reply code of a missing exchange or queue.
pub(super) const NOT_FOUND: ReplyCode = 404;
/// AMQP reply code of a missing permission or a refused login.
pub(super) const ACCESS_REFUSED: ReplyCode = 403;

/// The code for an AMQP reply code.
/// Source: AMQP 0-9-1 specification, section 1.2 "Reply code definitions".
pub fn of_reply(reply: ReplyCode) -> &'static Code {
    match reply {
        // connection-forced: an administrator, or the broker is going down
        320 => &codes::BROKER_CLOSED,
        // invalid-path: no such virtual host
        402 | ACCESS_REFUSED | 530 => &codes::BROKER_LOGIN_REFUSED,
        NOT_FOUND => &codes::TOPOLOGY_MISSING,
        // resource-locked, precondition-failed
        405 | PRECONDITION_FAILED => &codes::TOPOLOGY_DIFFERENT,
        // content-too-large, no-route, no-consumers, resource-error
        311 | 312 | 313 | 506 => &codes::PUBLISH_REFUSED,
        // internal-error
        541 => &codes::BROKER_CLOSED,
        _ => &codes::BROKER_PROTOCOL,
    }
}

/// The reply code the broker gave, if this error is one of its own.
pub fn reply_code(error: &lapin::Error) -> Option<ReplyCode> {
    match error.kind() {
        ErrorKind::ProtocolError(reply) => Some(reply.get_id()),
        _ => None,
    }
}

/// The failure of one step, e.g. `consume`.
pub fn of(step: &'static str, error: &lapin::Error) -> BrokerError {
    match error.kind() {
        ErrorKind::ProtocolError(reply) => BrokerError::new(
            of_reply(reply.get_id()),
            // RabbitMQ's reply texts name exchanges, queues, arguments and users, no bodies.
            format!("{step}: {} {}", reply.get_id(), reply.get_message()),
        ),
        ErrorKind::IOError(error) => of_io(step, error),
        ErrorKind::MissingHeartbeatError => {
            BrokerError::new(&codes::BROKER_TIMEOUT, format!("{step}: heartbeats stopped"))
        }
        ErrorKind::InvalidChannelState(..) | ErrorKind::InvalidConnectionState(_) => {
            BrokerError::new(&codes::BROKER_UNREACHABLE, format!("{step}: connection is closed"))
        }
        ErrorKind::AuthProviderError(_) => {
            BrokerError::new(&codes::BROKER_LOGIN_REFUSED, format!("{step}: credentials"))
        }
        ErrorKind::InvalidProtocolVersion(_) => {
            BrokerError::new(&codes::BROKER_PROTOCOL, format!("{step}: not AMQP 0-9-1"))
        }
        ErrorKind::RuntimeShutdownError(_) => {
            BrokerError::new(&codes::BROKER_UNREACHABLE, format!("{step}: shutting down"))
        }
        _ => BrokerError::new(&codes::BROKER_PROTOCOL, format!("{step}: unreadable or refused")),
    }
}

fn of_io(step: &'static str, error: &io::Error) -> BrokerError {
    let tls = error.get_ref().is_some_and(|inner| inner.is::<rustls::Error>());
    let code = match error.kind() {
        _ if tls => &codes::BROKER_TLS,
        io::ErrorKind::TimedOut => &codes::BROKER_TIMEOUT,
        _ => &codes::BROKER_UNREACHABLE,
    };
    BrokerError::new(code, format!("{step}: {}", error.kind()))
}

/// The failure of a step that took longer than its limit.
pub fn timed_out(step: &'static str) -> BrokerError {
    BrokerError::new(&codes::BROKER_TIMEOUT, step)
}

#[cfg(test)]
mod tests {
    use super::*;
    use lapin::protocol::AMQPError;

    fn code_of(reply: ReplyCode) -> &'static str {
        let error = AMQPError::from_id(reply, "text".into()).expect("a defined reply code");
        of("step", &ErrorKind::ProtocolError(error).into()).code.code
    }

    #[test]
    fn reply_codes_decide() {
        for (reply, code) in [
            (320, "N103"),
            (403, "N102"),
            (404, "N111"),
            (406, "N112"),
            (530, "N102"),
            (541, "N103"),
        ] {
            assert_eq!(code_of(reply), code, "{reply}");
        }
        assert_eq!(code_of(504), "N105");
    }

    #[test]
    fn kinds_of_io_errors_are_told_apart() {
        let of_kind = |kind: io::ErrorKind| of("connect", &io::Error::from(kind).into()).code.code;
        assert_eq!(of_kind(io::ErrorKind::ConnectionRefused), "N101");
        assert_eq!(of_kind(io::ErrorKind::TimedOut), "N104");
        let tls = io::Error::other(rustls::Error::DecryptError);
        assert_eq!(of("connect", &tls.into()).code.code, "N106");
    }
}
