//! Explanations for people.

use std::fmt::Write;

use proto::{
    activity::v1::CompanyActivity,
    reconciliation::v1::{ExplainedCell, ExplainedChange, ExplainedDay, Explanation},
};

use crate::{
    format::{
        fact::columns,
        value::{change_kind, rfc3339, to_the_second},
    },
    output::printable,
};

/// Shown for NULL.
const NULL: &str = "-";

/// The explanation as text in aligned columns.
#[must_use]
pub fn words(explanation: &Explanation) -> String {
    let mut text = format!("{} on {}\n\n", printable(&explanation.company_id), explanation.activity_date);
    sentences(&mut text, &explanation.statements);
    section(&mut text, "Row", cells(explanation));
    if !explanation.cells.is_empty() || explanation.days.iter().any(|day| day.fetch.is_some()) {
        section(&mut text, "Usage", days(&explanation.days));
    }
    if !explanation.crm_statements.is_empty() {
        text.push_str("\nCRM\n");
        let indented: Vec<String> =
            explanation.crm_statements.iter().map(|statement| format!("  {statement}")).collect();
        sentences(&mut text, &indented);
    }
    if !explanation.changes.is_empty() {
        text.push_str("\nChanges, the newest first\n");
        explanation.changes.iter().for_each(|change| add_change(&mut text, change));
    }
    text
}

fn sentences(text: &mut String, sentences: &[String]) {
    for sentence in sentences {
        text.push_str(&printable(sentence));
        text.push('\n');
    }
}

fn section<const COLUMNS: usize>(text: &mut String, title: &str, rows: Vec<[String; COLUMNS]>) {
    if !rows.is_empty() {
        // Writing to a text does not fail.
        let _ = writeln!(text, "\n{title}");
        text.push_str(&aligned(&rows));
    }
}

/// Rows with their columns below each other, the last one as long as it is.
fn aligned<const COLUMNS: usize>(rows: &[[String; COLUMNS]]) -> String {
    let width = |column: usize| {
        rows.iter()
            .filter_map(|row| row.get(column))
            .map(|cell| cell.chars().count())
            .max()
            .unwrap_or_default()
    };
    let widths: Vec<usize> = (0..COLUMNS).map(width).collect();
    let line = |row: &[String; COLUMNS]| {
        let cells = row.iter().zip(&widths).map(|(cell, width)| format!("{cell:<width$}"));
        format!("  {}\n", cells.collect::<Vec<_>>().join("  ").trim_end())
    };
    rows.iter().map(line).collect()
}

fn cells(explanation: &Explanation) -> Vec<[String; 3]> {
    let (published, staged) = (explanation.published.as_ref(), explanation.staged.as_ref());
    let row = |cell: &ExplainedCell| {
        let value = match published.map(|row| value(row, &cell.column)) {
            Some(published) if cell.differs => {
                let staged = staged.map_or_else(|| "no row".to_owned(), |row| value(row, &cell.column));
                format!("{published}, staged: {staged}")
            }
            Some(published) => published,
            None => {
                staged.map_or_else(|| NULL.to_owned(), |row| format!("staged: {}", value(row, &cell.column)))
            }
        };
        let rule = match cell.reckoning.as_str() {
            "" => printable(&cell.rule),
            reckoning => format!("{}: {}", printable(&cell.rule), printable(reckoning)),
        };
        [printable(&cell.column), value, rule]
    };
    explanation.cells.iter().map(row).collect()
}

/// A column's value as in CSV.
fn value(row: &CompanyActivity, column: &str) -> String {
    let found = columns(row).into_iter().find(|(name, _)| *name == column);
    let text = found.map(|(_, value)| printable(&value.to_string())).unwrap_or_default();
    if text.is_empty() { NULL.to_owned() } else { text }
}

fn days(days: &[ExplainedDay]) -> Vec<[String; 5]> {
    let header = ["day", "active_users", "events", "record", "fetched"].map(str::to_owned);
    let rows = days.iter().map(|day| {
        let number = |number: Option<String>| number.unwrap_or_else(|| NULL.to_owned());
        let fetched = day.fetch.as_ref().map(|fetch| {
            format!("{} by run {}", to_the_second(fetch.fetch_time.as_ref()), printable(&fetch.run_id))
        });
        [
            day.date.clone(),
            number(day.record.map(|record| record.active_users.to_string())),
            number(day.record.map(|record| record.events.to_string())),
            printable(&day.statement),
            fetched.unwrap_or_default(),
        ]
    });
    std::iter::once(header).chain(rows).collect()
}

fn add_change(text: &mut String, change: &ExplainedChange) {
    let run = if change.run_id.is_empty() {
        "a run that is not on record".to_owned()
    } else {
        format!("run {}", printable(&change.run_id))
    };
    let what = change_kind(change.kind).to_lowercase().replace('_', " ");
    let time = rfc3339(change.publish_time.as_ref()).unwrap_or_default();
    // Writing to a text does not fail.
    let _ = writeln!(text, "  {time}  {what} by {run}");
    let (before, after) = (change.before.as_ref(), change.after.as_ref());
    let values: Vec<[String; 2]> = match (before, after) {
        (Some(before), Some(after)) => {
            let changed = |column: &String| {
                [column.clone(), format!("{} -> {}", value(before, column), value(after, column))]
            };
            change.columns.iter().map(changed).collect()
        }
        (Some(row), None) | (None, Some(row)) => {
            let said = if after.is_some() { "" } else { "it said " };
            ["active_users", "events", "7d_active_users", "is_churn_risk"]
                .map(|column| [column.to_owned(), format!("{said}{}", value(row, column))])
                .to_vec()
        }
        (None, None) => Vec::new(),
    };
    for line in aligned(&values).lines() {
        let _ = writeln!(text, "    {line}");
    }
    for reason in &change.reasons {
        let _ = writeln!(text, "      {}", printable(&reason.statement));
    }
}

#[cfg(test)]
mod tests {
    use prost_types::Timestamp;
    use proto::reconciliation::v1::{ChangeKind, ChangeReason, DayFetch, UsageNumbers};

    use super::*;

    #[test]
    fn an_explanation_reads_from_the_row_to_its_past() {
        let row = |active_users_7d| CompanyActivity {
            company_id: "acme".into(),
            active_users_7d,
            ..CompanyActivity::default()
        };
        let time = Some(Timestamp { seconds: 1_770_012_000, nanos: 250_000_000 });
        let cell = |column: &str, reckoning: &str, differs| ExplainedCell {
            column: column.into(),
            rule: "the rule".into(),
            reckoning: reckoning.into(),
            differs,
            ..ExplainedCell::default()
        };
        let explanation = Explanation {
            company_id: "acme".into(),
            activity_date: "2026-02-01".into(),
            statements: vec!["It waits.\u{1b}".into()],
            published: Some(row(9)),
            staged: Some(row(12)),
            cells: vec![cell("company_name", "", false), cell("7d_active_users", "4 + – + 8 = 12", true)],
            days: vec![
                ExplainedDay {
                    date: "2026-01-31".into(),
                    statement: "never asked".into(),
                    ..ExplainedDay::default()
                },
                ExplainedDay {
                    date: "2026-02-01".into(),
                    record: Some(UsageNumbers { active_users: 8, events: 70 }),
                    fetch: Some(DayFetch { run_id: "r2".into(), fetch_time: time, ..DayFetch::default() }),
                    statement: "a.json line 7".into(),
                    ..ExplainedDay::default()
                },
            ],
            crm_statements: vec!["The CRM never had it.".into()],
            changes: vec![
                ExplainedChange {
                    publish_time: time,
                    run_id: "r2".into(),
                    kind: ChangeKind::Changed.into(),
                    before: Some(row(7)),
                    after: Some(row(9)),
                    columns: vec!["7d_active_users".into()],
                    reasons: vec![ChangeReason {
                        statement: "late record".into(),
                        ..ChangeReason::default()
                    }],
                },
                ExplainedChange {
                    publish_time: time,
                    kind: ChangeKind::FirstPublished.into(),
                    after: Some(row(7)),
                    ..ExplainedChange::default()
                },
            ],
            ..Explanation::default()
        };
        assert_eq!(
            words(&explanation),
            "acme on 2026-02-01\n\
             \n\
             It waits.\\u{1b}\n\
             \n\
             Row\n\
             \x20 company_name     -              the rule\n\
             \x20 7d_active_users  9, staged: 12  the rule: 4 + – + 8 = 12\n\
             \n\
             Usage\n\
             \x20 day         active_users  events  record         fetched\n\
             \x20 2026-01-31  -             -       never asked\n\
             \x20 2026-02-01  8             70      a.json line 7  2026-02-02T06:00:00Z by run r2\n\
             \n\
             CRM\n\
             \x20 The CRM never had it.\n\
             \n\
             Changes, the newest first\n\
             \x20 2026-02-02T06:00:00.250Z  changed by run r2\n\
             \x20     7d_active_users  7 -> 9\n\
             \x20     late record\n\
             \x20 2026-02-02T06:00:00.250Z  first published by a run that is not on record\n\
             \x20     active_users     0\n\
             \x20     events           0\n\
             \x20     7d_active_users  7\n\
             \x20     is_churn_risk    false\n"
        );
    }
}
