//! The memory of a process.

use std::fs;

use anyhow::{Context as _, Result};

/// The most memory that a process has had resident so far (VmHWM), in bytes.
///
/// # Errors
/// If it has ended.
pub fn peak(pid: u32) -> Result<u64> {
    field(pid, "VmHWM:")
}

/// The memory that a process has allocated and has resident now (RssAnon), in bytes.
///
/// # Errors
/// If it has ended.
pub fn resident(pid: u32) -> Result<u64> {
    field(pid, "RssAnon:")
}

fn field(pid: u32, name: &str) -> Result<u64> {
    let status = fs::read_to_string(format!("/proc/{pid}/status"))?;
    let line =
        status.lines().find_map(|line| line.strip_prefix(name)).with_context(|| format!("no {name}"))?;
    Ok(line.trim().trim_end_matches(" kB").parse::<u64>()? * 1_024)
}
