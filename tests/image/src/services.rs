//! The table of services that the chart iterates over.

use anyhow::Result;
use serde::Deserialize;

use crate::read;

/// A row of the table.
#[derive(Debug, Deserialize)]
pub struct Row {
    /// The name of the program.
    pub name: String,
    /// Whether it executes stages.
    #[serde(default)]
    pub stages: bool,
}

/// Every row.
///
/// # Errors
/// If the table cannot be read.
pub fn rows() -> Result<Vec<Row>> {
    Ok(serde_saphyr::from_str(&read("helm/company-activity/files/services.yaml")?)?)
}
