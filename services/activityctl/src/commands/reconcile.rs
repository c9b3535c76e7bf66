//! `activityctl reconcile`

use chrono::{Days, NaiveDate};
use clap::Args;
use contract::message::window_to_proto;
use domain::DateWindow;
use indicatif::HumanCount;
use proto::{
    pipeline::v1::{ReconcileRequest, ReconcileResponse, reconcile_response::Update},
    reconciliation::v1::{DifferenceCount, Mismatch, ReconciliationSummary},
};
use runtime::{Clock, SystemClock};
use tonic::Status;

use crate::{
    commands::reconcile_heal::{heal, remedy},
    connect::{Connection, Patience, ServerArgs},
    days::{parse_day, window},
    error::Error,
    follow::FollowArgs,
    format::{
        RowFormat,
        reconciliation::{self, Pass, kind},
        table,
    },
    output::{Output, notice},
    unit_progress::UnitProgress,
};

const EXAMPLES: &str = "\
Fetches the days once more from the product API and compares: every difference is named, with both
values (users / events), and with the landed file, line and page that ours came from.

  late_at_source        the source did not have the record when the day was last fetched
  corrected_at_source   the source has other numbers than when the day was last fetched
  missing_here          the source had the record, and it is not published
  extra_here            it is published, and the source has no such record, or no longer
  quarantined           the record cannot be read at the source, or could not be
  differs_here          what was loaded is right, and something else is published: it waits for the
                        next run, or was changed by something other than a run

Nothing is changed, unless --heal runs the differing days again.

Exit codes: 0 all match, or all do after --heal, or --report has reported what differs,
            1 the command failed, 2 wrong usage, 3 a run of --heal failed, 4 numbers differ.

Examples:
  activityctl reconcile --sample 200 --date yesterday
  activityctl reconcile --company acme --from 2026-01-01 --to 2026-01-31
  activityctl reconcile --all --date 2026-02-12 --format csv
  activityctl reconcile --all --date 2026-02-12 --heal";

/// The most differences that a table shows.
const TABLE_ROWS: usize = 1_000;

/// Compare published numbers with a fresh fetch from the product API
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
#[group(id = "which", required = true, multiple = true, args = ["companies", "sample", "all"])]
pub struct ReconcileArgs {
    /// Only this company; may be repeated
    #[arg(long = "company", value_name = "COMPANY", conflicts_with_all = ["sample", "all"])]
    companies: Vec<String>,

    /// At most this many companies a day, drawn from all that are published or at the source
    #[arg(long, value_name = "NUMBER", value_parser = clap::value_parser!(u32).range(1..), conflicts_with = "all")]
    sample: Option<u32>,

    /// Every company
    #[arg(long)]
    all: bool,

    /// Which companies a sample holds [default: the day itself, so that each day has others, and a repeated
    /// command the same]
    #[arg(long, value_name = "TEXT", requires = "sample", conflicts_with_all = ["companies", "all"])]
    seed: Option<String>,

    /// One UTC day, or `yesterday`, which is the default
    #[arg(long, value_name = "YYYY-MM-DD", value_parser = parse_date, conflicts_with_all = ["from", "to"])]
    date: Option<Date>,

    /// The first UTC day
    #[arg(long, value_name = "YYYY-MM-DD", value_parser = parse_day, requires = "to")]
    from: Option<NaiveDate>,

    /// The last UTC day, included
    #[arg(long, value_name = "YYYY-MM-DD", value_parser = parse_day, requires = "from")]
    to: Option<NaiveDate>,

    /// Run the days that differ again, wait, and compare them once more
    #[arg(long)]
    heal: bool,

    /// Count what differs in the coordinator's metric and alert people, once a day for the same days; for jobs
    #[arg(long)]
    report: bool,

    /// How to print what differs
    #[arg(long, value_enum, default_value_t = RowFormat::Table)]
    format: RowFormat,

    #[command(flatten)]
    follow: FollowArgs,

    #[command(flatten)]
    server: ServerArgs,
}

/// A day, as it is given.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Date {
    Yesterday,
    Day(NaiveDate),
}

fn parse_date(text: &str) -> Result<Date, String> {
    if text == "yesterday" {
        return Ok(Date::Yesterday);
    }
    parse_day(text).map(Date::Day).map_err(|problem| format!("{problem}, or yesterday"))
}

impl ReconcileArgs {
    fn window(&self, yesterday: NaiveDate) -> Result<DateWindow, Error> {
        match (self.from, self.to, self.date) {
            (Some(from), Some(to), _) => window(from, to),
            (_, _, Some(Date::Day(day))) => Ok(DateWindow::day(day)),
            _ => Ok(DateWindow::day(yesterday)),
        }
    }

    /// Whether to report what a pass finds: of what is healed, only what remains.
    const fn reports(&self, pass: Pass) -> bool {
        match pass {
            Pass::Found => self.report && !self.heal,
            Pass::Remains => self.report,
        }
    }

    fn request(&self, window: DateWindow, report: bool) -> ReconcileRequest {
        ReconcileRequest {
            pipeline: String::new(),
            window: Some(window_to_proto(window)),
            company_ids: self.companies.clone(),
            sample_size: self.sample.unwrap_or_default(),
            sample_seed: self.seed.clone().unwrap_or_default(),
            report,
        }
    }
}

/// Reconciles, and heals what differs if asked to.
///
/// # Errors
/// If numbers differ and nobody is told of them, a run of the healing failed, or the server
/// refuses.
pub async fn execute(args: &ReconcileArgs, output: &mut Output) -> Result<(), Error> {
    let window = args.window(SystemClock.now().date_naive() - Days::new(1))?;
    let is_job = args.heal || args.report;
    let patience = if is_job { Patience::Job } else { Patience::Person };
    let connection = Connection::open(&args.server, patience).await?;
    if args.format == RowFormat::Csv {
        reconciliation::write_csv_header(output.writer())?;
    }
    let request = args.request(window, args.reports(Pass::Found));
    let found = compare(&connection, request, Pass::Found, args.format, output).await?;
    if found.mismatches == 0 || !args.heal {
        return conclude(&found, args.report, "; --heal runs the days that differ again".to_owned());
    }
    let unsuccessful = heal(&connection, &found.days, &args.follow).await?;
    let mut remains = Compared::default();
    for window in found.days.windows() {
        let request = args.request(window, args.reports(Pass::Remains));
        remains.add(compare(&connection, request, Pass::Remains, args.format, output).await?);
    }
    match unsuccessful {
        Some(failure) => Err(failure),
        None => conclude(&remains, args.report, remedy(&remains)),
    }
}

fn conclude(compared: &Compared, is_reported: bool, remedy: String) -> Result<(), Error> {
    let Compared { mismatches, compared, .. } = *compared;
    if mismatches == 0 || is_reported {
        return Ok(());
    }
    Err(Error::NumbersDiffer { mismatches, compared, remedy })
}

/// What a comparison found.
#[derive(Debug, Default)]
pub(crate) struct Compared {
    pub(crate) compared: u64,
    pub(crate) mismatches: u64,
    /// Numbers of kinds that were found.
    pub(crate) kinds: Vec<i32>,
    /// The days that differ.
    pub(crate) days: crate::commands::reconcile_heal::DifferingDays,
}

impl Compared {
    fn add(&mut self, other: Self) {
        self.compared += other.compared;
        self.mismatches += other.mismatches;
        self.kinds.extend(other.kinds);
    }
}

/// Compares, and prints every difference.
async fn compare(
    connection: &Connection,
    request: ReconcileRequest,
    pass: Pass,
    format: RowFormat,
    output: &mut Output,
) -> Result<Compared, Error> {
    let failure = |status: Status| connection.failure(status).of_newer_call(connection.server(), "Reconcile");
    let mut updates = connection.pipeline().reconcile(request).await.map_err(failure)?.into_inner();
    let mut progress = UnitProgress::for_stderr();
    let (mut compared, mut shown, mut summary) = (Compared::default(), Vec::new(), None);
    while let Some(ReconcileResponse { update }) = updates.message().await.map_err(failure)? {
        match update {
            Some(Update::Progress(step)) => progress.show(&step),
            Some(Update::Difference(mismatch)) => {
                compared.days.note(&mismatch)?;
                match format {
                    RowFormat::Table if shown.len() < TABLE_ROWS => shown.push(mismatch),
                    RowFormat::Table => {}
                    RowFormat::Json => reconciliation::write_json(output.writer(), pass, &mismatch)?,
                    RowFormat::Csv => reconciliation::write_csv(output.writer(), pass, &mismatch)?,
                }
            }
            Some(Update::Summary(totals)) => summary = Some(totals),
            // A kind of update from a newer server.
            None => {}
        }
    }
    progress.end();
    let summary = summary.ok_or(Error::Contract("ended before the comparison did"))?;
    print_end(&shown, &summary, pass, format, output)?;
    compared.compared = summary.compared;
    compared.mismatches = summary.mismatches;
    compared.kinds = summary.by_kind.iter().map(|count| count.kind).collect();
    Ok(compared)
}

fn print_end(
    shown: &[Mismatch],
    summary: &ReconciliationSummary,
    pass: Pass,
    format: RowFormat,
    output: &mut Output,
) -> Result<(), Error> {
    match format {
        RowFormat::Table if !shown.is_empty() => output.table(table::mismatches(shown))?,
        RowFormat::Json => reconciliation::write_json_summary(output.writer(), pass, summary)?,
        RowFormat::Table | RowFormat::Csv => {}
    }
    output.flush()?;
    if format == RowFormat::Table && summary.mismatches > shown.len() as u64 {
        let others = HumanCount(summary.mismatches - shown.len() as u64);
        notice(format_args!("and {others} more; --format csv prints them all"));
    }
    notice(totals(summary));
    Ok(())
}

/// The totals in a line.
fn totals(summary: &ReconciliationSummary) -> String {
    let ReconciliationSummary { compared, mismatches, invalid_records, by_kind, awaiting_run } = summary;
    let (all, matched) = (HumanCount(*compared), HumanCount(compared.saturating_sub(*mismatches)));
    let mut line = format!("{matched} of {all} compared company-days match");
    for DifferenceCount { kind: number, count } in by_kind {
        line.push_str(&format!(", {} {}", HumanCount(*count), kind(*number)));
    }
    if *awaiting_run > 0 {
        let differences = HumanCount(*awaiting_run);
        line.push_str(&format!("; a run under way may be about to publish {differences} of them"));
    }
    if *invalid_records > 0 {
        let records = HumanCount(*invalid_records);
        line.push_str(&format!("; {records} records of the source cannot be read"));
    }
    line
}

#[cfg(test)]
mod tests {
    use clap::{Parser, error::ErrorKind};
    use domain::date_window::parse_day;
    use proto::reconciliation::v1::DifferenceKind;

    use super::*;

    #[derive(Debug, Parser)]
    struct CommandLine {
        #[command(flatten)]
        args: ReconcileArgs,
    }

    fn parsed(line: &str) -> Result<ReconcileArgs, ErrorKind> {
        let words = std::iter::once("reconcile").chain(line.split_whitespace());
        CommandLine::try_parse_from(words).map(|line| line.args).map_err(|error| error.kind())
    }

    #[test]
    fn what_to_compare_is_said_once() {
        for (line, expected) in [
            ("", Some(ErrorKind::MissingRequiredArgument)),
            ("--all --sample 3", Some(ErrorKind::ArgumentConflict)),
            ("--company a --sample 3", Some(ErrorKind::ArgumentConflict)),
            ("--company a --all", Some(ErrorKind::ArgumentConflict)),
            ("--all --seed x", Some(ErrorKind::ArgumentConflict)),
            ("--seed x", Some(ErrorKind::MissingRequiredArgument)),
            ("--sample 0", Some(ErrorKind::ValueValidation)),
            ("--all --date soon", Some(ErrorKind::ValueValidation)),
            ("--all --from 2026-02-01", Some(ErrorKind::MissingRequiredArgument)),
            ("--company a --company b --from 2026-02-01 --to 2026-02-02", None),
            ("--sample 200 --date yesterday --seed x --report", None),
            ("--all --heal --format json", None),
        ] {
            assert_eq!(parsed(line).err(), expected, "{line}");
        }
    }

    #[test]
    fn what_is_healed_is_reported_only_if_it_remains() {
        for (line, expected) in [
            ("--all --report", [true, true]),
            ("--all --report --heal", [false, true]),
            ("--all --heal", [false, false]),
        ] {
            let args = parsed(line).unwrap();
            assert_eq!([Pass::Found, Pass::Remains].map(|pass| args.reports(pass)), expected, "{line}");
        }
    }

    #[test]
    fn without_a_day_yesterday_is_compared() {
        let yesterday = parse_day("2026-02-12").unwrap();
        for (line, expected) in [
            ("--all", "2026-02-12"),
            ("--all --date yesterday", "2026-02-12"),
            ("--all --date 2026-02-01", "2026-02-01"),
            ("--all --from 2026-02-01 --to 2026-02-03", "2026-02-01..2026-02-03"),
        ] {
            assert_eq!(parsed(line).unwrap().window(yesterday).unwrap().to_string(), expected, "{line}");
        }
    }

    #[test]
    fn totals_name_the_kinds_that_there_are() {
        let by_kind = vec![DifferenceCount { kind: DifferenceKind::LateAtSource.into(), count: 1_200 }];
        let summary =
            ReconciliationSummary { compared: 2_000, mismatches: 1_200, by_kind, ..Default::default() };
        assert_eq!(totals(&summary), "800 of 2,000 compared company-days match, 1,200 late_at_source");
        let awaiting = ReconciliationSummary { awaiting_run: 3, ..summary };
        assert!(totals(&awaiting).ends_with("; a run under way may be about to publish 3 of them"));
        let unreadable = ReconciliationSummary { invalid_records: 2, ..ReconciliationSummary::default() };
        let line = "0 of 0 compared company-days match; 2 records of the source cannot be read";
        assert_eq!(totals(&unreadable), line);
    }

    #[test]
    fn differences_have_an_exit_code_of_their_own_unless_they_are_reported() {
        let differing = Compared { compared: 3, mismatches: 1, ..Compared::default() };
        assert_eq!(conclude(&differing, false, String::new()).unwrap_err().exit_code(), 4);
        conclude(&differing, true, String::new()).unwrap();
        conclude(&Compared { compared: 3, ..Compared::default() }, false, String::new()).unwrap();
    }
}
