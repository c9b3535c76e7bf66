//! Sections that other benchmarks measure: each runs as a process and hands its rows over.

use std::{env, fs, path::PathBuf, process::Stdio};

use anyhow::{Context as _, Result, ensure};
use figures::{ROWS_VARIABLE, Row, SMOKE_VARIABLE};
use tokio::process::Command;

use crate::{
    options::{Options, SectionName},
    table::Table,
};

/// A benchmark, its arguments at full and at tiny size, and what its table is called.
struct Program {
    path: &'static str,
    full: &'static [&'static str],
    smoke: &'static [&'static str],
    title: &'static str,
    has_one_scale: bool,
    notes: &'static [&'static str],
}

const fn program(name: SectionName) -> Option<Program> {
    Some(match name {
        SectionName::Journey => return None,
        SectionName::Growth => Program {
            path: "warehouse-benchmark",
            full: &["--growth", "20000x30,20000x90,20000x180,20000x360,10000x30,100000x30,300000x30"],
            smoke: &["--growth", "200x20,200x30,400x20"],
            title: "One new day, in Postgres, with more history and more companies",
            has_one_scale: true,
            notes: &[
                "Loading the day's records, building, auditing and publishing; without the export and the product \
                      API. 90, 180 and 360 days are measured with 20,000 companies, and 300,000 companies with 30 days, \
                      because loading 300,000 on 360 days would take longer than all of the benchmark.",
            ],
        },
        SectionName::Api => Program {
            path: "examples/page_fetching",
            full: &["31000"],
            smoke: &["400"],
            title: "A day of the product API, by the time that an answer takes",
            has_one_scale: false,
            notes: &[
                "A loop that reads page after page into a file, beside our stage, which also lands and loads them \
                      (into SQLite); 100 records a page.",
            ],
        },
        SectionName::Queries => Program {
            path: "examples/query_speed",
            full: &["50000", "30"],
            smoke: &["500", "20"],
            title: "Queries over gRPC beside Postgres' own clients",
            has_one_scale: false,
            notes: &["50,000 companies on 30 days; clients and servers share the processors."],
        },
        SectionName::Footprint => Program {
            path: "examples/service_memory",
            full: &["100000"],
            smoke: &["300"],
            title: "Footprint of each service, on Postgres",
            has_one_scale: true,
            notes: &[
                "While one day of 100,000 companies is published, with the thirteen before it read for the first \
                      time; records are those of usage. Images are not measured, because none is built for this: one \
                      image holds all programs.",
            ],
        },
        SectionName::Memory => Program {
            path: "examples/peak_memory",
            full: &["20000", "17", "167"],
            smoke: &["200", "14", "30"],
            title: "Peak memory of a backfill in one process",
            has_one_scale: true,
            notes: &["Rows stream, so it must not grow with them."],
        },
        SectionName::Sqlite => Program {
            path: "warehouse-benchmark",
            full: &["--skip-postgres", "--skip-history", "--embedded-companies", "10000", "--days", "60"],
            smoke: &["--skip-postgres", "--skip-history", "--embedded-companies", "200", "--days", "20"],
            title: "The embedded engine (SQLite)",
            has_one_scale: true,
            notes: &["10,000 companies, 60 days of history; the engine alone, without the product API."],
        },
    })
}

/// Where the binaries and examples of this build are.
pub(crate) fn binaries() -> Result<PathBuf> {
    Ok(env::var_os("E2E_BIN_DIR").context("E2E_BIN_DIR does not name the folder of the binaries")?.into())
}

pub(crate) async fn measure(name: SectionName, options: &Options) -> Result<Table> {
    let program = program(name).context("it is measured here")?;
    let folder = tempfile::tempdir()?;
    let rows = folder.path().join("rows");
    let path = binaries()?.join(program.path);
    ensure!(path.exists(), "there is no {}: build the examples of e2e and the binaries", path.display());
    let mut command = Command::new(path);
    command.args(if options.smoke { program.smoke } else { program.full }).env(ROWS_VARIABLE, &rows);
    if options.smoke {
        command.env(SMOKE_VARIABLE, "yes");
    }
    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::inherit()).kill_on_drop(true);
    let output = command.spawn()?.wait_with_output().await?;
    let printed = String::from_utf8_lossy(&output.stdout);
    ensure!(
        output.status.success(),
        "{}\n{printed}\n{}",
        output.status,
        String::from_utf8_lossy(&output.stderr)
    );
    let mut table = Table::new(&name.id(), program.title.to_owned());
    table.has_one_scale = program.has_one_scale;
    table.rows = fs::read_to_string(&rows)
        .context("it handed over no rows")?
        .lines()
        .map(|line| Ok(serde_json::from_str::<Row>(line)?))
        .collect::<Result<_>>()?;
    if !options.smoke {
        table.notes = program.notes.iter().map(|note| (*note).to_owned()).collect();
    }
    Ok(table)
}
