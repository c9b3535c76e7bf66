//! The compose file, as parsed by Docker's own library.

use std::{collections::BTreeMap, path::PathBuf, process::Command};

use anyhow::{Context as _, Result, ensure};
use serde_json::Value;

use crate::workspace_root;

/// The image that holds the programs, without its tag.
pub const IMAGE: &str = "ghcr.io/company-activity/company-activity:";

/// The containers of a compose file, by name.
#[derive(Debug)]
pub struct Compose(BTreeMap<String, Value>);

impl Compose {
    /// Reads docker/compose.yaml with every profile.
    ///
    /// # Errors
    /// If the parser cannot be installed, or rejects the file.
    pub fn read() -> Result<Self> {
        let installed = Command::new(workspace_root().join("tests/setup/compose.sh")).output()?;
        ensure!(installed.status.success(), "{}", String::from_utf8_lossy(&installed.stderr));
        let reader = PathBuf::from(String::from_utf8(installed.stdout)?.trim()).join("bin/compose-go");
        let output = Command::new(reader)
            .args(["-format", "json", "compose.yaml"])
            .current_dir(workspace_root().join("docker"))
            .env_remove("VERSION")
            .output()?;
        ensure!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        let file: Value = serde_json::from_slice(&output.stdout)?;
        let services = file["services"].as_object().context("it has no services")?;
        Ok(Self(services.iter().map(|(name, service)| (name.clone(), service.clone())).collect()))
    }

    /// All containers.
    pub fn all(&self) -> impl Iterator<Item = (&str, &Value)> {
        self.0.iter().map(|(name, service)| (name.as_str(), service))
    }

    /// The containers that run our image.
    pub fn ours(&self) -> impl Iterator<Item = (&str, &Value)> {
        self.all().filter(|(_, service)| service["image"].as_str().is_some_and(|it| it.starts_with(IMAGE)))
    }
}

/// The command line of a container.
#[must_use]
pub fn line(service: &Value) -> Vec<String> {
    let words = |key: &str| service[key].as_array().into_iter().flatten();
    words("entrypoint").chain(words("command")).filter_map(|word| word.as_str().map(str::to_owned)).collect()
}

/// A container's environment.
#[must_use]
pub fn environment(service: &Value) -> Vec<(String, String)> {
    let pairs = service["environment"].as_object().into_iter().flatten();
    pairs.filter_map(|(name, value)| Some((name.clone(), value.as_str()?.to_owned()))).collect()
}
