//! Why a client cannot connect, and what to do about it.

use std::{io, time::Duration};

use chrono::DateTime;
use rustls::{AlertDescription, CertificateError, Error, InvalidMessage, pki_types::UnixTime};

/// A server cannot be connected to.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("cannot connect to {server}: {failure}")]
pub struct ConnectError {
    /// The server, as `host:port`.
    pub server: String,
    /// Why.
    pub failure: ConnectFailure,
}

/// Why a server cannot be connected to.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ConnectFailure {
    /// The URL is none of a TLS port.
    #[error("the URL does not begin with https://")]
    NotHttps,
    /// The URL's host can stand in no certificate.
    #[error("its host is neither a DNS name nor an IP address: name the server with --tls-server-name")]
    NoServerName,
    /// No TCP connection.
    #[error("{0}")]
    Unreachable(String),
    /// The server accepted the connection, then was silent.
    #[error("it did not finish the TLS handshake within {}", humantime::format_duration(*.0))]
    SlowHandshake(Duration),
    /// The answer was no TLS.
    #[error("the port speaks plain text, not TLS: use http://")]
    PlainText,
    /// The connection was closed instead of an answer.
    #[error("it closed the connection during the TLS handshake: does this port speak TLS?")]
    Closed,
    /// The certificate's CA is not trusted.
    #[error(
        "its certificate is signed by no CA that is trusted here: name the file of its CA with --tls-ca-file"
    )]
    UnknownAuthority,
    /// The certificate is somebody else's.
    #[error(
        "its certificate is for {}, not for {expected}: use one of its names in the URL, or name it with --tls-server-name",
        list(.presented)
    )]
    WrongName {
        /// The name that was looked for.
        expected: String,
        /// The certificate's names.
        presented: Vec<String>,
    },
    /// The certificate is too old.
    #[error("its certificate expired{}", at(*.0, " at "))]
    Expired(Option<UnixTime>),
    /// The certificate is too new.
    #[error("its certificate is not valid yet{}: is the clock right?", at(*.0, ", but from "))]
    NotYetValid(Option<UnixTime>),
    /// The certificate is refused for another reason.
    #[error("its certificate is refused: {0}")]
    BadCertificate(String),
    /// The server wants to know who the client is.
    #[error(
        "it requires a client certificate: name one with --tls-client-cert-file and --tls-client-key-file"
    )]
    CertificateRequired,
    /// The server does not accept the client's certificate.
    #[error("it refused the client certificate{0}")]
    CertificateRefused(&'static str),
    /// No version or algorithm in common.
    #[error("it and this client have no TLS version or algorithm in common: {0}")]
    Incompatible(String),
    /// The port is not gRPC's.
    #[error("it does not speak HTTP/2 over TLS: is it the port of a gRPC service?")]
    NoHttp2,
    /// Anything else.
    #[error("the TLS handshake failed: {0}")]
    Other(String),
}

impl ConnectFailure {
    /// Why a handshake failed. `asked`: the server had asked for a client certificate.
    pub(crate) fn from_io(cause: &io::Error, asked: bool) -> Self {
        match cause.get_ref().and_then(|inner| inner.downcast_ref::<Error>()) {
            Some(tls) => Self::from_tls(tls, asked),
            None => match cause.kind() {
                io::ErrorKind::UnexpectedEof
                | io::ErrorKind::ConnectionReset
                | io::ErrorKind::ConnectionAborted
                | io::ErrorKind::BrokenPipe => Self::Closed,
                _ => Self::Other(cause.to_string()),
            },
        }
    }

    fn from_tls(cause: &Error, asked: bool) -> Self {
        match cause {
            Error::InvalidMessage(InvalidMessage::InvalidContentType) => Self::PlainText,
            Error::InvalidCertificate(cause) => Self::from_certificate(cause),
            Error::AlertReceived(alert) => Self::from_alert(*alert, asked),
            Error::PeerIncompatible(cause) => Self::Incompatible(format!("{cause:?}")),
            Error::NoApplicationProtocol => Self::NoHttp2,
            other => Self::Other(other.to_string()),
        }
    }

    fn from_certificate(cause: &CertificateError) -> Self {
        match cause {
            CertificateError::UnknownIssuer => Self::UnknownAuthority,
            CertificateError::NotValidForNameContext { expected, presented } => Self::WrongName {
                expected: expected.to_str().into_owned(),
                presented: presented.iter().map(|name| bare(name).to_owned()).collect(),
            },
            CertificateError::Expired => Self::Expired(None),
            CertificateError::ExpiredContext { not_after, .. } => Self::Expired(Some(*not_after)),
            CertificateError::NotValidYet => Self::NotYetValid(None),
            CertificateError::NotValidYetContext { not_before, .. } => Self::NotYetValid(Some(*not_before)),
            other => Self::BadCertificate(other.to_string()),
        }
    }

    fn from_alert(alert: AlertDescription, asked: bool) -> Self {
        match alert {
            AlertDescription::CertificateRequired => Self::CertificateRequired,
            AlertDescription::NoApplicationProtocol => Self::NoHttp2,
            AlertDescription::ProtocolVersion | AlertDescription::InsufficientSecurity => {
                Self::Incompatible(format!("{alert:?}"))
            }
            AlertDescription::UnknownCA if asked => {
                Self::CertificateRefused(": it does not trust the certificate's CA")
            }
            AlertDescription::CertificateExpired if asked => {
                Self::CertificateRefused(": it has expired, or is not valid yet")
            }
            AlertDescription::CertificateRevoked if asked => Self::CertificateRefused(": it is revoked"),
            AlertDescription::BadCertificate
            | AlertDescription::UnsupportedCertificate
            | AlertDescription::CertificateUnknown
            | AlertDescription::DecryptError
            | AlertDescription::AccessDenied
                if asked =>
            {
                Self::CertificateRefused("")
            }
            other => Self::Other(format!("the server sent the alert {other:?}")),
        }
    }
}

/// `DnsName("localhost")`, as rustls presents a name, without what surrounds it.
fn bare(name: &str) -> &str {
    name.split_once('(').map_or(name, |(_, name)| name.trim_end_matches(')')).trim_matches('"')
}

fn list(names: &[String]) -> String {
    if names.is_empty() { "no name".to_owned() } else { names.join(", ") }
}

fn at(time: Option<UnixTime>, before: &str) -> String {
    let time = time.and_then(|time| DateTime::from_timestamp(i64::try_from(time.as_secs()).ok()?, 0));
    time.map_or_else(String::new, |time| format!("{before}{}", time.to_rfc3339()))
}
