//! How the fields are read that requests have in common.

use chrono::NaiveDate;
use contract::{FieldViolations, page_size};
use domain::date_window::parse_day;

/// The page size if none is requested.
const DEFAULT_PAGE_SIZE: u32 = 100;

/// The largest page: below gRPC's limit of 4 MiB even if every row has its maximum width.
pub(crate) const MAX_PAGE_SIZE: u32 = 1_000;

/// A validated request, or what is wrong with it.
pub(crate) type Checked<T> = Result<T, FieldViolations>;

/// `Some(None)` for an empty field, else what `parse` returns: `None` once it
/// has recorded what is wrong.
#[expect(clippy::option_option, reason = "an empty field is no problem, and a problem is no empty field")]
pub(crate) fn optional<T>(text: &str, parse: impl FnOnce(&str) -> Option<T>) -> Option<Option<T>> {
    if text.is_empty() { Some(None) } else { parse(text).map(Some) }
}

pub(crate) fn calendar_day(text: &str) -> Result<NaiveDate, String> {
    parse_day(text).ok_or_else(|| format!("{text:?} is not a calendar day of the form YYYY-MM-DD"))
}

pub(crate) fn checked_page_size(asked: i32) -> Result<u32, String> {
    page_size(asked, DEFAULT_PAGE_SIZE, MAX_PAGE_SIZE)
        .ok_or_else(|| format!("{asked} is negative: leave it at zero for {DEFAULT_PAGE_SIZE} rows"))
}
