//! A process under test.

use std::{
    ffi::OsStr,
    io::{BufRead as _, BufReader, PipeReader},
    net::{IpAddr, Ipv4Addr, SocketAddr},
    process::ExitStatus,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
    thread::{self, JoinHandle},
    time::{Duration, Instant},
};

use anyhow::{Context as _, Result, bail};
use rustix::process::{Pid, Signal, kill_process};
use tokio::{
    process::{Child, Command},
    sync::watch,
};

use crate::{admin::Admin, binaries::Build, in_time};

/// A free port, reachable from this machine only.
pub const ANY_PORT: SocketAddr = SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), 0);

/// Whether logs are kept to oneself.
static IS_QUIET: AtomicBool = AtomicBool::new(false);

/// Lets processes end without printing their logs: benchmarks print results.
pub fn keep_logs_quiet() {
    IS_QUIET.store(true, Ordering::Relaxed);
}

/// A running server process of the suite. Dropping it kills it and prints its
/// log, which the test runner shows if the test failed.
#[derive(Debug)]
pub struct Process {
    name: String,
    child: Child,
    address: SocketAddr,
    admin: SocketAddr,
    began: Instant,
    took_to_listen: Duration,
    log: Log,
}

impl Process {
    /// Starts a binary as a server on `listen` and waits until it accepts
    /// connections.
    ///
    /// # Errors
    /// If it ends first, or takes too long. The error shows its log.
    pub async fn start<A: AsRef<OsStr>>(
        build: Build,
        name: &str,
        listen: SocketAddr,
        arguments: impl IntoIterator<Item = A>,
        environment: &[(String, String)],
    ) -> Result<Self> {
        let mut process = Self::begin_of(build, name, listen, arguments, environment).await?;
        process.wait_until_it_listens().await?;
        Ok(process)
    }

    /// Starts a binary as a server on `listen` and waits only until its admin port answers.
    ///
    /// # Errors
    /// If it ends first, or takes too long. The error shows its log.
    pub async fn begin<A: AsRef<OsStr>>(
        name: &str,
        listen: SocketAddr,
        arguments: impl IntoIterator<Item = A>,
        environment: &[(String, String)],
    ) -> Result<Self> {
        Self::begin_of(Build::Current, name, listen, arguments, environment).await
    }

    async fn begin_of<A: AsRef<OsStr>>(
        build: Build,
        name: &str,
        listen: SocketAddr,
        arguments: impl IntoIterator<Item = A>,
        environment: &[(String, String)],
    ) -> Result<Self> {
        let mut command = Command::new(build.binary(name)?);
        command.args(arguments).args(["--listen", &listen.to_string(), "--log-format", "json"]);
        command.args(["--admin-listen", &ANY_PORT.to_string()]);
        // Settings in the developer's shell must not affect the test.
        // Variables, because flags would stop the programs of an earlier version. The console of a suite in one process
        // has a fixed port, which only one of them could have.
        let of_every_test = [("WEBHOOK_ALLOW_PRIVATE", "true"), ("CONSOLE_LISTEN", "off")];
        command.env_clear().envs(of_every_test).envs(environment.iter().cloned());
        let began = Instant::now();
        let (log, child) = Log::of(&mut command)?;
        // Owned from here on, so that it is always killed.
        let (address, admin, took_to_listen) = (listen, ANY_PORT, Duration::ZERO);
        let mut process = Self { name: name.to_owned(), child, address, admin, began, took_to_listen, log };
        let reported = process.log.address(|addresses| addresses.admin);
        process.admin = in_time(&format!("the admin port of {name}"), reported).await??;
        Ok(process)
    }

    /// Waits until it accepts connections.
    ///
    /// # Errors
    /// If it ends first, or takes too long. The error shows its log.
    pub async fn wait_until_it_listens(&mut self) -> Result<()> {
        let reported = self.log.address(|addresses| addresses.grpc);
        self.address = in_time(&format!("the start of {}", self.name), reported).await??;
        self.took_to_listen = self.began.elapsed();
        Ok(())
    }

    /// Its probes, metrics and log filter.
    ///
    /// # Errors
    /// Never in practice: the client has no options that could be invalid.
    pub fn admin(&self) -> Result<Admin> {
        Admin::at(self.admin)
    }

    /// The address of its gRPC server.
    #[must_use]
    pub const fn address(&self) -> SocketAddr {
        self.address
    }

    /// The URL of its gRPC server.
    #[must_use]
    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// The URL of the pages that it serves beside gRPC.
    ///
    /// # Errors
    /// If it ends first, or takes too long. The error shows its log.
    pub async fn pages_url(&mut self) -> Result<String> {
        let reported = self.log.address(|addresses| addresses.pages);
        let address = in_time(&format!("the pages of {}", self.name), reported).await??;
        Ok(format!("http://{address}"))
    }

    /// Its output so far.
    #[must_use]
    pub fn log(&self) -> String {
        self.log.text()
    }

    /// How long it took until it accepted connections.
    #[must_use]
    pub const fn took_to_listen(&self) -> Duration {
        self.took_to_listen
    }

    /// Its process id.
    ///
    /// # Errors
    /// If it has ended.
    pub fn id(&self) -> Result<u32> {
        self.child.id().with_context(|| format!("{} has ended", self.name))
    }

    /// Kills it without warning (SIGKILL) and waits until it has ended.
    ///
    /// # Errors
    /// If it has already ended.
    pub async fn kill(&mut self) -> Result<()> {
        self.id()?;
        Ok(self.child.kill().await?)
    }

    /// Asks it to end (SIGTERM).
    ///
    /// # Errors
    /// If it has already ended.
    pub fn ask_to_end(&self) -> Result<()> {
        self.signal(Signal::TERM)
    }

    /// Pauses it (SIGSTOP): what is sent to it waits.
    ///
    /// # Errors
    /// If it has already ended.
    pub fn pause(&self) -> Result<()> {
        self.signal(Signal::STOP)
    }

    /// Resumes it after a pause (SIGCONT). Does nothing if it is running.
    ///
    /// # Errors
    /// If it has already ended.
    pub fn resume(&self) -> Result<()> {
        self.signal(Signal::CONT)
    }

    fn signal(&self, signal: Signal) -> Result<()> {
        let pid = i32::try_from(self.id()?).ok().and_then(Pid::from_raw).context("that is no process id")?;
        Ok(kill_process(pid, signal)?)
    }

    /// Asks it to end (SIGTERM) and waits until it has.
    ///
    /// # Errors
    /// If it has already ended, or takes too long.
    pub async fn terminate(&mut self) -> Result<ExitStatus> {
        self.ask_to_end()?;
        self.ended().await
    }

    /// Waits until it has ended.
    ///
    /// # Errors
    /// If it takes too long.
    pub async fn ended(&mut self) -> Result<ExitStatus> {
        Ok(in_time(&format!("the end of {}", self.name), self.child.wait()).await??)
    }
}

impl Drop for Process {
    #[expect(clippy::print_stdout, reason = "the test runner shows it if the test failed")]
    fn drop(&mut self) {
        // Fails only if it has already ended.
        let _ = self.child.start_kill();
        self.log.finish();
        if !IS_QUIET.load(Ordering::Relaxed) {
            println!("==== log of {} ====\n{}", self.name, self.log());
        }
    }
}

/// The addresses that a process reports.
#[derive(Debug, Clone, Copy, Default)]
struct Addresses {
    /// Of gRPC, or of the pages of a process without gRPC.
    grpc: Option<SocketAddr>,
    admin: Option<SocketAddr>,
    /// Of pages beside gRPC.
    pages: Option<SocketAddr>,
}

/// The standard output and error of a process, read by a separate thread so
/// that the process never waits for the test.
#[derive(Debug)]
struct Log {
    lines: Arc<Mutex<Vec<String>>>,
    addresses: watch::Receiver<Addresses>,
    reader: Option<JoinHandle<()>>,
}

impl Log {
    /// Spawns the command with its output captured in a log.
    fn of(command: &mut Command) -> Result<(Self, Child)> {
        let (reader, writer) = std::io::pipe()?;
        command
            .stdin(std::process::Stdio::null())
            .stdout(writer.try_clone()?)
            .stderr(writer)
            .kill_on_drop(true);
        let child = command.spawn().context("cannot start a process")?;
        // The command holds the other end of the pipe, and the log ends only once all ends are closed.
        command.stdout(std::process::Stdio::null()).stderr(std::process::Stdio::null());
        let (found, addresses) = watch::channel(Addresses::default());
        let lines = Arc::default();
        let thread = {
            let lines = Arc::clone(&lines);
            thread::spawn(move || read(reader, &lines, &found))
        };
        Ok((Self { lines, addresses, reader: Some(thread) }, child))
    }

    /// Waits for the log line with an address.
    async fn address(&mut self, which: impl Fn(&Addresses) -> Option<SocketAddr>) -> Result<SocketAddr> {
        let reported = self.addresses.wait_for(|addresses| which(addresses).is_some()).await;
        match reported.ok().and_then(|addresses| which(&addresses)) {
            Some(address) => Ok(address),
            None => bail!("it ended before it listened:\n{}", self.text()),
        }
    }

    fn text(&self) -> String {
        self.lines.lock().unwrap_or_else(PoisonError::into_inner).join("\n")
    }

    /// Waits for the last line; the process must be about to end.
    fn finish(&mut self) {
        if let Some(reader) = self.reader.take() {
            // The thread only reads lines, so it cannot have panicked.
            let _ = reader.join();
        }
    }
}

fn read(pipe: PipeReader, lines: &Mutex<Vec<String>>, found: &watch::Sender<Addresses>) {
    for line in BufReader::new(pipe).split(b'\n').map_while(Result::ok) {
        let line = String::from_utf8_lossy(&line).into_owned();
        let grpc = reported_address(&line, "listening");
        let admin = reported_address(&line, "serving probes and metrics");
        let pages = reported_address(&line, "serving pages");
        lines.lock().unwrap_or_else(PoisonError::into_inner).push(line);
        if grpc.or(admin).or(pages).is_some() {
            found.send_modify(|addresses| {
                *addresses = Addresses {
                    grpc: grpc.or(addresses.grpc),
                    admin: admin.or(addresses.admin),
                    pages: pages.or(addresses.pages),
                };
            });
        }
    }
}

fn reported_address(line: &str, message: &str) -> Option<SocketAddr> {
    let event: serde_json::Value = serde_json::from_str(line).ok()?;
    if event["message"] == message { event["address"].as_str()?.parse().ok() } else { None }
}
