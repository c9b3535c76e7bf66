//! `make bench` at tiny size: every section has figures, ours are exact, and what it writes can be read.

use std::{fs, process::Command};

use anyhow::{Context as _, Result, ensure};
use e2e::{binaries::binary, suite::ACTIVITYCTL, tools};
use serde_json::Value;

/// Sections, and the least number of rows of each.
const SECTIONS: [(&str, usize); 8] = [
    ("journey", 5),
    ("spent", 10),
    ("growth", 3),
    ("api", 3),
    ("queries", 7),
    ("footprint", 20),
    ("memory", 3),
    ("sqlite", 5),
];

#[test]
fn every_section_measures_and_we_are_exact() -> Result<()> {
    let folder = tempfile::tempdir()?;
    let program = binary(ACTIVITYCTL)?;
    let binaries = program.parent().context("a program is in a folder")?;
    let mut command = Command::new(binaries.join("examples/daily_run"));
    command.arg("--smoke").arg("--out").arg(folder.path()).env("E2E_BIN_DIR", binaries);
    let contestants = contestants();
    if let Some(python) = &contestants {
        command.arg("--python").arg(python);
    }
    let output = command.output().context("cargo test builds the examples; without it, build them first")?;
    let printed = String::from_utf8_lossy(&output.stdout).into_owned();
    let problems = String::from_utf8_lossy(&output.stderr);
    ensure!(output.status.success(), "{}\n{printed}\n{problems}", output.status);

    let results: Value = serde_json::from_str(&fs::read_to_string(folder.path().join("results.json"))?)?;
    let tables = results["tables"].as_array().context("no tables")?;
    for (id, rows) in SECTIONS {
        let table =
            tables.iter().find(|table| table["id"] == id).with_context(|| format!("no table {id}"))?;
        let found = table["rows"].as_array().context("no rows")?;
        ensure!(found.len() >= rows, "{id} has {} rows:\n{printed}", found.len());
        for value in found.iter().flat_map(|row| row["values"].as_array().into_iter().flatten()) {
            ensure!(value[1].as_f64().is_some_and(|value| value >= 0.0), "{id} measured {value}");
        }
        let picture = fs::read_to_string(folder.path().join(format!("{id}.svg")))?;
        ensure!(picture.starts_with("<svg") && picture.trim_end().ends_with("</svg>"), "{id}: {picture}");
        ensure!(picture.matches("<text").count() >= rows, "{id}: labels are texts");
    }
    let journey = &tables.iter().find(|table| table["id"] == "journey").context("no journey")?["rows"];
    let wrong: Vec<&Value> = journey
        .as_array()
        .into_iter()
        .flatten()
        .filter(|row| row["what"].as_str().is_some_and(|what| what.starts_with("wrong rows")))
        .collect();
    ensure!(wrong.len() == 2 && wrong.iter().all(|row| row["is_met"] == true), "we are wrong:\n{printed}");
    if contestants.is_some() {
        ensure!(wrong.iter().all(|row| row["values"].as_array().is_some_and(|values| values.len() == 3)));
    }
    Ok(())
}

/// The Python of the other contestants. They are left out, loudly, where they cannot be installed.
#[expect(clippy::print_stderr, reason = "a smaller test must not go unnoticed")]
fn contestants() -> Option<std::path::PathBuf> {
    match tools::contestants() {
        Ok(folder) => Some(folder.join("bin/python")),
        Err(error) => {
            eprintln!(
                "!!!! dlt and dbt cannot be installed here: the benchmark is tested without them: {error:#}"
            );
            None
        }
    }
}
