//! The failure that people should know of.

use chrono::{DateTime, SecondsFormat, Utc};
use proto::notifier::v1::{Alert as AlertProto, NotifyRequest};
use runtime::FieldViolations;
use url::Url;

/// A failure that people should know of. Only what identifies it is required:
/// a missing or odd detail must not keep an alert from people.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Alert {
    /// Identifies the failure, the same each time it is told.
    pub(crate) alert_key: String,
    /// The pipeline's name.
    pub(crate) pipeline: String,
    /// The stage that failed.
    pub(crate) stage: String,
    /// The error message; may be empty, and may be long.
    pub(crate) error_message: String,
    /// The run's id.
    pub(crate) run_id: Option<String>,
    /// The business date.
    pub(crate) business_date: Option<String>,
    /// When the stage failed.
    pub(crate) failed_at: Option<DateTime<Utc>>,
    /// The attempt that failed, from 1.
    pub(crate) attempt: Option<u32>,
    /// The gRPC status code's name.
    pub(crate) error_code: Option<String>,
    /// A link to the run's trace.
    pub(crate) trace_url: Option<Url>,
}

impl Alert {
    /// The alert in one line.
    pub(crate) fn headline(&self) -> String {
        format!("{} failed at {}", self.pipeline, self.stage)
    }

    /// The details that there are, with a label each.
    pub(crate) fn facts(&self) -> Vec<(&'static str, String)> {
        let details = [
            ("Pipeline", Some(self.pipeline.clone())),
            ("Stage", Some(self.stage.clone())),
            ("Business date", self.business_date.clone()),
            ("Run", self.run_id.clone()),
            ("Attempt", self.attempt.map(|attempt| attempt.to_string())),
            ("Error code", self.error_code.clone()),
            ("Failed at", self.failed_at_text()),
        ];
        details.into_iter().filter_map(|(label, value)| Some((label, value?))).collect()
    }

    /// When the stage failed, as RFC 3339 in UTC.
    pub(crate) fn failed_at_text(&self) -> Option<String> {
        self.failed_at.map(|at| at.to_rfc3339_opts(SecondsFormat::AutoSi, true))
    }

    /// What to do about it.
    pub(crate) fn next_step(&self) -> String {
        let run = self.run_id.as_deref().unwrap_or("RUN");
        format!(
            "See `activityctl runs`, then continue at the failed stage with `activityctl retry {run}`. If a source \
             was corrected after it was read, run the days again with `activityctl trigger`: a retry does not \
             read it again."
        )
    }
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
        if violations.is_empty() { Ok(checked(alert)) } else { Err(violations) }
    }
}

fn checked(alert: AlertProto) -> Alert {
    let given = |text: String| Some(text).filter(|text| !text.is_empty());
    Alert {
        alert_key: alert.alert_key,
        pipeline: alert.pipeline,
        stage: alert.stage,
        error_message: alert.error_message,
        run_id: given(alert.run_id),
        business_date: given(alert.business_date),
        failed_at: alert.fail_time.and_then(|at| {
            let nanos = u32::try_from(at.nanos).ok()?;
            DateTime::from_timestamp(at.seconds, nanos)
        }),
        attempt: Some(alert.attempt).filter(|attempt| *attempt > 0),
        error_code: given(alert.error_code),
        trace_url: Url::parse(&alert.trace_url).ok().filter(|url| matches!(url.scheme(), "http" | "https")),
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use prost_types::Timestamp;

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
        }
    }

    pub(crate) fn alert() -> Alert {
        parsed(alert_proto()).unwrap()
    }

    /// An alert that says nothing beyond what it has to.
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
        assert_eq!(alert().failed_at_text().as_deref(), Some("2026-02-14T06:03:07Z"));
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
        assert_eq!((odd.trace_url, odd.failed_at), (None, None));
    }

    #[test]
    fn the_next_step_names_the_run() {
        assert!(alert().next_step().contains("`activityctl retry 01990000-0000-7000-8000-000000000000`"));
        assert!(bare_alert().next_step().contains("`activityctl retry RUN`"));
    }
}
