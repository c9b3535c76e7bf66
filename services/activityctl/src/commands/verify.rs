//! `activityctl verify`

use anyhow::Context as _;
use chrono::NaiveDate;
use clap::Args;
use contract::message::window_to_proto;
use domain::{Checksum, DateWindow, Publication};
use futures::TryStreamExt;
use indicatif::HumanCount;
use proto::pipeline::v1::TriggerRunRequest;
use runtime::WarehouseArgs;
use warehouse::{ActivityQuery, ActivityReader};

use super::migrate::WAREHOUSE_HELP;
use crate::{
    connect::{Connection, Patience, ServerArgs},
    day_progress::DayProgress,
    days::{parse_day, window},
    error::Error,
    follow::{FollowArgs, follow_to_success},
    format::table,
    ledger_check::{Content, Difference, Verdict},
    output::Output,
    progress::RunProgress,
};

const EXAMPLES: &str = "\
Reads every published row, day by day, and compares their number and their checksum with
what the ledger says the publish left behind. It finds what was changed by anything else,
and it looks at one state per day, so runs may go on meanwhile. Like every service it
brings the warehouse's schema up to date first. A day whose checksum a newer version of
the suite wrote is listed, for only that version can tell whether it differs.

--repair has the server build the differing days again from what is staged, whole, and publish
them through the audits: in runs of their own, which ask no source. Rows that are as they
should be stay untouched. The days are verified again afterwards. What is staged is taken
for good: if that was changed as well, `activityctl trigger --force --rebuild` with the days
asks the sources first.

Exit codes: 0 every day is as it was published, or is again, 1 some day differs or cannot be
            compared, or the command failed, 2 wrong usage, 3 a run of the repair failed.

Examples:
  activityctl verify --warehouse-url postgres://user:password@db:5432/activity
  activityctl verify --warehouse-url sqlite:///data/warehouse.sqlite --from 2026-01-01 --to 2026-01-31
  activityctl verify --warehouse-url sqlite:///data/warehouse.sqlite --repair --server coordinator:50051";

/// Compare published rows with the ledger of what was published
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES, mut_arg("warehouse_url", |arg| arg.help(WAREHOUSE_HELP)))]
pub struct VerifyArgs {
    #[command(flatten)]
    warehouse: WarehouseArgs,

    /// The first UTC day [default: the first published one]
    #[arg(long, value_name = "YYYY-MM-DD", value_parser = parse_day)]
    from: Option<NaiveDate>,

    /// The last UTC day, included [default: the last published one]
    #[arg(long, value_name = "YYYY-MM-DD", value_parser = parse_day)]
    to: Option<NaiveDate>,

    /// Build the days that differ again from what is staged, and publish them
    #[arg(long)]
    repair: bool,

    #[command(flatten)]
    follow: FollowArgs,

    #[command(flatten)]
    server: ServerArgs,
}

/// Verifies the published days.
///
/// # Errors
/// If a day differs, or the warehouse cannot be read.
pub async fn execute(args: &VerifyArgs, output: &mut Output) -> Result<(), Error> {
    let warehouse =
        warehouse::open_to_read(&args.warehouse.warehouse_url).await.context("cannot open the warehouse")?;
    let Some(freshness) = warehouse.freshness().await.context("cannot read the ledger")? else {
        return output.line("nothing is published yet");
    };
    let first = args.from.unwrap_or(freshness.oldest);
    let window = window(first, args.to.unwrap_or(freshness.newest.activity_date.max(first)))?;
    let mut found = verify(&*warehouse, window, output).await?;
    if args.repair && !found.differences.is_empty() {
        let connection = Connection::open(&args.server, Patience::Job).await?;
        let differing = found.differences.iter().map(|difference| difference.day).collect();
        found.differences.clear();
        for window in DateWindow::covering(&differing) {
            repair(&connection, window, &args.follow, output).await?;
            found.differences.extend(verify(&*warehouse, window, output).await?.differences);
        }
    }
    found.conclude(window, output)
}

/// What comparing days with the ledger found.
struct Found {
    /// How many days are published.
    days: usize,
    differences: Vec<Difference>,
    /// How many days could not be compared.
    unknown: usize,
}

impl Found {
    fn conclude(self, window: DateWindow, output: &mut Output) -> Result<(), Error> {
        let Self { days, differences, unknown } = self;
        let checked = window.days().count();
        if !differences.is_empty() {
            return Err(Error::Differs { differing: differences.len(), days: checked });
        }
        if unknown > 0 {
            return Err(Error::NotVerifiable { unknown, days: checked });
        }
        output.line(format_args!("{days} days verified"))
    }
}

/// Has the server build days again from what is staged, and waits for it.
async fn repair(
    connection: &Connection,
    window: DateWindow,
    follow: &FollowArgs,
    output: &mut Output,
) -> Result<(), Error> {
    let request = TriggerRunRequest {
        window: Some(window_to_proto(window)),
        rebuild_days: window.days().map(|day| day.to_string()).collect(),
        from_staging: true,
        ..TriggerRunRequest::default()
    };
    let response = connection.pipeline().trigger_run(request).await;
    let run = response.map_err(|status| connection.failure(status))?.into_inner().run;
    let run = run.ok_or(Error::Contract("has no run"))?;
    if run.rebuild_days.is_empty() {
        // It ignored a field that it does not know, and started an ordinary run.
        return Err(Error::OlderCoordinator { server: connection.server().to_owned(), call: "rebuild" });
    }
    let run = follow_to_success(connection, &run.run_id, follow, &mut RunProgress::for_stderr()).await?;
    let mut counters = run.stages.iter().filter_map(|stage| stage.progress.as_ref()?.counters);
    let rows = HumanCount(counters.next_back().map_or(0, |last| last.rows_written + last.rows_removed));
    output.line(format_args!("built {window} again: {rows} rows written or removed (run {})", run.run_id))
}

async fn verify(
    warehouse: &dyn ActivityReader,
    window: DateWindow,
    output: &mut Output,
) -> Result<Found, Error> {
    let progress = DayProgress::for_stderr(window);
    let (mut days, mut differences, mut unknown) = (0, Vec::new(), 0);
    for day in window.days() {
        let (ledger, found) = contents(warehouse, day).await.with_context(|| format!("cannot read {day}"))?;
        days += usize::from(ledger.is_some());
        match Verdict::on(day, ledger.as_ref(), found) {
            Verdict::Same => {}
            Verdict::Differs(difference) => differences.push(difference),
            Verdict::Unknown(version) => {
                unknown += 1;
                output.line(format_args!("{day} cannot be verified: {version}"))?;
            }
        }
        progress.show(day, &format!("{} days differ", differences.len()));
    }
    progress.end();
    if !differences.is_empty() {
        output.table(table::differences(&differences))?;
    }
    Ok(Found { days, differences, unknown })
}

/// What the ledger records of a day and what the day holds by the ledger's version of the
/// checksum, from one consistent snapshot.
async fn contents(
    warehouse: &dyn ActivityReader,
    day: NaiveDate,
) -> warehouse::Result<(Option<Publication>, Content)> {
    let query = ActivityQuery { company_id: None, window: DateWindow::day(day), after: None, as_of: None };
    let export = warehouse.export_facts(&query).await?;
    let publication = export.state.newest().cloned();
    let checksum = match publication.as_ref().map(|entry| entry.checksum) {
        // The rows could not be compared.
        Some(Err(_)) => return Ok((publication, Content::default())),
        Some(Ok(checksum)) => Checksum::empty(checksum.version()),
        None => Checksum::default(),
    };
    let mut found = Content { rows: 0, checksum };
    let mut rows = export.rows();
    while let Some(row) = rows.try_next().await? {
        found.rows += 1;
        found.checksum.toggle(&row);
    }
    Ok((publication, found))
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use clap::{Command, FromArgMatches};
    use sqlx::{ConnectOptions, Connection, Executor, sqlite::SqliteConnectOptions};
    use warehouse_conformance::scene::{at, day, days, publish_run};

    use super::*;
    use crate::output::Captured;

    /// Publishes three days of two companies.
    async fn publish(folder: &Path) -> String {
        let url = format!("sqlite://{}/warehouse.sqlite", folder.display());
        let warehouse = warehouse::open(&url).await.unwrap();
        let usage = [(day(0), vec![("acme", 1, 5), ("bolt", 2, 7)])];
        publish_run(&warehouse, days(0, 2), at(1), &[], &usage).await;
        url
    }

    async fn change(url: &str, statement: &'static str) {
        let mut file = url.parse::<SqliteConnectOptions>().unwrap().connect().await.unwrap();
        file.execute(statement).await.unwrap();
        file.close().await.unwrap();
    }

    async fn verified(url: &str, from: Option<i64>, to: Option<i64>) -> (Result<(), Error>, Vec<String>) {
        let captured = Captured::default();
        let mut line = vec!["verify".to_owned(), "--warehouse-url".to_owned(), url.to_owned()];
        for (flag, offset) in [("--from", from), ("--to", to)] {
            line.extend(offset.into_iter().flat_map(|offset| [flag.to_owned(), day(offset).to_string()]));
        }
        let matches = VerifyArgs::augment_args(Command::new("verify")).get_matches_from(line);
        let args = VerifyArgs::from_arg_matches(&matches).unwrap();
        let outcome = execute(&args, &mut captured.output()).await;
        let words = |line: &str| line.split_whitespace().collect::<Vec<_>>().join(" ");
        (outcome, captured.text().lines().map(words).collect())
    }

    #[tokio::test]
    async fn what_was_published_is_verified() {
        let folder = tempfile::tempdir().unwrap();
        let url = publish(folder.path()).await;
        let (outcome, lines) = verified(&url, None, None).await;
        outcome.unwrap();
        assert_eq!(lines, ["3 days verified"]);
        let (outcome, lines) = verified(&url, Some(1), Some(30)).await;
        outcome.unwrap();
        assert_eq!(lines, ["2 days verified"]);
    }

    #[tokio::test]
    async fn a_changed_cell_is_found() {
        let folder = tempfile::tempdir().unwrap();
        let url = publish(folder.path()).await;
        change(
            &url,
            "UPDATE fact_company_activity SET events = events + 1
             WHERE company_id = 'bolt' AND activity_date = '2026-01-02'",
        )
        .await;
        let (outcome, lines) = verified(&url, None, None).await;
        let error = outcome.unwrap_err();
        assert_eq!(error.exit_code(), 1);
        assert!(error.to_string().starts_with("1 of 3 days differ from the ledger"), "{error}");
        assert!(lines.last().unwrap().starts_with("2026-01-02 2 2 "), "{lines:?}");
        verified(&url, Some(2), Some(2)).await.0.unwrap();
    }

    #[tokio::test]
    async fn rows_that_are_gone_and_days_without_an_entry_are_found() {
        let folder = tempfile::tempdir().unwrap();
        let url = publish(folder.path()).await;
        change(&url, "DELETE FROM fact_company_activity WHERE activity_date = '2026-01-01'").await;
        change(&url, "DELETE FROM published_days WHERE activity_date = '2026-01-02'").await;
        let (outcome, lines) = verified(&url, None, None).await;
        assert!(outcome.unwrap_err().to_string().starts_with("2 of 3 days differ"));
        let gone = lines.iter().find(|line| line.starts_with("2026-01-01 2 0 ")).unwrap();
        assert!(gone.ends_with(" 0000000000000000"), "{gone}");
        assert!(lines.iter().any(|line| line.starts_with("2026-01-02 - 2 - ")), "{lines:?}");
    }

    #[tokio::test]
    async fn a_checksum_of_a_newer_version_is_reported_and_no_difference() {
        let folder = tempfile::tempdir().unwrap();
        let url = publish(folder.path()).await;
        change(&url, "UPDATE published_days SET checksum_version = 9 WHERE activity_date = '2026-01-02'")
            .await;
        let (outcome, lines) = verified(&url, None, None).await;
        let error = outcome.unwrap_err();
        assert_eq!(error.exit_code(), 1);
        assert!(error.to_string().starts_with("1 of 3 days cannot be verified"), "{error}");
        let [line] = lines.as_slice() else { panic!("{lines:?}") };
        assert!(line.starts_with("2026-01-02 cannot be verified: its checksum is of version 9, "), "{line}");
        verified(&url, Some(0), Some(0)).await.0.unwrap();
    }

    #[tokio::test]
    async fn nothing_published_is_nothing_wrong() {
        let folder = tempfile::tempdir().unwrap();
        let url = format!("sqlite://{}/warehouse.sqlite", folder.path().display());
        let (outcome, lines) = verified(&url, None, None).await;
        outcome.unwrap();
        assert_eq!(lines, ["nothing is published yet"]);
    }
}
