//! The files that certificates, keys and CAs come from.

use std::{
    fmt,
    fs::File,
    io::Read,
    path::{Path, PathBuf},
};

use rustls::{
    RootCertStore,
    pki_types::{CertificateDer, PrivateKeyDer, pem, pem::PemObject},
};
use sha2::{Digest, Sha256};

use crate::load_error::LoadError;

/// A bundle of every public CA is a quarter of this. Whoever names a device or a log by
/// mistake gets an error instead of a full memory.
const MAX_BYTES: u64 = 1 << 20;

/// What a file is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Role {
    /// The certificate that is shown to peers, with its intermediates.
    Certificate,
    /// The private key of that certificate.
    Key,
    /// The CAs whose certificates are accepted.
    Authority,
}

impl fmt::Display for Role {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Certificate => "certificate",
            Self::Key => "private key",
            Self::Authority => "CA",
        })
    }
}

/// A file, and what it is for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TlsFile {
    /// What it is for.
    pub role: Role,
    /// Where it is.
    pub path: PathBuf,
}

impl TlsFile {
    pub(crate) fn new(role: Role, path: &Path) -> Self {
        Self { role, path: path.to_owned() }
    }
}

impl fmt::Display for TlsFile {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} file {}", self.role, self.path.display())
    }
}

/// Reads the files of one configuration, and sums up what was in them.
#[derive(Debug, Default)]
pub(crate) struct Reader(Sha256);

/// The sum of all contents: a key must not stay in memory only to be compared.
pub(crate) type Fingerprint = [u8; 32];

impl Reader {
    pub(crate) fn read(&mut self, role: Role, path: &Path) -> Result<Pem, LoadError> {
        let file = TlsFile::new(role, path);
        let mut bytes = Vec::new();
        let outcome = File::open(path).and_then(|opened| opened.take(MAX_BYTES + 1).read_to_end(&mut bytes));
        if let Err(cause) = outcome {
            return Err(LoadError::Unreadable { file, reason: cause.to_string() });
        }
        if bytes.len() as u64 > MAX_BYTES {
            return Err(LoadError::TooLarge { file });
        }
        // Length first, so that what moves from one file to the next changes the sum.
        self.0.update((bytes.len() as u64).to_be_bytes());
        self.0.update(&bytes);
        Ok(Pem { file, bytes })
    }

    pub(crate) fn fingerprint(self) -> Fingerprint {
        self.0.finalize().into()
    }
}

/// What a file held.
pub(crate) struct Pem {
    file: TlsFile,
    bytes: Vec<u8>,
}

impl Pem {
    pub(crate) const fn file(&self) -> &TlsFile {
        &self.file
    }

    /// All certificates, in their order.
    pub(crate) fn certificates(&self) -> Result<Vec<CertificateDer<'static>>, LoadError> {
        let certificates: Vec<_> = CertificateDer::pem_slice_iter(&self.bytes)
            .collect::<Result<_, _>>()
            .map_err(|cause| self.not_pem(&cause))?;
        if certificates.is_empty() {
            return Err(LoadError::NoCertificate { file: self.file.clone() });
        }
        Ok(certificates)
    }

    /// The first private key, in any of the usual forms.
    pub(crate) fn key(&self) -> Result<PrivateKeyDer<'static>, LoadError> {
        PrivateKeyDer::from_pem_slice(&self.bytes).map_err(|cause| match cause {
            pem::Error::NoItemsFound => LoadError::NoKey { file: self.file.clone() },
            other => self.not_pem(&other),
        })
    }

    /// All certificates, as CAs to trust.
    pub(crate) fn authorities(&self) -> Result<RootCertStore, LoadError> {
        let mut roots = RootCertStore::empty();
        for certificate in self.certificates()? {
            roots.add(certificate).map_err(|_| LoadError::BadCertificate { file: self.file.clone() })?;
        }
        Ok(roots)
    }

    /// The parser's own texts quote the file, which may be a key.
    fn not_pem(&self, cause: &pem::Error) -> LoadError {
        let reason = match cause {
            pem::Error::MissingSectionEnd { .. } => "a section has no end",
            pem::Error::IllegalSectionStart { .. } => "a section begins with a broken line",
            pem::Error::Base64Decode(_) => "a section is not base64",
            _ => "it cannot be parsed",
        };
        LoadError::NotPem { file: self.file.clone(), reason }
    }
}
