//! `activityctl quarantine replay`

use std::collections::BTreeSet;

use clap::Args;
use indicatif::HumanCount;
use proto::{
    pipeline::v1::Run,
    quarantine::v1::{
        QuarantineCount, QuarantineFilter, QuarantineGrouping, QuarantineState, QuarantinedRow,
        ReplayQuarantinedRowsRequest, ReplayQuarantinedRowsResponse,
    },
};

use super::{
    filter::{FilterArgs, StateChoice},
    rows::{counts, failure, rows},
};
use crate::{
    confirm::{Answer, ConfirmArgs},
    connect::{Connection, Patience, ServerArgs},
    error::Error,
    follow::{FollowArgs, follow_to_success},
    format::{Format, json, quarantine::ReplayedRowRecord, table},
    output::{Output, notice, printable},
    progress::RunProgress,
};

/// The most deliveries that are shown before they are replayed.
const SHOWN_DELIVERIES: usize = 20;

/// The most deliveries whose rows are compared; the server counts no more groups at once.
const MAX_DELIVERIES: u32 = 1_000;

/// The most rows that are compared.
const MAX_ROWS: usize = 20_000;

const EXAMPLES: &str = "\
Files are read again although nothing about them is new, and days are fetched again from the
product API, by a run over the newest published day. It publishes what changes on whatever day.
An export that is no longer in its folder is read from its copy in the archive; an event file
has no copy, so put it back first. An export without a date in its path keeps the day that was
decided for it. What was refused and never loaded needs no replay: `activityctl retry` its run.
A replay that is refused because of its rows is asked for once more, with --state all, after
they are accepted.

Replaying is idempotent. What a row no longer hinders is published by that run; what cannot be
read still stays in quarantine, and keeps its last known value.

Exit codes: 0 the run was accepted (with --wait: it succeeded, whatever remains), 1 the command
            failed, 2 wrong usage or not confirmed, 3 with --wait: the run failed or was cancelled.

Examples:
  activityctl quarantine replay --date 2026-02-12 --wait
  activityctl quarantine replay --below crm/ --reason field --yes --wait --format json
  activityctl quarantine replay --origin crm/companies_2026-02-12.csv --state all
  activityctl quarantine replay                     everything that nobody has accepted";

/// Put rows through the ordinary path once more, after a mend at the source or of a rule
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub struct ReplayArgs {
    #[command(flatten)]
    filter: FilterArgs,

    /// Whether somebody has accepted the rows
    #[arg(long, value_enum, default_value_t = StateChoice::Open)]
    state: StateChoice,

    #[command(flatten)]
    confirm: ConfirmArgs,

    /// Wait until the run has ended, and report which rows left quarantine and which remain
    #[arg(long)]
    wait: bool,

    /// How to print that report
    #[arg(long, value_enum, default_value_t = Format::Table)]
    format: Format,

    #[command(flatten)]
    follow: FollowArgs,
}

pub(super) async fn execute(
    args: &ReplayArgs,
    server: &ServerArgs,
    output: &mut Output,
) -> Result<(), Error> {
    let state = args.state.into();
    let filter = args.filter.filter(state)?;
    let connection = Connection::open(server, Patience::Job).await?;
    let found = counts(&connection, filter.clone(), QuarantineGrouping::Origin, MAX_DELIVERIES).await?;
    if found.is_empty() {
        notice("no such row is in quarantine");
        return Ok(());
    }
    show(&found);
    let or_more = if found.len() == MAX_DELIVERIES as usize { " or more" } else { "" };
    let question = format!("Load {}{or_more} again?", deliveries(found.len() as u64));
    match args.confirm.ask(&question)? {
        Answer::Yes => {}
        Answer::No => return Err(Error::Usage("nothing was replayed".to_owned())),
        Answer::NobodyThere => {
            return Err(Error::Usage("nobody is there to confirm it: add --yes if it is meant".to_owned()));
        }
    }
    let before =
        if args.wait { waiting_rows(&connection, &found, state).await? } else { WholeDeliveries::default() };
    let (run, created) = replay(&connection, &filter).await?;
    let Some(run) = run else {
        notice("no run was started: nothing is to be loaded again");
        return Ok(());
    };
    if !args.wait {
        return output.line(&run.run_id);
    }
    let mut progress = RunProgress::for_stderr();
    follow_to_success(&connection, &run.run_id, &args.follow, &mut progress).await?;
    if !created {
        // It may have read its sources before they were asked for again.
        if let (Some(next), _) = replay(&connection, &filter).await? {
            follow_to_success(&connection, &next.run_id, &args.follow, &mut progress).await?;
        }
    }
    let after = waiting_rows(&connection, &found, state).await?;
    let compared = before.deliveries.min(after.deliveries);
    if compared < found.len() || !or_more.is_empty() {
        notice(format_args!("only the rows of the first {} are compared", deliveries(compared as u64)));
    }
    let origins: BTreeSet<&str> = found.iter().take(compared).map(|group| group.origin.as_str()).collect();
    report(&before.rows_of(&origins), &after.rows_of(&origins), args.format, output)
}

/// Asks for the replay; without a run if there is nothing left to replay.
async fn replay(connection: &Connection, filter: &QuarantineFilter) -> Result<(Option<Run>, bool), Error> {
    let request = ReplayQuarantinedRowsRequest { pipeline: String::new(), filter: Some(filter.clone()) };
    let replayed = connection.quarantine().replay_quarantined_rows(request).await;
    let replayed = replayed.map_err(|status| failure(connection, status))?.into_inner();
    let ReplayQuarantinedRowsResponse { deliveries: replayed, run, created, delivery_count } = replayed;
    for delivery in replayed.iter().filter(|delivery| !delivery.was_loaded).take(SHOWN_DELIVERIES) {
        notice(format_args!(
            "{} is not loaded: `activityctl retry` the run that refused it, or `activityctl backfill` its days",
            printable(&delivery.origin)
        ));
    }
    if let Some(run) = &run {
        let what = if created { "created" } else { "is there already" };
        let days = table::window(run.window.as_ref());
        notice(format_args!(
            "run {} over {days} {what}; it loads what is loaded already of {}",
            run.run_id,
            deliveries(delivery_count)
        ));
    }
    Ok((run, created))
}

fn show(found: &[QuarantineCount]) {
    for group in found.iter().take(SHOWN_DELIVERIES) {
        let day = match group.business_date.as_str() {
            "" => String::new(),
            day => format!(" ({day})"),
        };
        notice(format_args!(
            "{}: {}{day}, {} rows in quarantine",
            group.stage,
            printable(&group.origin),
            HumanCount(group.rows)
        ));
    }
    if let Some(more) = found.len().checked_sub(SHOWN_DELIVERIES).filter(|more| *more > 0) {
        notice(format_args!("and {more} more"));
    }
}

fn deliveries(count: u64) -> String {
    if count == 1 { "1 file or day".to_owned() } else { format!("{} files and days", HumanCount(count)) }
}

/// The rows of some deliveries, of each all or none: of a delivery that is cut off, rows would
/// seem to have left.
#[derive(Debug, Default)]
struct WholeDeliveries {
    rows: Vec<QuarantinedRow>,
    /// How many deliveries.
    deliveries: usize,
}

impl WholeDeliveries {
    /// The rows of these files, by file, then line.
    fn rows_of(&self, origins: &BTreeSet<&str>) -> Vec<QuarantinedRow> {
        let rows = self.rows.iter().filter(|row| origins.contains(row.origin.as_str()));
        let mut rows: Vec<QuarantinedRow> = rows.cloned().collect();
        rows.sort_by(|one, other| (&one.origin, one.line).cmp(&(&other.origin, other.line)));
        rows
    }

    /// Adds a delivery's rows, unless they are too many; returns whether it did.
    fn add(&mut self, rows: Vec<QuarantinedRow>) -> bool {
        if self.rows.len() + rows.len() > MAX_ROWS {
            return false;
        }
        self.rows.extend(rows);
        self.deliveries += 1;
        true
    }
}

/// The rows of these deliveries, for whatever reason, as far as there are not too many.
async fn waiting_rows(
    connection: &Connection,
    found: &[QuarantineCount],
    state: QuarantineState,
) -> Result<WholeDeliveries, Error> {
    let mut whole = WholeDeliveries::default();
    for group in found {
        let filter = QuarantineFilter {
            origin: group.origin.clone(),
            state: state.into(),
            ..QuarantineFilter::default()
        };
        // One more than fits, to learn whether there are more.
        let left = MAX_ROWS - whole.rows.len() + 1;
        if !whole.add(rows(connection, filter, left).await?) {
            break;
        }
    }
    Ok(whole)
}

/// A row by what makes it the same row after a load: a record that came late moves lines.
fn identity(row: &QuarantinedRow) -> (&str, &str, &str) {
    (&row.origin, &row.reason, &row.raw)
}

fn report(
    before: &[QuarantinedRow],
    after: &[QuarantinedRow],
    format: Format,
    output: &mut Output,
) -> Result<(), Error> {
    let remaining: BTreeSet<_> = after.iter().map(identity).collect();
    let left: Vec<&QuarantinedRow> =
        before.iter().filter(|row| !remaining.contains(&identity(row))).collect();
    match format {
        Format::Json => {
            for row in left {
                json::write_line(output.writer(), &ReplayedRowRecord::new(row, true))?;
            }
            for row in after {
                json::write_line(output.writer(), &ReplayedRowRecord::new(row, false))?;
            }
        }
        Format::Table => {
            let (gone, remain) = (HumanCount(left.len() as u64), HumanCount(after.len() as u64));
            output.line(format_args!("rows that left quarantine: {gone}, that remain: {remain}"))?;
            if !after.is_empty() {
                output.table(table::quarantined_rows(after))?;
            }
        }
    }
    output.flush()
}

#[cfg(test)]
mod tests {
    use std::{
        io::Write,
        sync::{Arc, Mutex},
    };

    use super::*;

    #[derive(Clone, Default)]
    struct Shared(Arc<Mutex<Vec<u8>>>);

    impl Write for Shared {
        fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
            self.0.lock().unwrap().write(bytes)
        }

        fn flush(&mut self) -> std::io::Result<()> {
            Ok(())
        }
    }

    fn row(line: u64, raw: &str) -> QuarantinedRow {
        QuarantinedRow {
            origin: "a.csv".into(),
            line,
            reason: "torn".into(),
            raw: raw.into(),
            ..Default::default()
        }
    }

    #[test]
    fn of_a_delivery_that_is_cut_off_no_row_is_compared() {
        let mut whole = WholeDeliveries::default();
        assert!(whole.add(vec![row(2, "x")]));
        assert!(!whole.add(vec![row(3, "y"); MAX_ROWS]));
        assert_eq!((whole.deliveries, whole.rows.len()), (1, 1));
        assert_eq!(whole.rows_of(&BTreeSet::from(["a.csv"])), [row(2, "x")]);
        assert_eq!(whole.rows_of(&BTreeSet::from(["b.csv"])), []);
    }

    #[test]
    fn a_row_on_another_line_has_not_left() {
        let written = Shared::default();
        let mut output = Output::plain(written.clone());
        report(&[row(2, "x"), row(3, "y")], &[row(4, "y")], Format::Table, &mut output).unwrap();
        let text = String::from_utf8(written.0.lock().unwrap().clone()).unwrap();
        assert!(text.starts_with("rows that left quarantine: 1, that remain: 1\n"), "{text}");
        assert!(text.contains("a.csv") && text.contains("torn"), "{text}");
    }
}
