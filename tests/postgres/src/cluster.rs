//! Private clusters.

use std::{
    env, fs,
    os::unix::process::CommandExt as _,
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    sync::OnceLock,
};

use anyhow::{Context as _, Result, bail};
use url::Url;

/// Names the folder of the Postgres binaries if they are not where Debian puts them.
const BINARIES_VARIABLE: &str = "PG_BIN";

/// Where Debian puts them, one folder per version.
const DEBIAN: &str = "/usr/lib/postgresql";

/// Tests never need what they wrote after a crash of the server, and many of
/// them connect at the same time.
const TEST_OPTIONS: &str =
    "-c fsync=off -c synchronous_commit=off -c full_page_writes=off -c max_connections=400";

/// Ends the cluster once nobody holds the other end of its input any more: the
/// test process has ended, in whatever way.
const WATCH: &str = r#"cat >/dev/null; "$1" --pgdata "$2/data" --mode immediate stop; rm -rf "$2""#;

/// The cluster's superuser.
const OWNER: &str = "postgres";

/// A private cluster in a folder of its own; both are gone once this value is
/// dropped or the process has ended.
#[derive(Debug)]
pub struct Cluster {
    url: Url,
    /// Holds the watcher's input open.
    _watcher: Child,
}

impl Cluster {
    /// Starts a cluster with the given server options (`-c name=value ...`).
    ///
    /// # Errors
    /// If there are no Postgres binaries, saying how to get them, or it does not start.
    pub fn start(options: &str) -> Result<Self> {
        start(options)
    }

    /// Where its superuser connects to it.
    #[must_use]
    pub fn url(&self) -> Url {
        self.url.clone()
    }
}

/// The URL of the cluster that a test process shares, which the first call starts.
pub(crate) fn shared_url() -> Result<Url> {
    static CLUSTER: OnceLock<Result<Cluster, String>> = OnceLock::new();
    match CLUSTER.get_or_init(|| start(TEST_OPTIONS).map_err(|error| format!("{error:#}"))) {
        Ok(cluster) => Ok(cluster.url()),
        Err(problem) => bail!("cannot start a private Postgres: {problem}"),
    }
}

fn start(options: &str) -> Result<Cluster> {
    let binaries = binaries()?;
    // Its watcher removes the folder.
    let folder = tempfile::Builder::new().prefix("test-postgres-").tempdir()?.keep();
    let watcher = watch(&binaries, &folder)?;
    if is_root() {
        run(Command::new("chown").arg(OWNER).arg(&folder))?;
    }
    let data = folder.join("data");
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
        .arg(&data))?;
    run(as_owner(&binaries.join("pg_ctl"))
        .arg("--pgdata")
        .arg(&data)
        .arg("--log")
        .arg(folder.join("log"))
        .arg("--options")
        .arg(format!("{options} -c listen_addresses='' -c unix_socket_directories='{}'", folder.display()))
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
        // What interrupts the tests from the keyboard must not end the watcher before its work.
        .process_group(0)
        .spawn()
        .context("cannot start the cluster's watcher")
}

/// The folder of the Postgres binaries.
///
/// # Errors
/// If there are none, saying how to get them.
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

/// A command as the user that owns the cluster: Postgres refuses to run as root.
fn as_owner(program: &Path) -> Command {
    if !is_root() {
        return Command::new(program);
    }
    let mut command = Command::new("setpriv");
    command.args(["--reuid", OWNER, "--regid", OWNER, "--clear-groups"]).arg(program);
    // The folder that tests run in may be closed to that user.
    command.current_dir("/");
    command
}

fn is_root() -> bool {
    rustix::process::geteuid().is_root()
}

fn run(command: &mut Command) -> Result<()> {
    let program = command.get_program().to_string_lossy().into_owned();
    // The server inherits nothing that would keep somebody waiting for its output.
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
