//! Why a server cannot be reached over TLS, and what to do about it.

use rustls::CertificateError;
use warehouse_core::{Error, Fault};

use crate::fault::failed;

/// The error if neither TLS nor plain text reached the server.
pub(crate) fn unreadable(problem: sqlx::Error) -> Error {
    if !matches!(problem, sqlx::Error::Tls(_) | sqlx::Error::Io(_)) {
        return failed(problem);
    }
    let reason = tls_reason(&problem);
    if reason.contains("does not support TLS") {
        return Error::Unavailable(Fault::new(
            "the server offers no TLS, and sslmode insists on it: switch it on there (ssl = on), or where the network \
             is trusted use sslmode=prefer or sslmode=disable",
            problem,
        ));
    }
    let reported = match certificate_error(&problem) {
        Some(error) => refused_certificate(error, &reason),
        None => format!(
            "TLS with it failed ({reason}); where the network is trusted use sslmode=prefer or sslmode=disable"
        ),
    };
    Error::Unavailable(Fault::new(reported, problem))
}

/// Why a certificate is not accepted, and the cure.
fn refused_certificate(error: &CertificateError, reason: &str) -> String {
    match error {
        // An authority of the right name but with another key gives a bad signature.
        CertificateError::UnknownIssuer | CertificateError::BadSignature => {
            "no authority that is trusted here has signed its certificate: name the file of the one that has in \
             sslrootcert"
                .to_owned()
        }
        CertificateError::NotValidForName | CertificateError::NotValidForNameContext { .. } => format!(
            "its certificate is for another host ({reason}): put one of its names in the URL, or give the server a \
             certificate for the URL's host; sslmode=verify-ca does not look at names"
        ),
        CertificateError::Expired | CertificateError::ExpiredContext { .. } => {
            "its certificate has expired: renew it there, and have the server reload it (pg_ctl reload)".to_owned()
        }
        CertificateError::NotValidYet | CertificateError::NotValidYetContext { .. } => {
            "its certificate is not valid yet: is the clock right, here and there?".to_owned()
        }
        _ => format!(
            "TLS with it failed ({reason}); give the server a certificate of version 3 that names it, signed by the \
             authority in sslrootcert, or where the network is trusted use sslmode=prefer or sslmode=disable"
        ),
    }
}

/// What is wrong with the server's certificate, if that is the problem.
fn certificate_error(problem: &sqlx::Error) -> Option<&CertificateError> {
    let error = match problem {
        sqlx::Error::Io(cause) => cause.get_ref()?.downcast_ref::<rustls::Error>()?,
        sqlx::Error::Tls(cause) => cause.downcast_ref::<rustls::Error>()?,
        _ => return None,
    };
    match error {
        rustls::Error::InvalidCertificate(error) => Some(error),
        _ => None,
    }
}

/// The rustls message: it concerns only certificates and handshakes, never stored data.
pub(crate) fn tls_reason(problem: &sqlx::Error) -> String {
    match problem {
        sqlx::Error::Tls(cause) => cause.to_string(),
        sqlx::Error::Io(cause) => cause.to_string(),
        _ => "unknown".to_owned(),
    }
}
