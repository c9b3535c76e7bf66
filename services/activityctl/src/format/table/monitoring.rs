//! How the pipeline is doing.

use comfy_table::{Cell, Color, Table};
use indicatif::HumanCount;
use proto::{
    activity::v1::GetFreshnessResponse,
    monitoring::v1::{AuditResult, GetPipelineStatusResponse, MeasuredDay, RecordedAlert},
};

use super::cells::{NULL, STYLE, arranged, number, text, unbroken, with_header};
use crate::format::value::{alert_cause, audit_level, human_duration, to_the_second};

/// How the pipeline is doing, one line per property.
#[must_use]
pub fn status(status: &GetPipelineStatusResponse, freshness: Option<&GetFreshnessResponse>) -> Table {
    let mut table = Table::new();
    table.load_style(STYLE);
    let mut add = |name: &str, value: Cell| {
        table.add_row([Cell::new(name), value]);
    };
    add("pipeline", text(&status.pipeline));
    if let Some(freshness) = freshness {
        add("published through", text(&published_through(freshness)));
    }
    add("deadline", deadline(status));
    let runs = &status.active_run_ids;
    add("active runs", text(&if runs.is_empty() { NULL.to_owned() } else { runs.join("\n") }));
    let backlog = status.backlog.unwrap_or_default();
    add("dirty ranges", Cell::new(HumanCount(backlog.dirty_ranges)));
    add("open rows in quarantine", Cell::new(HumanCount(backlog.open_quarantined_rows)));
    let oldest = backlog.oldest_alert_age.and_then(|age| std::time::Duration::try_from(age).ok());
    let waiting = match oldest.filter(|_| backlog.alerts > 0) {
        Some(age) => format!("{}, the oldest for {}", HumanCount(backlog.alerts), human_duration(age)),
        None => HumanCount(backlog.alerts).to_string(),
    };
    add("undelivered alerts", Cell::new(waiting));
    arranged(table)
}

fn published_through(freshness: &GetFreshnessResponse) -> String {
    match (&freshness.newest, freshness.days_behind) {
        (None, _) => "nothing is published yet".to_owned(),
        (Some(newest), 0) => format!("{}, up to date", newest.activity_date),
        (Some(newest), 1) => format!("{}, 1 day behind", newest.activity_date),
        (Some(newest), days) => format!("{}, {days} days behind", newest.activity_date),
    }
}

fn deadline(status: &GetPipelineStatusResponse) -> Cell {
    let Some(deadline) = &status.deadline else { return Cell::new(NULL) };
    let by = to_the_second(deadline.deadline_time.as_ref());
    if deadline.is_missed {
        text(&format!("MISSED: {} was due by {by}", deadline.activity_date)).fg(Color::Red)
    } else {
        text(&format!("{} by {by}", deadline.activity_date))
    }
}

/// Alerts, one line each.
#[must_use]
pub fn alerts<'a>(alerts: impl IntoIterator<Item = &'a RecordedAlert>) -> Table {
    let mut table = with_header(["TIME", "DAY", "STATE", "DELIVERY", "CAUSE", "STAGE", "RUN", "MESSAGE"]);
    for found in alerts {
        let Some(alert) = &found.alert else { continue };
        let state = if found.is_open { Cell::new("OPEN").fg(Color::Red) } else { Cell::new("CLOSED") };
        table.add_row([
            Cell::new(to_the_second(alert.fail_time.as_ref())),
            text(&alert.business_date),
            state,
            text(&delivery(found)),
            Cell::new(alert_cause(alert.cause)),
            text(&alert.stage),
            text(if alert.run_id.is_empty() { NULL } else { &alert.run_id }),
            text(&alert.error_message),
        ]);
    }
    unbroken(table)
}

fn delivery(found: &RecordedAlert) -> String {
    match (found.settle_time, found.tries) {
        (Some(_), _) => "ended".to_owned(),
        (None, 0) => "waits".to_owned(),
        (None, 1) => "waits after 1 try".to_owned(),
        (None, tries) => format!("waits after {tries} tries"),
    }
}

/// What audits found, one line each.
#[must_use]
pub fn audit_results<'a>(results: impl IntoIterator<Item = &'a AuditResult>) -> Table {
    let mut table = with_header(["AUDIT", "LEVEL", "FOUND", "FINDS"]);
    for result in results {
        let found = number(HumanCount(result.finding_count));
        let found = if result.finding_count > 0 { found.fg(Color::Yellow) } else { found };
        table.add_row([text(&result.audit), Cell::new(audit_level(result.level)), found, text(&result.rule)]);
    }
    table
}

/// What was measured, one line per day.
#[must_use]
pub fn measured_days<'a>(days: impl IntoIterator<Item = &'a MeasuredDay>) -> Table {
    let mut table = with_header(["DAY", "ROWS", "EXPECTED", "USAGE RECORDS", "RECENT MEDIAN"]);
    for day in days {
        let median = day.recent_median_source_rows;
        table.add_row([
            text(&day.activity_date),
            number(HumanCount(day.rows)),
            number(HumanCount(day.expected_rows)),
            number(HumanCount(day.source_rows)),
            number(median.map_or_else(|| NULL.to_owned(), |median| median.to_string())),
        ]);
    }
    unbroken(table)
}
