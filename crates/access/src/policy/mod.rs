//! The policy file: who may prove what they are by what, and what they get for it.

mod definition;
mod error;
mod grant;

use std::{
    collections::BTreeSet,
    path::{Path, PathBuf},
};

use chrono::TimeDelta;
use serde_saphyr::{Location, Spanned};
use url::Url;

pub use self::error::PolicyError;
pub(crate) use self::grant::{Grant, roles};
use self::{
    definition::{GrantDefinition, IssuerDefinition, PolicyDefinition},
    grant::{ClaimTest, Who},
};
use crate::{
    key_address::{check_address, is_loopback},
    key_set::KeySet,
    static_tokens::StaticTokens,
    watched_files::{FileReader, beside},
};

/// How far clocks may be apart unless the policy says otherwise.
const DEFAULT_LEEWAY: TimeDelta = TimeDelta::seconds(30);

/// The most that the policy may say: beyond it, expiry means little.
const MAX_LEEWAY: TimeDelta = TimeDelta::minutes(5);

/// Names of identities that no issuer gives.
const RESERVED_NAMES: [&str; 4] = ["anonymous", "dns", "spiffe", "token"];

/// A policy that has been checked.
pub(crate) struct Policy {
    pub(crate) issuers: Vec<IssuerOptions>,
    pub(crate) static_tokens: StaticTokens,
    pub(crate) grants: Vec<Grant>,
}

/// One issuer of tokens.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct IssuerOptions {
    /// Its name in identities.
    pub(crate) name: String,
    /// What its tokens say in `iss`.
    pub(crate) issuer: String,
    pub(crate) audiences: Vec<String>,
    pub(crate) leeway: TimeDelta,
    pub(crate) keys: KeySource,
    /// Whether its keys may be asked for at private addresses.
    pub(crate) allow_private: bool,
    pub(crate) ca: Option<CaFile>,
    pub(crate) token_file: Option<PathBuf>,
}

/// Where an issuer's keys come from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum KeySource {
    /// Its discovery document names the address; this is the document's own.
    Discovery(Url),
    /// This address.
    Address(Url),
    /// This key set, which a file held.
    Text(String),
}

impl KeySource {
    /// The configured address, if keys are fetched.
    fn address(&self) -> Option<&Url> {
        match self {
            Self::Discovery(url) | Self::Address(url) => Some(url),
            Self::Text(_) => None,
        }
    }
}

/// The only certificates that an issuer's server may prove itself by.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct CaFile {
    pub(crate) path: PathBuf,
    pub(crate) pem: String,
}

impl Policy {
    /// Reads a policy and the files that it names.
    pub(crate) fn read(path: &Path, files: &mut FileReader) -> Result<Self, PolicyError> {
        let text = files.read(path)?;
        let definition: PolicyDefinition =
            serde_saphyr::from_str(&text).map_err(|error| yaml_error(path, &error))?;
        let mut reading = Reading { path, files };
        let mut issuers: Vec<IssuerOptions> = Vec::new();
        for definition in definition.issuers {
            let (name, issuer) = (definition.name.clone(), definition.issuer.clone());
            if issuers.iter().any(|other| other.name == name.value) {
                return Err(reading.error(&name, "another issuer has this name"));
            }
            if issuers.iter().any(|other| other.issuer == issuer.value) {
                return Err(reading.error(&issuer, "this issuer is in the list already"));
            }
            issuers.push(reading.issuer(definition)?);
        }
        let static_tokens = match definition.static_tokens_file {
            None => StaticTokens::default(),
            Some(file) => {
                let file = beside(path, &file);
                StaticTokens::parse(&file, &reading.files.read(&file)?)?
            }
        };
        if definition.grants.is_empty() {
            return Err(PolicyError::new(path, "grants is empty, so nobody could call anything"));
        }
        let grants = definition.grants.into_iter().map(|definition| reading.grant(definition, &issuers));
        Ok(Self { grants: grants.collect::<Result<_, _>>()?, issuers, static_tokens })
    }
}

/// A policy that is being read.
struct Reading<'a> {
    path: &'a Path,
    files: &'a mut FileReader,
}

impl Reading<'_> {
    fn error<T>(&self, place: &Spanned<T>, message: impl Into<String>) -> PolicyError {
        located(self.path, place.referenced, message)
    }

    fn issuer(&mut self, definition: IssuerDefinition) -> Result<IssuerOptions, PolicyError> {
        let name = &definition.name;
        let is_allowed = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-';
        if name.value.is_empty() || !name.value.chars().all(is_allowed) {
            return Err(self.error(name, "an issuer's name has lower-case letters, digits and '-'"));
        }
        if RESERVED_NAMES.contains(&name.value.as_str()) {
            return Err(self.error(name, format!("{:?} names other identities already", name.value)));
        }
        let audiences = &definition.audiences;
        if audiences.value.is_empty() || audiences.value.iter().any(String::is_empty) {
            let message = "name the audiences that tokens must be for; without one, a token for any other service would do";
            return Err(self.error(audiences, message));
        }
        let leeway = definition.leeway.map_or(Ok(DEFAULT_LEEWAY), TimeDelta::from_std);
        let leeway = leeway.ok().filter(|leeway| *leeway <= MAX_LEEWAY).ok_or_else(|| {
            self.error(name, format!("leeway is longer than {} minutes", MAX_LEEWAY.num_minutes()))
        })?;
        let keys = self.keys(&definition)?;
        if let KeySource::Text(_) = &keys {
            let message =
                "ca_file, token_file and allow_private are for keys that are fetched, not for jwks_file";
            if let Some(file) = definition.ca_file.as_ref().or(definition.token_file.as_ref()) {
                return Err(self.error(file, message));
            }
            if let Some(setting) = &definition.allow_private {
                return Err(self.error(setting, message));
            }
        }
        let allow_private = definition.allow_private.is_some_and(|allowed| allowed.value);
        let ca = definition.ca_file.map(|file| {
            let path = beside(self.path, &file.value);
            self.files.read(&path).map(|pem| CaFile { path, pem })
        });
        let token_file = definition.token_file.map(|file| {
            let path = beside(self.path, &file.value);
            self.files.check(&path).map(|()| path)
        });
        Ok(IssuerOptions {
            name: definition.name.value,
            issuer: definition.issuer.value,
            audiences: definition.audiences.value,
            leeway,
            // What an issuer on this machine names may be there, too.
            allow_private: allow_private || keys.address().is_some_and(is_loopback),
            keys,
            ca: ca.transpose()?,
            token_file: token_file.transpose()?,
        })
    }

    fn keys(&mut self, definition: &IssuerDefinition) -> Result<KeySource, PolicyError> {
        let allow_private = definition.allow_private.as_ref().is_some_and(|allowed| allowed.value);
        match (&definition.jwks_file, &definition.jwks_uri) {
            (Some(file), Some(_)) => {
                Err(self.error(file, "jwks_file and jwks_uri contradict each other: leave one of them out"))
            }
            (None, Some(uri)) => Ok(KeySource::Address(self.address(uri, allow_private)?)),
            (Some(file), None) => {
                let path = beside(self.path, &file.value);
                let text = self.files.read(&path)?;
                KeySet::parse(text.as_bytes()).map_err(|message| PolicyError::new(&path, message))?;
                Ok(KeySource::Text(text))
            }
            (None, None) => {
                let mut url = self.address(&definition.issuer, allow_private)?;
                let path = format!("{}/.well-known/openid-configuration", url.path().trim_end_matches('/'));
                url.set_path(&path);
                Ok(KeySource::Discovery(url))
            }
        }
    }

    fn address(&self, text: &Spanned<String>, allow_private: bool) -> Result<Url, PolicyError> {
        let url = Url::parse(&text.value).map_err(|error| {
            let hint = "for an issuer without an address, set jwks_uri or jwks_file";
            self.error(text, format!("this is no URL ({error}); {hint}"))
        })?;
        check_address(&url, allow_private || is_loopback(&url))
            .map_err(|message| self.error(text, message))?;
        Ok(url)
    }

    fn grant(
        &self,
        definition: Spanned<GrantDefinition>,
        issuers: &[IssuerOptions],
    ) -> Result<Grant, PolicyError> {
        let failed = |message: String| located(self.path, definition.referenced, message);
        let GrantDefinition { identity, prefix, issuer, claim, equals, contains, roles } = definition.value;
        if roles.is_empty() {
            return Err(failed("the grant has no roles".to_owned()));
        }
        let known = |name: &str| issuers.iter().any(|issuer| issuer.name == name);
        let who = match (identity, prefix, issuer, claim, equals, contains) {
            (Some(name), None, None, None, None, None) => {
                check_kind(&name, known).map_err(failed)?;
                Who::Identity(name)
            }
            (None, Some(prefix), None, None, None, None) => {
                check_kind(&prefix, known).map_err(failed)?;
                if !prefix.ends_with([':', '/']) {
                    let message = "a prefix ends with ':' or '/', so that it does not fit half a name";
                    return Err(failed(message.to_owned()));
                }
                Who::Prefix(prefix)
            }
            (None, None, Some(issuer), Some(claim), equals, contains) => {
                if !known(&issuer) {
                    return Err(failed(format!("no issuer has the name {issuer:?}")));
                }
                let test = match (equals, contains) {
                    (Some(text), None) => ClaimTest::Equals(text),
                    (None, Some(text)) => ClaimTest::Contains(text),
                    _ => return Err(failed("a claim is tested by either equals or contains".to_owned())),
                };
                Who::Claim { issuer, claim, test }
            }
            _ => {
                let message = "a grant is for an identity, or a prefix, or an issuer's claim that equals or contains a text";
                return Err(failed(message.to_owned()));
            }
        };
        Ok(Grant { who, roles: BTreeSet::from_iter(roles) })
    }
}

/// Whether an identity of this kind can exist: a grant to a misspelt one would be silent.
fn check_kind(name: &str, is_issuer: impl Fn(&str) -> bool) -> Result<(), String> {
    if name.starts_with("spiffe://") {
        return Ok(());
    }
    match name.split_once(':') {
        Some(("dns" | "token", _)) => Ok(()),
        Some((issuer, _)) if is_issuer(issuer) => Ok(()),
        _ => Err(format!(
            "{name:?} is no identity: write spiffe://..., dns:<host>, token:<name>, or <issuer>:<subject> with an issuer of this file"
        )),
    }
}

fn yaml_error(path: &Path, error: &serde_saphyr::Error) -> PolicyError {
    let message = error.without_snippet().to_string();
    let Some(at) = error.location() else { return PolicyError::new(path, message) };
    // The place stands before the message, as in every other error.
    let place = format!(" at line {}, column {}", at.line(), at.column());
    located(path, at, message.strip_suffix(&place).unwrap_or(&message))
}

fn located(path: &Path, at: Location, message: impl Into<String>) -> PolicyError {
    PolicyError::at(path, at.line(), at.column(), message)
}
