//! A failure that people should know about.

use chrono::SecondsFormat;
use contract::{
    FieldViolations,
    message::{alert_cause_from_proto, timestamp_from_proto},
};
use domain::AlertCause;
use proto::notifier::v1::{Alert as AlertProto, NotifyRequest};
use url::Url;

/// A failure that people should know about, as its message has it. Only what identifies it
/// is certain to be there: a missing or odd detail must not hold up an alert.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Alert {
    /// The message. Its details are read by the methods below, for which an empty one is none.
    pub(crate) message: AlertProto,
}

impl Alert {
    /// What the alert is about; determines its wording.
    pub(crate) fn cause(&self) -> AlertCause {
        alert_cause_from_proto(self.message.cause())
    }

    /// The run's id.
    pub(crate) fn run_id(&self) -> Option<&str> {
        given(&self.message.run_id)
    }

    /// The business date.
    pub(crate) fn business_date(&self) -> Option<&str> {
        given(&self.message.business_date)
    }

    /// When the stage failed, as RFC 3339 in UTC.
    pub(crate) fn failed_at(&self) -> Option<String> {
        let at = self.message.fail_time.as_ref().and_then(timestamp_from_proto)?;
        Some(at.to_rfc3339_opts(SecondsFormat::AutoSi, true))
    }

    /// The attempt that failed, from 1.
    pub(crate) fn attempt(&self) -> Option<u32> {
        Some(self.message.attempt).filter(|attempt| *attempt > 0)
    }

    /// The gRPC status code's name.
    pub(crate) fn error_code(&self) -> Option<&str> {
        given(&self.message.error_code)
    }

    /// A link to the run's trace.
    pub(crate) fn trace_url(&self) -> Option<Url> {
        Url::parse(&self.message.trace_url).ok().filter(|url| matches!(url.scheme(), "http" | "https"))
    }

    /// The alert in one line.
    pub(crate) fn headline(&self) -> String {
        let AlertProto { pipeline, stage, .. } = &self.message;
        match (self.cause(), self.business_date()) {
            (AlertCause::StageFailed, _) => format!("{pipeline} failed at {stage}"),
            (AlertCause::NumbersDiffer, Some(day)) => {
                format!("{pipeline}: published numbers differ from the product API, up to {day}")
            }
            (AlertCause::NumbersDiffer, None) => {
                format!("{pipeline}: published numbers differ from the product API")
            }
            (_, Some(day)) => format!("{pipeline} has not published {day} in time"),
            (_, None) => format!("{pipeline} has not published its newest day in time"),
        }
    }

    /// The name of the cause, for the plain webhook.
    pub(crate) fn cause_word(&self) -> String {
        self.cause().as_str().to_ascii_lowercase()
    }

    /// The available details, each with a label.
    pub(crate) fn facts(&self) -> Vec<(&'static str, String)> {
        // A missed deadline has no stage, attempt or error code.
        let is_stage = self.cause() == AlertCause::StageFailed;
        let of_stage = |detail: Option<String>| detail.filter(|_| is_stage);
        let details = [
            ("Pipeline", Some(self.message.pipeline.clone())),
            ("Stage", of_stage(Some(self.message.stage.clone()))),
            ("Business date", self.business_date().map(str::to_owned)),
            ("Run", self.run_id().map(str::to_owned)),
            ("Attempt", of_stage(self.attempt().map(|attempt| attempt.to_string()))),
            ("Error code", of_stage(self.error_code().map(str::to_owned))),
            (if is_stage { "Failed at" } else { "Noticed at" }, self.failed_at()),
        ];
        details.into_iter().filter_map(|(label, value)| Some((label, value?))).collect()
    }

    /// The next step where numbers differ.
    fn after_differences(&self) -> String {
        // Of several days, the message names the commands: an alert has but one day.
        if self.message.error_message.contains("`activityctl reconcile ") {
            return "Run the commands that the message ends with.".to_owned();
        }
        match self.business_date() {
            Some(day) => format!(
                "See each with its cause by `activityctl reconcile --all --date {day}`, and run the days that \
                 differ again by `activityctl reconcile --all --date {day} --heal`."
            ),
            None => "See each with its cause by `activityctl reconcile --all --date yesterday`.".to_owned(),
        }
    }

    /// The recommended next step.
    pub(crate) fn next_step(&self) -> String {
        match (self.cause(), self.run_id()) {
            (AlertCause::StageFailed, Some(run)) => format!(
                "See `activityctl runs`, then continue at the failed stage with `activityctl retry {run}`. If a \
                 source was corrected after it was read, run the days again with `activityctl trigger`: a retry \
                 does not read it again."
            ),
            (AlertCause::StageFailed, None) => {
                "See `activityctl runs` for the run that failed, and continue it \
                                           with `activityctl retry`, followed by its id."
                    .to_owned()
            }
            (AlertCause::DeadlineRunActive, Some(run)) => format!(
                "Its run has not ended. See how far it has got with `activityctl runs show {run}`, and follow it \
                 with `activityctl watch {run}`."
            ),
            (AlertCause::DeadlineRunFailed, Some(run)) => format!(
                "See what went wrong with `activityctl runs show {run}`, mend it, and continue with \
                 `activityctl retry {run} --wait`."
            ),
            (AlertCause::NumbersDiffer, _) => self.after_differences(),
            (
                AlertCause::DeadlineWithoutRun
                | AlertCause::DeadlineRunActive
                | AlertCause::DeadlineRunFailed,
                _,
            ) => "See why nothing triggered a run (the schedule's job and its log), and start one with \
                 `activityctl trigger --wait`."
                .to_owned(),
        }
    }
}

/// The next step that people are advised to take.
///
/// # Errors
/// If the alert lacks an identifying field.
pub fn next_step_of(alert: AlertProto) -> Result<String, FieldViolations> {
    Alert::try_from(NotifyRequest { alert: Some(alert) }).map(|alert| alert.next_step())
}

impl TryFrom<NotifyRequest> for Alert {
    type Error = FieldViolations;

    fn try_from(request: NotifyRequest) -> Result<Self, FieldViolations> {
        let Some(alert) = request.alert else {
            return Err(FieldViolations::of("alert", "is missing"));
        };
        let mut violations = FieldViolations::default();
        for (field, value) in [
            ("alert.alert_key", &alert.alert_key),
            ("alert.pipeline", &alert.pipeline),
            ("alert.stage", &alert.stage),
        ] {
            if value.trim().is_empty() {
                violations.add(field, "is missing");
            }
        }
        if violations.is_empty() { Ok(Self { message: alert }) } else { Err(violations) }
    }
}

fn given(text: &str) -> Option<&str> {
    Some(text).filter(|text| !text.is_empty())
}

#[cfg(test)]
pub(crate) mod tests {
    use prost_types::Timestamp;
    use proto::notifier::v1::AlertCause as AlertCauseProto;

    use super::*;

    pub(crate) fn alert_proto() -> AlertProto {
        AlertProto {
            alert_key: "run-1/act_call_product_api/3".to_owned(),
            pipeline: "pl_company_activity_daily".to_owned(),
            stage: "act_call_product_api".to_owned(),
            error_message: "the product API answered 503 <busy> & closed".to_owned(),
            run_id: "01990000-0000-7000-8000-000000000000".to_owned(),
            business_date: "2026-02-13".to_owned(),
            fail_time: Some(Timestamp { seconds: 1_771_048_987, nanos: 0 }),
            attempt: 3,
            error_code: "UNAVAILABLE".to_owned(),
            trace_url: "http://jaeger:16686/trace/0af7?a=1&b=2".to_owned(),
            cause: AlertCauseProto::StageFailed.into(),
        }
    }

    pub(crate) fn alert() -> Alert {
        parsed(alert_proto()).unwrap()
    }

    /// An alert with only its required fields.
    pub(crate) fn bare_alert() -> Alert {
        let AlertProto { alert_key, pipeline, stage, .. } = alert_proto();
        parsed(AlertProto { alert_key, pipeline, stage, ..AlertProto::default() }).unwrap()
    }

    fn parsed(alert: AlertProto) -> Result<Alert, FieldViolations> {
        Alert::try_from(NotifyRequest { alert: Some(alert) })
    }

    #[test]
    fn what_identifies_an_alert_is_required() {
        let empty = parsed(AlertProto { stage: "  ".to_owned(), ..AlertProto::default() }).unwrap_err();
        let fields: Vec<&str> = empty.iter().map(|(field, _)| field).collect();
        assert_eq!(fields, ["alert.alert_key", "alert.pipeline", "alert.stage"]);
        let missing = Alert::try_from(NotifyRequest { alert: None }).unwrap_err();
        assert_eq!(missing.to_string(), "alert: is missing");
    }

    #[test]
    fn every_detail_becomes_a_fact() {
        let labels: Vec<&str> = alert().facts().iter().map(|(label, _)| *label).collect();
        assert_eq!(
            labels,
            ["Pipeline", "Stage", "Business date", "Run", "Attempt", "Error code", "Failed at"]
        );
        assert_eq!(alert().failed_at().as_deref(), Some("2026-02-14T06:03:07Z"));
        assert_eq!(bare_alert().facts().len(), 2);
    }

    #[test]
    fn an_odd_detail_does_not_keep_the_alert_back() {
        let odd = parsed(AlertProto {
            trace_url: "javascript:alert(1)".to_owned(),
            fail_time: Some(Timestamp { seconds: i64::MAX, nanos: -1 }),
            ..alert_proto()
        })
        .unwrap();
        assert_eq!((odd.trace_url(), odd.failed_at()), (None, None));
    }

    #[test]
    fn the_next_step_names_the_run() {
        assert!(alert().next_step().contains("`activityctl retry 01990000-0000-7000-8000-000000000000`"));
        assert!(!bare_alert().next_step().contains("RUN"));
    }

    #[test]
    fn a_missed_deadline_is_reported_as_what_it_is() {
        let missed = |cause: AlertCauseProto, run_id: &str| {
            parsed(AlertProto {
                cause: cause.into(),
                stage: "publish_deadline".to_owned(),
                run_id: run_id.to_owned(),
                ..alert_proto()
            })
            .unwrap()
        };
        let without_run = missed(AlertCauseProto::DeadlineWithoutRun, "");
        assert_eq!(without_run.headline(), "pl_company_activity_daily has not published 2026-02-13 in time");
        let labels: Vec<&str> = without_run.facts().iter().map(|(label, _)| *label).collect();
        assert_eq!(labels, ["Pipeline", "Business date", "Noticed at"]);
        for (alert, command) in [
            (without_run, "`activityctl trigger --wait`"),
            (missed(AlertCauseProto::DeadlineRunActive, "r1"), "`activityctl watch r1`"),
            (missed(AlertCauseProto::DeadlineRunFailed, "r1"), "`activityctl retry r1 --wait`"),
        ] {
            assert!(alert.next_step().contains(command), "{}", alert.next_step());
            assert!(!alert.headline().contains("publish_deadline"));
        }
    }

    #[test]
    fn numbers_that_differ_are_reported_as_such() {
        let differing = parsed(AlertProto {
            cause: AlertCauseProto::NumbersDiffer.into(),
            stage: "reconciliation".to_owned(),
            run_id: String::new(),
            ..alert_proto()
        })
        .unwrap();
        assert_eq!(
            differing.headline(),
            "pl_company_activity_daily: published numbers differ from the product API, up to 2026-02-13"
        );
        assert_eq!(differing.cause_word(), "numbers_differ");
        let labels: Vec<&str> = differing.facts().iter().map(|(label, _)| *label).collect();
        assert_eq!(labels, ["Pipeline", "Business date", "Noticed at"]);
        let step = differing.next_step();
        assert!(step.contains("`activityctl reconcile --all --date 2026-02-13 --heal`"), "{step}");
    }

    #[test]
    fn a_cause_that_nobody_reported_is_a_failed_stage() {
        let old = parsed(AlertProto { cause: 0, ..alert_proto() }).unwrap();
        assert_eq!(old.cause(), AlertCause::StageFailed);
        let newer = parsed(AlertProto { cause: 99, ..alert_proto() }).unwrap();
        assert_eq!(newer.cause(), AlertCause::StageFailed);
    }
}
