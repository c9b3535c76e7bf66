//! A real browser, which goes through the console as the journeys in `browser/journeys` say.

use std::{io::Write as _, path::PathBuf, process::Stdio};

use anyhow::{Context as _, Result, ensure};
use serde_json::Value;
use tokio::process::Command;

use crate::{in_time, tools, workspace_root};

/// An installed browser, and what drives it.
#[derive(Debug)]
pub struct Browser {
    tools: PathBuf,
    chromium: PathBuf,
}

impl Browser {
    /// The browser of this machine, installed by the first call. `None` if none can be had, with
    /// a message that the test runner always shows.
    ///
    /// # Errors
    /// If what drives it cannot be installed.
    pub fn find() -> Result<Option<Self>> {
        match tools::chromium() {
            Ok(chromium) => Ok(Some(Self { tools: tools::node()?, chromium })),
            Err(problem) => {
                // Bypasses the test runner, which hides the output of passing tests.
                writeln!(std::io::stderr(), "\n!!!! NOT TESTED in a browser: {problem:#}\n")?;
                Ok(None)
            }
        }
    }

    /// Goes on a journey through the site that `given` names, and returns what the journey brings back.
    ///
    /// # Errors
    /// If something is not as the journey expects it, or the browser complains about the site.
    pub async fn go(&self, journey: &str, given: &Value) -> Result<Value> {
        let mut command = Command::new("node");
        command
            .arg(workspace_root().join("tests/e2e/browser/run.mjs"))
            .args([&self.tools, &self.chromium])
            .args([journey, &given.to_string()])
            // Not inherited: Node makes them non-blocking, which breaks off the test runner's own output.
            .stdin(Stdio::null())
            .kill_on_drop(true);
        let output = in_time(journey, command.output()).await?.context("cannot run node")?;
        let complaint = String::from_utf8_lossy(&output.stderr);
        ensure!(output.status.success(), "{journey}: {}\n{complaint}", output.status);
        let result = String::from_utf8_lossy(&output.stdout);
        serde_json::from_str(&result).with_context(|| format!("{journey} returned {result:?}"))
    }
}

/// Where pictures of the pages are kept.
#[must_use]
pub fn pictures() -> PathBuf {
    let target =
        std::env::var_os("CARGO_TARGET_DIR").map_or_else(|| workspace_root().join("target"), PathBuf::from);
    target.join("console-pictures")
}
