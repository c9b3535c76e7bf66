//! What can be wrong with files.

use crate::files::TlsFile;

/// Files that cannot be used. Holds no contents of any.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum LoadError {
    /// The file cannot be read.
    #[error("cannot read the {file}: {reason}")]
    Unreadable {
        /// The file.
        file: TlsFile,
        /// What the system says.
        reason: String,
    },
    /// The file is larger than any bundle of certificates.
    #[error("the {file} is larger than 1 MiB: is it the right file?")]
    TooLarge {
        /// The file.
        file: TlsFile,
    },
    /// The file has PEM sections that cannot be read.
    #[error("the {file} is broken: {reason}")]
    NotPem {
        /// The file.
        file: TlsFile,
        /// What is wrong.
        reason: &'static str,
    },
    /// The file has no certificate.
    #[error("the {file} has no certificate: it needs at least one section BEGIN CERTIFICATE (PEM)")]
    NoCertificate {
        /// The file.
        file: TlsFile,
    },
    /// A certificate cannot be parsed.
    #[error("the {file} has a certificate that cannot be parsed")]
    BadCertificate {
        /// The file.
        file: TlsFile,
    },
    /// The file has no key.
    #[error("the {file} has no key: it needs a section BEGIN PRIVATE KEY (PEM), which is not encrypted")]
    NoKey {
        /// The file.
        file: TlsFile,
    },
    /// The key is of no supported kind.
    #[error("the {file} has a key that cannot be used: RSA, ECDSA (P-256, P-384, P-521) and Ed25519 can be")]
    BadKey {
        /// The file.
        file: TlsFile,
    },
    /// The key belongs to another certificate.
    #[error("the {key} does not belong to the {certificate}")]
    KeyMismatch {
        /// The certificate.
        certificate: TlsFile,
        /// The key.
        key: TlsFile,
    },
    /// The system has no CA certificates.
    #[error("the system has no CA certificates: name a file with --tls-ca-file ({reason})")]
    NoSystemAuthorities {
        /// What reading them reported.
        reason: String,
    },
    /// The name to verify is no name.
    #[error("{name:?} is neither a DNS name nor an IP address")]
    BadServerName {
        /// The name.
        name: String,
    },
    /// rustls refuses what was loaded.
    #[error("these files cannot be used together: {0}")]
    Refused(String),
}

impl From<rustls::Error> for LoadError {
    fn from(cause: rustls::Error) -> Self {
        Self::Refused(cause.to_string())
    }
}
