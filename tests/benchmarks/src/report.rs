//! The table on stdout.

use std::time::Duration;

use anyhow::Result;
use comfy_table::{Cell, CellAlignment, LineStyle, Table, TableStyle};
use figures::Row;

use crate::{measured::ratio, options::Options};

/// Columns side by side under a ruled header.
const STYLE: TableStyle = TableStyle::new().header_separator(LineStyle::none().fill('─').junction('─'));

/// Columns that hold figures.
const FIGURES: std::ops::RangeInclusive<usize> = 2..=5;

/// The measurements, in order.
#[derive(Default)]
pub(crate) struct Report {
    sections: Vec<Section>,
}

pub(crate) struct Section {
    title: String,
    rows: Vec<[String; 7]>,
    notes: Vec<String>,
    /// The rows for whoever asked for them.
    figures: Vec<Row>,
}

/// The target for a figure.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Aim {
    /// A ratio of at most this.
    AtMost(f64),
    /// A ratio below this.
    Below(f64),
    /// None: only for comparison.
    Unreported,
}

impl Aim {
    fn text(self) -> String {
        match self {
            Self::AtMost(bound) => format!("≤ {bound}"),
            Self::Below(bound) => format!("< {bound}"),
            Self::Unreported => String::new(),
        }
    }

    fn verdict(self, figure: f64) -> &'static str {
        match self {
            Self::AtMost(bound) if figure <= bound => "met",
            Self::Below(bound) if figure < bound => "met",
            Self::AtMost(_) | Self::Below(_) => "MISSED",
            Self::Unreported => "",
        }
    }
}

impl Report {
    pub(crate) fn section(&mut self, title: String) -> &mut Section {
        self.sections.push(Section { title, rows: Vec::new(), notes: Vec::new(), figures: Vec::new() });
        let newest = self.sections.len() - 1;
        &mut self.sections[newest]
    }

    /// Prints the tables, and hands their rows on.
    #[expect(clippy::print_stdout, reason = "a benchmark's result")]
    pub(crate) fn print(&self, options: &Options) -> Result<()> {
        for section in &self.sections {
            println!("\n{}\n{}", section.title, section.table());
            for note in &section.notes {
                println!("  {note}");
            }
        }
        println!(
            "\nMedians of {} repetitions for a, c, d and g; b is the sum over all days; f is measured once.",
            options.repetitions
        );
        self.sections.iter().flat_map(|section| &section.figures).try_for_each(figures::record)
    }
}

impl Section {
    /// Adds a time and its baseline.
    pub(crate) fn compare(&mut self, case: &str, what: &str, ours: Duration, other: Duration, aim: Aim) {
        let figure = ratio(ours, other);
        let row = Self::row_of(what, ours).value("other", other.as_secs_f64()).ratio(format!("{figure:.2}"));
        self.figures.push(match aim {
            Aim::Unreported => row,
            Aim::AtMost(_) | Aim::Below(_) => row.aim(aim.text(), aim.verdict(figure) == "met"),
        });
        self.rows.push([
            case.to_owned(),
            what.to_owned(),
            seconds(ours),
            seconds(other),
            format!("{figure:.2}"),
            aim.text(),
            aim.verdict(figure).to_owned(),
        ]);
    }

    /// Adds a time without a baseline.
    pub(crate) fn time(&mut self, case: &str, what: &str, ours: Duration) {
        let row = Self::row_of(what, ours);
        self.figures.push(row);
        self.rows.push([case, what, &seconds(ours), "", "", "", ""].map(str::to_owned));
    }

    /// Adds a time that must be shorter than `bound`.
    pub(crate) fn bound(&mut self, case: &str, what: &str, ours: Duration, bound: Duration) {
        let verdict = if ours < bound { "met" } else { "MISSED" };
        let aim = format!("< {} s", bound.as_secs());
        self.figures.push(Self::row_of(what, ours).aim(aim.clone(), ours < bound));
        self.rows.push([case, what, &seconds(ours), "", "", &aim, verdict].map(str::to_owned));
    }

    fn row_of(what: &str, ours: Duration) -> Row {
        Row::new(what, "s").value("ours", ours.as_secs_f64())
    }

    /// Adds a count that must match exactly.
    pub(crate) fn count(&mut self, case: &str, what: &str, count: u64, aim: u64) {
        let verdict = if count == aim { "met" } else { "MISSED" };
        #[expect(clippy::cast_precision_loss, reason = "a count of rows")]
        let row = Row::new(what, "").value("ours", count as f64);
        self.figures.push(row.aim(format!("= {aim}"), count == aim));
        self.rows
            .push([case, what, &count.to_string(), "", "", &format!("= {aim}"), verdict].map(str::to_owned));
    }

    /// Adds a note on what a figure does not show by itself.
    pub(crate) fn note(&mut self, note: String) {
        self.notes.push(note);
    }

    fn table(&self) -> Table {
        let mut table = Table::new();
        table.load_style(STYLE);
        table.set_header(["", "WHAT", "OURS", "OTHER", "RATIO", "AIM", ""]);
        for row in &self.rows {
            table.add_row(row.iter().map(Cell::new));
        }
        for column in FIGURES {
            if let Some(column) = table.column_mut(column) {
                column.set_cell_alignment(CellAlignment::Right);
            }
        }
        table
    }
}

fn seconds(time: Duration) -> String {
    format!("{:.3} s", time.as_secs_f64())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_miss_is_called_one() {
        assert_eq!(Aim::AtMost(1.5).verdict(1.5), "met");
        assert_eq!(Aim::AtMost(1.5).verdict(1.501), "MISSED");
        assert_eq!(Aim::Below(0.1).verdict(0.1), "MISSED");
        assert_eq!(Aim::Unreported.verdict(9.0), "");
    }
}
