//! Certificates, tokens and the policy of a suite that asks its callers who they are.

use std::{
    fs,
    path::{Path, PathBuf},
    sync::Arc,
};

use anyhow::{Context as _, Result};
use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair};
use sha2::{Digest, Sha256};
use tempfile::TempDir;
use tls::{ClientTls, ClientTlsFiles, ConnectOptions, DefaultTimeProvider};
use tonic::transport::{Channel, Endpoint};

use crate::settings::Settings;

/// Whose tokens the policy knows, and their roles. `nobody` has a good token and no role.
const POLICY: &str = "static_tokens_file: tokens
grants:
  - {identity: token:coordinator, roles: [stage, alerts]}
  - {identity: token:person, roles: [reader, operator]}
  - {identity: token:reader, roles: [reader]}
  - {identity: token:operator, roles: [operator]}
  - {identity: token:stage, roles: [stage]}
  - {identity: token:alerts, roles: [alerts]}
";

const NAMES: [&str; 7] = ["coordinator", "person", "reader", "operator", "stage", "alerts", "nobody"];

/// The files of a suite that serves TLS and asks its callers who they are.
#[derive(Debug)]
pub struct Secured {
    folder: TempDir,
}

impl Secured {
    /// Makes a CA, a certificate of the services, the policy and everybody's tokens.
    ///
    /// # Errors
    /// If a file cannot be written.
    pub fn new() -> Result<Self> {
        let secured = Self { folder: TempDir::new()? };
        secured.renew_certificate("ca.crt")?;
        let mut hashes = String::new();
        for name in NAMES {
            let token = format!("activity_{}", hex::encode(rand::random::<[u8; 32]>()));
            hashes += &format!("{}  {name}\n", hex::encode(Sha256::digest(&token)));
            fs::write(secured.token_file(name), token)?;
        }
        fs::write(secured.file("tokens"), hashes)?;
        fs::write(secured.file("access.yaml"), POLICY)?;
        Ok(secured)
    }

    /// Replaces the services' certificate by one of a new CA, which is written to the file
    /// `ca`.
    ///
    /// # Errors
    /// If a file cannot be written.
    pub fn renew_certificate(&self, ca: &str) -> Result<()> {
        let mut params = CertificateParams::new(Vec::new())?;
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let authority = CertifiedIssuer::self_signed(params, KeyPair::generate()?)?;
        let key = KeyPair::generate()?;
        let names = vec!["localhost".to_owned(), "127.0.0.1".to_owned()];
        let certificate = CertificateParams::new(names)?.signed_by(&key, &authority)?;
        fs::write(self.file(ca), authority.pem())?;
        // The services may look between the two, and then wait for the other file.
        fs::write(self.file("tls.crt"), certificate.pem())?;
        fs::write(self.file("tls.key"), key.serialize_pem())?;
        Ok(())
    }

    /// Settings with which every process serves TLS and asks for tokens, the coordinator
    /// sends its own, and commands of the command line send a person's.
    #[must_use]
    pub fn settings(&self) -> Settings {
        let text = |path: PathBuf| path.display().to_string();
        let (ca, token) = (text(self.file("ca.crt")), |name| text(self.token_file(name)));
        Settings::default()
            .with_tls()
            .variable("TLS_CERT_FILE", &text(self.file("tls.crt")))
            .variable("TLS_KEY_FILE", &text(self.file("tls.key")))
            .variable("ACCESS_FILE", &text(self.file("access.yaml")))
            .variable("TLS_CA_FILE", &ca)
            .variable("TOKEN_FILE", &token("coordinator"))
            .client_variable("TLS_CA_FILE", &ca)
            .client_variable("TOKEN_FILE", &token("person"))
    }

    /// A file of the folder.
    #[must_use]
    pub fn file(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// The file with the token of somebody in the policy.
    #[must_use]
    pub fn token_file(&self, name: &str) -> PathBuf {
        self.file(&format!("{name}.token"))
    }

    /// A channel to `url` by a client that trusts the CA in the file `ca`.
    ///
    /// # Errors
    /// If the file cannot be read.
    pub fn channel(&self, url: String, ca: &str) -> Result<Channel> {
        let files = ClientTlsFiles { ca: Some(self.file(ca)), ..ClientTlsFiles::default() };
        let tls = ClientTls::load(files, Arc::new(DefaultTimeProvider)).context("the client's CA")?;
        let connector = tls.connector(&ConnectOptions::default());
        Ok(Endpoint::from_shared(url)?.connect_with_connector_lazy(connector))
    }
}

/// A path as an argument.
///
/// # Errors
/// If it is not UTF-8.
pub fn text(path: &Path) -> Result<&str> {
    path.to_str().context("the path is not UTF-8")
}
