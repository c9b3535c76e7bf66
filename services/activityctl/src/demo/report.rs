//! The demo's closing report.

use std::{net::SocketAddr, path::Path};

use chrono::NaiveDate;
use domain::{DateWindow, run::STAGE_VALIDATE};
use indicatif::HumanCount;
use proto::{
    activity::v1::{ExportCompanyActivityRequest, GetFreshnessRequest},
    pipeline::v1::Run,
};

use super::sources::USAGE_FILE;
use crate::{
    commands::{
        activity::rows,
        churn::{churn_risks, of_day},
    },
    connect::Connection,
    error::Error,
    format::table,
    output::Output,
};

/// Rows of the fact, and churn risks, to show.
const SHOWN: u32 = 5;

/// Prints what the two runs did, stage by stage.
///
/// # Errors
/// If it cannot be written.
pub(super) fn print_stages(history: &Run, next_day: &Run, output: &mut Output) -> Result<(), Error> {
    for run in [history, next_day] {
        output.line(format_args!("\nRun over {}", table::window(run.window.as_ref())))?;
        output.table(table::stages(run))?;
    }
    Ok(())
}

/// Prints what is published now.
///
/// # Errors
/// If the server refuses or it cannot be written.
pub(super) async fn print_result(
    connection: &Connection,
    next_day: &Run,
    day: NaiveDate,
    output: &mut Output,
) -> Result<(), Error> {
    let freshness = connection.activity().get_freshness(GetFreshnessRequest {}).await;
    let freshness = freshness.map_err(|status| connection.failure(status))?.into_inner();
    let new_rows = freshness.newest.as_ref().map_or(0, |newest| newest.row_count.unsigned_abs());
    let corrected = rows_written(next_day, STAGE_VALIDATE).saturating_sub(new_rows);
    output.line(format_args!(
        "\n{} days are published. Rows added for {day}: {}. Rows of earlier days corrected, because their usage\n\
         came late or changed: {}.",
        freshness.published_days,
        HumanCount(new_rows),
        HumanCount(corrected),
    ))?;

    output.line(format_args!("\nfact_company_activity on {day}, the first rows"))?;
    let request = ExportCompanyActivityRequest {
        start_date: day.to_string(),
        end_date: day.to_string(),
        ..ExportCompanyActivityRequest::default()
    };
    let first = rows(connection, request, u64::from(SHOWN)).await?;
    output.table(table::activities(&first.rows))?;

    output
        .line(format_args!("\nTop churn risks on {day}: no event for 14 days, most recently active first"))?;
    let (risks, _) = churn_risks(connection, of_day(Some(day)), SHOWN).await?;
    output.table(table::churn_risks(&risks))
}

fn rows_written(run: &Run, stage: &str) -> u64 {
    let stage = run.stages.iter().find(|candidate| candidate.stage == stage);
    let counters = stage.and_then(|stage| stage.progress.as_ref()).and_then(|progress| progress.counters);
    counters.map_or(0, |counters| counters.rows_written)
}

/// Prints where to look around.
///
/// # Errors
/// If it cannot be written.
pub(super) fn print_open(console: SocketAddr, server: &str, output: &mut Output) -> Result<(), Error> {
    output.line(format_args!(
        "\nEverything keeps running until you press Ctrl+C. Look around:\n\
         \n  http://{console}/    the console, in a browser\
         \n  activityctl runs --server {server}"
    ))?;
    output.flush()
}

/// Prints what to try next; `kept` is the data folder, if it is kept.
///
/// # Errors
/// If it cannot be written.
pub(super) fn print_hints(kept: Option<&Path>, days: DateWindow, output: &mut Output) -> Result<(), Error> {
    match kept {
        None => output.line(
            "\nNothing is left behind. Try next:\n\
             \n  activityctl demo --keep-open             the same, to look around in the console\
             \n  activityctl demo --data-dir demo-data    the same, and keep the result\
             \n  activityctl standalone --help            run it on sources of your own\
             \n  activityctl --help                       everything else",
        ),
        Some(folder) => {
            let usage = shell_word(&folder.join(USAGE_FILE));
            let (folder, argument) = (folder.display(), shell_word(folder));
            let (start, end) = (days.start(), days.end());
            output.line(format_args!(
                "\nEverything is in {folder}. Try next:\n\
                 \n  activityctl sample-api --usage {usage} &\
                 \n  activityctl standalone --data-dir {argument} \\\
                 \n      --product-api-url http://127.0.0.1:8080/v1/product-usage &\
                 \n  activityctl runs\
                 \n  activityctl churn\
                 \n  activityctl activity list --from {start} --to {end} --format csv > facts.csv\
                 \n  activityctl trigger --date {end} --force --wait    changes nothing: the same data again"
            ))
        }
    }
}

/// A path as one word of a POSIX shell.
fn shell_word(path: &Path) -> String {
    let text = path.to_string_lossy();
    let is_plain = |c: char| c.is_alphanumeric() || "/._-+,:@%".contains(c);
    if !text.is_empty() && text.chars().all(is_plain) {
        return text.into_owned();
    }
    format!("'{}'", text.replace('\'', r"'\''"))
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;
    use crate::output::Captured;

    #[test]
    fn a_path_stays_one_word_in_a_shell() {
        for (path, word) in [
            ("demo-data", "demo-data"),
            ("/tmp/für mich", "'/tmp/für mich'"),
            ("it's & $HOME", r"'it'\''s & $HOME'"),
        ] {
            assert_eq!(shell_word(Path::new(path)), word);
        }
    }

    #[test]
    fn hints_are_command_lines_that_parse() {
        for kept in [None, Some(Path::new("demo-data"))] {
            let printed = Captured::default();
            let days = DateWindow::parse("2026-01-01", "2026-03-01").unwrap();
            print_hints(kept, days, &mut printed.output()).unwrap();
            let text = printed.text().replace("\\\n", " ");
            let lines: Vec<&str> =
                text.lines().map(str::trim).filter(|line| line.starts_with("activityctl")).collect();
            assert!(lines.len() >= 3, "{text}");
            for line in lines {
                let words = line.split([' ', '&']).filter(|word| !word.is_empty());
                let command: Vec<&str> = words.take_while(|word| *word != ">").collect();
                // Text after a wide gap explains the command.
                let command = match line.split_once("    ") {
                    Some((command, _)) => command.split(' ').collect(),
                    None => command,
                };
                match crate::Cli::try_parse_from(command) {
                    Ok(_) => {}
                    Err(error) => assert!(!error.use_stderr(), "{line}: {error}"),
                }
            }
        }
    }
}
