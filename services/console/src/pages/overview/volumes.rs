//! Volumes and churn, day by day and week against week.

use std::collections::BTreeMap;

use chrono::{Days, NaiveDate};
use domain::{DateWindow, date_window::parse_day};
use maud::{Markup, html};
use proto::activity::v1::{DayTotals, PublishedDay};

use crate::html::{
    chart::{Chart, Panel, Series, Shape, Slot, Unit},
    number::{Change, thousands},
    part::{Answer, empty, part},
    table::{number, table, text},
};

/// Days of a week.
const WEEK: u64 = 7;

pub(super) fn view(window: DateWindow, published: &Answer<Vec<PublishedDay>>) -> Markup {
    part("Volumes and churn", published, |days| {
        let totals = totals(days);
        html! {
            @if totals.is_empty() {
                (empty("No totals are on record for these days.", "They are there once a day has been published."))
            } @else {
                @if let Some(weeks) = weeks(&totals) { (compared(&weeks)) }
                (chart(window, &totals).show())
            }
        }
    })
}

fn totals(days: &[PublishedDay]) -> BTreeMap<NaiveDate, DayTotals> {
    let total =
        |day: &PublishedDay| Some((parse_day(&day.publication.as_ref()?.activity_date)?, day.totals?));
    days.iter().filter_map(total).collect()
}

/// The last week with totals against the week before.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Weeks {
    end: NaiveDate,
    now: Week,
    before: Week,
}

/// The days of a week together.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
struct Week {
    days: u64,
    events: i64,
    user_days: i64,
    /// On the last day.
    churn_risks: i64,
}

fn weeks(totals: &BTreeMap<NaiveDate, DayTotals>) -> Option<Weeks> {
    let (end, _) = totals.last_key_value()?;
    let middle = end.checked_sub_days(Days::new(WEEK))?;
    Some(Weeks { end: *end, now: week(totals, *end)?, before: week(totals, middle)? })
}

fn week(totals: &BTreeMap<NaiveDate, DayTotals>, end: NaiveDate) -> Option<Week> {
    let start = end.checked_sub_days(Days::new(WEEK - 1))?;
    let mut week = Week::default();
    for (_, day) in totals.range(start..=end) {
        week.days += 1;
        week.events = week.events.saturating_add(day.events);
        week.user_days = week.user_days.saturating_add(day.active_users);
        week.churn_risks = day.churn_risks;
    }
    Some(week)
}

fn compared(weeks: &Weeks) -> Markup {
    let Weeks { end, now, before } = weeks;
    if now.days < WEEK || before.days < WEEK {
        return html! {
            p.note {
                "Weeks cannot be compared: of the seven days to " (end) " " (now.days)
                " are published, of the seven before " (before.days) "."
            }
        };
    }
    let line = |name: &str, now: i64, before: i64| {
        html! {
            tr {
                th scope="row" { (name) }
                td.number { (thousands(now)) }
                td.number { (thousands(before)) }
                td { (Change { before, now }) }
            }
        }
    };
    let rows = html! {
        (line("Events", now.events, before.events))
        (line("Active users, summed by day", now.user_days, before.user_days))
        (line("Companies at risk on the last day", now.churn_risks, before.churn_risks))
    };
    let columns = [text("Number"), number("Last week"), number("Week before"), text("Change")];
    table(&format!("The seven days to {end} against the seven before"), &columns, &rows)
}

fn chart(window: DateWindow, totals: &BTreeMap<NaiveDate, DayTotals>) -> Chart {
    #[expect(clippy::cast_precision_loss, reason = "a chart shows four digits")]
    let series = |name, shape, of: fn(&DayTotals) -> i64| Series {
        name,
        shape,
        values: window.days().map(|day| totals.get(&day).map(|total| of(total) as f64)).collect(),
    };
    let panel = |name, series: Series| Panel { name, unit: Unit::Count, series: vec![series] };
    Chart {
        title: "Events, active users and companies at risk by day".to_owned(),
        description: format!("From {} to {}, over all companies.", window.start(), window.end()),
        slot_name: "Day",
        slots: window
            .days()
            .map(|day| Slot { label: day.to_string(), address: Some(format!("/days/{day}")) })
            .collect(),
        panels: vec![
            panel("Events", series("events", Shape::Bars, |total| total.events)),
            panel("Active users", series("active users", Shape::Bars, |total| total.active_users)),
            panel("At risk of churn", series("companies at risk", Shape::Line, |total| total.churn_risks)),
        ],
        ..Chart::default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn days(count: u64, events: i64) -> BTreeMap<NaiveDate, DayTotals> {
        let first = NaiveDate::from_ymd_opt(2026, 2, 1).unwrap();
        (0..count)
            .map(|offset| {
                (first + Days::new(offset), DayTotals { events, churn_risks: 3, ..DayTotals::default() })
            })
            .collect()
    }

    #[test]
    fn two_whole_weeks_are_compared() {
        let mut totals = days(7, 10);
        totals.extend(days(14, 20).split_off(&NaiveDate::from_ymd_opt(2026, 2, 8).unwrap()));
        let weeks = weeks(&totals).unwrap();
        assert_eq!((weeks.before.events, weeks.now.events, weeks.now.churn_risks), (70, 140, 3));
        let shown = compared(&weeks).into_string();
        assert!(shown.contains("70 more (+100.0 %)"), "{shown}");
        assert!(shown.contains("The seven days to 2026-02-14"), "{shown}");
    }

    #[test]
    fn a_week_with_a_gap_is_not_compared() {
        let shown = compared(&weeks(&days(10, 1)).unwrap()).into_string();
        assert!(
            shown.contains("of the seven days to 2026-02-10 7 are published, of the seven before 3."),
            "{shown}"
        );
        assert_eq!(weeks(&BTreeMap::new()), None);
    }
}
