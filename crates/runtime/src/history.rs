//! Where history begins, for every service that looks back in time.

use chrono::NaiveDate;

/// Where history begins.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, clap::Args)]
#[group(skip)]
pub struct HistoryOptions {
    /// The first UTC day of history: the schedule heals gaps from here on, and nothing earlier is fetched
    /// [default: the oldest day of a backfill, else the oldest published day within --max-reach of the newest]
    #[arg(long, env = "HISTORY_START", value_name = "YYYY-MM-DD", value_parser = parse_day)]
    pub history_start: Option<NaiveDate>,
}

fn parse_day(text: &str) -> Result<NaiveDate, String> {
    domain::date_window::parse_day(text)
        .ok_or_else(|| format!("{text:?} is no calendar day of the form YYYY-MM-DD"))
}
