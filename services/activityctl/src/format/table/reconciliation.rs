//! Differences between published numbers and the product API.

use comfy_table::Table;
use proto::reconciliation::v1::{LandedRecord, Mismatch, UsageNumbers};

use super::cells::{NULL, text, unbroken, with_header};
use crate::format::reconciliation::kind;

/// Differences, one line each: numbers as users / events.
#[must_use]
pub fn mismatches<'a>(mismatches: impl IntoIterator<Item = &'a Mismatch>) -> Table {
    let mut table = with_header(["COMPANY", "DAY", "KIND", "PUBLISHED", "SOURCE", "LANDED AT", "WHY"]);
    for mismatch in mismatches {
        table.add_row([
            text(&mismatch.company_id),
            text(&mismatch.activity_date),
            text(kind(mismatch.kind)),
            text(&numbers(mismatch.published)),
            text(&numbers(mismatch.source)),
            text(&place(mismatch.landed.as_ref())),
            text(&mismatch.explanation),
        ]);
    }
    unbroken(table)
}

fn numbers(numbers: Option<UsageNumbers>) -> String {
    numbers.map_or_else(|| NULL.to_owned(), |it| format!("{} / {}", it.active_users, it.events))
}

fn place(landed: Option<&LandedRecord>) -> String {
    match landed {
        Some(LandedRecord { path, line: line @ 1.., page: 0, .. }) => format!("{path}:{line}"),
        Some(LandedRecord { path, line: line @ 1.., page, .. }) => format!("{path}:{line} (page {page})"),
        _ => NULL.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use proto::reconciliation::v1::DifferenceKind;

    use super::*;

    #[test]
    fn a_line_shows_both_values_and_where_ours_came_from() {
        let landed = LandedRecord { path: "u/f.json".into(), line: 17, page: 2, ..LandedRecord::default() };
        let mismatch = Mismatch {
            company_id: "ac\u{7}me".into(),
            activity_date: "2026-02-12".into(),
            published: Some(UsageNumbers { active_users: 1, events: 2 }),
            kind: DifferenceKind::ExtraHere.into(),
            explanation: "gone".into(),
            landed: Some(landed),
            ..Mismatch::default()
        };
        let mut table = mismatches([&mismatch]);
        table.force_no_tty();
        let shown = table.trim_fmt();
        let line = shown.lines().last().unwrap().split_whitespace().collect::<Vec<_>>().join(" ");
        assert_eq!(line, "ac\\u{7}me 2026-02-12 extra_here 1 / 2 - u/f.json:17 (page 2) gone");
    }
}
