//! The Postgres server of all contestants, and its own client.

use std::{fs, net::TcpListener, time::Duration};

use anyhow::{Context as _, Result};
use e2e::benchmark::processor_seconds;
use test_postgres::{Cluster, PRODUCTION_SIZE};
use url::Url;

/// A private server that listens on a port, because not every client speaks through a socket's file.
pub(crate) struct Server {
    cluster: Cluster,
    port: u16,
}

/// A database on it. They are dropped with the server.
#[derive(Debug, Clone)]
pub(crate) struct Database {
    pub(crate) name: String,
    pub(crate) port: u16,
}

impl Server {
    pub(crate) async fn start() -> Result<Self> {
        let port = TcpListener::bind("127.0.0.1:0")?.local_addr()?.port();
        let options = format!(
            "{PRODUCTION_SIZE} -c max_connections=100 -c timezone=UTC -c listen_addresses=127.0.0.1 -c port={port}"
        );
        let cluster = tokio::task::spawn_blocking(move || Cluster::start(&options)).await??;
        Ok(Self { cluster, port })
    }

    pub(crate) fn database(&self, name: &str) -> Result<Database> {
        self.administrator().psql(&format!("CREATE DATABASE {name} TEMPLATE template0;"))?;
        Ok(Database { name: name.to_owned(), port: self.port })
    }

    fn administrator(&self) -> Database {
        Database { name: "postgres".to_owned(), port: self.port }
    }

    /// The processor time of all its processes so far, in seconds.
    pub(crate) fn processor_seconds(&self) -> Result<f64> {
        let url: Url = self.cluster.url();
        let (_, folder) = url.query_pairs().find(|(name, _)| name == "host").context("no folder")?;
        let lock = fs::read_to_string(format!("{folder}/data/postmaster.pid"))?;
        let server: u32 = lock.lines().next().context("an empty lock file")?.trim().parse()?;
        let children = fs::read_to_string(format!("/proc/{server}/task/{server}/children"))?;
        let [own, ended] = processor_seconds(server)?;
        // A backend that ends meanwhile is counted with the ended ones the next time.
        let running = children.split_whitespace().filter_map(|pid| processor_seconds(pid.parse().ok()?).ok());
        Ok(own + ended + running.map(|[own, _]| own).sum::<f64>())
    }

    /// Flushes what was written before, so that the next one does not pay for it.
    pub(crate) fn checkpoint(&self) -> Result<()> {
        self.administrator().psql("CHECKPOINT;").map(drop)
    }
}

impl Database {
    pub(crate) fn url(&self) -> String {
        format!("postgres://postgres@127.0.0.1:{}/{}", self.port, self.name)
    }

    /// Runs a script, and returns what it printed.
    pub(crate) fn psql(&self, script: &str) -> Result<String> {
        test_postgres::psql(&self.url(), script)
    }

    /// The seconds that psql measured for all statements after `\timing on`.
    pub(crate) fn timed(&self, script: &str) -> Result<f64> {
        Ok(test_postgres::psql_times(&self.url(), script)?.iter().sum::<Duration>().as_secs_f64())
    }
}
