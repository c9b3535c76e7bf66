//! `activityctl trends`

use chrono::{DateTime, Days, NaiveDate, Utc};
use clap::Args;
use presentation::trend::{StageTrend, trends};
use proto::pipeline::v1::{ListRunsRequest, Run};
use runtime::{Clock, SystemClock};

use super::runs::newest;
use crate::{
    connect::{Connection, Patience, ServerArgs},
    error::Error,
    format::{
        json, table,
        trend::{TrendFormat, TrendJson, write_csv},
        value::instant,
    },
    output::{Output, notice, printable},
};

const EXAMPLES: &str = "\
A stage's duration is set against the rows that it read: twice the rows may take twice as
long, fewer rows are expected to take no less. A stage grows faster than its data since a
day if it has stayed above the usual for its rows from that day on, for three days at least,
and takes 1.5 times as long by now. Eight days are needed to tell, and what takes less than
five seconds is nobody's concern.

Durations are those of the attempts that succeeded. A run over several days stands at its
last one. Runs that cover more or fewer days than most are shown and not judged: a catch-up
says nothing about a daily run. Of several runs of a day the first counts, for later ones
find most of their data unchanged.

Exit codes: 0 the trends are shown, whatever they say, 1 the command failed, 2 wrong usage.

Examples:
  activityctl trends
  activityctl trends --stage act_call_product_api --days 90
  activityctl trends --format csv > trends.csv
  activityctl trends --format json | jq -r 'select(.grows_since) | .stage'";

/// Show what each stage took from day to day, and since when one grows faster than its data
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub struct TrendsArgs {
    /// Only this stage [default: all]
    #[arg(long, value_name = "STAGE")]
    stage: Option<String>,

    /// How many days to look back
    #[arg(long, value_name = "N", default_value_t = 30, value_parser = clap::value_parser!(u32).range(1..=3660))]
    days: u32,

    /// How to print them
    #[arg(long, value_enum, default_value_t = TrendFormat::Table)]
    format: TrendFormat,

    #[command(flatten)]
    server: ServerArgs,
}

/// Shows the trends.
///
/// # Errors
/// As [`show`].
pub async fn execute(args: &TrendsArgs, output: &mut Output) -> Result<(), Error> {
    let connection = Connection::open(&args.server, Patience::Person).await?;
    show(&connection, args, SystemClock.now(), output).await
}

/// Shows the trends of a server's runs, as of `now`.
///
/// # Errors
/// If the server refuses, or no run has the requested stage.
pub async fn show(
    connection: &Connection,
    args: &TrendsArgs,
    now: DateTime<Utc>,
    output: &mut Output,
) -> Result<(), Error> {
    let today = now.date_naive();
    let from = today.checked_sub_days(Days::new(args.days.into())).unwrap_or(NaiveDate::MIN);
    // No run is older than its days, so every run that counts is among these.
    let is_recent =
        |run: &Run| instant(run.create_time.as_ref()).is_none_or(|created| created.date_naive() >= from);
    let runs = newest(connection, ListRunsRequest::default(), usize::MAX, is_recent).await?;
    let found = chosen(trends(&runs, from), args)?;
    match args.format {
        TrendFormat::Table => print(&found, output)?,
        TrendFormat::Csv => write_csv(output.writer(), &found)?,
        TrendFormat::Json => {
            for trend in &found {
                json::write_line(output.writer(), &TrendJson::from(trend))?;
            }
        }
    }
    output.flush()?;
    if found.is_empty() {
        notice(format_args!("no stage has succeeded for any of the last {} days", args.days));
    }
    Ok(())
}

/// The requested trends.
fn chosen(found: Vec<StageTrend>, args: &TrendsArgs) -> Result<Vec<StageTrend>, Error> {
    let Some(stage) = &args.stage else { return Ok(found) };
    let names: Vec<String> = found.iter().map(|trend| printable(&trend.stage)).collect();
    let chosen: Vec<StageTrend> = found.into_iter().filter(|trend| trend.stage == *stage).collect();
    if chosen.is_empty() && !names.is_empty() {
        return Err(Error::Usage(format!(
            "--stage {stage}: it has not succeeded for any of the last {} days; these have: {}",
            args.days,
            names.join(", ")
        )));
    }
    Ok(chosen)
}

fn print(found: &[StageTrend], output: &mut Output) -> Result<(), Error> {
    for (position, trend) in found.iter().enumerate() {
        let gap = if position == 0 { "" } else { "\n" };
        output.line(format_args!("{gap}{}", printable(&trend.stage)))?;
        output.table(table::trend(trend, output.width()))?;
        output.line(trend.judgement)?;
        if let Some((before, first)) = trend.turn() {
            let (before, first) = (printable(&before.run_id), printable(&first.run_id));
            output.line(format_args!(
                "compare  activityctl runs show {before}\n    with activityctl runs show {first}"
            ))?;
        }
    }
    Ok(())
}
