//! Commands that alerts, refusals and the console tell people to run exist.

use activityctl::Cli;
use clap::Parser;
use domain::{DateWindow, Rejection, RejectionLimit, RejectionReason, SourceRow, date_window::parse_day};
use presentation::command::CommandLine;
use proto::{
    notifier::v1::{Alert, AlertCause},
    pipeline::v1::{BackfillRequest, TriggerRunRequest},
    quarantine::v1::{QuarantineFilter, QuarantineState},
    stage::v1::DateWindow as DateWindowProto,
};
use warehouse::{ComparedDay, EventFile, Received, UsageLimits};

fn alert(cause: AlertCause, run_id: &str) -> Alert {
    Alert {
        alert_key: "key".to_owned(),
        pipeline: "pl_company_activity_daily".to_owned(),
        stage: "publish_deadline".to_owned(),
        business_date: "2026-02-13".to_owned(),
        run_id: run_id.to_owned(),
        cause: cause.into(),
        ..Alert::default()
    }
}

/// The text between backticks.
fn commands(text: &str) -> Vec<&str> {
    text.split('`').skip(1).step_by(2).collect()
}

#[test]
fn every_command_that_an_alert_prints_works_as_printed() {
    const RUN: &str = "01990000-0000-7000-8000-000000000000";
    for (cause, run_id) in [
        (AlertCause::StageFailed, RUN),
        (AlertCause::DeadlineWithoutRun, ""),
        (AlertCause::DeadlineRunActive, RUN),
        (AlertCause::DeadlineRunFailed, RUN),
        (AlertCause::NumbersDiffer, ""),
    ] {
        let step = notifier::next_step_of(alert(cause, run_id)).unwrap();
        let commands = commands(&step);
        assert!(!commands.is_empty(), "{cause:?}: {step}");
        for command in commands {
            let parsed = Cli::try_parse_from(command.split(' '));
            assert!(parsed.is_ok(), "{cause:?}: `{command}`: {}", parsed.unwrap_err());
        }
    }
}

#[test]
fn the_commands_of_an_alert_about_several_days_work_as_printed() {
    let days = DateWindow::parse("2026-02-11", "2026-02-13").unwrap();
    let command = coordinator::reconcile_command(days);
    for command in [command.clone(), format!("{command} --heal")] {
        let parsed = Cli::try_parse_from(command.split(' '));
        assert!(parsed.is_ok(), "`{command}`: {}", parsed.unwrap_err());
    }
    // Its one day would leave the others out.
    let error_message = format!("2 differ\nSee them all by `{command}`");
    let step =
        notifier::next_step_of(Alert { error_message, ..alert(AlertCause::NumbersDiffer, "") }).unwrap();
    assert!(commands(&step).is_empty(), "{step}");
}

#[test]
fn every_command_that_a_refusal_prints_works_as_printed() {
    let mut received = Received::default();
    for line in 1..=4 {
        let reason = RejectionReason::Malformed("torn".to_owned());
        received.note::<()>(&SourceRow::Rejected(Rejection::new(line, reason, "")));
    }
    received.note(&SourceRow::Accepted { line: 5, row: () });
    let rejections = RejectionLimit { max_share: 0.05 };
    let file = EventFile { path: "2026/a.ndjson".to_owned(), etag: "1".to_owned(), bytes: 1 };
    let limits = UsageLimits { rejections, accepts_silence: false, ..UsageLimits::NONE };
    let answer = ComparedDay { arrived: 1, ..ComparedDay::default() };
    for refused in
        [file.judge(&received, rejections), answer.judge(parse_day("2026-02-12").unwrap(), &received, limits)]
    {
        let refused = refused.unwrap_err().to_string();
        let commands = commands(&refused);
        assert!(commands.len() >= 2, "{refused}");
        for command in commands {
            let parsed = Cli::try_parse_from(command.split(' '));
            assert!(parsed.is_ok(), "`{command}`: {}", parsed.unwrap_err());
        }
    }
}

#[test]
fn every_command_that_the_console_shows_works_as_shown() {
    const RUN: &str = "01990000-0000-7000-8000-000000000000";
    let days = |from: &str, to: &str| Some(DateWindowProto { start_date: from.into(), end_date: to.into() });
    let mut commands = vec![CommandLine::retry(RUN), CommandLine::cancel(RUN), CommandLine::watch(RUN)];
    for window in [None, days("2026-02-12", "2026-02-12"), days("2026-02-01", "2026-02-12")] {
        for is_set in [false, true] {
            commands.push(CommandLine::trigger(&TriggerRunRequest {
                window: window.clone(),
                force: is_set,
                beyond_reach: is_set,
                accept_empty_days: if is_set { vec!["2026-02-12".to_owned()] } else { Vec::new() },
                rebuild_days: if is_set { vec!["2026-02-12".to_owned()] } else { Vec::new() },
                from_staging: is_set,
                ..TriggerRunRequest::default()
            }));
            let Some(window) = window.clone() else { continue };
            let backfill = CommandLine::backfill(&BackfillRequest {
                window: Some(window),
                force: is_set,
                beyond_reach: is_set,
                chunk_days: if is_set { 7 } else { 0 },
                ..BackfillRequest::default()
            });
            commands.extend([backfill.clone(), backfill.dry_run()]);
        }
    }
    let filter = QuarantineFilter {
        origin: "crm/it's.csv".into(),
        kind: "FIELD".into(),
        stage: "act_copy_crm_csv".into(),
        days: days("2026-02-12", "2026-02-12"),
        ..QuarantineFilter::default()
    };
    let below = QuarantineFilter {
        origin_prefix: "crm/".into(),
        days: days("2026-02-01", "2026-02-12"),
        ..QuarantineFilter::default()
    };
    for filter in [QuarantineFilter::default(), filter, below] {
        commands.extend(CommandLine::accept_quarantined(&filter, "a test"));
        for state in [QuarantineState::Open, QuarantineState::Accepted, QuarantineState::Unspecified] {
            let filter = QuarantineFilter { state: state.into(), ..filter.clone() };
            commands.push(CommandLine::replay_quarantined(&filter));
        }
    }
    commands.push(CommandLine::reconcile("2026-02-12", Some(200)));
    commands.push(CommandLine::reconcile("2026-02-12", None));
    commands.push(CommandLine::heal("2026-02-12"));
    for command in commands {
        let parsed = Cli::try_parse_from(command.words());
        assert!(parsed.is_ok(), "`{command}`: {}", parsed.unwrap_err());
    }
}
