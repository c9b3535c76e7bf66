//! What the service is measured beside: Postgres' own clients, with the service's statements.

use std::{fs, process::Command, time::Duration};

use anyhow::{Context as _, Result, ensure};
use chrono::NaiveDate;
use domain::DateWindow;

use crate::measured::Round;

const ROW: &str = include_str!(concat!(
    env!("CARGO_MANIFEST_DIR"),
    "/../../crates/warehouse/postgres/sql/activity/row.sql"
));

const ROWS: &str = include_str!(concat!(
    env!("CARGO_MANIFEST_DIR"),
    "/../../crates/warehouse/postgres/sql/activity/rows.sql"
));

/// Gets rows of random companies with pgbench: prepared statements, each client on its own
/// connection.
pub(crate) fn pgbench(
    url: &str,
    companies: usize,
    day: NaiveDate,
    clients: usize,
    calls: usize,
) -> Result<Round> {
    let folder = tempfile::tempdir()?;
    // Both are parameters, as they are the service's.
    let statement =
        ROW.replace("$1", "'company-' || lpad(:company::TEXT, 6, '0')").replace("$2", ":day::DATE");
    let script = folder.path().join("get.sql");
    fs::write(&script, format!("\\set company random(1, {companies})\n{};\n", without_comments(&statement)))?;
    let threads = std::thread::available_parallelism()?.get().min(clients);
    let output = Command::new(test_postgres::binaries()?.join("pgbench"))
        .args(["--no-vacuum", "--protocol=prepared", "--log", "--log-prefix=calls"])
        .arg(format!("--define=day={day}"))
        .arg(format!("--client={clients}"))
        .arg(format!("--jobs={threads}"))
        .arg(format!("--transactions={calls}"))
        .arg("--file")
        .arg(&script)
        .arg(url)
        .current_dir(folder.path())
        .output()
        .context("cannot run pgbench")?;
    let printed = String::from_utf8_lossy(&output.stdout);
    ensure!(output.status.success(), "pgbench failed: {printed}{}", String::from_utf8_lossy(&output.stderr));
    let per_second = printed
        .lines()
        .find_map(|line| line.strip_prefix("tps = ")?.split_whitespace().next()?.parse::<f64>().ok())
        .with_context(|| format!("pgbench does not say how many: {printed}"))?;
    let mut times = Vec::with_capacity(clients * calls);
    for entry in fs::read_dir(folder.path())? {
        let path = entry?.path();
        if path != script {
            times.extend(logged_times(&fs::read_to_string(path)?));
        }
    }
    ensure!(times.len() == clients * calls, "pgbench logged {} calls", times.len());
    #[expect(clippy::cast_precision_loss, reason = "a few thousand calls")]
    let seconds = (clients * calls) as f64 / per_second;
    Ok(Round { seconds, times })
}

/// The third field of a transaction's line is its time in microseconds.
fn logged_times(log: &str) -> impl Iterator<Item = f64> {
    log.lines()
        .filter_map(|line| line.split(' ').nth(2)?.parse::<f64>().ok())
        .map(|microseconds| microseconds / 1_000_000.0)
}

/// Copies the rows of some days with psql, in the order of the service's pages or in any.
pub(crate) fn copy(url: &str, window: DateWindow, is_ordered: bool) -> Result<Duration> {
    let select = without_comments(ROWS)
        .replace("$1", &format!("DATE '{}'", window.start()))
        .replace("$2", &format!("DATE '{}'", window.end()))
        .replace("$3", "NULL")
        .replace("($4, $5::DATE)", "('', DATE '1970-01-01')")
        .replace("$6", "ALL")
        .replace('\n', " ");
    let select = match select.split_once("ORDER BY") {
        Some((unordered, _)) if !is_ordered => unordered,
        _ => &select,
    };
    let script = format!("\\timing on\n\\copy ({select}) to '/dev/null'\n");
    test_postgres::psql_times(url, &script)?.pop().context("psql reported no time")
}

fn without_comments(statement: &str) -> String {
    statement.lines().filter(|line| !line.starts_with("--")).collect::<Vec<_>>().join("\n")
}
