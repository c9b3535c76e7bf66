//! Building blocks of tables.

use comfy_table::{Cell, CellAlignment, Color, ContentArrangement, LineStyle, Table, TableStyle};
use indicatif::HumanBytes;
use proto::{pipeline::v1::RunStage, stage::v1::StageCounters};

use crate::{format::value::stage_state, output::printable};

/// Columns side by side under a ruled header: easy to read, easy to cut.
pub(super) const STYLE: TableStyle =
    TableStyle::new().header_separator(LineStyle::none().fill('─').junction('─'));

/// Shown for NULL.
pub(super) const NULL: &str = "-";

pub(super) fn with_header<'a>(names: impl IntoIterator<Item = &'a str>) -> Table {
    let mut table = Table::new();
    table.load_style(STYLE).set_header(names.into_iter().map(Cell::new).collect::<Vec<_>>());
    arranged(table)
}

/// Identifiers and numbers get copied, so a wide line beats a broken one.
pub(super) fn unbroken(mut table: Table) -> Table {
    table.set_content_arrangement(ContentArrangement::Disabled);
    table
}

/// The width of a table, in columns of the terminal.
pub(super) fn columns(mut table: Table) -> usize {
    // Colour codes take no columns.
    table.force_no_tty();
    table.lines().map(|line| line.chars().count()).max().unwrap_or_default()
}

pub(super) fn arranged(mut table: Table) -> Table {
    table.set_content_arrangement(ContentArrangement::Dynamic);
    for column in table.column_iter_mut() {
        column.set_padding((0, 1));
    }
    table
}

pub(super) fn text(text: &str) -> Cell {
    Cell::new(printable(text))
}

pub(super) fn optional_text(value: Option<&str>) -> Cell {
    text(value.unwrap_or(NULL))
}

pub(super) fn number(value: impl ToString) -> Cell {
    Cell::new(value).set_alignment(CellAlignment::Right)
}

/// A size; empty for stages that read no source.
pub(super) fn bytes(bytes: u64) -> String {
    if bytes == 0 { NULL.to_owned() } else { HumanBytes(bytes).to_string() }
}

/// A stage's state, with the attempt's number if it is not the first.
pub(super) fn attempted_state(stage: &RunStage) -> String {
    let word = stage_state(stage.state);
    if stage.attempt > 1 { format!("{word} (attempt {})", stage.attempt) } else { word.to_owned() }
}

pub(super) fn state(text: &str) -> Cell {
    coloured(Cell::new(text), text.split(' ').next().unwrap_or_default())
}

/// A cell in the colour of a state.
pub(super) fn coloured(cell: Cell, state: &str) -> Cell {
    match state {
        "SUCCEEDED" => cell.fg(Color::Green),
        "FAILED" => cell.fg(Color::Red),
        "RUNNING" => cell.fg(Color::Cyan),
        "CANCELLED" | "SKIPPED" | "REFUSED" => cell.fg(Color::Yellow),
        _ => cell,
    }
}

pub(super) fn counters(stage: &RunStage) -> StageCounters {
    stage.progress.as_ref().and_then(|progress| progress.counters).unwrap_or_default()
}
