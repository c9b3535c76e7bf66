//! The Postgres server of both sides, and its own client.

use std::{io::Write as _, process::Stdio, time::Duration};

use anyhow::{Context as _, Result, ensure};
use test_postgres::{Cluster, Database};
use url::Url;

use crate::options::Options;

/// Settings of a production-size server, including fsync and full-page writes:
/// memory for the tables, room for checkpoints.
const SERVER_OPTIONS: &str = "-c shared_buffers=1GB -c effective_cache_size=4GB -c max_wal_size=4GB \
                              -c checkpoint_timeout=15min -c max_connections=50";

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
        let cluster = tokio::task::spawn_blocking(|| Cluster::start(SERVER_OPTIONS)).await??;
        Ok(Self { url: cluster.url(), _cluster: Some(cluster) })
    }

    pub(crate) async fn create_database(&self) -> Result<Database> {
        Database::create_on(self.url.clone()).await
    }
}

/// Runs statements through psql and returns the time that psql measured for
/// each, without its start and connection.
pub(crate) async fn psql(database: &Database, script: &str) -> Result<Vec<Duration>> {
    let (program, url, script) = (test_postgres::binaries()?.join("psql"), database.url(), script.to_owned());
    tokio::task::spawn_blocking(move || {
        let mut child = std::process::Command::new(program)
            .args(["--no-psqlrc", "--quiet", "--set", "ON_ERROR_STOP=1", "--dbname"])
            .arg(url)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .context("cannot run psql")?;
        let mut input = child.stdin.take().context("psql has no input")?;
        input.write_all(script.as_bytes())?;
        drop(input);
        let output = child.wait_with_output()?;
        ensure!(output.status.success(), "psql failed: {}", output.status);
        Ok(times(&String::from_utf8_lossy(&output.stdout)))
    })
    .await?
}

/// The times that `\timing on` printed.
fn times(output: &str) -> Vec<Duration> {
    output
        .lines()
        .filter_map(|line| line.strip_prefix("Time: ")?.split_once(" ms")?.0.parse::<f64>().ok())
        .map(|milliseconds| Duration::from_secs_f64(milliseconds / 1_000.0))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_read_from_what_psql_prints() {
        let output = "Time: 12.500 ms\nCOPY 3\nTime: 61250.000 ms (01:01.250)\n";
        assert_eq!(times(output), [Duration::from_micros(12_500), Duration::from_millis(61_250)]);
    }
}
