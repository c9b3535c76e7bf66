//! Single contract values as text.

use std::time::Duration;

use chrono::{DateTime, SecondsFormat, Utc};
use contract::message::timestamp_from_proto;
use proto::{
    access::v1::Role,
    pipeline::v1::{AuditOutcome, RunState, RunTrigger, StageState},
    reconciliation::v1::{Agreement, ChangeKind, LandedFileState, LandedLineUse, ReasonKind, Standing},
};

/// The time of a message; `None` if unset or outside the calendar.
#[must_use]
pub fn instant(timestamp: Option<&prost_types::Timestamp>) -> Option<DateTime<Utc>> {
    timestamp.and_then(timestamp_from_proto)
}

/// RFC 3339 in UTC, with the fraction that the time has.
#[must_use]
pub fn rfc3339(timestamp: Option<&prost_types::Timestamp>) -> Option<String> {
    instant(timestamp).map(|at| at.to_rfc3339_opts(SecondsFormat::AutoSi, true))
}

/// RFC 3339 in UTC to the second, for tables; empty if unset.
#[must_use]
pub fn to_the_second(timestamp: Option<&prost_types::Timestamp>) -> String {
    instant(timestamp).map(|at| at.to_rfc3339_opts(SecondsFormat::Secs, true)).unwrap_or_default()
}

/// The time from one point to the next; `None` unless both are set and in this order.
#[must_use]
pub fn elapsed(
    start: Option<&prost_types::Timestamp>,
    end: Option<&prost_types::Timestamp>,
) -> Option<Duration> {
    (instant(end)? - instant(start)?).to_std().ok()
}

/// A human-readable duration: `850 ms`, `12.3 s`, `4 min 07 s`, `2 h 05 min`.
#[must_use]
pub fn human_duration(duration: Duration) -> String {
    let seconds = duration.as_secs();
    match seconds {
        0 => format!("{} ms", duration.as_millis()),
        1..60 => format!("{:.1} s", duration.as_secs_f64()),
        60..3600 => format!("{} min {:02} s", seconds / 60, seconds % 60),
        _ => format!("{} h {:02} min", seconds / 3600, seconds % 3600 / 60),
    }
}

/// A role's name, as in the policy file.
#[must_use]
pub const fn role(role: Role) -> &'static str {
    match role {
        Role::Reader => "reader",
        Role::Operator => "operator",
        Role::Stage => "stage",
        Role::Alerts => "alerts",
        Role::Unspecified => "unspecified",
    }
}

/// The name of a run's state, such as `SUCCEEDED`.
#[must_use]
pub fn run_state(state: i32) -> &'static str {
    word(RunState::try_from(state).ok().map(|state| state.as_str_name()), "RUN_STATE_")
}

/// The name of a stage's state, such as `SKIPPED`.
#[must_use]
pub fn stage_state(state: i32) -> &'static str {
    word(StageState::try_from(state).ok().map(|state| state.as_str_name()), "STAGE_STATE_")
}

/// The name of what caused a run, such as `SCHEDULED`.
#[must_use]
pub fn run_trigger(trigger: i32) -> &'static str {
    word(RunTrigger::try_from(trigger).ok().map(|trigger| trigger.as_str_name()), "RUN_TRIGGER_")
}

/// The name of an action's outcome, such as `REFUSED`; `UNKNOWN` if it was not recorded.
#[must_use]
pub fn audit_outcome(outcome: i32) -> &'static str {
    match AuditOutcome::try_from(outcome) {
        Ok(AuditOutcome::Unspecified) => "UNKNOWN",
        known => word(known.ok().map(|outcome| outcome.as_str_name()), "AUDIT_OUTCOME_"),
    }
}

/// Whether a company-day has a row, such as `PUBLISHED`.
#[must_use]
pub fn standing(standing: i32) -> &'static str {
    word(Standing::try_from(standing).ok().map(|standing| standing.as_str_name()), "STANDING_")
}

/// How what is published compares with what is staged, such as `EQUAL`; `None` for a day that
/// is not published.
#[must_use]
pub fn agreement(agreement: i32) -> Option<&'static str> {
    match Agreement::try_from(agreement) {
        Ok(Agreement::Unspecified) => None,
        known => Some(word(known.ok().map(|agreement| agreement.as_str_name()), "AGREEMENT_")),
    }
}

/// What became of a landed file, such as `PRESENT`; `None` if there was none.
#[must_use]
pub fn landed_file_state(state: i32) -> Option<&'static str> {
    match LandedFileState::try_from(state) {
        Ok(LandedFileState::Unspecified) => None,
        known => Some(word(known.ok().map(|state| state.as_str_name()), "LANDED_FILE_STATE_")),
    }
}

/// What staging does with a line, such as `COUNTS`.
#[must_use]
pub fn landed_line_use(usage: i32) -> &'static str {
    word(LandedLineUse::try_from(usage).ok().map(|usage| usage.as_str_name()), "LANDED_LINE_USE_")
}

/// What became of a row, such as `CHANGED`.
#[must_use]
pub fn change_kind(kind: i32) -> &'static str {
    word(ChangeKind::try_from(kind).ok().map(|kind| kind.as_str_name()), "CHANGE_KIND_")
}

/// What made a row change, such as `LATE_RECORD`.
#[must_use]
pub fn reason_kind(kind: i32) -> &'static str {
    word(ReasonKind::try_from(kind).ok().map(|kind| kind.as_str_name()), "REASON_KIND_")
}

fn word(name: Option<&'static str>, prefix: &str) -> &'static str {
    // A newer server may send states that this client does not know.
    name.and_then(|name| name.strip_prefix(prefix)).unwrap_or("UNKNOWN")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(seconds: i64, nanos: i32) -> prost_types::Timestamp {
        prost_types::Timestamp { seconds, nanos }
    }

    #[test]
    fn times_are_rfc_3339_in_utc() {
        assert_eq!(rfc3339(Some(&at(1_766_223_000, 0))).as_deref(), Some("2025-12-20T09:30:00Z"));
        assert_eq!(
            rfc3339(Some(&at(1_766_223_000, 120_000_000))).as_deref(),
            Some("2025-12-20T09:30:00.120Z")
        );
        assert_eq!(to_the_second(Some(&at(1_766_223_000, 999_000_000))), "2025-12-20T09:30:00Z");
        assert_eq!(rfc3339(None), None);
        assert_eq!(rfc3339(Some(&at(i64::MAX, 0))), None);
    }

    #[test]
    fn durations_read_well_at_every_size() {
        for (millis, text) in
            [(850, "850 ms"), (12_340, "12.3 s"), (247_000, "4 min 07 s"), (7_500_000, "2 h 05 min")]
        {
            assert_eq!(human_duration(Duration::from_millis(millis)), text);
        }
    }

    #[test]
    fn a_state_of_a_newer_server_is_unknown() {
        assert_eq!(run_state(RunState::Failed as i32), "FAILED");
        assert_eq!(stage_state(StageState::Skipped as i32), "SKIPPED");
        assert_eq!(run_trigger(99), "UNKNOWN");
    }
}
