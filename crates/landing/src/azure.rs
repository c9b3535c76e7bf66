//! Azure Blob Storage, and Azurite, its emulator.
//!
//! How to reach it comes from the environment: the variables that Azure's own
//! tools know (`AZURE_STORAGE_ACCOUNT_NAME`, `AZURE_STORAGE_ACCOUNT_KEY`,
//! `AZURE_CLIENT_ID` and so on, workload and managed identities included), or
//! `AZURE_STORAGE_CONNECTION_STRING`, which outranks them.

use std::{env, time::Duration};

use object_store::{
    BackoffConfig, ClientConfigKey, ClientOptions, RetryConfig,
    azure::{AzureConfigKey, MicrosoftAzure, MicrosoftAzureBuilder},
};
use url::{Host, Url};

use crate::Error;

const CONNECTION_STRING: &str = "AZURE_STORAGE_CONNECTION_STRING";

/// Opens a container as the environment says.
pub(crate) fn open(container: &str, root: &str) -> Result<MicrosoftAzure, Error> {
    let connection_string = env::var(CONNECTION_STRING).ok().filter(|text| !text.trim().is_empty());
    build(MicrosoftAzureBuilder::from_env(), connection_string.as_deref(), container, root)
}

/// Opens a container as a builder and a connection string say.
pub(crate) fn build(
    builder: MicrosoftAzureBuilder,
    connection_string: Option<&str>,
    container: &str,
    root: &str,
) -> Result<MicrosoftAzure, Error> {
    configure(builder, connection_string)
        .map_err(|problem| Error::Configuration { root: root.to_owned(), problem })?
        .with_container_name(container)
        .build()
        .map_err(|error| Error::Configuration {
            root: root.to_owned(),
            problem: format!(
                "{error}; set AZURE_STORAGE_ACCOUNT_NAME and a credential, or {CONNECTION_STRING}"
            ),
        })
}

/// A builder with our limits, and the connection string if there is one.
fn configure(
    builder: MicrosoftAzureBuilder,
    connection_string: Option<&str>,
) -> Result<MicrosoftAzureBuilder, String> {
    let allow_http = builder
        .get_config_value(&AzureConfigKey::Client(ClientConfigKey::AllowHttp))
        .is_some_and(|value| value.eq_ignore_ascii_case("true"));
    let builder = builder.with_retry(retries());
    if let Some(text) = connection_string {
        let connection = ConnectionString::parse(text)?;
        // Whoever writes `http` into a connection string means it, as in Azure's own tools.
        let allow_http = allow_http || connection.uses_http();
        return connection.apply(builder.with_client_options(client_options(allow_http)));
    }
    let allow_http = allow_http
        || builder
            .get_config_value(&AzureConfigKey::Endpoint)
            .is_some_and(|endpoint| is_on_this_machine(&endpoint));
    Ok(builder.with_client_options(client_options(allow_http)))
}

/// A dead store fails a call in less than a minute: retrying for longer is up to
/// the coordinator, which can show that it does.
fn retries() -> RetryConfig {
    RetryConfig {
        backoff: BackoffConfig {
            init_backoff: Duration::from_millis(200),
            max_backoff: Duration::from_secs(5),
            base: 2.0,
        },
        max_retries: 4,
        retry_timeout: Duration::from_secs(25),
    }
}

fn client_options(allow_http: bool) -> ClientOptions {
    ClientOptions::new()
        .with_allow_http(allow_http)
        .with_connect_timeout(Duration::from_secs(5))
        // A file is read as fast as the warehouse takes its rows, so there is no
        // telling how long that lasts; but every single read must get somewhere.
        .with_timeout_disabled()
        .with_read_timeout(Duration::from_secs(20))
}

fn is_on_this_machine(endpoint: &str) -> bool {
    match Url::parse(endpoint).as_ref().ok().and_then(Url::host) {
        Some(Host::Domain(name)) => name == "localhost",
        Some(Host::Ipv4(address)) => address.is_loopback(),
        Some(Host::Ipv6(address)) => address.is_loopback(),
        None => false,
    }
}

/// The parts of a connection string that concern blobs. No `Debug`: it holds
/// the account's key.
#[derive(Default)]
struct ConnectionString<'text> {
    protocol: Option<&'text str>,
    account: Option<&'text str>,
    key: Option<&'text str>,
    sas: Option<&'text str>,
    endpoint: Option<&'text str>,
    suffix: Option<&'text str>,
    emulator: bool,
}

impl<'text> ConnectionString<'text> {
    /// Reads `Name=value;...`; parts that concern queues and tables are skipped.
    fn parse(text: &'text str) -> Result<Self, String> {
        let mut parsed = Self::default();
        for part in text.split(';').map(str::trim).filter(|part| !part.is_empty()) {
            // Keys end in `=`, which is why only the first one separates.
            let (name, value) = part.split_once('=').ok_or_else(|| {
                format!("{CONNECTION_STRING} has a part without `=`; write Name=value;Name=value")
            })?;
            let value = value.trim();
            match name.trim().to_ascii_lowercase().as_str() {
                "defaultendpointsprotocol" => parsed.protocol = Some(value),
                "accountname" => parsed.account = Some(value),
                "accountkey" => parsed.key = Some(value),
                "sharedaccesssignature" => parsed.sas = Some(value),
                "blobendpoint" => parsed.endpoint = Some(value),
                "endpointsuffix" => parsed.suffix = Some(value),
                "usedevelopmentstorage" => parsed.emulator = value.eq_ignore_ascii_case("true"),
                _ => {}
            }
        }
        if parsed.emulator || parsed.account.is_some() {
            Ok(parsed)
        } else {
            Err(format!("{CONNECTION_STRING} names neither AccountName nor UseDevelopmentStorage=true"))
        }
    }

    fn uses_http(&self) -> bool {
        match self.endpoint {
            Some(endpoint) => endpoint.starts_with("http://"),
            None => self.protocol.is_some_and(|protocol| protocol.eq_ignore_ascii_case("http")),
        }
    }

    fn apply(&self, builder: MicrosoftAzureBuilder) -> Result<MicrosoftAzureBuilder, String> {
        let Some(account) = self.account else {
            return Ok(builder.with_use_emulator(true));
        };
        let builder =
            builder.with_use_emulator(false).with_account(account).with_endpoint(self.endpoint(account));
        match (self.key, self.sas) {
            (Some(key), _) => Ok(builder.with_access_key(key)),
            (None, Some(sas)) => Ok(builder.with_config(AzureConfigKey::SasKey, sas)),
            (None, None) => {
                Err(format!("{CONNECTION_STRING} has neither AccountKey nor SharedAccessSignature"))
            }
        }
    }

    fn endpoint(&self, account: &str) -> String {
        self.endpoint.map_or_else(
            || {
                let protocol = self.protocol.unwrap_or("https");
                let suffix = self.suffix.unwrap_or("core.windows.net");
                format!("{protocol}://{account}.blob.{suffix}")
            },
            |endpoint| endpoint.trim_end_matches('/').to_owned(),
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn configured(connection_string: &str) -> Result<MicrosoftAzureBuilder, String> {
        configure(MicrosoftAzureBuilder::new(), Some(connection_string))
    }

    fn value(builder: &MicrosoftAzureBuilder, key: AzureConfigKey) -> Option<String> {
        builder.get_config_value(&key)
    }

    fn allows_http(builder: &MicrosoftAzureBuilder) -> bool {
        value(builder, AzureConfigKey::Client(ClientConfigKey::AllowHttp)).as_deref() == Some("true")
    }

    #[test]
    fn a_connection_string_gives_account_key_and_endpoint() {
        let builder = configured(
            "DefaultEndpointsProtocol=https;AccountName=acme;AccountKey=a2V5PT0=;EndpointSuffix=core.windows.net",
        )
        .unwrap();
        assert_eq!(value(&builder, AzureConfigKey::AccountName).as_deref(), Some("acme"));
        assert_eq!(value(&builder, AzureConfigKey::AccessKey).as_deref(), Some("a2V5PT0="));
        assert_eq!(
            value(&builder, AzureConfigKey::Endpoint).as_deref(),
            Some("https://acme.blob.core.windows.net")
        );
        assert!(!allows_http(&builder));
    }

    #[test]
    fn a_blob_endpoint_outranks_the_derived_one_and_may_be_http() {
        let builder = configured(
            "AccountName=dev;AccountKey=a2V5;BlobEndpoint=http://azurite:10000/dev/;QueueEndpoint=http://azurite:10001/dev",
        )
        .unwrap();
        assert_eq!(value(&builder, AzureConfigKey::Endpoint).as_deref(), Some("http://azurite:10000/dev"));
        assert!(allows_http(&builder));
    }

    #[test]
    fn the_development_storage_is_the_emulator() {
        let builder = configured("UseDevelopmentStorage=true").unwrap();
        assert_eq!(value(&builder, AzureConfigKey::UseEmulator).as_deref(), Some("true"));
    }

    #[test]
    fn an_incomplete_connection_string_is_refused_without_showing_it() {
        for text in ["hunter2", "AccountKey=hunter2", "AccountName=hunter2"] {
            let problem = configured(text).map(|_| ()).unwrap_err();
            assert!(problem.starts_with(CONNECTION_STRING), "{problem}");
            assert!(!problem.contains("hunter2"), "{problem}");
        }
    }

    #[test]
    fn http_without_being_asked_is_for_this_machine_only() {
        for (endpoint, allowed) in [
            ("http://127.0.0.1:10000/dev", true),
            ("http://localhost:10000/dev", true),
            ("http://[::1]:10000/dev", true),
            ("http://storage.example.com/", false),
        ] {
            let builder = MicrosoftAzureBuilder::new().with_endpoint(endpoint.to_owned());
            assert_eq!(allows_http(&configure(builder, None).unwrap()), allowed, "{endpoint}");
        }
        let told = MicrosoftAzureBuilder::new()
            .with_endpoint("http://azurite:10000/dev".to_owned())
            .with_allow_http(true);
        assert!(allows_http(&configure(told, None).unwrap()));
    }
}
