//! Azurite, the emulator of Azure Blob Storage.

use std::{net::SocketAddr, process::Stdio};

use anyhow::{Context as _, Result, bail};
use axum::http::{Request, header::CONTENT_LENGTH};
use object_store::{
    azure::{AzureAccessKey, AzureAuthorizer, AzureCredential, MicrosoftAzure, MicrosoftAzureBuilder},
    client::HttpRequestBody,
};
use tempfile::TempDir;
use tokio::{
    io::{AsyncBufReadExt as _, BufReader},
    process::{Child, Command},
};

use crate::{in_time, tools};

/// The account and key of every Azurite; they are not secret.
const ACCOUNT: &str = "devstoreaccount1";
const KEY: &str = "Eby8vdM02xNOcqFlqUwJPLlmEtlCDXJ1OUzFT50uSRZ6IFsuFq2UVErCz4I6tq/K1SZFPTOtr/KBHBeksoGMGw==";

/// A running Azurite with its own storage.
#[derive(Debug)]
pub struct Azurite {
    address: SocketAddr,
    _child: Child,
    _folder: TempDir,
}

impl Azurite {
    /// Installs Azurite if it is missing, and starts one.
    ///
    /// # Errors
    /// If it cannot be installed or does not start.
    pub async fn start() -> Result<Self> {
        let folder = TempDir::new()?;
        let program = tools::node()?.join("node_modules/azurite/dist/src/blob/main.js");
        let mut child = Command::new("node")
            .arg(program)
            .args([
                "--blobHost",
                "127.0.0.1",
                "--blobPort",
                "0",
                "--skipApiVersionCheck",
                "--disableTelemetry",
                "--location",
            ])
            .arg(folder.path())
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            // Not inherited: Node makes it non-blocking, which breaks off the test runner's own output.
            .stderr(Stdio::null())
            .kill_on_drop(true)
            .spawn()
            .context("cannot run node")?;
        let mut lines = BufReader::new(child.stdout.take().context("it has no output")?).lines();
        let address = in_time("the start of Azurite", async {
            while let Some(line) = lines.next_line().await? {
                if let Some((_, url)) = line.split_once("successfully listens on http://") {
                    return Ok(url.parse()?);
                }
            }
            bail!("Azurite ended before it listened")
        })
        .await??;
        // Keep reading, so that it never blocks on a full pipe.
        tokio::spawn(async move { while let Ok(Some(_)) = lines.next_line().await {} });
        Ok(Self { address, _child: child, _folder: folder })
    }

    /// The connection string for services.
    #[must_use]
    pub fn connection_string(&self) -> String {
        format!(
            "DefaultEndpointsProtocol=http;AccountName={ACCOUNT};AccountKey={KEY};BlobEndpoint={};",
            self.endpoint()
        )
    }

    /// Creates and opens a container.
    ///
    /// # Errors
    /// If it cannot be created.
    pub async fn create_container(&self, name: &str) -> Result<MicrosoftAzure> {
        let url = format!("{}/{name}?restype=container", self.endpoint());
        let mut request = Request::put(&url).header(CONTENT_LENGTH, 0).body(HttpRequestBody::empty())?;
        let credential = AzureCredential::AccessKey(AzureAccessKey::try_new(KEY)?);
        AzureAuthorizer::new(&credential, ACCOUNT).try_authorize(&mut request)?;
        let client = reqwest::Client::builder().no_proxy().build()?;
        client.put(&url).headers(request.headers().clone()).send().await?.error_for_status()?;
        let store = MicrosoftAzureBuilder::new()
            .with_account(ACCOUNT)
            .with_access_key(KEY)
            .with_endpoint(self.endpoint())
            .with_allow_http(true)
            .with_container_name(name);
        Ok(store.build()?)
    }

    fn endpoint(&self) -> String {
        format!("http://{}/{ACCOUNT}", self.address)
    }
}
