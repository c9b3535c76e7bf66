//! Runs as the coordinator keeps them, drawn on the command line.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::{
    collections::HashMap,
    io::{self, Write},
    sync::{Arc, Mutex},
};

use activityctl::{
    commands::trends::{TrendsArgs, show},
    connect::Connection,
    error::Error,
    output::Output,
};
use chrono::{NaiveTime, TimeDelta};
use clap::{Args, Command, FromArgMatches};
use coordinator::{Connections, Options};
use domain::{Counters, run::STAGE_COPY_CRM_CSV};
use runtime::{Context, HistoryOptions};
use tempfile::TempDir;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;
use warehouse::{NewRun, SharedWarehouse, WindowChoice};
use warehouse_conformance::scene::{day, days, hold_new_run, new_run};

/// A coordinator that executes nothing, over a warehouse with runs.
struct Kept {
    warehouse: SharedWarehouse,
    connection: Connection,
    _server: JoinSet<anyhow::Result<()>>,
    _folder: TempDir,
}

impl Kept {
    async fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let url = format!("sqlite://{}", folder.path().join("warehouse.sqlite").display());
        let warehouse = warehouse::open(&url).await.unwrap();
        let nowhere = runtime::channel::connect("http://127.0.0.1:1").unwrap();
        let stages = ["ingest-crm", "ingest-api", "transform"].map(|name| (name.to_owned(), nowhere.clone()));
        let connections = Connections { stages: HashMap::from(stages), ..Connections::default() };
        let options = Options::from_arg_matches(
            &Options::augment_args(Command::new("test").no_binary_name(true)).get_matches_from([""; 0]),
        );
        let service = coordinator::assemble(
            options.unwrap(),
            HistoryOptions::default(),
            connections,
            warehouse.clone().into(),
            &Context::new(),
        );
        let routes = service.unwrap().grpc.remove(0).routes;
        let (channel, task) =
            runtime::channel::in_process("coordinator", routes, CancellationToken::new()).unwrap();
        let mut server = JoinSet::new();
        server.spawn(task.run);
        let connection = Connection::through("coordinator", channel);
        Self { warehouse, connection, _server: server, _folder: folder }
    }

    /// A run over a day, on the morning after it.
    fn run_of(offset: i64) -> NewRun {
        let created_at = day(offset + 1).and_time(NaiveTime::MIN).and_utc();
        NewRun { created_at, force: true, ..new_run(WindowChoice::Days(days(offset, offset))) }
    }

    /// Stores a run whose CRM stage took this many seconds for a thousand rows.
    async fn keep(&self, offset: i64, seconds: i64) {
        let new = Self::run_of(offset);
        let started_at = new.created_at;
        let run = hold_new_run(&self.warehouse, new, started_at).await;
        let fence = run.begin(STAGE_COPY_CRM_CSV).await;
        let counters =
            Counters { rows_read: 1_000, rows_written: 1_000, bytes_read: 2_048, ..Counters::default() };
        let ended_at = started_at + TimeDelta::seconds(seconds);
        self.warehouse.complete_stage(&fence, counters, &[], ended_at).await.unwrap();
        run.cancel().await;
    }

    /// Stores a run that was cancelled before it began.
    async fn keep_cancelled(&self, offset: i64) {
        let run = self.warehouse.create_run(Self::run_of(offset)).await.unwrap().run;
        self.warehouse.cancel_run(run.run_id, run.created_at).await.unwrap();
    }

    /// What `activityctl trends` prints six hours into the day after `offset`.
    async fn trends(&self, offset: i64, flags: &[&str]) -> Result<Vec<String>, Error> {
        let command = TrendsArgs::augment_args(Command::new("test").no_binary_name(true));
        let args = TrendsArgs::from_arg_matches(&command.get_matches_from(flags)).unwrap();
        let now = day(offset + 1).and_hms_opt(6, 0, 0).unwrap().and_utc();
        let printed = Printed::default();
        show(&self.connection, &args, now, &mut Output::plain(printed.clone())).await?;
        let text = String::from_utf8(printed.0.lock().unwrap().clone()).unwrap();
        Ok(text.lines().map(ToOwned::to_owned).collect())
    }
}

#[derive(Clone, Default)]
struct Printed(Arc<Mutex<Vec<u8>>>);

impl Write for Printed {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap().write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[tokio::test]
async fn the_day_is_named_on_which_a_stage_began_to_grow() {
    let kept = Kept::new().await;
    for offset in 0..20 {
        kept.keep(offset, 3 + 2 * (offset - 9).max(0)).await;
    }
    let reported = kept.trends(19, &[]).await.unwrap();
    assert_eq!(reported[0], STAGE_COPY_CRM_CSV);
    let row = |line: &String| line.split_whitespace().collect::<Vec<_>>().join(" ");
    assert_eq!(row(&reported[3]), "2026-01-01 1 3.0 s █████▎ 1,000 2.00 KiB");
    assert_eq!(row(&reported[22]), format!("2026-01-20 1 23.0 s {} 1,000 2.00 KiB", "█".repeat(40)));
    assert_eq!(
        reported[23],
        "grows faster than its data since 2026-01-11: 7.0 times as long for the same rows"
    );
    assert!(reported[24].starts_with("compare  activityctl runs show "), "{reported:#?}");
    assert_eq!(reported.len(), 26);
}

#[tokio::test]
async fn runs_are_looked_at_page_by_page_until_they_are_too_old() {
    let kept = Kept::new().await;
    for offset in [0, 8, 9] {
        kept.keep(offset, 3).await;
    }
    // As many as the coordinator puts on a page.
    for _ in 0..200 {
        kept.keep_cancelled(10).await;
    }
    let reported = kept.trends(10, &["--days", "5", "--format", "csv"]).await.unwrap();
    let days: Vec<&str> = reported[1..].iter().map(|line| line.split(',').nth(1).unwrap()).collect();
    assert_eq!(days, ["2026-01-09", "2026-01-10"]);
    assert!(kept.trends(100, &["--days", "5"]).await.unwrap().is_empty());
}

#[tokio::test]
async fn a_stage_that_nobody_knows_is_wrong_usage() {
    let kept = Kept::new().await;
    kept.keep(0, 3).await;
    let error = kept.trends(0, &["--stage", "act_copy_crm"]).await.unwrap_err();
    assert_eq!(error.exit_code(), 2);
    assert!(error.to_string().contains("these have: act_copy_crm_csv"), "{error}");
    assert_eq!(kept.trends(0, &["--stage", STAGE_COPY_CRM_CSV]).await.unwrap().len(), 5);
}
