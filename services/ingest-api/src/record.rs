//! One record of the product API, checked field by field.

use domain::{DateWindow, RejectionReason, UsageRecord};
use landing::json_record::{identifier, integer, parse, present, text};
use serde::Deserialize;
use serde_json::value::RawValue;

/// A record's fields, untyped, so that each wrong one is named in the reason.
#[derive(Deserialize)]
struct RawRecord<'a> {
    #[serde(borrow, default, deserialize_with = "present")]
    company_id: Option<&'a RawValue>,
    #[serde(borrow, default, deserialize_with = "present")]
    date: Option<&'a RawValue>,
    #[serde(borrow, default, deserialize_with = "present")]
    active_users: Option<&'a RawValue>,
    #[serde(borrow, default, deserialize_with = "present")]
    events: Option<&'a RawValue>,
}

/// Reads one landed line and checks it against the days that were asked for.
///
/// # Errors
/// The reason to quarantine it.
pub(crate) fn parse_record(line: &str, asked: DateWindow) -> Result<UsageRecord, RejectionReason> {
    let record: RawRecord<'_> = parse(line)?;
    let company_id = identifier("company_id", record.company_id)?;
    let date = text("date", record.date)?;
    let active_users = integer("active_users", record.active_users)?;
    let events = integer("events", record.events)?;
    UsageRecord::check(&company_id, &date, active_users, events, asked)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parsed(line: &str) -> Result<UsageRecord, RejectionReason> {
        parse_record(line, DateWindow::parse("2026-01-05", "2026-01-05").unwrap())
    }

    #[test]
    fn a_record_is_read_whatever_else_it_says() {
        let line =
            r#"{"extra":{"a":[1]},"events":12,"active_users":3,"date":"2026-01-05","company_id":"c-1"}"#;
        let record = parsed(line).unwrap();
        assert_eq!(record.company_id.as_str(), "c-1");
        assert_eq!((record.active_users, record.events), (3, 12));
    }

    #[test]
    fn a_numeric_identifier_keeps_all_its_digits() {
        for id in ["0", "42", "123456789012345678901234567890"] {
            let line = format!(r#"{{"company_id":{id},"date":"2026-01-05","active_users":0,"events":0}}"#);
            assert_eq!(parsed(&line).unwrap().company_id.as_str(), id);
        }
    }

    #[test]
    fn each_wrong_field_is_named_with_what_is_wrong() {
        let cases = [
            (r#""date":"2026-01-05","active_users":1,"events":1"#, "company_id: is missing"),
            (
                r#""company_id":1.5,"date":"2026-01-05","active_users":1,"events":1"#,
                "company_id: 1.5 is neither a string nor an integer",
            ),
            (
                r#""company_id":null,"date":"2026-01-05","active_users":1,"events":1"#,
                "company_id: null is neither a string nor an integer",
            ),
            (r#""company_id":" ","date":"2026-01-05","active_users":1,"events":1"#, "company_id is empty"),
            (
                r#""company_id":"a","date":20260105,"active_users":1,"events":1"#,
                "date: 20260105 is not a string",
            ),
            (
                r#""company_id":"a","date":"2026-01-06","active_users":1,"events":1"#,
                "date 2026-01-06 lies outside",
            ),
            (
                r#""company_id":"a","date":"2026-01-05","active_users":1.0,"events":1"#,
                "active_users: 1.0 is not an integer",
            ),
            (
                r#""company_id":"a","date":"2026-01-05","active_users":"5","events":1"#,
                "active_users: \"5\" is not an integer",
            ),
            (
                r#""company_id":"a","date":"2026-01-05","active_users":1,"events":null"#,
                "events: null is not an integer",
            ),
            (
                r#""company_id":"a","date":"2026-01-05","active_users":1,"events":9223372036854775808"#,
                "events: 9223372036854775808 is not an integer of at most 64 bits",
            ),
            (
                r#""company_id":"a","date":"2026-01-05","active_users":1,"events":-1"#,
                "events is negative: -1",
            ),
            (
                r#""company_id":"a","date":"2026-01-05","active_users":1,"events":1,"events":2"#,
                "not readable as a record: duplicate field `events`",
            ),
        ];
        for (fields, expected) in cases {
            let reason = parsed(&format!("{{{fields}}}")).unwrap_err().to_string();
            assert!(reason.starts_with(expected), "{fields}: {reason}");
        }
    }

    #[test]
    fn what_is_no_object_is_malformed() {
        for line in ["7", "null", "[1,2,3,4]", "\"x\""] {
            assert!(matches!(parsed(line), Err(RejectionReason::Malformed(_))), "{line}");
        }
    }

    #[test]
    fn a_long_wrong_value_is_cut_in_the_reason() {
        let line = format!(
            r#"{{"company_id":"a","date":"2026-01-05","active_users":"{}","events":1}}"#,
            "ä".repeat(500)
        );
        assert!(parsed(&line).unwrap_err().to_string().chars().count() < 120);
    }
}
