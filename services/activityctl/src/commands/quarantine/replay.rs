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
    filter::FilterArgs,
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

Replaying is idempotent. What a row no longer hinders is published by that run; what cannot be
read still stays in quarantine, and keeps its last known value.

Exit codes: 0 the run was accepted (with --wait: it succeeded, whatever remains), 1 the command
            failed, 2 wrong usage or not confirmed, 3 with --wait: the run failed or was cancelled.

Examples:
  activityctl quarantine replay --date 2026-02-12 --wait
  activityctl quarantine replay --below crm/ --reason field --yes --wait --format json
  activityctl quarantine replay                     everything that nobody has accepted";

/// Put rows through the ordinary path once more, after a mend at the source or of a rule
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub struct ReplayArgs {
    #[command(flatten)]
    filter: FilterArgs,

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
    let filter = args.filter.filter(QuarantineState::Open)?;
    let connection = Connection::open(server, Patience::Job).await?;
    let found = counts(&connection, filter.clone(), QuarantineGrouping::Origin, MAX_DELIVERIES).await?;
    if found.is_empty() {
        notice("no such row is in quarantine that nobody has accepted");
        return Ok(());
    }
    show(&found);
    let question = format!("Load {} again?", deliveries(found.len()));
    match args.confirm.ask(&question)? {
        Answer::Yes => {}
        Answer::No => return Err(Error::Usage("nothing was replayed".to_owned())),
        Answer::NobodyThere => {
            return Err(Error::Usage("nobody is there to confirm it: add --yes if it is meant".to_owned()));
        }
    }
    let before = if args.wait { open_rows(&connection, &found).await? } else { Vec::new() };
    let (run, created) = replay(&connection, &filter).await?;
    let Some(run) = run else {
        notice("no such row is in quarantine any more");
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
    let after = open_rows(&connection, &found).await?;
    report(&before, &after, args.format, output)
}

/// Asks for the replay; without a run if there is nothing left to replay.
async fn replay(connection: &Connection, filter: &QuarantineFilter) -> Result<(Option<Run>, bool), Error> {
    let request = ReplayQuarantinedRowsRequest { pipeline: String::new(), filter: Some(filter.clone()) };
    let replayed = connection.quarantine().replay_quarantined_rows(request).await;
    let replayed = replayed.map_err(|status| failure(connection, status))?.into_inner();
    let ReplayQuarantinedRowsResponse { deliveries: replayed, run, created } = replayed;
    for delivery in replayed.iter().filter(|delivery| !delivery.was_loaded).take(SHOWN_DELIVERIES) {
        notice(format_args!(
            "{} was refused and never loaded: a run over its day reads it anyway, and the one that failed can be \
             continued with `activityctl retry`",
            printable(&delivery.origin)
        ));
    }
    if let Some(run) = &run {
        let what = if created { "created" } else { "is there already" };
        let days = table::window(run.window.as_ref());
        notice(format_args!(
            "run {} over {days} {what}; it loads {}",
            run.run_id,
            deliveries(replayed.len())
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

fn deliveries(count: usize) -> String {
    if count == 1 { "1 file or day".to_owned() } else { format!("{count} files and days") }
}

/// What nobody has accepted of these deliveries, for whatever reason.
async fn open_rows(connection: &Connection, found: &[QuarantineCount]) -> Result<Vec<QuarantinedRow>, Error> {
    let mut open: Vec<QuarantinedRow> = Vec::new();
    for group in found {
        let filter = QuarantineFilter {
            origin: group.origin.clone(),
            state: QuarantineState::Open.into(),
            ..QuarantineFilter::default()
        };
        let left = MAX_ROWS - open.len();
        open.extend(rows(connection, filter, left).await?);
        if open.len() == MAX_ROWS {
            notice(format_args!("only the first {MAX_ROWS} rows are compared"));
            break;
        }
    }
    open.sort_by(|one, other| (&one.origin, one.line).cmp(&(&other.origin, other.line)));
    Ok(open)
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
    fn a_row_on_another_line_has_not_left() {
        let written = Shared::default();
        let mut output = Output::plain(written.clone());
        report(&[row(2, "x"), row(3, "y")], &[row(4, "y")], Format::Table, &mut output).unwrap();
        let text = String::from_utf8(written.0.lock().unwrap().clone()).unwrap();
        assert!(text.starts_with("rows that left quarantine: 1, that remain: 1\n"), "{text}");
        assert!(text.contains("a.csv") && text.contains("torn"), "{text}");
    }
}
