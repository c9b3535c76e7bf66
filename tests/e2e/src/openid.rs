//! A real OpenID provider: `oidc-provider`, in a process of its own.

use std::{
    net::SocketAddr,
    path::Path,
    process::Stdio,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use anyhow::{Context as _, Result, bail};
use serde::Deserialize;
use tokio::{
    io::{AsyncBufReadExt as _, BufReader},
    process::{Child, Command},
};

use crate::{in_time, process::ANY_PORT, tools, workspace_root};

/// What the provider knows its one client by.
const CLIENT: (&str, &str) = ("dashboard", "a+secret+of+the+tests");

/// A running provider.
#[derive(Debug)]
pub struct OpenIdProvider {
    issuer: String,
    requests: Arc<Mutex<Vec<String>>>,
    child: Child,
}

#[derive(Deserialize)]
struct TokenResponse {
    access_token: String,
}

impl OpenIdProvider {
    /// Starts one that signs with the keys in a file, which is written with new ones if it is
    /// missing. The first call installs the provider.
    ///
    /// # Errors
    /// If it cannot be installed or does not start.
    pub async fn start(keys: &Path) -> Result<Self> {
        Self::start_at(ANY_PORT, keys).await
    }

    async fn start_at(address: SocketAddr, keys: &Path) -> Result<Self> {
        let mut child = Command::new("node")
            .arg(workspace_root().join("tests/e2e/oidc-provider.mjs"))
            .args([&tools::node()?, keys])
            .arg(address.port().to_string())
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            // Not inherited: Node makes it non-blocking, which breaks off the test runner's own output.
            .stderr(Stdio::null())
            .kill_on_drop(true)
            .spawn()
            .context("cannot run node")?;
        let mut lines = BufReader::new(child.stdout.take().context("it has no output")?).lines();
        let issuer = in_time("the start of the OpenID provider", async {
            while let Some(line) = lines.next_line().await? {
                if line.starts_with("http://") {
                    return Ok(line);
                }
            }
            bail!("the OpenID provider ended before it listened")
        })
        .await??;
        let requests = Arc::<Mutex<Vec<String>>>::default();
        let seen = Arc::clone(&requests);
        tokio::spawn(async move {
            while let Ok(Some(line)) = lines.next_line().await {
                seen.lock().unwrap_or_else(PoisonError::into_inner).push(line);
            }
        });
        Ok(Self { issuer, requests, child })
    }

    /// Ends it, and starts it again under the same name with other keys.
    ///
    /// # Errors
    /// If it does not start.
    pub async fn restart(mut self, keys: &Path) -> Result<Self> {
        let address = self.issuer.trim_start_matches("http://").parse()?;
        self.child.kill().await?;
        Self::start_at(address, keys).await
    }

    /// What its tokens say in `iss`, which is also its address.
    #[must_use]
    pub fn issuer(&self) -> &str {
        &self.issuer
    }

    /// How often its keys were asked for since it was started.
    #[must_use]
    pub fn key_requests(&self) -> usize {
        let requests = self.requests.lock().unwrap_or_else(PoisonError::into_inner);
        requests.iter().filter(|request| *request == "GET /jwks").count()
    }

    /// Asks for a token by the client credentials grant (RFC 6749), for a resource (RFC 8707).
    ///
    /// # Errors
    /// If the provider refuses.
    pub async fn token(&self, audience: &str, algorithm: &str, lifetime: Duration) -> Result<String> {
        let resource = format!("https://{audience}/?alg={algorithm}&ttl={}", lifetime.as_secs());
        let form = url::form_urlencoded::Serializer::new(String::new())
            .append_pair("grant_type", "client_credentials")
            .append_pair("resource", &resource)
            .finish();
        let client = reqwest::Client::builder().no_proxy().build()?;
        let answer = client
            .post(format!("{}/token", self.issuer))
            .basic_auth(CLIENT.0, Some(CLIENT.1))
            .header("content-type", "application/x-www-form-urlencoded")
            .body(form)
            .send()
            .await?;
        let (status, body) = (answer.status(), answer.text().await?);
        let answer: TokenResponse =
            serde_json::from_str(&body).with_context(|| format!("the provider answered {status}: {body}"))?;
        Ok(answer.access_token)
    }
}
