//! Writes the results of a run into the docs.

use std::{fs, path::Path};

use anyhow::{Context as _, Result};
use e2e::workspace_root;

use crate::table::Results;

const BEGIN: &str = "<!-- results: begin -->";
const END: &str = "<!-- results: end -->";

/// Replaces what is between the marks in docs/benchmarks.md, and the pictures.
pub(crate) fn write(out: &Path) -> Result<()> {
    let results: Results = serde_json::from_str(&fs::read_to_string(out.join("results.json"))?)?;
    let docs = workspace_root().join("docs");
    fs::create_dir_all(docs.join("benchmarks"))?;
    let mut text = format!("{}\n", results.about);
    for table in &results.tables {
        let picture = format!("{}.svg", table.id);
        fs::copy(out.join(&picture), docs.join("benchmarks").join(&picture))?;
        text.push_str(&format!("\n### {}\n\n{}", table.title, table.markdown()));
    }
    for failure in &results.failures {
        text.push_str(&format!("\nNot measured: {failure}\n"));
    }
    let page = docs.join("benchmarks.md");
    let old = fs::read_to_string(&page)?;
    let (before, rest) = old.split_once(BEGIN).context("docs/benchmarks.md has no place for results")?;
    let (_, after) = rest.split_once(END).context("the place for results has no end")?;
    Ok(fs::write(page, format!("{before}{BEGIN}\n\n{text}\n{END}{after}"))?)
}
