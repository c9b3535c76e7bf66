//! Parses and checks one record of an event file, field by field.

use chrono::NaiveDate;
use domain::{EventRecord, RejectionReason};
use landing::json_record::{identifier, integer, parse, present, text};
use serde::Deserialize;
use serde_json::value::RawValue;

/// A record's untyped fields, so that the reason can name each wrong one.
#[derive(Deserialize)]
struct RawRecord<'a> {
    #[serde(borrow, default, deserialize_with = "present")]
    company_id: Option<&'a RawValue>,
    #[serde(borrow, default, deserialize_with = "present")]
    date: Option<&'a RawValue>,
    #[serde(borrow, default, deserialize_with = "present")]
    event_id: Option<&'a RawValue>,
    #[serde(borrow, default, deserialize_with = "present")]
    events: Option<&'a RawValue>,
}

/// Parses one line; `latest` is the last day that may have events.
///
/// # Errors
/// The reason to quarantine it.
pub(crate) fn parse_event(line: &str, latest: NaiveDate) -> Result<EventRecord, RejectionReason> {
    let record: RawRecord<'_> = parse(line)?;
    let company_id = identifier("company_id", record.company_id)?;
    let date = text("date", record.date)?;
    let event_id = identifier("event_id", record.event_id)?;
    let events = integer("events", record.events)?;
    EventRecord::check(&company_id, &date, &event_id, events, latest)
}

#[cfg(test)]
mod tests {
    use domain::date_window::parse_day;

    use super::*;

    fn parsed(line: &str) -> Result<EventRecord, RejectionReason> {
        parse_event(line, parse_day("2027-01-01").unwrap())
    }

    #[test]
    fn a_record_is_read_whatever_else_it_says() {
        let record =
            parsed(r#"{"kind":"login","events":2,"event_id":17,"date":"2026-01-05","company_id":"007"}"#)
                .unwrap();
        assert_eq!((record.company_id.as_str(), record.event_id.as_str(), record.events), ("007", "17", 2));
    }

    #[test]
    fn exact_values_in_another_form_are_read() {
        let line = r#"{"company_id":"a","date":"2026-01-05T00:00:00Z","event_id":"e","events":"2.0"}"#;
        let record = parsed(line).unwrap();
        assert_eq!((record.date.to_string().as_str(), record.events), ("2026-01-05", 2));
    }

    #[test]
    fn each_wrong_field_is_named_with_what_is_wrong() {
        for (line, expected) in [
            (r#"{"date":"2026-01-05","event_id":"e","events":1}"#, "company_id: is missing"),
            (r#"{"company_id":"a","date":5,"event_id":"e","events":1}"#, "date: 5 is not a string"),
            (
                r#"{"company_id":"a","date":"2027-01-02","event_id":"e","events":1}"#,
                "date 2027-01-02 lies outside 2000-01-01..2027-01-01",
            ),
            (
                r#"{"company_id":"a","date":"2026-01-05","event_id":null,"events":1}"#,
                "event_id: null is neither a string nor an integer",
            ),
            (
                r#"{"company_id":"a","date":"2026-01-05","event_id":"e","events":"one"}"#,
                "events: \"one\" is not an integer",
            ),
            (r#"{"company_id":"a","date":"2026-01-05","event_id":"e"}"#, "events: is missing"),
            ("[]", "[] is no record"),
        ] {
            let reason = parsed(line).unwrap_err().to_string();
            assert!(reason.starts_with(expected), "{line}: {reason}");
        }
    }
}
