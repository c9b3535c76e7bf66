//! Runs the command line as a person does.

use std::process::Stdio;

use anyhow::{Context as _, Result, ensure};
use tokio::process::Command;

use crate::{binaries::Build, in_time};

/// The result of a command.
#[derive(Debug)]
pub struct Outcome {
    /// The exit code.
    pub code: i32,
    /// Its standard output.
    pub stdout: String,
    /// Its standard error.
    pub stderr: String,
}

impl Outcome {
    /// The standard output of a command that must have succeeded.
    ///
    /// # Errors
    /// If it has not. The error shows its output.
    pub fn success(self) -> Result<String> {
        ensure!(self.code == 0, "exit code {}\n{}\n{}", self.code, self.stdout, self.stderr);
        Ok(self.stdout)
    }
}

/// Runs any workspace binary to its end.
///
/// # Errors
/// If it cannot be started or takes too long.
pub async fn run(name: &str, arguments: &[&str], environment: &[(&str, &str)]) -> Result<Outcome> {
    run_of(Build::Current, name, arguments, environment).await
}

/// The same for a binary of any build.
///
/// # Errors
/// As [`run`].
pub async fn run_of(
    build: Build,
    name: &str,
    arguments: &[&str],
    environment: &[(&str, &str)],
) -> Result<Outcome> {
    let mut command = Command::new(build.binary(name)?);
    command.args(arguments).env_clear().envs(environment.iter().copied());
    command.stdin(Stdio::null()).kill_on_drop(true);
    let what = format!("{name} {}", arguments.join(" "));
    let output = in_time(&what, command.output()).await?.with_context(|| format!("cannot run {what}"))?;
    Ok(Outcome {
        code: output.status.code().with_context(|| format!("{what} was killed: {}", output.status))?,
        stdout: String::from_utf8(output.stdout)?,
        stderr: String::from_utf8(output.stderr)?,
    })
}
