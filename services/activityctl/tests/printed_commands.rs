//! Commands that alerts tell people to run exist.

use activityctl::Cli;
use clap::Parser;
use proto::notifier::v1::{Alert, AlertCause};

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
