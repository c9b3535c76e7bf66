//! Inputs for the tests of the image: the Dockerfile, the compose file, the
//! manifests, and the command lines of the programs.

pub mod compose;
pub mod dockerfile;
pub mod programs;
pub mod services;

use std::{fs, path::Path};

use anyhow::{Context as _, Result};

/// The repository's root.
#[must_use]
pub fn workspace_root() -> &'static Path {
    Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/../.."))
}

/// A file of the repository.
///
/// # Errors
/// If it cannot be read.
pub fn read(path: &str) -> Result<String> {
    fs::read_to_string(workspace_root().join(path)).with_context(|| format!("cannot read {path}"))
}
