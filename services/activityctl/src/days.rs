//! Days and windows on the command line.

use chrono::NaiveDate;
use clap::Args;
use domain::DateWindow;

use crate::error::Error;

/// Parses a day for clap.
///
/// # Errors
/// If the text is not a day.
pub fn parse_day(text: &str) -> Result<NaiveDate, String> {
    domain::date_window::parse_day(text).ok_or_else(|| "write a calendar day as YYYY-MM-DD".to_owned())
}

/// A range of days that may be left out.
#[derive(Debug, Clone, Args)]
#[group(skip)]
pub struct DayRangeArgs {
    /// One UTC day; short for --from D --to D
    #[arg(long, value_name = "YYYY-MM-DD", value_parser = parse_day, conflicts_with_all = ["from", "to"])]
    pub date: Option<NaiveDate>,

    /// The first UTC day
    #[arg(long, value_name = "YYYY-MM-DD", value_parser = parse_day, requires = "to")]
    pub from: Option<NaiveDate>,

    /// The last UTC day, included
    #[arg(long, value_name = "YYYY-MM-DD", value_parser = parse_day, requires = "from")]
    pub to: Option<NaiveDate>,
}

impl DayRangeArgs {
    /// The given days, if any.
    ///
    /// # Errors
    /// If they are in the wrong order.
    pub fn window(&self) -> Result<Option<DateWindow>, Error> {
        match (self.date, self.from, self.to) {
            (Some(day), _, _) => Ok(Some(DateWindow::day(day))),
            (None, Some(from), Some(to)) => window(from, to).map(Some),
            _ => Ok(None),
        }
    }
}

/// The days from `--from` to `--to`.
///
/// # Errors
/// If they are in the wrong order.
pub fn window(from: NaiveDate, to: NaiveDate) -> Result<DateWindow, Error> {
    DateWindow::new(from, to).map_err(|error| Error::Usage(format!("--from {from} --to {to}: {error}")))
}
