//! The Postgres server of all contestants, and its own client.

use std::{
    fs,
    io::Write as _,
    net::TcpListener,
    process::{Command, Stdio},
};

use anyhow::{Context as _, Result, ensure};
use e2e::benchmark::processor_seconds;
use test_postgres::Cluster;
use url::Url;

/// Settings of a production-size server, including fsync and full-page writes: memory for the tables, room for
/// checkpoints.
const OPTIONS: &str = "-c shared_buffers=1GB -c effective_cache_size=4GB -c max_wal_size=4GB \
                       -c checkpoint_timeout=15min -c max_connections=100 -c timezone=UTC";

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
        let options = format!("{OPTIONS} -c listen_addresses=127.0.0.1 -c port={port}");
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

    /// Runs a script, and returns what it printed: rows without a header, and times if it asks for them.
    pub(crate) fn psql(&self, script: &str) -> Result<String> {
        let mut child = Command::new(test_postgres::binaries()?.join("psql"))
            .args(["--no-psqlrc", "--quiet", "--tuples-only", "--no-align", "--set", "ON_ERROR_STOP=1"])
            .arg(self.url())
            .env("PGOPTIONS", "-c client_min_messages=error")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .context("cannot run psql")?;
        let mut input = child.stdin.take().context("psql has no input")?;
        // Its output is small, so it cannot block before it has read everything.
        input.write_all(script.as_bytes())?;
        drop(input);
        let output = child.wait_with_output()?;
        let problem = String::from_utf8_lossy(&output.stderr);
        ensure!(output.status.success(), "psql: {problem}");
        Ok(String::from_utf8_lossy(&output.stdout).into_owned())
    }

    /// The seconds that psql measured for all statements after `\timing on`.
    pub(crate) fn timed(&self, script: &str) -> Result<f64> {
        let printed = self.psql(script)?;
        let times = printed.lines().filter_map(|line| line.strip_prefix("Time: ")?.split_once(" ms"));
        Ok(times.filter_map(|(time, _)| time.parse::<f64>().ok()).sum::<f64>() / 1_000.0)
    }
}
