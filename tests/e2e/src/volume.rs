//! Certificates in folders as Kubernetes mounts them.

use std::{
    fs,
    os::unix::fs::symlink,
    path::{Path, PathBuf},
    sync::Arc,
};

use anyhow::{Context as _, Result};
use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair, SanType};
use tempfile::TempDir;
use tls::{ClientTls, ClientTlsFiles, DefaultTimeProvider, Identity};

/// A CA.
#[derive(Debug)]
pub struct Authority(CertifiedIssuer<'static, KeyPair>);

/// A certificate with its key.
#[derive(Debug, Clone)]
pub struct Pair {
    certificate: String,
    key: String,
    /// The certificate as peers see it.
    pub der: Vec<u8>,
}

impl Authority {
    /// A new CA.
    ///
    /// # Errors
    /// If there is no randomness.
    pub fn new(name: &str) -> Result<Self> {
        let mut params = CertificateParams::new(Vec::new())?;
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params.distinguished_name.push(rcgen::DnType::CommonName, name);
        Ok(Self(CertifiedIssuer::self_signed(params, KeyPair::generate()?)?))
    }

    /// Its certificate.
    #[must_use]
    pub fn pem(&self) -> String {
        self.0.pem()
    }

    /// A certificate for this machine.
    ///
    /// # Errors
    /// If it cannot be signed.
    pub fn for_loopback(&self) -> Result<Pair> {
        self.sign(CertificateParams::new(["localhost".to_owned(), "127.0.0.1".to_owned()])?)
    }

    /// A certificate for a SPIFFE id.
    ///
    /// # Errors
    /// If it cannot be signed.
    pub fn for_id(&self, id: &str) -> Result<Pair> {
        let mut params = CertificateParams::new(Vec::new())?;
        params.subject_alt_names.push(SanType::URI(id.try_into()?));
        self.sign(params)
    }

    fn sign(&self, params: CertificateParams) -> Result<Pair> {
        let key = KeyPair::generate()?;
        let certificate = params.signed_by(&key, &self.0)?;
        let der = certificate.der().to_vec();
        Ok(Pair { certificate: certificate.pem(), key: key.serialize_pem(), der })
    }
}

/// A folder in which every file is a link through `..data`, a link that is swapped when
/// contents change. It holds `tls.crt`, `tls.key` and `ca.crt`.
#[derive(Debug)]
pub struct Volume {
    folder: TempDir,
    versions: usize,
}

impl Volume {
    /// A folder with a certificate and the CAs to trust.
    ///
    /// # Errors
    /// If it cannot be written.
    pub fn new(pair: &Pair, ca: &str) -> Result<Self> {
        let mut volume = Self { folder: TempDir::new()?, versions: 0 };
        volume.publish(pair, ca)?;
        for name in ["tls.crt", "tls.key", "ca.crt"] {
            symlink(Path::new("..data").join(name), volume.file(name))?;
        }
        Ok(volume)
    }

    /// Replaces all contents at once.
    ///
    /// # Errors
    /// If they cannot be written.
    pub fn publish(&mut self, pair: &Pair, ca: &str) -> Result<()> {
        self.versions += 1;
        let version = format!("..version_{}", self.versions);
        fs::create_dir(self.file(&version))?;
        for (name, content) in
            [("tls.crt", pair.certificate.as_str()), ("tls.key", &pair.key), ("ca.crt", ca)]
        {
            fs::write(self.file(&version).join(name), content)?;
        }
        symlink(&version, self.file("..data_tmp"))?;
        fs::rename(self.file("..data_tmp"), self.file("..data"))?;
        Ok(())
    }

    /// A file in it.
    #[must_use]
    pub fn file(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// The TLS of a client that uses it.
    ///
    /// # Errors
    /// If the files cannot be used.
    pub fn client(&self) -> Result<ClientTls> {
        let identity = Identity { certificate: self.file("tls.crt"), key: self.file("tls.key") };
        let ca = Some(self.file("ca.crt"));
        let files = ClientTlsFiles { ca, identity: Some(identity), server_name: None };
        ClientTls::load(files, Arc::new(DefaultTimeProvider)).context("the client's certificate")
    }
}
