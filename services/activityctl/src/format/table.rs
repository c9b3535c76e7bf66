//! Tables for people.

mod cells;
mod gantt;
mod monitoring;
mod preview;
mod provenance;
mod published_days;
mod quarantine;
mod reconciliation;
mod trend;

pub use gantt::gantt;
pub use monitoring::{alerts, audit_results, measured_days, status};
pub use preview::{preview_counts, preview_sample};
pub use provenance::{company_versions, day_sources};
pub use published_days::published_days;
pub use quarantine::{quarantine_counts, quarantined_row, quarantined_rows};
pub use reconciliation::mismatches;
pub use trend::trend;

use cells::{
    NULL, STYLE, arranged, attempted_state, bytes, counters, number, optional_text, state, text, unbroken,
    with_header,
};
use comfy_table::{Cell, Color, Table};
use indicatif::HumanCount;
use proto::{
    access::v1::GetCallerResponse,
    activity::v1::{ChurnRisk, CompanyActivity, GetFreshnessResponse, Publication},
    pipeline::v1::{AuditEntry, Run, RunStage, StageState},
    stage::v1::{DateWindow, StageCounters},
};

use crate::{
    format::{
        fact::{Value, columns},
        value::{audit_outcome, elapsed, human_duration, role, run_state, run_trigger, to_the_second},
    },
    ledger_check::{Content, Difference},
};

/// Rows of the fact, with the most telling columns.
#[must_use]
pub fn activities<'a>(rows: impl IntoIterator<Item = &'a CompanyActivity>) -> Table {
    let mut table = with_header([
        "COMPANY",
        "DAY",
        "NAME",
        "COUNTRY",
        "USERS",
        "EVENTS",
        "7D USERS",
        "EVENTS/USER",
        "LAST CONTACT",
        "CHURN RISK",
    ]);
    for row in rows {
        table.add_row([
            text(&row.company_id),
            text(&row.activity_date),
            optional_text(row.company_name.as_deref()),
            optional_text(row.country.as_deref()),
            number(row.active_users),
            number(row.events),
            number(row.active_users_7d),
            number(row.events_per_user.map_or_else(|| NULL.to_owned(), |ratio| format!("{ratio:.2}"))),
            number(days_ago(row.days_since_last_contact)),
            churn(row.is_churn_risk),
        ]);
    }
    table
}

/// One row of the fact, one line per column, and who published it.
#[must_use]
pub fn activity(row: &CompanyActivity, publication: Option<&Publication>) -> Table {
    let mut table = Table::new();
    table.load_style(STYLE);
    for (column, value) in columns(row) {
        let cell = match value {
            Value::Null => Cell::new(NULL),
            Value::Text(value) => text(value),
            Value::Time(at) => Cell::new(to_the_second(Some(at))),
            Value::Flag(is_set) => churn(is_set),
            Value::Integer(_) | Value::Ratio(_) => Cell::new(value),
        };
        table.add_row([Cell::new(column), cell]);
    }
    if let Some(publication) = publication {
        table.add_row([Cell::new("published by run"), text(&publication.run_id)]);
        table.add_row([
            Cell::new("published at"),
            Cell::new(to_the_second(publication.publish_time.as_ref())),
        ]);
    }
    arranged(table)
}

/// Companies at risk of churn.
#[must_use]
pub fn churn_risks<'a>(risks: impl IntoIterator<Item = &'a ChurnRisk>) -> Table {
    let mut table = with_header(["COMPANY", "NAME", "COUNTRY", "INDUSTRY", "LAST EVENT", "LAST CONTACT"]);
    for risk in risks {
        let Some(row) = &risk.activity else { continue };
        table.add_row([
            text(&row.company_id),
            optional_text(row.company_name.as_deref()),
            optional_text(row.country.as_deref()),
            optional_text(row.industry_tag.as_deref()),
            if risk.last_event_date.is_empty() { Cell::new("never") } else { text(&risk.last_event_date) },
            number(days_ago(row.days_since_last_contact)),
        ]);
    }
    table
}

/// Runs, one line each.
#[must_use]
pub fn runs<'a>(runs: impl IntoIterator<Item = &'a Run>) -> Table {
    let mut table =
        with_header(["RUN", "DAYS", "TRIGGER", "STATE", "STAGES", "CREATED", "DURATION", "REQUESTED BY"]);
    for run in runs {
        let done = run.stages.iter().filter(|stage| stage.state == StageState::Succeeded as i32).count();
        table.add_row([
            text(&run.run_id),
            text(&window(run.window.as_ref())),
            Cell::new(run_trigger(run.trigger)),
            state(run_state(run.state)),
            Cell::new(format!("{done}/{}", run.stages.len())),
            Cell::new(to_the_second(run.create_time.as_ref())),
            number(run_duration(run)),
            non_empty(&run.requested_by),
        ]);
    }
    unbroken(table)
}

/// Entries of the audit trail, one line each.
#[must_use]
pub fn audit_entries<'a>(entries: impl IntoIterator<Item = &'a AuditEntry>) -> Table {
    let mut table = with_header(["TIME", "ACTION", "ACTOR", "FROM", "DETAILS", "OUTCOME", "MESSAGE"]);
    for entry in entries {
        table.add_row([
            Cell::new(to_the_second(entry.request_time.as_ref())),
            text(&entry.action),
            text(&entry.actor),
            non_empty(&entry.address),
            text(&entry.details),
            state(audit_outcome(entry.outcome)),
            non_empty(&entry.message),
        ]);
    }
    unbroken(table)
}

/// The stages of a run with their counters; counters that are zero for all stages get no column.
#[must_use]
pub fn stages(run: &Run) -> Table {
    let counters: Vec<StageCounters> = run.stages.iter().map(counters).collect();
    let columns: Vec<&Counter> = COUNTERS
        .iter()
        .filter(|counter| {
            counter.is_always_shown || counters.iter().any(|of_stage| (counter.count)(of_stage) > 0)
        })
        .collect();
    let names = columns.iter().map(|counter| counter.name);
    let mut table = with_header(["STAGE", "STATE"].into_iter().chain(names).chain(["BYTES", "DURATION"]));
    for (stage, counters) in run.stages.iter().zip(&counters) {
        let head = [text(&stage.stage), state(&attempted_state(stage))];
        let counts = columns.iter().map(|counter| number(HumanCount((counter.count)(counters))));
        let tail = [number(bytes(counters.bytes_read)), number(stage_duration(stage))];
        table.add_row(head.into_iter().chain(counts).chain(tail));
    }
    unbroken(table)
}

struct Counter {
    name: &'static str,
    count: fn(&StageCounters) -> u64,
    is_always_shown: bool,
}

const COUNTERS: [Counter; 6] = [
    Counter { name: "READ", count: |counters| counters.rows_read, is_always_shown: true },
    Counter { name: "WRITTEN", count: |counters| counters.rows_written, is_always_shown: true },
    Counter { name: "UNCHANGED", count: |counters| counters.rows_unchanged, is_always_shown: false },
    Counter { name: "DUPLICATE", count: |counters| counters.rows_duplicate, is_always_shown: false },
    Counter { name: "REJECTED", count: |counters| counters.rows_rejected, is_always_shown: false },
    Counter { name: "REMOVED", count: |counters| counters.rows_removed, is_always_shown: false },
];

/// How fresh the published data is.
#[must_use]
pub fn freshness(freshness: &GetFreshnessResponse) -> Table {
    let mut table = Table::new();
    table.load_style(STYLE);
    let newest = freshness.newest.clone().unwrap_or_default();
    for (name, value) in [
        ("newest day", text(&newest.activity_date)),
        ("days behind", Cell::new(freshness.days_behind)),
        ("published at", Cell::new(to_the_second(newest.publish_time.as_ref()))),
        ("published by run", text(&newest.run_id)),
        ("rows of that day", Cell::new(HumanCount(newest.row_count.unsigned_abs()))),
        ("oldest day", text(&freshness.oldest_date)),
        ("published days", Cell::new(freshness.published_days)),
    ] {
        table.add_row([Cell::new(name), value]);
    }
    arranged(table)
}

/// Who calls.
#[must_use]
pub fn caller(caller: &GetCallerResponse) -> Table {
    let mut table = Table::new();
    table.load_style(STYLE);
    let roles: Vec<&str> = caller.roles().map(role).collect();
    let roles = if roles.is_empty() { "none".to_owned() } else { roles.join(", ") };
    table.add_row([Cell::new("name"), text(&caller.name)]);
    table.add_row([Cell::new("roles"), text(&roles)]);
    arranged(table)
}

/// Days that differ from the ledger.
#[must_use]
pub fn differences<'a>(differences: impl IntoIterator<Item = &'a Difference>) -> Table {
    let mut table = with_header(["DAY", "LEDGER ROWS", "ROWS", "LEDGER CHECKSUM", "CHECKSUM"]);
    for Difference { day, ledger, found } in differences {
        let of_ledger = |text: fn(&Content) -> String| ledger.as_ref().map_or_else(|| NULL.to_owned(), text);
        table.add_row([
            Cell::new(day),
            number(of_ledger(|content| content.rows.to_string())),
            number(found.rows),
            Cell::new(of_ledger(|content| content.checksum.to_string())),
            Cell::new(found.checksum),
        ]);
    }
    unbroken(table)
}

/// A run's days, formatted for people.
#[must_use]
pub fn window(window: Option<&DateWindow>) -> String {
    match window {
        Some(DateWindow { start_date, end_date }) if start_date == end_date => start_date.clone(),
        Some(DateWindow { start_date, end_date }) => format!("{start_date}..{end_date}"),
        None => NULL.to_owned(),
    }
}

fn non_empty(value: &str) -> Cell {
    optional_text((!value.is_empty()).then_some(value))
}

fn days_ago(days: Option<i32>) -> String {
    days.map_or_else(|| NULL.to_owned(), |days| format!("{days} d"))
}

fn churn(is_risk: bool) -> Cell {
    if is_risk { Cell::new("yes").fg(Color::Yellow) } else { Cell::new("no") }
}

fn run_duration(run: &Run) -> String {
    elapsed(run.start_time.as_ref(), run.end_time.as_ref()).map(human_duration).unwrap_or_default()
}

fn stage_duration(stage: &RunStage) -> String {
    elapsed(stage.start_time.as_ref(), stage.end_time.as_ref()).map(human_duration).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use prost_types::Timestamp;
    use proto::stage::v1::StageProgress;

    use super::*;

    fn printed(mut table: Table) -> Vec<String> {
        table.force_no_tty();
        table.trim_fmt().lines().map(|line| line.split_whitespace().collect::<Vec<_>>().join(" ")).collect()
    }

    #[test]
    fn null_is_a_dash_and_control_characters_are_visible() {
        let row = CompanyActivity {
            company_id: "acme".into(),
            activity_date: "2026-01-01".into(),
            company_name: Some("A\u{7}B".into()),
            events: 12,
            is_churn_risk: true,
            ..CompanyActivity::default()
        };
        let lines = printed(activities([&row]));
        assert_eq!(lines.last().map(String::as_str), Some("acme 2026-01-01 A\\u{7}B - 0 12 0 - - yes"));
    }

    #[test]
    fn an_action_is_listed_with_its_end_and_without() {
        let entry = AuditEntry {
            action: "cancel".into(),
            actor: "token:al\u{7}ice".into(),
            address: "192.0.2.7:40312".into(),
            details: "run 7".into(),
            request_time: Some(Timestamp { seconds: 0, nanos: 0 }),
            outcome: 2,
            message: "run 7 has succeeded".into(),
            ..AuditEntry::default()
        };
        let begun =
            AuditEntry { address: String::new(), outcome: 0, message: String::new(), ..entry.clone() };
        let lines = printed(audit_entries([&entry, &begun]));
        let [.., ended, open] = lines.as_slice() else { panic!("{lines:?}") };
        assert_eq!(
            ended,
            "1970-01-01T00:00:00Z cancel token:al\\u{7}ice 192.0.2.7:40312 run 7 REFUSED run 7 has succeeded"
        );
        assert_eq!(open, "1970-01-01T00:00:00Z cancel token:al\\u{7}ice - run 7 UNKNOWN -");
    }

    #[test]
    fn stages_show_rows_bytes_and_duration() {
        let counters = StageCounters {
            rows_read: 12_345,
            rows_written: 12_340,
            rows_rejected: 5,
            bytes_read: 2048,
            ..Default::default()
        };
        let stage = RunStage {
            stage: "act_copy_crm_csv".into(),
            state: StageState::Succeeded as i32,
            attempt: 2,
            start_time: Some(Timestamp { seconds: 100, nanos: 0 }),
            end_time: Some(Timestamp { seconds: 102, nanos: 500_000_000 }),
            progress: Some(StageProgress { counters: Some(counters), ..Default::default() }),
            ..RunStage::default()
        };
        let lines = printed(stages(&Run { stages: vec![stage], ..Run::default() }));
        assert_eq!(
            lines.last().map(String::as_str),
            Some("act_copy_crm_csv SUCCEEDED (attempt 2) 12,345 12,340 5 2.00 KiB 2.5 s")
        );
    }

    #[test]
    fn a_window_of_one_day_is_that_day() {
        let days = |start: &str, end: &str| DateWindow { start_date: start.into(), end_date: end.into() };
        assert_eq!(window(Some(&days("2026-01-01", "2026-01-01"))), "2026-01-01");
        assert_eq!(window(Some(&days("2026-01-01", "2026-01-31"))), "2026-01-01..2026-01-31");
    }
}
