//! The harness of the end-to-end tests: the suite's real processes, their
//! sources, the receivers of alerts, and the expected table.
//!
//! Every test starts its own processes on free ports and in its own folder, so
//! tests run concurrently. Nothing sleeps: tests wait for events, with a
//! deadline.

pub mod abuse;
pub mod admin;
pub mod alerts;
pub mod azurite;
pub mod bell;
pub mod benchmark;
pub mod binaries;
pub mod browser;
pub mod cli;
pub mod collector;
pub mod console;
pub mod dashboards;
pub mod database;
pub mod fact_table;
pub mod issuer;
pub mod many_days;
pub mod memory;
pub mod openid;
pub mod operator;
pub mod process;
pub mod prometheus;
pub mod promql;
pub mod runs;
pub mod secured;
pub mod services;
pub mod settings;
pub mod sources;
pub mod sql_reader;
pub mod stored;
pub mod suite;
pub mod tools;
pub mod valid_caller;
pub mod vectors;
pub mod volume;

use std::{path::PathBuf, time::Duration};

/// How long a test waits for anything. Far longer than needed, because the
/// machine may be busy with other tests.
pub const PATIENCE: Duration = Duration::from_secs(180);

/// The root of the work tree.
#[must_use]
pub fn workspace_root() -> PathBuf {
    PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/../.."))
}

/// Waits for `future`, but not forever.
///
/// # Errors
/// If it takes longer than [`PATIENCE`].
pub async fn in_time<T>(what: &str, future: impl Future<Output = T>) -> anyhow::Result<T> {
    tokio::time::timeout(PATIENCE, future)
        .await
        .map_err(|_| anyhow::anyhow!("{what} took longer than {PATIENCE:?}"))
}

/// How often to poll for what does not notify.
const POLL: Duration = Duration::from_millis(100);

/// Polls until `look` finds something.
///
/// # Errors
/// If `look` fails, or it takes longer than [`PATIENCE`].
pub async fn found<T>(
    what: &str,
    mut look: impl AsyncFnMut() -> anyhow::Result<Option<T>>,
) -> anyhow::Result<T> {
    let mut polls = tokio::time::interval(POLL);
    in_time(what, async {
        loop {
            polls.tick().await;
            if let Some(found) = look().await? {
                return Ok(found);
            }
        }
    })
    .await?
}
