//! What people were alerted of, in words: on the overview, and on the page of a run.

use maud::{Markup, html};
use proto::{
    monitoring::v1::RecordedAlert,
    notifier::v1::{Alert, AlertCause},
};

use crate::html::{number::count, time::instant};

/// What an alert is about.
pub(super) fn cause(alert: &Alert) -> &'static str {
    match AlertCause::try_from(alert.cause) {
        Ok(AlertCause::Unspecified | AlertCause::StageFailed) => "a stage failed",
        Ok(AlertCause::DeadlineWithoutRun) => "the deadline passed, and no run covers the day",
        Ok(AlertCause::DeadlineRunActive) => "the deadline passed during the run",
        Ok(AlertCause::DeadlineRunFailed) => "the deadline passed, and the run did not succeed",
        Ok(AlertCause::NumbersDiffer) => "numbers differ from the product API",
        // Services may be newer than the console.
        Err(_) => "something that this console does not know",
    }
}

/// Whether people have received it.
pub(super) fn delivery(recorded: &RecordedAlert) -> Markup {
    let RecordedAlert { settle_time, problem, tries, .. } = recorded;
    html! {
        @match (settle_time, problem.is_empty()) {
            (Some(_), true) => { "delivered " (instant(settle_time.as_ref())) },
            (Some(_), false) => { "not delivered everywhere, ended " (instant(settle_time.as_ref())) },
            (None, _) => "waits for delivery",
        }
        @if *tries > 0 { ", " (count(*tries, "try", "tries")) }
        @if !problem.is_empty() { p.note { "Newest problem: " (problem) } }
    }
}
