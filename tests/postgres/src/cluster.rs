//! Private Postgres clusters.

use std::{
    env,
    fs::{self, Permissions},
    net::TcpListener,
    os::unix::{fs::PermissionsExt as _, process::CommandExt as _},
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    sync::OnceLock,
};

use anyhow::{Context as _, Result, bail};
use url::Url;

/// Names the folder of the Postgres binaries if they are not in Debian's place.
const BINARIES_VARIABLE: &str = "PG_BIN";

/// Debian's folder for them, with one folder per version.
const DEBIAN: &str = "/usr/lib/postgresql";

/// Tests never need their data after a server crash, and many of them connect at the same time.
const TEST_OPTIONS: &str =
    "-c fsync=off -c synchronous_commit=off -c full_page_writes=off -c max_connections=400";

/// Options of a server for benchmarks, of a production's size and as durable: memory for the
/// tables, room for checkpoints.
pub const PRODUCTION_SIZE: &str =
    "-c shared_buffers=1GB -c effective_cache_size=4GB -c max_wal_size=4GB -c checkpoint_timeout=15min";

/// Ends the cluster once the other end of its input is closed: the test process
/// has ended, in whatever way.
const WATCH: &str = r#"cat >/dev/null; "$1" --pgdata "$2/data" --mode immediate stop; rm -rf "$2""#;

/// The cluster's superuser.
const OWNER: &str = "postgres";

/// A private cluster in its own folder; both are removed when this value is
/// dropped or the process ends.
#[derive(Debug)]
pub struct Cluster {
    url: Url,
    /// Keeps the watcher's input open.
    _watcher: Child,
}

impl Cluster {
    /// Starts a cluster with the given server options (`-c name=value ...`).
    ///
    /// # Errors
    /// If there are no Postgres binaries (the error says how to get them), or it does not start.
    pub fn start(options: &str) -> Result<Self> {
        start(options)
    }

    /// Starts a hot standby of this cluster.
    ///
    /// # Errors
    /// If this one cannot be copied, or the standby does not start.
    pub fn standby(&self) -> Result<Self> {
        let (_, primary) =
            self.url.query_pairs().find(|(name, _)| name == "host").context("the cluster has no socket")?;
        let (binaries, folder, watcher) = prepare()?;
        run(as_owner(&binaries.join("pg_basebackup"))
            .args(["--username", OWNER, "--write-recovery-conf", "--checkpoint", "fast", "--no-sync"])
            .args(["--host", &primary, "--pgdata"])
            .arg(folder.join("data")))?;
        serve(&binaries, &folder, watcher, "")
    }

    /// Starts a cluster that accepts TLS on a port of this host, with the given
    /// certificate and key (PEM). Its URL names `localhost`.
    ///
    /// # Errors
    /// As [`start`](Self::start).
    pub fn with_tls(certificate: &str, key: &str) -> Result<Self> {
        let (binaries, folder, watcher) = prepare()?;
        initialize(&binaries, &folder)?;
        for (name, content) in [("server.crt", certificate), ("server.key", key)] {
            let path = folder.join("data").join(name);
            fs::write(&path, content)?;
            // Postgres refuses a key that others may read.
            fs::set_permissions(&path, Permissions::from_mode(0o600))?;
            if is_root() {
                run(Command::new("chown").arg(OWNER).arg(&path))?;
            }
        }
        let port = TcpListener::bind("127.0.0.1:0")?.local_addr()?.port();
        let options = format!("-c fsync=off -c ssl=on -c listen_addresses=127.0.0.1 -c port={port}");
        let mut cluster = serve(&binaries, &folder, watcher, &options)?;
        cluster.url = Url::parse(&format!("postgres://{OWNER}@localhost:{port}/postgres"))?;
        Ok(cluster)
    }

    /// The superuser's URL for the cluster.
    #[must_use]
    pub fn url(&self) -> Url {
        self.url.clone()
    }
}

/// The URL of the cluster that a test process shares, started by the first call.
pub(crate) fn shared_url() -> Result<Url> {
    static CLUSTER: OnceLock<Result<Cluster, String>> = OnceLock::new();
    match CLUSTER.get_or_init(|| start(TEST_OPTIONS).map_err(|error| format!("{error:#}"))) {
        Ok(cluster) => Ok(cluster.url()),
        Err(problem) => bail!("cannot start a private Postgres: {problem}"),
    }
}

fn start(options: &str) -> Result<Cluster> {
    let (binaries, folder, watcher) = prepare()?;
    initialize(&binaries, &folder)?;
    serve(&binaries, &folder, watcher, options)
}

/// Initializes an empty cluster in `folder`.
fn initialize(binaries: &Path, folder: &Path) -> Result<()> {
    run(as_owner(&binaries.join("initdb"))
        .args([
            "--username",
            OWNER,
            "--auth",
            "trust",
            "--encoding",
            "UTF8",
            "--locale",
            "C.UTF-8",
            "--no-sync",
        ])
        .arg("--pgdata")
        .arg(folder.join("data")))
}

/// The binaries, and a folder for a cluster, with its watcher.
fn prepare() -> Result<(PathBuf, PathBuf, Child)> {
    let binaries = binaries()?;
    // The watcher removes the folder.
    let folder = tempfile::Builder::new().prefix("test-postgres-").tempdir()?.keep();
    let watcher = watch(&binaries, &folder)?;
    if is_root() {
        run(Command::new("chown").arg(OWNER).arg(&folder))?;
    }
    Ok((binaries, folder, watcher))
}

/// Starts the server over the data in `folder`.
fn serve(binaries: &Path, folder: &Path, watcher: Child, options: &str) -> Result<Cluster> {
    run(as_owner(&binaries.join("pg_ctl"))
        .arg("--pgdata")
        .arg(folder.join("data"))
        .arg("--log")
        .arg(folder.join("log"))
        .arg("--options")
        .arg(format!("-c listen_addresses='' -c unix_socket_directories='{}' {options}", folder.display()))
        .args(["--wait", "start"]))?;
    let mut url = Url::parse(&format!("postgres://{OWNER}@localhost/postgres"))?;
    url.query_pairs_mut().append_pair("host", &folder.to_string_lossy());
    Ok(Cluster { url, _watcher: watcher })
}

fn watch(binaries: &Path, folder: &Path) -> Result<Child> {
    as_owner(Path::new("sh"))
        .args(["-c", WATCH, "watch"])
        .arg(binaries.join("pg_ctl"))
        .arg(folder)
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        // A keyboard interrupt of the tests must not end the watcher before it has done its work.
        .process_group(0)
        .spawn()
        .context("cannot start the cluster's watcher")
}

/// The folder of the Postgres binaries.
///
/// # Errors
/// If there are none; the error says how to get them.
pub fn binaries() -> Result<PathBuf> {
    if let Some(folder) = env::var_os(BINARIES_VARIABLE) {
        return Ok(folder.into());
    }
    let installed = fs::read_dir(DEBIAN).into_iter().flatten().flatten();
    let newest = installed
        .filter_map(|entry| {
            Some((entry.file_name().to_str()?.parse::<u32>().ok()?, entry.path().join("bin")))
        })
        .filter(|(_, folder)| folder.join("initdb").exists())
        .max();
    match newest {
        Some((_, folder)) => Ok(folder),
        None => bail!(
            "there are no Postgres binaries in {DEBIAN}: run tests/setup/postgres.sh, set {BINARIES_VARIABLE} to \
             the folder that holds initdb, or set TEST_POSTGRES_URL to a server's URL"
        ),
    }
}

/// A command run as the cluster's owner: Postgres refuses to run as root.
pub(crate) fn as_owner(program: &Path) -> Command {
    if !is_root() {
        return Command::new(program);
    }
    let mut command = Command::new("setpriv");
    command.args(["--reuid", OWNER, "--regid", OWNER, "--clear-groups"]).arg(program);
    // The owner may have no access to the folder that tests run in.
    command.current_dir("/");
    command
}

/// Gives the owner a folder and its contents.
pub(crate) fn give_to_owner(folder: &Path) -> Result<()> {
    if is_root() {
        run(Command::new("chown").arg("--recursive").arg(OWNER).arg(folder))?;
    }
    Ok(())
}

fn is_root() -> bool {
    rustix::process::geteuid().is_root()
}

fn run(command: &mut Command) -> Result<()> {
    let program = command.get_program().to_string_lossy().into_owned();
    // The server inherits no handle that would keep anyone waiting for its output.
    let status = command
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .status()
        .with_context(|| format!("cannot run {program}"))?;
    if !status.success() {
        let arguments: Vec<_> = command.get_args().map(|argument| argument.to_string_lossy()).collect();
        bail!("{program} {} failed: {status}", arguments.join(" "));
    }
    Ok(())
}
