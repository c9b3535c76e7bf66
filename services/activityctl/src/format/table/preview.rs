//! What a backfill would change.

use comfy_table::Table;
use indicatif::HumanCount;
use presentation::preview::{kind, value_changes};
use proto::reconciliation::v1::{CompanyDayChange, PreviewCounts, PreviewSummary};

use super::cells::{NULL, number, text, unbroken, with_header};

/// Counts per month and in total.
#[must_use]
pub fn preview_counts(summary: &PreviewSummary) -> Table {
    let mut table = with_header([
        "MONTH",
        "NEW DAYS",
        "CHANGED DAYS",
        "UNCHANGED DAYS",
        "NEW ROWS",
        "CHANGED ROWS",
        "GONE ROWS",
        "UNCHANGED ROWS",
    ]);
    let months = summary.months.iter().map(|month| (month.month.as_str(), month.counts));
    for (name, counts) in months.chain([("total", summary.total)]) {
        let counts: PreviewCounts = counts.unwrap_or_default();
        let days = [counts.new_days, counts.changed_days, counts.unchanged_days].map(u64::from);
        let rows = [counts.new_rows, counts.changed_rows, counts.gone_rows, counts.unchanged_rows];
        let cells = days.into_iter().chain(rows).map(|count| number(HumanCount(count)));
        table.add_row([text(name)].into_iter().chain(cells));
    }
    unbroken(table)
}

/// The values of a sample that would change, one line each.
#[must_use]
pub fn preview_sample(sample: &[CompanyDayChange]) -> Table {
    let mut table = with_header(["COMPANY", "DAY", "CHANGE", "COLUMN", "OLD", "NEW"]);
    for change in sample {
        for value in value_changes(change) {
            let shown = |value: &str| text(if value.is_empty() { NULL } else { value });
            table.add_row([
                text(&value.company_id),
                text(&value.activity_date),
                text(kind(change)),
                text(value.column),
                shown(&value.old),
                shown(&value.new),
            ]);
        }
    }
    table
}

#[cfg(test)]
mod tests {
    use proto::{activity::v1::CompanyActivity, reconciliation::v1::PreviewMonth};

    use super::*;

    fn printed(mut table: Table) -> Vec<String> {
        table.force_no_tty();
        table.trim_fmt().lines().map(|line| line.split_whitespace().collect::<Vec<_>>().join(" ")).collect()
    }

    #[test]
    fn counts_end_with_their_total() {
        let counts = |changed_rows| {
            Some(PreviewCounts { changed_days: 2, changed_rows, unchanged_rows: 1_234, ..Default::default() })
        };
        let month = PreviewMonth { month: "2026-01".into(), counts: counts(3) };
        let summary = PreviewSummary { total: counts(4), months: vec![month], remarks: vec![] };
        let lines = printed(preview_counts(&summary));
        assert_eq!(lines[2..], ["2026-01 0 2 0 0 3 0 1,234", "total 0 2 0 0 4 0 1,234"]);
    }

    #[test]
    fn null_is_a_dash_in_the_sample() {
        let row = |name: Option<&str>| CompanyActivity {
            company_id: "acme".into(),
            activity_date: "2026-01-01".into(),
            company_name: name.map(Into::into),
            ..CompanyActivity::default()
        };
        let change = CompanyDayChange { old_row: Some(row(None)), new_row: Some(row(Some("A\u{7}B"))) };
        let lines = printed(preview_sample(&[change]));
        assert_eq!(lines.last().unwrap(), "acme 2026-01-01 changed company_name - A\\u{7}B");
    }
}
