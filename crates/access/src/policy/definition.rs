//! The policy file as it is written.

use std::{path::PathBuf, time::Duration};

use serde::{Deserialize, Deserializer, de::Error as _};
use serde_saphyr::Spanned;

use crate::role::Role;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct PolicyDefinition {
    #[serde(default)]
    pub(super) issuers: Vec<IssuerDefinition>,
    pub(super) static_tokens_file: Option<PathBuf>,
    pub(super) grants: Vec<Spanned<GrantDefinition>>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct IssuerDefinition {
    pub(super) name: Spanned<String>,
    pub(super) issuer: Spanned<String>,
    pub(super) audiences: Spanned<Vec<String>>,
    pub(super) jwks_uri: Option<Spanned<String>>,
    pub(super) jwks_file: Option<Spanned<PathBuf>>,
    pub(super) allow_private: Option<Spanned<bool>>,
    pub(super) ca_file: Option<Spanned<PathBuf>>,
    pub(super) token_file: Option<Spanned<PathBuf>>,
    #[serde(default, deserialize_with = "duration")]
    pub(super) leeway: Option<Duration>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct GrantDefinition {
    pub(super) identity: Option<String>,
    pub(super) prefix: Option<String>,
    pub(super) issuer: Option<String>,
    pub(super) claim: Option<String>,
    pub(super) equals: Option<String>,
    pub(super) contains: Option<String>,
    pub(super) roles: Vec<Role>,
}

/// A human-readable duration: `30s`, `2m`.
fn duration<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Duration>, D::Error> {
    let text = String::deserialize(deserializer)?;
    let parsed = humantime::parse_duration(&text);
    parsed
        .map(Some)
        .map_err(|error| D::Error::custom(format!("{text:?} is no duration such as 30s: {error}")))
}
