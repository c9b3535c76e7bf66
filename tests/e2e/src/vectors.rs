//! The worked cases in `tests/vectors`: sources, and the table that every
//! history of runs over them must produce.

use std::{fs, path::PathBuf};

use anyhow::{Context as _, Result};
use domain::DateWindow;

use crate::{fact_table::FactTable, sources::Sources, workspace_root};

/// One worked case.
#[derive(Debug)]
pub struct Vector {
    /// The days to publish.
    pub window: DateWindow,
    /// The CRM exports, as file name and content.
    pub exports: Vec<(String, String)>,
    /// The records of the product API, one JSON object each.
    pub usage: Vec<String>,
    /// The expected fact.
    pub expected: FactTable,
}

impl Vector {
    /// Days without usage: rolling sums over calendar days, companies unknown
    /// to the CRM, and silent companies.
    ///
    /// # Errors
    /// If it cannot be read.
    pub fn gaps() -> Result<Self> {
        Self::load("gaps", "2026-01-01", "2026-01-24")
    }

    /// Several CRM exports: companies appear, disappear and change.
    ///
    /// # Errors
    /// If it cannot be read.
    pub fn snapshots() -> Result<Self> {
        Self::load("snapshots", "2026-01-30", "2026-02-20")
    }

    fn load(name: &str, start: &str, end: &str) -> Result<Self> {
        let folder = workspace_root().join("tests/vectors").join(name);
        let read = |path: PathBuf| fs::read_to_string(&path).with_context(|| path.display().to_string());
        let mut exports = Vec::new();
        for entry in fs::read_dir(folder.join("crm/daily"))? {
            let entry = entry?;
            exports.push((entry.file_name().to_string_lossy().into_owned(), read(entry.path())?));
        }
        exports.sort();
        Ok(Self {
            window: DateWindow::parse(start, end)?,
            exports,
            usage: read(folder.join("usage.ndjson"))?.lines().map(str::to_owned).collect(),
            expected: FactTable::parse(&read(folder.join("expected.csv"))?)?,
        })
    }

    /// Delivers everything at once.
    ///
    /// # Errors
    /// If it cannot be delivered.
    pub fn deliver(&self, sources: &Sources) -> Result<()> {
        for (name, content) in &self.exports {
            sources.put_export(name, content)?;
        }
        self.usage.iter().try_for_each(|record| sources.add_usage(record))
    }
}
