//! Why a client's handshake failed, for the server's log.

use std::{fmt, io, time::Duration};

use rustls::{Error, InvalidMessage};

/// Why a handshake came to nothing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum HandshakeFailure {
    /// The peer left. So do probes that only ask whether the port is open.
    Left,
    TimedOut(Duration),
    /// Closed, so that another client can be served.
    MadeRoom,
    PlainText,
    NoCertificate,
    BadCertificate(String),
    RefusedByClient(String),
    Other(String),
}

impl HandshakeFailure {
    /// Whether somebody has to know.
    pub(crate) const fn is_remarkable(&self) -> bool {
        !matches!(self, Self::Left)
    }
}

impl From<io::Error> for HandshakeFailure {
    fn from(cause: io::Error) -> Self {
        let Some(tls) = cause.get_ref().and_then(|inner| inner.downcast_ref::<Error>()) else {
            // The peer is gone, whatever the system calls it.
            return Self::Left;
        };
        match tls {
            Error::InvalidMessage(InvalidMessage::InvalidContentType) => Self::PlainText,
            Error::NoCertificatesPresented => Self::NoCertificate,
            Error::InvalidCertificate(reason) => Self::BadCertificate(reason.to_string()),
            Error::AlertReceived(alert) => Self::RefusedByClient(format!("{alert:?}")),
            other => Self::Other(other.to_string()),
        }
    }
}

impl fmt::Display for HandshakeFailure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Left => f.write_str("the client closed the connection"),
            Self::TimedOut(limit) => {
                write!(f, "the client did not finish it within {}", humantime::format_duration(*limit))
            }
            Self::MadeRoom => f.write_str("too many were unfinished, and this one had waited longest"),
            Self::PlainText => f.write_str("the client speaks plain text: it should use https://"),
            Self::NoCertificate => f.write_str("the client showed no certificate, and it has to"),
            Self::BadCertificate(reason) => write!(f, "the client's certificate is refused: {reason}"),
            Self::RefusedByClient(alert) => {
                write!(f, "the client refused it ({alert}): does it trust this server's CA?")
            }
            Self::Other(reason) => f.write_str(reason),
        }
    }
}
