//! Which code a failed exchange is, and whether the counterpart can have seen a byte of it.
//! Decided by the kinds of errors in the chain, never by text.

use crate::model::Code;
use crate::model::codes::transport as codes;
use crate::transport::SendError;
use rustls::AlertDescription;
use std::error::Error;
use std::io;

/// A failure certainly before the first byte.
pub(super) fn before(code: &'static Code, detail: impl Into<String>) -> SendError {
    SendError { before_first_byte: true, code, detail: detail.into() }
}

/// A failure after which the request may have been applied.
pub(super) fn after(code: &'static Code, detail: impl Into<String>) -> SendError {
    SendError { before_first_byte: false, code, detail: detail.into() }
}

/// The failure of connecting: no request was there yet.
pub(super) fn while_connecting(error: &(dyn Error + 'static)) -> SendError {
    match find::<rustls::Error>(error) {
        Some(tls) => of_tls(tls, true),
        None => before(&codes::CONNECT_FAILED, io_kind(error)),
    }
}

/// The failure of sending, before an answer's head was read.
pub(super) fn while_sending(error: &hyper::Error) -> SendError {
    if let Some(tls) = find::<rustls::Error>(error) {
        return of_tls(tls, false);
    }
    if error.is_parse() {
        return after(&codes::ANSWER_UNREADABLE, "not HTTP/1.1");
    }
    after(&codes::CONNECTION_LOST, io_kind(error))
}

/// The failure of reading the answer's body.
pub(super) fn while_reading(error: &hyper::Error) -> SendError {
    after(&codes::ANSWER_CUT, io_kind(error))
}

fn of_tls(error: &rustls::Error, connecting: bool) -> SendError {
    match error {
        // With TLS 1.3 the server judges our certificate when our side of the handshake is over
        // and the request may be on the wire already; it discards what it cannot attribute to a
        // finished handshake (RFC 8446 section 4.4.2.4), so the request was not taken.
        rustls::Error::AlertReceived(alert) if is_about_certificates(*alert) => {
            before(&codes::CLIENT_CERTIFICATE_REFUSED, format!("{alert:?}"))
        }
        _ if connecting => before(&codes::TLS_FAILED, tls_kind(error)),
        _ => after(&codes::CONNECTION_LOST, tls_kind(error)),
    }
}

fn is_about_certificates(alert: AlertDescription) -> bool {
    matches!(
        alert,
        AlertDescription::CertificateRequired
            | AlertDescription::NoCertificate
            | AlertDescription::BadCertificate
            | AlertDescription::UnsupportedCertificate
            | AlertDescription::CertificateRevoked
            | AlertDescription::CertificateExpired
            | AlertDescription::CertificateUnknown
            | AlertDescription::UnknownCA
    )
}

/// Which kind of TLS error, without quoting names or certificates.
pub(super) fn tls_kind(error: &rustls::Error) -> String {
    match error {
        rustls::Error::InvalidCertificate(reason) => match reason {
            rustls::CertificateError::Expired | rustls::CertificateError::ExpiredContext { .. } => {
                "certificate has expired".to_owned()
            }
            rustls::CertificateError::UnknownIssuer | rustls::CertificateError::BadSignature => {
                "certificate of another authority".to_owned()
            }
            rustls::CertificateError::NotValidForName
            | rustls::CertificateError::NotValidForNameContext { .. } => {
                "certificate names another host".to_owned()
            }
            _ => "certificate not acceptable".to_owned(),
        },
        rustls::Error::AlertReceived(alert) => format!("alert {alert:?}"),
        _ => "TLS error".to_owned(),
    }
}

/// The kind of the deepest I/O error, as a word.
fn io_kind(error: &(dyn Error + 'static)) -> String {
    find::<io::Error>(error).map_or_else(|| "closed".to_owned(), |error| error.kind().to_string())
}

/// The first error of this type in the chain. An `io::Error` hides the error it wraps from
/// `source()`, so it is opened here.
fn find<'a, T: Error + 'static>(error: &'a (dyn Error + 'static)) -> Option<&'a T> {
    let mut next = Some(error);
    while let Some(error) = next {
        if let Some(found) = error.downcast_ref::<T>() {
            return Some(found);
        }
        let wrapped = error.downcast_ref::<io::Error>().and_then(io::Error::get_ref);
        next = match wrapped {
            Some(inner) => Some(inner as &(dyn Error + 'static)),
            None => error.source(),
        };
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn wrapped_errors_are_found() {
        let error = io::Error::other(io::Error::other(rustls::Error::DecryptError));
        assert!(find::<rustls::Error>(&error).is_some());
        assert!(find::<hyper::Error>(&error).is_none());
    }

    #[test]
    fn certificate_alerts_are_before_the_first_byte_and_others_are_not() {
        let alert = |alert| of_tls(&rustls::Error::AlertReceived(alert), false);
        assert!(alert(AlertDescription::CertificateRequired).before_first_byte);
        assert!(alert(AlertDescription::UnknownCA).before_first_byte);
        assert!(!alert(AlertDescription::InternalError).before_first_byte);
        assert!(!alert(AlertDescription::DecodeError).before_first_byte);
    }
}
