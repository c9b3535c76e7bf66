//! The admin port of a process, as used by Kubernetes, Prometheus and operators.

use std::net::SocketAddr;

use anyhow::Result;

/// The port on which a process serves probes, metrics and its log filter.
#[derive(Debug, Clone)]
pub struct Admin {
    address: SocketAddr,
    client: reqwest::Client,
}

impl Admin {
    /// The admin port at `address`.
    ///
    /// # Errors
    /// Never in practice: the client has no options that could be invalid.
    pub fn at(address: SocketAddr) -> Result<Self> {
        Ok(Self { address, client: reqwest::Client::builder().no_proxy().build()? })
    }

    /// Its address.
    #[must_use]
    pub const fn address(&self) -> SocketAddr {
        self.address
    }

    /// The status code of a probe.
    ///
    /// # Errors
    /// If there is no answer.
    pub async fn probe(&self, path: &str) -> Result<u16> {
        Ok(self.client.get(self.url(path)).send().await?.status().as_u16())
    }

    /// The metrics, as Prometheus scrapes them.
    ///
    /// # Errors
    /// If there is no answer.
    pub async fn metrics(&self) -> Result<String> {
        Ok(self.client.get(self.url("/metrics")).send().await?.error_for_status()?.text().await?)
    }

    /// Changes the log filter.
    ///
    /// # Errors
    /// If the filter is refused.
    pub async fn set_log(&self, filter: &'static str) -> Result<()> {
        self.client.put(self.url("/log")).body(filter).send().await?.error_for_status()?;
        Ok(())
    }

    fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.address)
    }
}
