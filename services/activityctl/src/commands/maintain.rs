//! `activityctl maintain`

use std::time::Duration;

use anyhow::Context as _;
use chrono::{DateTime, Utc};
use clap::Args;
use domain::OperatorAction;
use ingest_api::LandingArgs;
use ingest_crm::ArchiveArgs;
use landing::Storage;
use runtime::{Clock, SystemClock, WarehouseArgs};

use super::migrate::WAREHOUSE_HELP;
use crate::{
    error::Error,
    local_audit,
    maintenance::{Maintenance, Plan, first_day_kept, history_before, leftovers_before},
    output::Output,
};

/// Longer than any stage may take: younger files may be about to be loaded.
const MIN_LEFTOVER_AGE: Duration = Duration::from_hours(24);

const EXAMPLES: &str = "\
Without further flags leftovers go, once they are older than --leftovers-after, and history:
candidates of a run that has ended, landed days that the warehouse does not refer to,
and temporaries of writes that were killed (on a folder; Azure drops uncommitted blocks
by itself). History is what publishes have replaced: it answers what a number was before, and
goes after --keep-history-days, with the results of comparisons with the product API (`reconcile`)
that are as old. What is published stays, and days that a release without totals has published are
summed up. Copies of CRM exports stay for good. The CRM's own exports and event files
are never touched, nor is any file that is not named as the suite names its own.

--keep-months N keeps the current month and N before it. Days before that are forgotten:
published rows, their ledger, events, and the usage that no kept day reads. A scheduled
run does not go back to them; a run over them fetches and builds them as new. It is
refused while a run or its candidates need them. On Postgres months go by the partition,
and `busy` means that somebody reads them: try again later.

Run it as often as you like, also beside running services; what is gone is gone. The audit
trail has it as `local:<user>`, unless it is a --dry-run; `activityctl audit-log` lists it. A landing
belongs to one warehouse: after restoring an older backup let the pipeline catch up first,
or files that were loaded since are taken for leftovers.

One line on standard output tells what each task did. Exit codes: 0 all is done, 1 a task
failed and the others are done, 2 wrong usage.

Examples:
  activityctl maintain --warehouse-url URL --landing-url URL --crm-archive-url URL --dry-run
  activityctl maintain --warehouse-url URL --landing-url URL --crm-archive-url URL
  activityctl maintain --warehouse-url URL --keep-months 24
  activityctl maintain --warehouse-url URL --landing-url URL --keep-landed-months 6";

/// Remove what is old and what interrupted work has left
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES, mut_arg("warehouse_url", |arg| arg.help(WAREHOUSE_HELP)))]
pub struct MaintainArgs {
    #[command(flatten)]
    warehouse: WarehouseArgs,

    #[command(flatten)]
    landing: LandingArgs,

    #[command(flatten)]
    archive: ArchiveArgs,

    /// Months of published days to keep before the current one; 0 keeps all
    #[arg(long, env = "KEEP_MONTHS", value_name = "N", default_value_t = 0)]
    keep_months: u32,

    /// Days to keep what publishes have replaced, and what comparisons found; 0 keeps all
    #[arg(long, env = "KEEP_HISTORY_DAYS", value_name = "N", default_value_t = 90)]
    keep_history_days: u32,

    /// Months of landed usage files to keep before the current one; 0 keeps all
    #[arg(long, env = "KEEP_LANDED_MONTHS", value_name = "N", default_value_t = 0)]
    keep_landed_months: u32,

    /// How old leftovers must be to go, at least 1d
    #[arg(long, env = "LEFTOVERS_AFTER", value_name = "DURATION", default_value = "7d", value_parser = humantime::parse_duration)]
    leftovers_after: Duration,

    /// Show what would go, and remove nothing
    #[arg(long)]
    dry_run: bool,
}

impl MaintainArgs {
    fn plan(&self, now: DateTime<Utc>) -> Result<Plan, Error> {
        if self.leftovers_after < MIN_LEFTOVER_AGE {
            return Err(Error::Usage(
                "--leftovers-after is less than 1d: a file may be that old and still be about to be loaded"
                    .to_owned(),
            ));
        }
        if self.keep_landed_months > 0 && self.landing.landing_url.is_none() {
            return Err(Error::Usage("--keep-landed-months needs --landing-url".to_owned()));
        }
        Ok(Plan {
            first_kept_day: first_day_kept(now, self.keep_months),
            history_before: history_before(now, self.keep_history_days)?,
            first_landed_day: first_day_kept(now, self.keep_landed_months),
            leftovers_before: leftovers_before(now, self.leftovers_after)?,
            dry_run: self.dry_run,
        })
    }
}

/// Runs the requested maintenance, as of now.
///
/// # Errors
/// As [`maintain`].
pub async fn execute(args: &MaintainArgs, output: &mut Output) -> Result<(), Error> {
    maintain(args, SystemClock.now(), output).await
}

/// Runs the requested maintenance, as of `now`.
///
/// # Errors
/// If a location cannot be used, or a task fails.
pub async fn maintain(args: &MaintainArgs, now: DateTime<Utc>, output: &mut Output) -> Result<(), Error> {
    let plan = args.plan(now)?;
    let landing = open(args.landing.landing_url.as_deref(), "--landing-url")?;
    let archive = open(args.archive.crm_archive_url.as_deref(), "--crm-archive-url")?;
    let warehouse =
        warehouse::open(&args.warehouse.warehouse_url).await.context("cannot open the warehouse")?;
    let work = async {
        let mut maintenance = Maintenance::new(&*warehouse, &plan, output);
        maintenance.clear_warehouse().await?;
        maintenance.sum_up_days(&*warehouse).await?;
        if let Some(landing) = &landing {
            maintenance.clear_landing(landing).await?;
        }
        if let Some(archive) = &archive {
            maintenance.clear_archive(archive).await?;
        }
        maintenance.end()
    };
    if plan.dry_run {
        return work.await;
    }
    let recorded = local_audit::begin(&warehouse, OperatorAction::Maintain, &details(args)).await?;
    local_audit::end(recorded, work.await, "").await
}

/// What the audit trail says of a maintenance.
fn details(args: &MaintainArgs) -> String {
    let MaintainArgs { keep_months, keep_history_days, keep_landed_months, .. } = args;
    let leftovers_after = humantime::format_duration(args.leftovers_after);
    format!(
        "keep-months {keep_months}, keep-history-days {keep_history_days}, keep-landed-months {keep_landed_months}, \
         leftovers-after {leftovers_after}"
    )
}

fn open(url: Option<&str>, flag: &str) -> Result<Option<Storage>, Error> {
    let storage = url.map(Storage::open).transpose();
    Ok(storage.with_context(|| format!("{flag} cannot be used"))?)
}
