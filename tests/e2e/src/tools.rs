//! Tools that the tests need beyond Rust, installed by the scripts in `tests/setup`.

use std::{
    path::PathBuf,
    process::{Command, Stdio},
    sync::OnceLock,
};

use anyhow::{Context as _, Result, ensure};

use crate::workspace_root;

/// The folder of the Node tools, which the first call installs if they are missing.
///
/// # Errors
/// If they cannot be installed.
pub fn node() -> Result<PathBuf> {
    static FOLDER: OnceLock<Result<PathBuf, String>> = OnceLock::new();
    installed(&FOLDER, "node.sh")
}

/// The folder of the Python environment, which the first call installs if it is missing.
///
/// # Errors
/// If it cannot be installed.
pub fn python() -> Result<PathBuf> {
    static FOLDER: OnceLock<Result<PathBuf, String>> = OnceLock::new();
    installed(&FOLDER, "python.sh")
}

/// The Python environment with what the benchmark compares the suite with, which the first call installs if it is missing.
///
/// # Errors
/// If it cannot be installed.
pub fn contestants() -> Result<PathBuf> {
    static FOLDER: OnceLock<Result<PathBuf, String>> = OnceLock::new();
    installed(&FOLDER, "contestants.sh")
}

/// The folder of Prometheus and promtool, which the first call installs if they are missing.
///
/// # Errors
/// If they cannot be installed.
pub fn prometheus() -> Result<PathBuf> {
    static FOLDER: OnceLock<Result<PathBuf, String>> = OnceLock::new();
    installed(&FOLDER, "prometheus.sh")
}

/// The browser, which the first call installs if there is none.
///
/// # Errors
/// If it cannot be installed.
pub fn chromium() -> Result<PathBuf> {
    static PATH: OnceLock<Result<PathBuf, String>> = OnceLock::new();
    installed(&PATH, "chromium.sh")
}

fn installed(folder: &OnceLock<Result<PathBuf, String>>, script: &str) -> Result<PathBuf> {
    let folder = folder.get_or_init(|| install(script).map_err(|error| format!("{error:#}")));
    folder.clone().map_err(anyhow::Error::msg)
}

fn install(script: &str) -> Result<PathBuf> {
    let path = workspace_root().join("tests/setup").join(script);
    let output = Command::new(&path).stdin(Stdio::null()).output();
    let output = output.with_context(|| format!("cannot run {}", path.display()))?;
    let reported = String::from_utf8_lossy(&output.stderr);
    ensure!(output.status.success(), "tests/setup/{script} failed: {}\n{reported}", output.status);
    Ok(PathBuf::from(String::from_utf8(output.stdout)?.trim()))
}
