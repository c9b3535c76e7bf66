//! Rows in quarantine.

use comfy_table::{Cell, Table};
use indicatif::HumanCount;
use proto::quarantine::v1::{QuarantineCount, QuarantinedRow};

use super::cells::{NULL, STYLE, arranged, number, text, unbroken, with_header};
use crate::format::value::to_the_second;

/// Rows, one line each, without their text.
#[must_use]
pub fn quarantined_rows<'a>(rows: impl IntoIterator<Item = &'a QuarantinedRow>) -> Table {
    let mut table = with_header(["FILE", "LINE", "DAY", "KIND", "REASON", "ACCEPTED BY"]);
    for row in rows {
        let accepted_by = row.acceptance.as_ref().map_or("", |acceptance| acceptance.accepted_by.as_str());
        table.add_row([
            text(&row.origin),
            number(row.line),
            or_null(&row.business_date),
            text(&row.kind),
            text(&row.reason),
            or_null(accepted_by),
        ]);
    }
    unbroken(table)
}

/// One row, one line per property.
#[must_use]
pub fn quarantined_row(row: &QuarantinedRow) -> Table {
    let mut table = Table::new();
    table.load_style(STYLE);
    let mut add = |name: &str, value: Cell| {
        table.add_row([Cell::new(name), value]);
    };
    add("file", text(&row.origin));
    add("line", Cell::new(row.line));
    add("day", or_null(&row.business_date));
    add("stage", text(&row.stage));
    add("kind", text(&row.kind));
    add("reason", text(&row.reason));
    add("text", text(&row.raw));
    add("first met by run", text(&row.run_id));
    add("at", Cell::new(to_the_second(row.quarantine_time.as_ref())));
    if let Some(acceptance) = &row.acceptance {
        add("accepted by", text(&acceptance.accepted_by));
        add("at", Cell::new(to_the_second(acceptance.accept_time.as_ref())));
        add("because", text(&acceptance.why));
    }
    arranged(table)
}

/// How many rows there are. Columns that rows were not counted by are left out.
#[must_use]
pub fn quarantine_counts(groups: &[QuarantineCount]) -> Table {
    type Column = (&'static str, fn(&QuarantineCount) -> &str);
    const COLUMNS: [Column; 4] = [
        ("STAGE", |group| &group.stage),
        ("FILE", |group| &group.origin),
        ("DAY", |group| &group.business_date),
        ("KIND", |group| &group.kind),
    ];
    let used: Vec<Column> =
        COLUMNS.into_iter().filter(|(_, of)| groups.iter().any(|group| !of(group).is_empty())).collect();
    let mut table = with_header(used.iter().map(|(name, _)| *name).chain(["ROWS"]));
    for group in groups {
        let cells = used.iter().map(|(_, of)| or_null(of(group)));
        table.add_row(cells.chain([number(HumanCount(group.rows))]).collect::<Vec<_>>());
    }
    unbroken(table)
}

fn or_null(value: &str) -> Cell {
    text(if value.is_empty() { NULL } else { value })
}
