//! One process under test.

use std::{
    ffi::OsStr,
    io::{BufRead as _, BufReader, PipeReader},
    net::SocketAddr,
    process::ExitStatus,
    sync::{Arc, Mutex, PoisonError},
    thread::{self, JoinHandle},
};

use anyhow::{Context as _, Result, bail};
use rustix::process::{Pid, Signal, kill_process};
use tokio::{
    process::{Child, Command},
    sync::watch,
};

use crate::{binaries::binary, in_time};

/// A running server process of the suite. Dropping it kills it and prints its
/// log, which the test runner shows if the test failed.
#[derive(Debug)]
pub struct Process {
    name: String,
    child: Child,
    address: SocketAddr,
    log: Log,
}

impl Process {
    /// Starts a binary as a server on `listen` and waits until it accepts
    /// connections.
    ///
    /// # Errors
    /// If it ends before, or takes too long. The error shows its log.
    pub async fn start<A: AsRef<OsStr>>(
        name: &str,
        listen: SocketAddr,
        arguments: impl IntoIterator<Item = A>,
        environment: &[(String, String)],
    ) -> Result<Self> {
        let mut command = Command::new(binary(name)?);
        command.args(arguments).args(["--listen", &listen.to_string(), "--log-format", "json"]);
        // A setting of the developer's shell must not change what is tested.
        command.env_clear().envs(environment.iter().cloned());
        let (log, child) = Log::of(&mut command)?;
        // Owned from here on, so that it is killed whatever happens next.
        let mut process = Self { name: name.to_owned(), child, address: listen, log };
        process.address = in_time(&format!("the start of {name}"), process.log.listening()).await??;
        Ok(process)
    }

    /// Where it serves gRPC.
    #[must_use]
    pub const fn address(&self) -> SocketAddr {
        self.address
    }

    /// Where it serves gRPC, as a URL.
    #[must_use]
    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// Everything it wrote so far.
    #[must_use]
    pub fn log(&self) -> String {
        self.log.text()
    }

    /// Its process id.
    ///
    /// # Errors
    /// If it has ended.
    pub fn id(&self) -> Result<u32> {
        self.child.id().with_context(|| format!("{} has ended", self.name))
    }

    /// Kills it without warning (SIGKILL) and waits until it is gone.
    ///
    /// # Errors
    /// If it had ended before.
    pub async fn kill(&mut self) -> Result<()> {
        self.id()?;
        Ok(self.child.kill().await?)
    }

    /// Asks it to end (SIGTERM) and waits until it has.
    ///
    /// # Errors
    /// If it had ended before, or takes too long.
    pub async fn terminate(&mut self) -> Result<ExitStatus> {
        let pid = i32::try_from(self.id()?).ok().and_then(Pid::from_raw).context("that is no process id")?;
        kill_process(pid, Signal::TERM)?;
        Ok(in_time(&format!("the end of {}", self.name), self.child.wait()).await??)
    }
}

impl Drop for Process {
    #[allow(clippy::print_stdout, reason = "the test runner shows it if the test failed")]
    fn drop(&mut self) {
        // Fails only if it has ended.
        let _ = self.child.start_kill();
        self.log.finish();
        println!("==== log of {} ====\n{}", self.name, self.log());
    }
}

/// What a process writes to its standard output and error, read by a thread of
/// its own so that the process never waits for the test.
#[derive(Debug)]
struct Log {
    lines: Arc<Mutex<Vec<String>>>,
    address: watch::Receiver<Option<SocketAddr>>,
    reader: Option<JoinHandle<()>>,
}

impl Log {
    /// Spawns the command with its output going into a log.
    fn of(command: &mut Command) -> Result<(Self, Child)> {
        let (reader, writer) = std::io::pipe()?;
        command
            .stdin(std::process::Stdio::null())
            .stdout(writer.try_clone()?)
            .stderr(writer)
            .kill_on_drop(true);
        let child = command.spawn().context("cannot start a process")?;
        // The command owns the pipe's other end, and the log ends only when all are closed.
        command.stdout(std::process::Stdio::null()).stderr(std::process::Stdio::null());
        let (found, address) = watch::channel(None);
        let lines = Arc::default();
        let thread = {
            let lines = Arc::clone(&lines);
            thread::spawn(move || read(reader, &lines, &found))
        };
        Ok((Self { lines, address, reader: Some(thread) }, child))
    }

    /// Waits for the line that tells the address.
    async fn listening(&mut self) -> Result<SocketAddr> {
        match self.address.wait_for(Option::is_some).await.ok().and_then(|found| *found) {
            Some(address) => Ok(address),
            None => bail!("it ended before it listened:\n{}", self.text()),
        }
    }

    fn text(&self) -> String {
        self.lines.lock().unwrap_or_else(PoisonError::into_inner).join("\n")
    }

    /// Waits for the last line: the process must be about to end.
    fn finish(&mut self) {
        if let Some(reader) = self.reader.take() {
            // It only reads lines, so it cannot have panicked.
            let _ = reader.join();
        }
    }
}

fn read(pipe: PipeReader, lines: &Mutex<Vec<String>>, found: &watch::Sender<Option<SocketAddr>>) {
    for line in BufReader::new(pipe).split(b'\n').map_while(Result::ok) {
        let line = String::from_utf8_lossy(&line).into_owned();
        let address = listening_address(&line);
        lines.lock().unwrap_or_else(PoisonError::into_inner).push(line);
        if address.is_some() {
            found.send_replace(address);
        }
    }
}

fn listening_address(line: &str) -> Option<SocketAddr> {
    let event: serde_json::Value = serde_json::from_str(line).ok()?;
    if event["message"] == "listening" { event["address"].as_str()?.parse().ok() } else { None }
}
