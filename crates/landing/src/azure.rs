//! Azure Blob Storage, and Azurite, its emulator.
//!
//! The environment says how to reach it: the variables of Azure's own tools
//! (`AZURE_STORAGE_ACCOUNT_NAME`, `AZURE_STORAGE_ACCOUNT_KEY`, `AZURE_CLIENT_ID` and so
//! on, workload and managed identities included), or `AZURE_STORAGE_CONNECTION_STRING`,
//! which takes precedence.

mod connection_string;

use std::{env, time::Duration};

use object_store::{
    BackoffConfig, ClientConfigKey, ClientOptions, RetryConfig,
    azure::{AzureConfigKey, MicrosoftAzure, MicrosoftAzureBuilder},
};
use url::{Host, Url};

use self::connection_string::{CONNECTION_STRING, ConnectionString};
use crate::error::Error;

/// Opens a container as configured in the environment.
pub(crate) fn open(container: &str, root: &str) -> Result<MicrosoftAzure, Error> {
    let connection_string = env::var(CONNECTION_STRING).ok().filter(|text| !text.trim().is_empty());
    build(MicrosoftAzureBuilder::from_env(), connection_string.as_deref(), container, root)
}

/// Opens a container with a builder and a connection string.
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
        // As in Azure's own tools, `http` in a connection string is deliberate.
        let allow_http = allow_http || connection.uses_http();
        return Ok(connection.apply(builder.with_client_options(client_options(allow_http))));
    }
    let allow_http = allow_http
        || builder
            .get_config_value(&AzureConfigKey::Endpoint)
            .is_some_and(|endpoint| is_on_this_machine(&endpoint));
    Ok(builder.with_client_options(client_options(allow_http)))
}

/// Gives up on a dead store in less than a minute: longer retries are up to the
/// coordinator, which can show them.
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
        // A file is read as fast as the warehouse takes its rows, so the total time is
        // unbounded; but every single read must make progress.
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
    fn the_portals_connection_string_for_a_signature_names_the_account_by_its_endpoint() {
        let signature = "SharedAccessSignature=sv=2021-08-06&ss=b&srt=sco&sp=rwdlac&sig=AA%3D";
        for (endpoint, account) in [
            ("https://acme.blob.core.windows.net/", "acme"),
            ("https://acme-secondary.blob.core.windows.net", "acme"),
            ("https://acme.z6.blob.storage.azure.net/", "acme"),
            ("https://acme.blob.core.usgovcloudapi.net/", "acme"),
            ("http://127.0.0.1:10010/devstoreaccount1/", "devstoreaccount1"),
            ("http://azurite:10000/devstoreaccount1", "devstoreaccount1"),
            ("http://[::1]:10000/dev/", "dev"),
            ("http://localhost:10000/dev", "dev"),
            ("https://files.example.com/", "files"),
        ] {
            for text in [
                format!(
                    "BlobEndpoint={endpoint};QueueEndpoint=https://acme.queue.core.windows.net/;{signature}"
                ),
                format!("\"BlobEndpoint={endpoint};{signature};\""),
                format!("BlobEndpoint={endpoint};{}", signature.replace("Signature=", "Signature=?")),
                format!("BlobEndpoint={endpoint}?{}", signature.replace("SharedAccessSignature=", "")),
            ] {
                let builder = configured(&text).unwrap();
                assert_eq!(value(&builder, AzureConfigKey::AccountName).as_deref(), Some(account), "{text}");
                let reported = value(&builder, AzureConfigKey::Endpoint);
                assert_eq!(reported.as_deref(), Some(endpoint.trim_end_matches('/')), "{text}");
                assert!(value(&builder, AzureConfigKey::SasKey).unwrap().starts_with("sv="), "{text}");
                assert!(
                    build(MicrosoftAzureBuilder::new(), Some(&text), "raw", "az://raw/").is_ok(),
                    "{text}"
                );
            }
        }
    }

    #[test]
    fn a_connection_string_is_read_however_it_was_pasted() {
        for text in [
            " AccountName=acme;AccountKey=a2V5PT0=; ",
            "AccountName=acme;AccountKey=a2V5PT0=;;",
            "'AccountName=acme;AccountKey=a2V5PT0='",
            "accountname=acme;ACCOUNTKEY=\"a2V5PT0=\"",
            "DefaultEndpointsProtocol=HTTPS;AccountName=acme;AccountKey=a2V5PT0=;EndpointSuffix=.core.windows.net",
            "BlobEndpoint=https://acme.blob.core.windows.net;AccountKey=a2V5PT0=",
            "AccountName=acme;\n  AccountKey=a2V5PT0=;\n",
        ] {
            let builder = configured(text).unwrap();
            assert_eq!(value(&builder, AzureConfigKey::AccountName).as_deref(), Some("acme"), "{text}");
            assert_eq!(value(&builder, AzureConfigKey::AccessKey).as_deref(), Some("a2V5PT0="), "{text}");
            let endpoint = value(&builder, AzureConfigKey::Endpoint);
            assert_eq!(endpoint.as_deref(), Some("https://acme.blob.core.windows.net"), "{text}");
        }
    }

    #[test]
    fn a_refused_connection_string_names_what_is_missing_and_a_form_that_works() {
        for (text, words) in [
            ("AccountKey=hunter2", "no AccountName"),
            ("SharedAccessSignature=sig=hunter2", "no AccountName"),
            ("BlobEndpoint=https://files.example.com;AccountKey=hunter2", "no AccountName"),
            ("BlobEndpoint=hunter2;SharedAccessSignature=sig=hunter2", "no URL"),
            ("AccountName=acme;AccountKey=", "neither AccountKey nor"),
            ("AccountName=hunter2", "neither AccountKey nor"),
            ("https://acme.blob.core.windows.net/?sig=hunter2", "is a URL"),
            ("DefaultEndpointsProtocol=ftp;AccountName=acme;AccountKey=hunter2", "DefaultEndpointsProtocol"),
            ("hunter2", "without `=`"),
            ("UseDevelopmentStorage=false", "neither AccountKey nor"),
        ] {
            let problem = configured(text).map(|_| ()).unwrap_err();
            assert!(problem.contains(words), "{text}: {problem}");
            assert!(problem.contains("write AccountName=...;AccountKey=..."), "{problem}");
            assert!(!problem.contains("hunter2"), "{problem}");
        }
        let odd_key = "AccountName=acme;AccountKey=hunter2!";
        let problem = build(MicrosoftAzureBuilder::new(), Some(odd_key), "raw", "az://raw/").unwrap_err();
        assert!(!problem.to_string().contains("hunter2"), "{problem}");
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
        let reported = MicrosoftAzureBuilder::new()
            .with_endpoint("http://azurite:10000/dev".to_owned())
            .with_allow_http(true);
        assert!(allows_http(&configure(reported, None).unwrap()));
    }
}
