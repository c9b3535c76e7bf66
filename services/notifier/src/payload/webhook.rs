//! Messages for the plain webhook; the crate documentation is their contract.

use proto::notifier::v1::Alert as AlertProto;
use serde_json::{Value, json};

use crate::alert::Alert;

/// Names the contract. A change of meaning gets a new name.
const TYPE: &str = "company_activity.alert.v1";

/// The message for an alert, untruncated.
pub(crate) fn message(alert: &Alert) -> Value {
    let AlertProto { alert_key, pipeline, stage, error_message, .. } = &alert.message;
    json!({
        "type": TYPE,
        "alert_key": alert_key,
        "cause": alert.cause_word(),
        "pipeline": pipeline,
        "stage": stage,
        "error_message": error_message,
        "run_id": alert.run_id(),
        "business_date": alert.business_date(),
        "failed_at": alert.failed_at(),
        "attempt": alert.attempt(),
        "error_code": alert.error_code(),
        "trace_url": alert.trace_url().as_ref().map(url::Url::as_str),
        "next_step": alert.next_step(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::alert::tests::{alert, alert_proto, bare_alert};

    #[test]
    fn the_contract_stands() {
        assert_eq!(
            message(&alert()),
            json!({
                "type": "company_activity.alert.v1",
                "alert_key": "run-1/act_call_product_api/3",
                "cause": "stage_failed",
                "pipeline": "pl_company_activity_daily",
                "stage": "act_call_product_api",
                "error_message": "the product API answered 503 <busy> & closed",
                "run_id": "01990000-0000-7000-8000-000000000000",
                "business_date": "2026-02-13",
                "failed_at": "2026-02-14T06:03:07Z",
                "attempt": 3,
                "error_code": "UNAVAILABLE",
                "trace_url": "http://jaeger:16686/trace/0af7?a=1&b=2",
                "next_step": "See `activityctl runs`, then continue at the failed stage with `activityctl retry 01990000-0000-7000-8000-000000000000`. If a source was corrected after it was read, run the days again with `activityctl trigger`: a retry does not read it again.",
            })
        );
    }

    #[test]
    fn what_the_alert_does_not_say_is_null() {
        let message = message(&bare_alert());
        for field in ["run_id", "business_date", "failed_at", "attempt", "error_code", "trace_url"] {
            assert_eq!(message.get(field), Some(&Value::Null), "{field}");
        }
        assert_eq!(message.get("error_message"), Some(&json!("")));
    }

    #[test]
    fn a_long_error_arrives_whole() {
        let error_message = "\"語\u{1}\n".repeat(20_000);
        let long = AlertProto { error_message: error_message.clone(), ..alert_proto() };
        let json = message(&Alert { message: long }).to_string();
        let back: Value = serde_json::from_str(&json).unwrap();
        assert_eq!(back.get("error_message"), Some(&json!(error_message)));
    }
}
