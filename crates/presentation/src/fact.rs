//! The fact's columns: the one list that CSV, JSON and the table of a single row are written from.

use std::fmt;

use domain::fact::COLUMNS;
use prost_types::Timestamp;
use proto::activity::v1::CompanyActivity;
use serde::{Serialize, Serializer};

use crate::value::rfc3339;

/// The value of a column. Displayed as in CSV: NULL is empty, times are RFC 3339 in UTC.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Value<'a> {
    /// No value.
    Null,
    /// A text.
    Text(&'a str),
    /// A whole number.
    Integer(i64),
    /// A ratio.
    Ratio(f64),
    /// Yes or no.
    Flag(bool),
    /// A point in time.
    Time(&'a Timestamp),
}

/// The columns of a row with their names, in the order of [`COLUMNS`].
#[must_use]
pub fn columns(row: &CompanyActivity) -> [(&'static str, Value<'_>); COLUMNS.len()] {
    // No `..`: a new field does not compile until it has its column here.
    let CompanyActivity {
        company_id,
        activity_date,
        company_name,
        country,
        industry_tag,
        last_contact_at,
        active_users,
        events,
        active_users_7d,
        is_churn_risk,
        events_per_user,
        days_since_last_contact,
        loaded_at,
    } = row;
    [
        ("company_id", Value::Text(company_id)),
        ("activity_date", Value::Text(activity_date)),
        ("company_name", optional(company_name.as_deref(), Value::Text)),
        ("country", optional(country.as_deref(), Value::Text)),
        ("industry_tag", optional(industry_tag.as_deref(), Value::Text)),
        ("last_contact_at", optional(last_contact_at.as_ref(), Value::Time)),
        ("active_users", Value::Integer((*active_users).into())),
        ("events", Value::Integer(*events)),
        ("7d_active_users", Value::Integer(*active_users_7d)),
        ("is_churn_risk", Value::Flag(*is_churn_risk)),
        ("events_per_user", optional(*events_per_user, Value::Ratio)),
        ("days_since_last_contact", optional(days_since_last_contact.map(i64::from), Value::Integer)),
        ("loaded_at", optional(loaded_at.as_ref(), Value::Time)),
    ]
}

fn optional<'a, T>(value: Option<T>, known: impl FnOnce(T) -> Value<'a>) -> Value<'a> {
    value.map_or(Value::Null, known)
}

impl fmt::Display for Value<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Null => Ok(()),
            Self::Text(text) => text.fmt(f),
            Self::Integer(number) => number.fmt(f),
            Self::Ratio(ratio) => ratio.fmt(f),
            Self::Flag(flag) => flag.fmt(f),
            Self::Time(at) => rfc3339(Some(at)).unwrap_or_default().fmt(f),
        }
    }
}

impl Serialize for Value<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::Null => serializer.serialize_none(),
            Self::Text(text) => text.serialize(serializer),
            Self::Integer(number) => number.serialize(serializer),
            Self::Ratio(ratio) => ratio.serialize(serializer),
            Self::Flag(flag) => flag.serialize(serializer),
            Self::Time(at) => rfc3339(Some(at)).serialize(serializer),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_list_is_that_of_the_domain() {
        assert_eq!(columns(&CompanyActivity::default()).map(|(name, _)| name), COLUMNS);
    }
}
