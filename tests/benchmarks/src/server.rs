//! The Postgres server of both sides, and its own client.

use std::time::Duration;

use anyhow::Result;
use test_postgres::{Cluster, Database, PRODUCTION_SIZE, psql_times};
use url::Url;

use crate::options::Options;

/// Settings for bare statements: no less than the engine uses for its own.
pub(crate) const BARE_SETTINGS: &str =
    "SET work_mem = '256MB'; SET maintenance_work_mem = '256MB'; SET jit = off;";

/// A server, which ends with this value if it was started for it.
pub(crate) struct Server {
    url: Url,
    _cluster: Option<Cluster>,
}

impl Server {
    pub(crate) async fn start(options: &Options) -> Result<Self> {
        if let Some(url) = &options.postgres_url {
            return Ok(Self { url: url.clone(), _cluster: None });
        }
        let cluster = tokio::task::spawn_blocking(|| {
            Cluster::start(&format!("{PRODUCTION_SIZE} -c max_connections=50"))
        })
        .await??;
        Ok(Self { url: cluster.url(), _cluster: Some(cluster) })
    }

    pub(crate) async fn create_database(&self) -> Result<Database> {
        Database::create_on(self.url.clone()).await
    }
}

/// The times that psql measured for the statements of a script after `\timing on`.
pub(crate) async fn psql(database: &Database, script: &str) -> Result<Vec<Duration>> {
    let (url, script) = (database.url(), script.to_owned());
    tokio::task::spawn_blocking(move || psql_times(&url, &script)).await?
}
