//! A company's activity as a chart, with its churn and contacts marked.

use std::collections::{BTreeMap, BTreeSet};

use chrono::{Datelike, NaiveDate, Weekday};
use domain::{DateWindow, date_window::parse_day};
use presentation::value::instant;
use proto::activity::v1::{CompanyActivity, CompanyActivityRollUp, RollUpPeriod};

use crate::html::chart::{Chart, Event, Panel, Series, Shape, Slot, Stretch, Unit};

pub(super) fn of_days(days: DateWindow, rows: &[CompanyActivity]) -> Chart {
    let by_day: BTreeMap<NaiveDate, &CompanyActivity> =
        rows.iter().filter_map(|row| Some((parse_day(&row.activity_date)?, row))).collect();
    let days: Vec<NaiveDate> = days.days().collect();
    let series = |name, shape, of: fn(&CompanyActivity) -> i64| {
        let values = days.iter().map(|day| by_day.get(day).map(|row| float(of(row)))).collect();
        Series { name, shape, values }
    };
    let at_risk: Vec<bool> =
        days.iter().map(|day| by_day.get(day).is_some_and(|row| row.is_churn_risk)).collect();
    Chart {
        title: "Events and users by day".to_owned(),
        description: "Bars are single days, the line is the sum of the users of seven days.".to_owned(),
        slots: days
            .iter()
            .map(|day| Slot { label: day.to_string(), address: Some(format!("/days/{day}")) })
            .collect(),
        panels: vec![
            Panel {
                name: "Events",
                unit: Unit::Count,
                series: vec![series("events", Shape::Bars, |row| row.events)],
            },
            Panel {
                name: "Users",
                unit: Unit::Count,
                series: vec![
                    series("users", Shape::Bars, |row| row.active_users.into()),
                    series("users of 7 days", Shape::Line, |row| row.active_users_7d),
                ],
            },
        ],
        stretches: stretches(&at_risk, &days, |from, to| format!("at risk from {from} to {to}")),
        slot_name: "Day",
        stretch_name: "at risk of churn",
        events: contacts(rows, &days),
        event_name: "contact",
    }
}

/// Days or periods at risk in a row.
fn stretches(
    at_risk: &[bool],
    days: &[NaiveDate],
    says: impl Fn(NaiveDate, NaiveDate) -> String,
) -> Vec<Stretch> {
    let mut found: Vec<Stretch> = Vec::new();
    let mut position = 0;
    for run in at_risk.chunk_by(|one, next| one == next) {
        let (first, last) = (position, position + run.len() - 1);
        if let (Some(true), Some(from), Some(to)) = (run.first(), days.get(first), days.get(last)) {
            found.push(Stretch { first, last, says: says(*from, *to) });
        }
        position += run.len();
    }
    found
}

/// Contacts that the rows know of, on the days that are shown.
fn contacts(rows: &[CompanyActivity], days: &[NaiveDate]) -> Vec<Event> {
    let contacts: BTreeSet<NaiveDate> = rows
        .iter()
        .filter_map(|row| instant(row.last_contact_at.as_ref()))
        .map(|contact| contact.date_naive())
        .collect();
    contacts
        .into_iter()
        .filter_map(|contact| {
            let at = days.binary_search(&contact).ok()?;
            Some(Event { at, says: format!("contact on {contact}") })
        })
        .collect()
}

pub(super) fn of_periods(
    days: DateWindow,
    periods: &[CompanyActivityRollUp],
    period: Option<RollUpPeriod>,
) -> Chart {
    let by_start: BTreeMap<NaiveDate, &CompanyActivityRollUp> =
        periods.iter().filter_map(|period| Some((parse_day(&period.period_start)?, period))).collect();
    // A period of which nothing is published has its place, too.
    let starts = starts(days, period);
    let series = |name, of: fn(&CompanyActivityRollUp) -> i64| {
        let values = starts.iter().map(|start| by_start.get(start).map(|period| float(of(period)))).collect();
        vec![Series { name, shape: Shape::Bars, values }]
    };
    let at_risk: Vec<bool> = starts
        .iter()
        .map(|start| by_start.get(start).is_some_and(|period| period.is_churn_risk_at_end))
        .collect();
    let name = name(period);
    let says = |from, to| {
        if from == to {
            format!("at risk at the end of the {name} from {from}")
        } else {
            format!("at risk at the end of each {name} from {from} to {to}")
        }
    };
    Chart {
        title: format!("Events and users by {name}"),
        description: "Users are summed by day: one who comes on two days counts twice.".to_owned(),
        slot_name: if name == "month" { "Month from" } else { "Week from" },
        slots: starts.iter().map(|start| Slot { label: start.to_string(), address: None }).collect(),
        panels: vec![
            Panel { name: "Events", unit: Unit::Count, series: series("events", |period| period.events) },
            Panel {
                name: "Users",
                unit: Unit::Count,
                series: series("users, summed by day", |period| period.user_days),
            },
        ],
        stretches: stretches(&at_risk, &starts, says),
        stretch_name: "at risk of churn at its end",
        ..Chart::default()
    }
}

/// The first days of all weeks, from Monday, or months of the days.
fn starts(days: DateWindow, period: Option<RollUpPeriod>) -> Vec<NaiveDate> {
    let start_of = |day: NaiveDate| match period {
        Some(RollUpPeriod::Month) => day.with_day(1).unwrap_or(day),
        _ => day.week(Weekday::Mon).first_day(),
    };
    let mut starts: Vec<NaiveDate> = days.days().map(start_of).collect();
    starts.dedup();
    starts
}

/// One of the periods.
pub(super) const fn name(period: Option<RollUpPeriod>) -> &'static str {
    match period {
        Some(RollUpPeriod::Month) => "month",
        _ => "week",
    }
}

#[expect(clippy::cast_precision_loss, reason = "a chart shows numbers that a double holds")]
const fn float(number: i64) -> f64 {
    number as f64
}

#[cfg(test)]
mod tests {
    use super::*;

    fn day(number: u32) -> NaiveDate {
        NaiveDate::from_ymd_opt(2026, 2, number).unwrap()
    }

    /// A row of each day: whether it is at risk, and the day of the last contact.
    fn row(number: u32, is_churn_risk: bool, contact: Option<u32>) -> CompanyActivity {
        let last_contact_at = contact.map(|number| prost_types::Timestamp {
            seconds: day(number).and_hms_opt(23, 0, 0).unwrap().and_utc().timestamp(),
            nanos: 0,
        });
        CompanyActivity {
            activity_date: day(number).to_string(),
            events: 7,
            is_churn_risk,
            last_contact_at,
            ..CompanyActivity::default()
        }
    }

    #[test]
    fn days_at_risk_in_a_row_are_one_stretch_and_a_gap_ends_it() {
        let rows = [row(1, true, None), row(2, true, None), row(4, true, Some(2)), row(5, false, Some(2))];
        let chart = of_days(DateWindow::new(day(1), day(5)).unwrap(), &rows);
        let stretches: Vec<(usize, usize)> = chart.stretches.iter().map(|it| (it.first, it.last)).collect();
        assert_eq!(stretches, [(0, 1), (3, 3)]);
        assert_eq!(chart.stretches[0].says, "at risk from 2026-02-01 to 2026-02-02");
        assert_eq!(chart.events, [Event { at: 1, says: "contact on 2026-02-02".into() }]);
        assert_eq!(chart.panels[0].series[0].values, [Some(7.0), Some(7.0), None, Some(7.0), Some(7.0)]);
    }

    #[test]
    fn the_stretches_hold_each_day_at_risk_once_and_no_other() {
        for bits in 0..256u32 {
            let at_risk: Vec<bool> = (0..8).map(|bit| bits & (1 << bit) != 0).collect();
            let days: Vec<NaiveDate> = (1..=8).map(day).collect();
            let mut covered = vec![false; 8];
            for stretch in stretches(&at_risk, &days, |_, _| String::new()) {
                for day in &mut covered[stretch.first..=stretch.last] {
                    assert!(!*day, "{bits:b}");
                    *day = true;
                }
            }
            assert_eq!(covered, at_risk, "{bits:b}");
        }
    }

    #[test]
    fn a_week_of_which_nothing_is_published_has_its_place() {
        let week = |period_start: &str, events| CompanyActivityRollUp {
            period_start: period_start.into(),
            events,
            is_churn_risk_at_end: true,
            ..CompanyActivityRollUp::default()
        };
        let days = DateWindow::new(day(3), day(24)).unwrap();
        let found = [week("2026-02-02", 1), week("2026-02-16", 3), week("2026-02-23", 4)];
        let chart = of_periods(days, &found, Some(RollUpPeriod::Week));
        let labels: Vec<&str> = chart.slots.iter().map(|slot| slot.label.as_str()).collect();
        assert_eq!(labels, ["2026-02-02", "2026-02-09", "2026-02-16", "2026-02-23"]);
        assert_eq!(chart.panels[0].series[0].values, [Some(1.0), None, Some(3.0), Some(4.0)]);
        let says: Vec<&str> = chart.stretches.iter().map(|it| it.says.as_str()).collect();
        assert_eq!(
            says,
            [
                "at risk at the end of the week from 2026-02-02",
                "at risk at the end of each week from 2026-02-16 to 2026-02-23"
            ]
        );
        assert_eq!(starts(days, Some(RollUpPeriod::Month)), [day(1)]);
    }

    #[test]
    fn a_contact_outside_of_the_days_is_not_marked() {
        let chart = of_days(DateWindow::new(day(4), day(5)).unwrap(), &[row(4, false, Some(2))]);
        assert_eq!(chart.events, []);
    }
}
