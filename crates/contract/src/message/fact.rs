//! Converts fact rows and their publications to messages.

use domain::{FactKey, FactRow, Publication};
use proto::activity::v1::{CompanyActivity, Publication as PublicationProto};

use super::time::timestamp_to_proto;

/// Converts a fact row to its message.
#[must_use]
pub fn fact_row_to_proto(row: FactRow) -> CompanyActivity {
    // No `..` on either side: a new column does not compile until it is converted.
    let FactRow {
        key: FactKey { company_id, activity_date },
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
    CompanyActivity {
        company_id: company_id.into_string(),
        activity_date: activity_date.to_string(),
        company_name,
        country,
        industry_tag,
        last_contact_at: last_contact_at.map(timestamp_to_proto),
        active_users,
        events,
        active_users_7d,
        is_churn_risk,
        events_per_user,
        days_since_last_contact,
        loaded_at: Some(timestamp_to_proto(loaded_at)),
    }
}

/// Converts who published a day, and when.
#[must_use]
pub fn publication_to_proto(publication: Publication) -> PublicationProto {
    PublicationProto {
        activity_date: publication.activity_date.to_string(),
        run_id: publication.run_id,
        publish_time: Some(timestamp_to_proto(publication.published_at)),
        row_count: publication.row_count,
    }
}

#[cfg(test)]
mod tests {
    use chrono::{DateTime, Utc};
    use domain::{CompanyId, date_window::parse_day};
    use prost_types::Timestamp;

    use super::*;

    fn instant(text: &str) -> DateTime<Utc> {
        DateTime::parse_from_rfc3339(text).unwrap().to_utc()
    }

    fn known_company() -> FactRow {
        FactRow {
            key: FactKey {
                company_id: CompanyId::parse("007").unwrap(),
                activity_date: parse_day("2026-02-01").unwrap(),
            },
            company_name: Some("Acme".to_owned()),
            country: Some("DE".to_owned()),
            industry_tag: Some("retail".to_owned()),
            last_contact_at: Some(instant("2026-01-30T12:00:00.5Z")),
            active_users: 4,
            events: 10,
            active_users_7d: 21,
            is_churn_risk: false,
            events_per_user: Some(2.5),
            days_since_last_contact: Some(2),
            loaded_at: instant("2026-02-02T06:00:00Z"),
        }
    }

    #[test]
    fn every_column_has_its_field() {
        assert_eq!(
            fact_row_to_proto(known_company()),
            CompanyActivity {
                company_id: "007".to_owned(),
                activity_date: "2026-02-01".to_owned(),
                company_name: Some("Acme".to_owned()),
                country: Some("DE".to_owned()),
                industry_tag: Some("retail".to_owned()),
                last_contact_at: Some(Timestamp { seconds: 1_769_774_400, nanos: 500_000_000 }),
                active_users: 4,
                events: 10,
                active_users_7d: 21,
                is_churn_risk: false,
                events_per_user: Some(2.5),
                days_since_last_contact: Some(2),
                loaded_at: Some(Timestamp { seconds: 1_770_012_000, nanos: 0 }),
            }
        );
    }

    #[test]
    fn what_is_null_in_the_fact_is_unset() {
        let unknown = FactRow {
            company_name: None,
            country: None,
            industry_tag: None,
            last_contact_at: None,
            events_per_user: None,
            days_since_last_contact: None,
            ..known_company()
        };
        let message = fact_row_to_proto(unknown);
        assert_eq!((message.company_name, message.country, message.industry_tag), (None, None, None));
        assert_eq!((message.last_contact_at, message.events_per_user), (None, None));
        assert_eq!(message.days_since_last_contact, None);
    }
}
