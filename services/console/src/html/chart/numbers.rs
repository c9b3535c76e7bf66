//! The numbers of a chart as words, and as a table.

use std::{iter, time::Duration};

use maud::{Markup, html};
use presentation::value::human_duration;

use super::{Chart, Unit};
use crate::html::{
    number::thousands,
    table::{Column, number, table, text},
    time::NONE,
};

impl Unit {
    /// A number in full.
    pub(super) fn exact(self, number: f64) -> String {
        match self {
            #[expect(clippy::cast_possible_truncation, reason = "counts are whole numbers")]
            Self::Count => thousands(number.round() as i64),
            Self::Duration => human_duration(Duration::try_from_secs_f64(number).unwrap_or_default()),
        }
    }

    /// A number beside an axis, where little fits.
    pub(super) fn tick(self, number: f64) -> String {
        match self {
            Self::Count if number >= 1_000_000.0 => format!("{} M", number / 1_000_000.0),
            Self::Count if number >= 10_000.0 => format!("{} k", number / 1_000.0),
            Self::Count if number.fract() > 0.0 => String::new(),
            Self::Duration if number == 0.0 => "0".to_owned(),
            _ => self.exact(number),
        }
    }
}

/// The numbers as a table, the newest first, for those who want to read them.
pub(super) fn details(chart: &Chart) -> Markup {
    let series = || chart.panels.iter().flat_map(|panel| panel.series.iter().map(move |it| (panel.unit, it)));
    let columns: Vec<Column> =
        iter::once(text(chart.slot_name)).chain(series().map(|(_, series)| number(series.name))).collect();
    let rows = html! {
        @for (position, slot) in chart.slots.iter().enumerate().rev() {
            tr {
                th scope="row" {
                    @match &slot.address {
                        Some(address) => a href=(address) { (slot.label) },
                        None => (slot.label),
                    }
                }
                @for (unit, series) in series() {
                    td.number {
                        @match series.values.get(position).copied().flatten() {
                            Some(value) => (unit.exact(value)),
                            None => (NONE),
                        }
                    }
                }
            }
        }
    };
    html! {
        details {
            summary { "The numbers as a table" }
            (table(&format!("Numbers of the chart: {}", chart.title), &columns, &rows))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_axis_writes_great_numbers_short() {
        assert_eq!(Unit::Count.tick(500.0), "500");
        assert_eq!(Unit::Count.tick(25_000.0), "25 k");
        assert_eq!(Unit::Count.tick(2_000_000.0), "2 M");
        assert_eq!(Unit::Count.tick(2_500_000.0), "2.5 M");
        assert_eq!(Unit::Count.tick(0.5), "");
        assert_eq!(Unit::Duration.tick(0.0), "0");
        assert_eq!(Unit::Duration.exact(90.0), "1 min 30 s");
    }
}
