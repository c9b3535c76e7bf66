//! The binaries under test.

use std::{
    collections::BTreeMap,
    env,
    path::PathBuf,
    process::{Command, Stdio},
    sync::OnceLock,
};

use anyhow::{Context as _, Result, bail};

use crate::workspace_root;

/// Names the folder with the binaries of the previous build.
const PREVIOUS_FOLDER: &str = "E2E_PREVIOUS_BIN_DIR";

/// A build of the binaries.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Build {
    /// The build of this work tree.
    #[default]
    Current,
    /// The build that an upgrade replaces, in the folder that
    /// `E2E_PREVIOUS_BIN_DIR` names. If that is unset, this work tree's build.
    Previous,
}

impl Build {
    /// The path of a binary of this build.
    ///
    /// # Errors
    /// As [`binary`].
    pub fn binary(self, name: &str) -> Result<PathBuf> {
        match (self, env::var_os(PREVIOUS_FOLDER)) {
            (Self::Previous, Some(folder)) => Ok(PathBuf::from(folder).join(name)),
            _ => binary(name),
        }
    }
}

/// The path of a workspace binary. The first call builds all of them, which
/// does nothing after `make build`; `E2E_BIN_DIR` names a folder of existing
/// ones.
///
/// # Errors
/// If they cannot be built or none has this name.
pub fn binary(name: &str) -> Result<PathBuf> {
    static BUILT: OnceLock<Result<BTreeMap<String, PathBuf>, String>> = OnceLock::new();
    if let Some(folder) = env::var_os("E2E_BIN_DIR") {
        return Ok(PathBuf::from(folder).join(name));
    }
    match BUILT.get_or_init(|| build().map_err(|error| format!("{error:#}"))) {
        Ok(binaries) => binaries.get(name).cloned().with_context(|| format!("there is no binary {name}")),
        Err(error) => bail!("{error}"),
    }
}

fn build() -> Result<BTreeMap<String, PathBuf>> {
    let cargo = env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let output = Command::new(cargo)
        // Includes the tests, as `cargo test` does: otherwise some dependencies
        // would have other features and be built a second time.
        .args(["build", "--workspace", "--bins", "--tests", "--message-format=json-render-diagnostics"])
        .current_dir(workspace_root())
        .stderr(Stdio::inherit())
        .output()
        .context("cannot run cargo")?;
    if !output.status.success() {
        bail!("the binaries do not build: {}", output.status);
    }
    let mut binaries = BTreeMap::new();
    for line in String::from_utf8(output.stdout)?.lines() {
        let message: serde_json::Value = serde_json::from_str(line)?;
        let is_binary = message["profile"]["test"] == false;
        let (name, path) = (message["target"]["name"].as_str(), message["executable"].as_str());
        if let (true, Some(name), Some(path)) = (is_binary, name, path) {
            binaries.insert(name.to_owned(), PathBuf::from(path));
        }
    }
    Ok(binaries)
}
