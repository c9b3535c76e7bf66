//! Asks an issuer for its keys.

use std::{error::Error as _, fs, path::PathBuf, sync::Arc, time::Duration};

use egress::refusal_in;
use reqwest::{
    Certificate, Client, StatusCode,
    header::{ACCEPT, AUTHORIZATION, HeaderValue},
};
use serde::Deserialize;
use url::Url;

use crate::{
    access::HttpClients,
    key_address::check_address,
    key_set::KeySet,
    policy::{CaFile, IssuerOptions, KeySource, PolicyError},
};

/// How long one request may take.
const TIMEOUT: Duration = Duration::from_secs(5);

/// The largest document that is read, in bytes.
const MAX_BYTES: usize = 256 * 1024;

/// Fetches the keys of one issuer.
pub(crate) struct Fetcher {
    http: HttpClients,
    authorities: Option<Vec<Certificate>>,
    allow_private: bool,
    address: Address,
    issuer: String,
    token_file: Option<PathBuf>,
}

enum Address {
    Discovery(Url),
    Keys(Url),
}

#[derive(Deserialize)]
struct DiscoveryDocument {
    issuer: String,
    jwks_uri: String,
}

impl Fetcher {
    /// A fetcher for an issuer; `None` if its keys are in a file.
    pub(crate) fn new(options: &IssuerOptions, http: &HttpClients) -> Result<Option<Self>, PolicyError> {
        let (address, url) = match &options.keys {
            KeySource::Discovery(url) => (Address::Discovery(url.clone()), url),
            KeySource::Address(url) => (Address::Keys(url.clone()), url),
            KeySource::Text(_) => return Ok(None),
        };
        let fetcher = Self {
            http: Arc::clone(http),
            authorities: options.ca.as_ref().map(authorities).transpose()?,
            allow_private: options.allow_private,
            address,
            issuer: options.issuer.clone(),
            token_file: options.token_file.clone(),
        };
        // What cannot work is reported with the policy.
        let path = options.ca.as_ref().map(|ca| ca.path.clone()).unwrap_or_default();
        fetcher.client(url).map_err(|message| PolicyError::new(&path, message))?;
        Ok(Some(fetcher))
    }

    /// The issuer's keys as of now. The error says what went wrong, for the log.
    pub(crate) async fn key_set(&self) -> Result<KeySet, String> {
        let address = match &self.address {
            Address::Keys(address) => address.clone(),
            Address::Discovery(address) => self.discover(address).await?,
        };
        let keys = self.get(&address).await?;
        KeySet::parse(&keys).map_err(|error| format!("{address}: {error}"))
    }

    async fn discover(&self, address: &Url) -> Result<Url, String> {
        let document = self.get(address).await?;
        let document: DiscoveryDocument = serde_json::from_slice(&document)
            .map_err(|error| format!("{address}: this is no discovery document: {error}"))?;
        // Otherwise whoever serves the document could answer for another issuer.
        if document.issuer != self.issuer {
            return Err(format!("{address}: the document is of the issuer {:?}", document.issuer));
        }
        let keys = Url::parse(&document.jwks_uri)
            .map_err(|error| format!("{address}: its jwks_uri is no URL: {error}"))?;
        check_address(&keys, self.allow_private)
            .map_err(|message| format!("{address}: its jwks_uri: {message}"))?;
        Ok(keys)
    }

    /// A client for one address. A redirect could carry the token elsewhere, and a proxy from
    /// the environment could answer with keys of its own: it heeds neither.
    fn client(&self, address: &Url) -> Result<Client, String> {
        let destination = check_address(address, self.allow_private)?;
        let mut builder = destination.guard((self.http)()).timeout(TIMEOUT).connect_timeout(TIMEOUT);
        if let Some(authorities) = &self.authorities {
            builder = builder.tls_certs_only(authorities.clone());
        }
        builder.build().map_err(with_causes)
    }

    async fn get(&self, address: &Url) -> Result<Vec<u8>, String> {
        let client = self.client(address).map_err(|message| format!("{address}: {message}"))?;
        let mut request = client.get(address.clone()).header(ACCEPT, "application/json");
        if let Some(file) = &self.token_file {
            request = request.header(AUTHORIZATION, token(file)?);
        }
        let failed = |error: reqwest::Error| match refusal_in(&error) {
            Some(refusal) => format!("{address}: {refusal}"),
            None => format!("{address}: {}", with_causes(error.without_url())),
        };
        let mut response = request.send().await.map_err(failed)?;
        let status = response.status();
        if status != StatusCode::OK {
            let hint = if status.is_redirection() { "; redirects are not followed" } else { "" };
            return Err(format!("{address} answered {status}{hint}"));
        }
        let mut body = Vec::new();
        while let Some(chunk) = response.chunk().await.map_err(failed)? {
            if body.len() + chunk.len() > MAX_BYTES {
                return Err(format!("{address} answered more than {MAX_BYTES} bytes"));
            }
            body.extend_from_slice(&chunk);
        }
        Ok(body)
    }
}

fn authorities(ca: &CaFile) -> Result<Vec<Certificate>, PolicyError> {
    let certificates = Certificate::from_pem_bundle(ca.pem.as_bytes())
        .map_err(|error| PolicyError::new(&ca.path, with_causes(error)))?;
    if certificates.is_empty() {
        return Err(PolicyError::new(&ca.path, "the file has no certificate in PEM format"));
    }
    Ok(certificates)
}

fn token(file: &PathBuf) -> Result<HeaderValue, String> {
    let name = file.display();
    let text = fs::read_to_string(file).map_err(|error| format!("cannot read {name}: {error}"))?;
    let mut header = HeaderValue::try_from(format!("Bearer {}", text.trim()))
        .map_err(|_| format!("{name} does not hold one token on one line"))?;
    header.set_sensitive(true);
    Ok(header)
}

fn with_causes(error: reqwest::Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        text.push_str(&format!(": {error}"));
        cause = error.source();
    }
    text
}
