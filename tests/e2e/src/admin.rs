//! The admin port of a process, as Kubernetes, Prometheus and operators use it.

use std::net::SocketAddr;

use anyhow::Result;

/// Where a process serves probes, metrics and its log filter.
#[derive(Debug, Clone)]
pub struct Admin {
    address: SocketAddr,
    client: reqwest::Client,
}

impl Admin {
    /// The admin port at `address`.
    ///
    /// # Errors
    /// Never in practice: the client has no options that could be wrong.
    pub fn at(address: SocketAddr) -> Result<Self> {
        Ok(Self { address, client: reqwest::Client::builder().no_proxy().build()? })
    }

    /// Its address.
    #[must_use]
    pub const fn address(&self) -> SocketAddr {
        self.address
    }

    /// What a probe is answered: the status code.
    ///
    /// # Errors
    /// If nobody answers.
    pub async fn probe(&self, path: &str) -> Result<u16> {
        Ok(self.client.get(self.url(path)).send().await?.status().as_u16())
    }

    /// The metrics as Prometheus reads them.
    ///
    /// # Errors
    /// If nobody answers.
    pub async fn metrics(&self) -> Result<String> {
        Ok(self.client.get(self.url("/metrics")).send().await?.error_for_status()?.text().await?)
    }

    /// Logs by another filter from now on.
    ///
    /// # Errors
    /// If it is refused.
    pub async fn set_log(&self, filter: &'static str) -> Result<()> {
        self.client.put(self.url("/log")).body(filter).send().await?.error_for_status()?;
        Ok(())
    }

    fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.address)
    }
}
