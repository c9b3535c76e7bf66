//! What a service says of a call that it refused.

use contract::code_name;
use tonic::Status;
use tonic_types::StatusExt;

/// The request field that a coordinator rejects if days are far from everything published.
const FAR_DAYS: &str = "beyond_reach";

/// A refusal's code, as the contracts spell it.
#[must_use]
pub fn code(status: &Status) -> &'static str {
    code_name(status.code())
}

/// In how many seconds the service asks to be called again.
#[must_use]
pub fn retry_seconds(status: &Status) -> Option<u64> {
    let delay = status.get_details_retry_info()?.retry_delay?;
    Some(delay.as_secs().max(1))
}

/// What else the service says: the fields that it rejects and why, what stands in the way.
#[must_use]
pub fn details(status: &Status) -> Vec<String> {
    let details = status.get_error_details();
    let fields = details.bad_request().map(|bad| bad.field_violations.as_slice()).unwrap_or_default();
    let fields = fields
        .iter()
        .map(|violation| format!("{}: {}", violation.field, violation.description))
        // Some servers repeat all of it in the message.
        .filter(|text| !status.message().contains(text));
    let conditions = details.precondition_failure().map(|failure| failure.violations.as_slice());
    let conditions = conditions.unwrap_or_default().iter();
    fields.chain(conditions.map(|one| format!("{}: {}", one.subject, one.description))).collect()
}

/// What a refusal says of days that are far from everything published; `None` if they are not
/// why it was refused.
#[must_use]
pub fn far_days(status: &Status) -> Option<String> {
    let violations = status.get_details_bad_request()?.field_violations;
    let violation = violations.into_iter().find(|violation| violation.field == FAR_DAYS)?;
    Some(violation.description)
}
