//! Tables: on stdout, in results.json, and in the docs.

use std::fmt::Write as _;

use comfy_table::{Cell, CellAlignment, LineStyle, Table as Printed, TableStyle};
use figures::{Row, say};
use serde::{Deserialize, Serialize};

/// Columns side by side under a ruled header.
const STYLE: TableStyle = TableStyle::new().header_separator(LineStyle::none().fill('─').junction('─'));

/// What a section measured.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Table {
    /// Its name in file names and options.
    pub(crate) id: String,
    pub(crate) title: String,
    pub(crate) rows: Vec<Row>,
    pub(crate) notes: Vec<String>,
    /// Whether rows of one unit are drawn on one scale; otherwise each row has its own.
    #[serde(default)]
    pub(crate) has_one_scale: bool,
    /// How long measuring took.
    #[serde(default)]
    pub(crate) seconds: f64,
}

/// Everything of one run.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Results {
    /// When it was measured, on what, and at which size.
    pub(crate) about: String,
    pub(crate) is_smoke: bool,
    pub(crate) tables: Vec<Table>,
    /// Sections that could not be measured, and why.
    pub(crate) failures: Vec<String>,
}

impl Table {
    pub(crate) fn new(id: &str, title: String) -> Self {
        Self {
            id: id.to_owned(),
            title,
            rows: Vec::new(),
            notes: Vec::new(),
            has_one_scale: false,
            seconds: 0.0,
        }
    }

    /// The value whose bar is the longest beside those of `row`.
    pub(crate) fn longest(&self, row: &Row) -> f64 {
        let comparable = self.rows.iter().filter(|other| self.has_one_scale && other.unit == row.unit);
        comparable.chain([row]).flat_map(|row| &row.values).map(|(_, value)| *value).fold(0.0, f64::max)
    }

    /// The sides, in the order in which they first occur.
    pub(crate) fn sides(&self) -> Vec<&str> {
        let mut sides = Vec::new();
        for (side, _) in self.rows.iter().flat_map(|row| &row.values) {
            if !sides.contains(&side.as_str()) {
                sides.push(side.as_str());
            }
        }
        sides
    }

    fn header(&self) -> Vec<String> {
        let sides = self.sides().into_iter().map(str::to_owned);
        let end = ["compared", "aim"].map(str::to_owned);
        std::iter::once(String::new()).chain(sides).chain(end).collect()
    }

    fn cells(&self, row: &Row) -> Vec<String> {
        let of = |side: &str| {
            let value = row.values.iter().find(|(whose, _)| whose == side);
            value.map(|(_, value)| in_unit(*value, &row.unit)).unwrap_or_default()
        };
        let values = self.sides().into_iter().map(of);
        let end = [row.ratio.clone(), row.verdict()];
        std::iter::once(row.what.clone()).chain(values).chain(end).collect()
    }

    /// The columns that hold anything.
    fn lines(&self) -> Vec<Vec<String>> {
        let lines: Vec<_> =
            std::iter::once(self.header()).chain(self.rows.iter().map(|row| self.cells(row))).collect();
        let used = |column: usize| column == 0 || lines.iter().skip(1).any(|line| !line[column].is_empty());
        let columns: Vec<usize> = (0..lines[0].len()).filter(|column| used(*column)).collect();
        lines.iter().map(|line| columns.iter().map(|column| line[*column].clone()).collect()).collect()
    }

    pub(crate) fn print(&self) {
        let lines = self.lines();
        let mut printed = Printed::new();
        printed.load_style(STYLE);
        let (header, rows) = lines.split_at(1);
        printed.set_header(header[0].iter().map(Cell::new));
        for row in rows {
            printed.add_row(row.iter().map(Cell::new));
        }
        for column in 1..=self.sides().len() {
            if let Some(column) = printed.column_mut(column) {
                column.set_cell_alignment(CellAlignment::Right);
            }
        }
        say(&format!("\n{}\n{printed}", self.title));
        for note in self.all_notes() {
            say(&format!("  {note}"));
        }
    }

    /// What the rows and the table remark.
    fn all_notes(&self) -> Vec<String> {
        let remarks = self.rows.iter().filter(|row| !row.remark.is_empty());
        let remarks = remarks.map(|row| format!("{}: {}", row.what.trim(), row.remark));
        remarks.chain(self.notes.iter().cloned()).collect()
    }

    /// As in the docs.
    pub(crate) fn markdown(&self) -> String {
        let mut text = format!("![{}](benchmarks/{}.svg)\n\n", self.title, self.id);
        for (number, line) in self.lines().iter().enumerate() {
            let cells: Vec<String> = line.iter().map(|cell| cell.replace('|', "\\|")).collect();
            let _ = writeln!(text, "| {} |", cells.join(" | "));
            if number == 0 {
                let figures = self.sides().len();
                let rule =
                    (0..line.len()).map(|column| if (1..=figures).contains(&column) { "--:" } else { "---" });
                let _ = writeln!(text, "|{}|", rule.collect::<Vec<_>>().join("|"));
            }
        }
        let notes = self.all_notes();
        if !notes.is_empty() {
            text.push('\n');
        }
        for note in notes {
            let _ = writeln!(text, "- {note}");
        }
        text
    }
}

/// Three digits, and the unit.
pub(crate) fn in_unit(value: f64, unit: &str) -> String {
    let digits = match value.abs() {
        // A count, or a multiple.
        _ if unit.is_empty() && value.fract() == 0.0 => 0,
        value if value >= 100.0 => 0,
        value if value >= 10.0 => 1,
        _ => 2,
    };
    let number = format!("{value:.digits$}");
    if unit.is_empty() { number } else { format!("{number} {unit}") }
}
