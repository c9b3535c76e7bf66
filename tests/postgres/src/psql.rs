//! Postgres' own client, which benchmarks measure bare statements with.

use std::{
    io::Write as _,
    process::{Command, Stdio},
    time::Duration,
};

use anyhow::{Context as _, Result, ensure};

use crate::binaries;

/// Runs a script on a database, and returns what it printed: rows without a header, and times
/// if it asks for them.
///
/// # Errors
/// If psql is not installed, or a statement fails; the rest of the script is then not run.
pub fn psql(url: &str, script: &str) -> Result<String> {
    let mut child = Command::new(binaries()?.join("psql"))
        .args(["--no-psqlrc", "--quiet", "--tuples-only", "--no-align", "--set", "ON_ERROR_STOP=1"])
        .arg(url)
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

/// The times that psql measured for the statements after `\timing on`, without its start and
/// connection.
///
/// # Errors
/// As for [`psql`].
pub fn psql_times(url: &str, script: &str) -> Result<Vec<Duration>> {
    psql(url, script).map(|printed| times(&printed))
}

fn times(printed: &str) -> Vec<Duration> {
    printed
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
        let printed = "Time: 12.500 ms\nCOPY 3\nTime: 61250.000 ms (01:01.250)\n";
        assert_eq!(times(printed), [Duration::from_micros(12_500), Duration::from_millis(61_250)]);
    }
}
