//! A pgbouncer in front of a cluster.

use std::{
    env, fs,
    io::{BufRead as _, BufReader},
    net::TcpListener,
    path::{Path, PathBuf},
    process::{Child, Stdio},
    thread,
};

use anyhow::{Context as _, Result, bail};
use tempfile::TempDir;
use url::Url;

use crate::cluster;

/// Names the program if it is not in Debian's place.
const PROGRAM_VARIABLE: &str = "PGBOUNCER";

const DEBIAN: &str = "/usr/sbin/pgbouncer";

/// A pgbouncer with its package's configuration, except for its address and mode.
#[derive(Debug)]
pub struct Pooler {
    port: u16,
    process: Child,
    _folder: TempDir,
}

impl Pooler {
    /// The path of the program; `None` if it is missing.
    #[must_use]
    pub fn program() -> Option<PathBuf> {
        let program = env::var_os(PROGRAM_VARIABLE).map_or_else(|| PathBuf::from(DEBIAN), PathBuf::from);
        program.exists().then_some(program)
    }

    /// Starts one in front of the server of `database`, in the given mode (`session`, `transaction`).
    ///
    /// # Errors
    /// If there is no pgbouncer, or it does not start.
    pub fn start(database: &str, mode: &str) -> Result<Self> {
        let program = Self::program().with_context(|| {
            format!("there is no {DEBIAN}: run tests/setup/pgbouncer.sh or set {PROGRAM_VARIABLE}")
        })?;
        let database = Url::parse(database)?;
        let socket = database.query_pairs().find(|(name, _)| name == "host");
        let (_, socket) = socket.context("the cluster has no socket")?;
        let folder = tempfile::Builder::new().prefix("test-pgbouncer-").tempdir()?;
        let port = TcpListener::bind("127.0.0.1:0")?.local_addr()?.port();
        let path = folder.path().join("pgbouncer.ini");
        fs::write(
            &path,
            format!(
                "[databases]\n* = host={socket} user={}\n[pgbouncer]\nlisten_addr = 127.0.0.1\nlisten_port = {port}\n\
                 unix_socket_dir =\nauth_type = any\npool_mode = {mode}\n",
                database.username()
            ),
        )?;
        cluster::give_to_owner(folder.path())?;
        let mut process = cluster::as_owner(Path::new(&program))
            .arg(&path)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()
            .context("cannot start pgbouncer")?;
        let mut log = BufReader::new(process.stderr.take().context("pgbouncer has no log")?);
        let pooler = Self { port, process, _folder: folder };
        // Its log ends with it, and has a line once it accepts connections.
        let mut said = String::new();
        while !said.contains("process up") {
            if log.read_line(&mut said)? == 0 {
                bail!("pgbouncer does not start: {said}");
            }
        }
        thread::spawn(move || std::io::copy(&mut log, &mut std::io::sink()));
        Ok(pooler)
    }

    /// The URL of `database` through the pooler.
    ///
    /// # Errors
    /// If `database` is not a URL.
    pub fn url_of(&self, database: &str) -> Result<String> {
        let mut url = Url::parse(database)?;
        url.set_query(None);
        url.set_ip_host([127, 0, 0, 1].into()).ok().context("not a URL with a host")?;
        url.set_port(Some(self.port)).ok().context("not a URL with a port")?;
        Ok(url.into())
    }
}

impl Drop for Pooler {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}
