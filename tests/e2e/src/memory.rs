//! The memory of a process.

use std::fs;

use anyhow::{Context as _, Result};

/// The most memory that a process has had resident so far (VmHWM), in bytes.
///
/// # Errors
/// If it has ended.
pub fn peak(pid: u32) -> Result<u64> {
    let status = fs::read_to_string(format!("/proc/{pid}/status"))?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).context("no VmHWM")?;
    Ok(line.trim().trim_end_matches(" kB").parse::<u64>()? * 1_024)
}
