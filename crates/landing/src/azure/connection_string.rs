//! Azure's connection strings, in the forms that its portal and tools write.

use object_store::azure::{AzureConfigKey, MicrosoftAzureBuilder};
use url::{Host, Url};

/// The environment variable with the connection string.
pub(super) const CONNECTION_STRING: &str = "AZURE_STORAGE_CONNECTION_STRING";

/// The accepted forms, for error messages.
const FORMS: &str = "write AccountName=...;AccountKey=..., or BlobEndpoint=https://NAME.blob.core.windows.net;\
                     SharedAccessSignature=..., or UseDevelopmentStorage=true";

/// The parts of a connection string that concern blobs. No `Debug`: it holds the
/// account's key.
#[derive(Default)]
pub(super) struct ConnectionString<'text> {
    protocol: Option<&'text str>,
    account: Option<String>,
    key: Option<&'text str>,
    sas: Option<&'text str>,
    endpoint: Option<&'text str>,
    suffix: Option<&'text str>,
    emulator: bool,
}

impl<'text> ConnectionString<'text> {
    /// Parses `Name=value;...`; parts for queues and tables are skipped.
    pub(super) fn parse(text: &'text str) -> Result<Self, String> {
        let mut parsed = Self::default();
        let text = unquoted(text);
        if text.starts_with("http://") || text.starts_with("https://") {
            return Err(format!("{CONNECTION_STRING} is a URL, not a connection string: {FORMS}"));
        }
        for part in text.split(';').map(str::trim).filter(|part| !part.is_empty()) {
            // Keys end in `=`, so only the first one separates.
            let (name, value) = part
                .split_once('=')
                .ok_or_else(|| format!("{CONNECTION_STRING} has a part without `=`: {FORMS}"))?;
            let value = Some(unquoted(value)).filter(|value| !value.is_empty());
            match name.trim().to_ascii_lowercase().as_str() {
                "defaultendpointsprotocol" => parsed.protocol = value,
                "accountname" => parsed.account = value.map(str::to_owned),
                "accountkey" => parsed.key = value,
                "sharedaccesssignature" => parsed.sas = value.map(|sas| sas.trim_start_matches('?')),
                "blobendpoint" => parsed.endpoint = value,
                "endpointsuffix" => parsed.suffix = value,
                "usedevelopmentstorage" => {
                    parsed.emulator = value.is_some_and(|value| value.eq_ignore_ascii_case("true"));
                }
                _ => {}
            }
        }
        parsed.completed()
    }

    /// Fills in what the other parts imply, if they suffice.
    fn completed(mut self) -> Result<Self, String> {
        if self.emulator {
            return Ok(self);
        }
        if let Some((endpoint, sas)) = self.endpoint.and_then(|endpoint| endpoint.split_once('?')) {
            // The portal also offers the endpoint with the signature appended.
            self.endpoint = Some(endpoint);
            self.sas = self.sas.or(Some(sas));
        }
        if let Some(endpoint) = self.endpoint
            && !Url::parse(endpoint)
                .is_ok_and(|url| matches!(url.scheme(), "http" | "https") && url.has_host())
        {
            return Err(format!(
                "{CONNECTION_STRING} has a BlobEndpoint that is no URL of http or https: {FORMS}"
            ));
        }
        if self
            .protocol
            .is_some_and(|protocol| !["http", "https"].contains(&protocol.to_ascii_lowercase().as_str()))
        {
            return Err(format!(
                "{CONNECTION_STRING} has a DefaultEndpointsProtocol other than https and http: {FORMS}"
            ));
        }
        if self.key.is_none() && self.sas.is_none() {
            return Err(format!(
                "{CONNECTION_STRING} has neither AccountKey nor SharedAccessSignature: {FORMS}"
            ));
        }
        if self.account.is_none() {
            self.account = self.endpoint.and_then(|endpoint| account_of(endpoint, self.key.is_none()));
        }
        if self.account.is_none() {
            return Err(format!(
                "{CONNECTION_STRING} has no AccountName, nor a BlobEndpoint that names it: {FORMS}"
            ));
        }
        Ok(self)
    }

    pub(super) fn uses_http(&self) -> bool {
        match self.endpoint {
            Some(endpoint) => endpoint.starts_with("http://"),
            None => self.protocol.is_some_and(|protocol| protocol.eq_ignore_ascii_case("http")),
        }
    }

    pub(super) fn apply(&self, builder: MicrosoftAzureBuilder) -> MicrosoftAzureBuilder {
        let Some(account) = self.account.as_deref().filter(|_| !self.emulator) else {
            return builder.with_use_emulator(true);
        };
        let builder =
            builder.with_use_emulator(false).with_account(account).with_endpoint(self.endpoint(account));
        match (self.key, self.sas) {
            (Some(key), _) => builder.with_access_key(key),
            (None, Some(sas)) => builder.with_config(AzureConfigKey::SasKey, sas),
            // Parsing refuses this.
            (None, None) => builder,
        }
    }

    fn endpoint(&self, account: &str) -> String {
        self.endpoint.map_or_else(
            || {
                let protocol = self.protocol.unwrap_or("https").to_ascii_lowercase();
                let suffix = self.suffix.unwrap_or("core.windows.net").trim_matches('.');
                format!("{protocol}://{account}.blob.{suffix}")
            },
            |endpoint| endpoint.trim_end_matches('/').to_owned(),
        )
    }
}

/// The account of an endpoint: the host's first label, or the path's first folder where
/// the host is a single machine, as with emulators. Other hosts are custom domains:
/// signing with the account's key needs the real name.
fn account_of(endpoint: &str, any_name_will_do: bool) -> Option<String> {
    let url = Url::parse(endpoint).ok()?;
    let folder =
        url.path_segments().and_then(|mut folders| folders.next()).filter(|folder| !folder.is_empty());
    let Host::Domain(host) = url.host()? else { return folder.map(str::to_owned) };
    let mut labels = host.split('.');
    let (first, second) = (labels.next()?, labels.next());
    // `NAME.blob.core.windows.net`, and `NAME.z6.blob.storage.azure.net`.
    let is_azures = host.contains(".blob.") || host.contains(".dfs.");
    match second {
        Some(_) if is_azures => Some(first.strip_suffix("-secondary").unwrap_or(first).to_owned()),
        _ if folder.is_some() => folder.map(str::to_owned),
        Some(_) if any_name_will_do => Some(first.to_owned()),
        _ => None,
    }
}

/// Removes the quotes that shells and variable files leave around a text.
fn unquoted(text: &str) -> &str {
    let text = text.trim();
    for quote in ['"', '\''] {
        if let Some(inner) = text.strip_prefix(quote).and_then(|text| text.strip_suffix(quote)) {
            return inner.trim();
        }
    }
    text
}
