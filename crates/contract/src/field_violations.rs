//! Requests with invalid fields.

use std::fmt;

use tonic::{Code, Status};
use tonic_types::{ErrorDetails, FieldViolation, StatusExt};

use crate::status::cut;

/// How many violations a caller sees, and how many bytes of each: all of them must fit
/// the response's headers.
const MAX_TOLD: usize = 6;
const MAX_PROBLEM_BYTES: usize = 200;

/// What is wrong with the fields of a request: everything, as far as a response can carry it, so
/// that the caller learns it all at once. Its status is `INVALID_ARGUMENT` with a
/// `google.rpc.BadRequest`.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct FieldViolations(Vec<(&'static str, String)>);

impl FieldViolations {
    /// One violation.
    #[must_use]
    pub fn of(field: &'static str, problem: impl fmt::Display) -> Self {
        let mut violations = Self::default();
        violations.add(field, problem);
        violations
    }

    /// Adds a violation of a field.
    pub fn add(&mut self, field: &'static str, problem: impl fmt::Display) {
        self.0.push((field, problem.to_string()));
    }

    /// The value of a field; on an error, adds the violation and returns `None`.
    pub fn keep<T, E: fmt::Display>(&mut self, field: &'static str, value: Result<T, E>) -> Option<T> {
        value.map_err(|problem| self.add(field, problem)).ok()
    }

    /// Whether there are no violations.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The fields and their problems, in the order in which they were found.
    pub fn iter(&self) -> impl Iterator<Item = (&'static str, &str)> {
        self.0.iter().map(|(field, problem)| (*field, problem.as_str()))
    }
}

impl fmt::Display for FieldViolations {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (at, (field, problem)) in self.iter().enumerate() {
            let separator = if at == 0 { "" } else { "; " };
            write!(f, "{separator}{field}: {problem}")?;
        }
        Ok(())
    }
}

impl std::error::Error for FieldViolations {}

impl From<FieldViolations> for Status {
    fn from(FieldViolations(all): FieldViolations) -> Self {
        let unreported = all.len().saturating_sub(MAX_TOLD);
        let reported = all.into_iter().take(MAX_TOLD);
        let reported = FieldViolations(
            reported.map(|(field, problem)| (field, cut(problem, MAX_PROBLEM_BYTES))).collect(),
        );
        let details: Vec<FieldViolation> =
            reported.iter().map(|(field, problem)| FieldViolation::new(field, problem)).collect();
        let message =
            if unreported == 0 { reported.to_string() } else { format!("{reported}; and {unreported} more") };
        Self::with_error_details(Code::InvalidArgument, message, ErrorDetails::with_bad_request(details))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_violation_reaches_the_caller() {
        let mut violations = FieldViolations::of("stage", "is missing");
        assert_eq!(violations.keep("page_size", "12".parse::<i32>()), Some(12));
        assert_eq!(violations.keep("page_size", "x".parse::<i32>()), None);
        let status = Status::from(violations);
        assert_eq!(status.code(), Code::InvalidArgument);
        assert_eq!(status.message(), "stage: is missing; page_size: invalid digit found in string");
        let details = status.get_error_details();
        let fields: Vec<&str> = details
            .bad_request()
            .map(|bad| bad.field_violations.iter().map(|violation| violation.field.as_str()).collect())
            .unwrap_or_default();
        assert_eq!(fields, ["stage", "page_size"]);
    }

    #[test]
    fn more_than_an_answer_can_carry_is_counted() {
        let mut violations = FieldViolations::default();
        for _ in 0..1_000 {
            violations.add("company_ids", "語".repeat(1_000));
        }
        let status = Status::from(violations);
        assert!(status.message().ends_with("...; and 994 more"), "{}", status.message());
        assert!(status.message().len() + status.details().len() < 4 * 1024, "{status:?}");
    }
}
