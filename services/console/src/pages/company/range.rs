//! Which days of a company are shown.

use chrono::{Days, NaiveDate};
use domain::{DateWindow, date_window::parse_day};
use maud::{Markup, html};

use super::Asked;
use crate::{
    failure::Failure,
    fields::optional_day,
    html::{address::Address, form::kept},
};

/// Days that are shown unless others are asked for.
const DAYS: u64 = 90;
/// The most days of a chart.
const MOST: u64 = 400;

/// The days from `from` to `to`; without, the last ones up to the newest published day.
/// `None` if nothing is published and nothing was asked for.
///
/// # Errors
/// If a text is no day, or the days are in the wrong order or too many.
pub(super) fn window(from: &str, to: &str, newest: &str) -> Result<Option<DateWindow>, Failure> {
    let (from, to) = (optional_day(from)?, optional_day(to)?);
    let after = |start: NaiveDate| start.checked_add_days(Days::new(DAYS - 1));
    let Some(to) = to.or_else(|| parse_day(newest)).or_else(|| from.and_then(after)) else {
        return Ok(None);
    };
    let from = from.or_else(|| to.checked_sub_days(Days::new(DAYS - 1))).unwrap_or(to);
    let window = DateWindow::new(from, to).map_err(|problem| Failure::Invalid(problem.to_string()))?;
    if window.len_days() > MOST {
        return Err(Failure::Invalid(format!(
            "{} days are too many; at most {MOST} can be shown",
            window.len_days()
        )));
    }
    Ok(Some(window))
}

/// The form that asks for days, and links to those before and after, up to the newest published
/// one if it is known.
pub(super) fn form(days: DateWindow, newest: Option<NaiveDate>, asked: &Asked, address: &Address) -> Markup {
    let length = Days::new(days.len_days());
    let moved = |from: Option<NaiveDate>, to: Option<NaiveDate>| {
        Some(address.with("from", from?).with("to", to?).without("explain"))
    };
    let earlier = moved(days.start().checked_sub_days(length), days.end().checked_sub_days(length));
    let later = moved(days.start().checked_add_days(length), days.end().checked_add_days(length));
    let later = later.filter(|_| newest.is_none_or(|newest| days.end() < newest));
    html! {
        form.row method="get" aria-label="Days to show" {
            label { "From" input type="date" name="from" value=(days.start()); }
            label { "To" input type="date" name="to" value=(days.end()); }
            label {
                "By"
                select name="period" {
                    @for (value, name) in [("", "days"), ("week", "weeks"), ("month", "months")] {
                        option value=(value) selected[asked.period == value] { (name) }
                    }
                }
            }
            (kept(address, &["from", "to", "period", "explain"]))
            button type="submit" { "Show" }
            @if let Some(earlier) = earlier { a href=(earlier) { "Earlier" } }
            @if let Some(later) = later { a href=(later) { "Later" } }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn days(from: &str, to: &str, newest: &str) -> Option<(String, String)> {
        let window = window(from, to, newest).unwrap()?;
        Some((window.start().to_string(), window.end().to_string()))
    }

    #[test]
    fn without_a_range_the_newest_days_are_shown() {
        let expected = |from: &str, to: &str| Some((from.to_owned(), to.to_owned()));
        assert_eq!(days("", "", "2026-03-31"), expected("2026-01-01", "2026-03-31"));
        assert_eq!(days("2026-03-01", "", "2026-03-31"), expected("2026-03-01", "2026-03-31"));
        assert_eq!(days("", "2026-03-31", "2026-11-01"), expected("2026-01-01", "2026-03-31"));
        assert_eq!(days("", "", ""), None);
    }

    #[test]
    fn a_range_that_makes_no_sense_is_refused() {
        window("2026-02-30", "", "").unwrap_err();
        window("2026-03-02", "2026-03-01", "").unwrap_err();
        assert!(window("2025-01-01", "2026-03-01", "").unwrap_err().to_string().contains("at most 400"));
    }
}
