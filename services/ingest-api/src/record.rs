//! Parses and checks one record of the product API, field by field.

use domain::{
    CompanyId, Concerns, DateWindow, Rejection, RejectionReason, UsageRecord, date_window::parse_day,
};
use landing::json_record::{identifier, integer, is_plain_integer, parse, text};
use serde_json::value::RawValue;

use crate::{
    field_names::FieldNames,
    json_object::{Object, Repeated},
};

/// A record that could be read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct ReadRecord {
    /// The record's usage.
    pub(crate) usage: UsageRecord,
    /// Whether its numbers and its date have the promised form, not just another exact one.
    pub(crate) is_plain: bool,
}

/// A record that could not be read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct UnreadableRecord {
    /// The reason.
    pub(crate) reason: RejectionReason,
    /// The company-day it concerns, as far as known.
    pub(crate) concerns: Concerns,
}

impl UnreadableRecord {
    const fn of_anyone(reason: RejectionReason) -> Self {
        Self { reason, concerns: Concerns::Anyone }
    }

    /// Converts it to a row for the quarantine.
    pub(crate) fn into_rejection(self, line: u64, raw: &str) -> Rejection {
        Rejection::new(line, self.reason, raw).concerning(self.concerns)
    }
}

/// Parses one record and checks it against the requested days.
///
/// # Errors
/// The reason to quarantine it, and what it concerns.
pub(crate) fn parse_record(
    line: &str,
    names: &FieldNames,
    asked: DateWindow,
) -> Result<ReadRecord, UnreadableRecord> {
    let record: Object<'_> = parse(line).map_err(UnreadableRecord::of_anyone)?;
    let company_id = company_of(&record, &names.company_id).map_err(UnreadableRecord::of_anyone)?;
    read_usage(&record, names, &company_id, asked).map_err(|reason| {
        let concerns = match reason {
            RejectionReason::DateOutsideWindow { .. } => Concerns::NoOne,
            _ => Concerns::Company(company_id),
        };
        UnreadableRecord { reason, concerns }
    })
}

fn company_of(record: &Object<'_>, name: &str) -> Result<CompanyId, RejectionReason> {
    let text = identifier("company_id", field("company_id", record, name)?)?;
    CompanyId::parse(&text).map_err(RejectionReason::CompanyId)
}

fn read_usage(
    record: &Object<'_>,
    names: &FieldNames,
    company_id: &CompanyId,
    asked: DateWindow,
) -> Result<ReadRecord, RejectionReason> {
    let date = text("date", field("date", record, &names.date)?)?;
    let active_users = field("active_users", record, &names.active_users)?;
    let events = field("events", record, &names.events)?;
    let usage = UsageRecord::check(
        company_id.as_str(),
        &date,
        integer("active_users", active_users)?,
        integer("events", events)?,
        asked,
    )?;
    let is_plain =
        parse_day(&date).is_some() && [active_users, events].into_iter().flatten().all(is_plain_integer);
    Ok(ReadRecord { usage, is_plain })
}

/// A field, under the source's name for it.
fn field<'a>(
    ours: &'static str,
    record: &Object<'a>,
    theirs: &str,
) -> Result<Option<&'a RawValue>, RejectionReason> {
    let value = record.at(theirs).map_err(|Repeated(name)| {
        RejectionReason::Malformed(format!("not readable as a record: duplicate field `{name}`"))
    })?;
    if value.is_none() {
        return Err(RejectionReason::Field { field: ours, problem: missing(record, theirs) });
    }
    Ok(value)
}

fn missing(record: &Object<'_>, name: &str) -> String {
    match record.listed() {
        None => "is missing".to_owned(),
        Some(fields) => format!("is missing: there is no `{name}` among {fields}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(line: &str, names: &FieldNames) -> Result<ReadRecord, UnreadableRecord> {
        parse_record(line, names, DateWindow::parse("2026-01-05", "2026-01-05").unwrap())
    }

    fn parsed(line: &str) -> Result<UsageRecord, RejectionReason> {
        match read(line, &FieldNames::default()) {
            Ok(record) => Ok(record.usage),
            Err(unreadable) => Err(unreadable.reason),
        }
    }

    #[test]
    fn exact_values_in_another_form_are_read_and_known_for_it() {
        for (fields, is_plain) in [
            (r#""date":"2026-01-05","active_users":5,"events":50"#, true),
            (r#""date":"2026-01-05","active_users":5.0,"events":50"#, false),
            (r#""date":"2026-01-05","active_users":5,"events":"50""#, false),
            (r#""date":"2026-01-05T00:00:00Z","active_users":5e0,"events":5e1"#, false),
        ] {
            let record = read(&format!(r#"{{"company_id":"a",{fields}}}"#), &FieldNames::default()).unwrap();
            assert_eq!((record.usage.active_users, record.usage.events), (5, 50), "{fields}");
            assert_eq!(record.is_plain, is_plain, "{fields}");
        }
    }

    #[test]
    fn fields_are_read_under_configured_names_and_deeper() {
        let names = ["company_id=account.id", "active_users=dau", "events=stats.events"];
        let names: Vec<_> = names.iter().map(|name| name.parse().unwrap()).collect();
        let names = FieldNames::new(&names);
        let line = r#"{"account":{"id":7},"date":"2026-01-05","dau":3,"stats":{"events":9},"events":1}"#;
        let usage = read(line, &names).unwrap().usage;
        assert_eq!((usage.company_id.as_str(), usage.active_users, usage.events), ("7", 3, 9));
        let reason = read(r#"{"account":{},"dau":3}"#, &names).unwrap_err().reason.to_string();
        assert_eq!(reason, "company_id: is missing: there is no `account.id` among account, dau");
    }

    #[test]
    fn it_is_known_whose_record_is_unreadable_if_its_company_is_readable() {
        let acme = || Concerns::Company(CompanyId::parse("acme").unwrap());
        for (line, expected) in [
            (r#"{"company_id":"acme","date":"2026-01-05","active_users":"many","events":1}"#, acme()),
            (r#"{"company_id":"acme","date":"soon","active_users":1,"events":1}"#, acme()),
            (r#"{"company_id":"acme"}"#, acme()),
            (r#"{"company_id":"acme","date":"2026-01-06","active_users":1,"events":1}"#, Concerns::NoOne),
            (r#"{"company_id":null,"date":"2026-01-05","active_users":1,"events":1}"#, Concerns::Anyone),
            (r#"{"date":"2026-01-05","active_users":1,"events":1}"#, Concerns::Anyone),
            ("7", Concerns::Anyone),
        ] {
            assert_eq!(read(line, &FieldNames::default()).unwrap_err().concerns, expected, "{line}");
        }
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
                r#""company_id":"a","date":"2026-01-05","active_users":1.5,"events":1"#,
                "active_users: 1.5 is not an integer",
            ),
            (
                r#""company_id":"a","date":"2026-01-05","active_users":"5 users","events":1"#,
                "active_users: \"5 users\" is not an integer",
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
