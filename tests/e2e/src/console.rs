//! A console in a process of its own, in front of a suite.

use std::{net::SocketAddr, time::Duration};

use anyhow::{Context as _, Result, ensure};
use axum::body::Bytes;
use futures::{StreamExt as _, stream::BoxStream};
use reqwest::{Client, StatusCode, redirect};
use serde_json::json;

use crate::{
    binaries::Build,
    in_time,
    process::{ANY_PORT, Process},
    suite::Suite,
};

/// A running console.
#[derive(Debug)]
pub struct Console {
    /// Its process.
    pub process: Process,
}

impl Console {
    /// Starts one on a free port.
    ///
    /// # Errors
    /// If it does not start.
    pub async fn start(suite: &Suite, flags: &[&str], environment: &[(&str, &str)]) -> Result<Self> {
        Self::start_at(suite, ANY_PORT, flags, environment).await
    }

    /// Starts one where its address has to be known before.
    ///
    /// # Errors
    /// If it does not start.
    pub async fn start_at(
        suite: &Suite,
        listen: SocketAddr,
        flags: &[&str],
        environment: &[(&str, &str)],
    ) -> Result<Self> {
        let (coordinator, activity) = (suite.url_of("coordinator")?, suite.url_of("activity")?);
        let services = ["--coordinator-url", &coordinator, "--activity-url", &activity];
        let environment: Vec<_> =
            environment.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
        let arguments = services.iter().chain(flags);
        Ok(Self {
            process: Process::start(Build::Current, "console", listen, arguments, &environment).await?,
        })
    }

    /// Its address, without a path.
    #[must_use]
    pub fn url(&self) -> String {
        self.process.url()
    }

    /// What a journey is given: this console, and more.
    #[must_use]
    pub fn given(&self, more: serde_json::Value) -> serde_json::Value {
        let mut given = json!({"site": self.url()});
        if let (Some(given), serde_json::Value::Object(more)) = (given.as_object_mut(), more) {
            given.extend(more);
        }
        given
    }

    /// Follows a run as a page of it does, until it has seen something. The answer goes on
    /// until it is dropped.
    ///
    /// # Errors
    /// If the console refuses, or says nothing.
    pub async fn view(&self, client: &Client, run_id: &str) -> Result<Viewer> {
        let response = client.get(format!("{}/runs/{run_id}/live", self.url())).send().await?;
        ensure!(response.status() == StatusCode::OK, "a viewer is refused: {}", response.status());
        let mut viewer = Viewer { stream: response.bytes_stream().boxed(), unread: String::new() };
        in_time("the first event of a run", viewer.next()).await??;
        Ok(viewer)
    }
}

/// Somebody who watches a run.
pub struct Viewer {
    stream: BoxStream<'static, reqwest::Result<Bytes>>,
    unread: String,
}

impl Viewer {
    /// Waits for the next event, and returns what it says.
    ///
    /// # Errors
    /// If the stream has ended.
    pub async fn next(&mut self) -> Result<String> {
        loop {
            while let Some((event, rest)) = self.unread.split_once("\n\n") {
                let (event, rest) = (event.to_owned(), rest.to_owned());
                self.unread = rest;
                // Others are comments that keep the connection alive, and hints for browsers.
                if event.starts_with("event:") {
                    return Ok(event);
                }
            }
            let bytes = self.stream.next().await.context("the stream has ended")??;
            self.unread += &String::from_utf8_lossy(&bytes);
        }
    }

    /// Waits until it has been told this.
    ///
    /// # Errors
    /// If the stream ends first.
    pub async fn sees(&mut self, text: &str) -> Result<()> {
        while !self.next().await?.contains(text) {}
        Ok(())
    }
}

impl std::fmt::Debug for Viewer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Viewer").finish_non_exhaustive()
    }
}

/// A client that opens as many connections as it is asked for, and goes where it is told.
///
/// # Errors
/// Never in practice: no option could be invalid.
pub fn visitor() -> Result<Client> {
    let client = Client::builder().no_proxy().redirect(redirect::Policy::none());
    Ok(client.connect_timeout(Duration::from_secs(60)).build()?)
}
