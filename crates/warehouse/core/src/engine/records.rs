//! Rows as a database returns them.

use chrono::{DateTime, NaiveDate, Utc};
use domain::{Checksum, CompanyId, FactKey, FactRow, Publication};

use super::stored::corrupt;
use crate::error::{Error, Result};

/// A row of `fact_company_activity`.
#[derive(Debug, Clone)]
#[expect(missing_docs, reason = "the columns are those of the fact")]
pub struct FactRecord {
    pub company_id: String,
    pub activity_date: NaiveDate,
    pub company_name: Option<String>,
    pub country: Option<String>,
    pub industry_tag: Option<String>,
    pub last_contact_at: Option<DateTime<Utc>>,
    pub active_users: i32,
    pub events: i64,
    pub active_users_7d: i64,
    pub is_churn_risk: bool,
    pub events_per_user: Option<f64>,
    pub days_since_last_contact: Option<i32>,
    pub loaded_at: DateTime<Utc>,
}

/// Takes the [`FactRecord`] out of a row with more columns: a query macro returns an
/// unnamed type. The second argument is when it was loaded.
#[macro_export]
macro_rules! fact_record {
    ($row:expr, $loaded_at:expr) => {
        $crate::engine::FactRecord {
            company_id: $row.company_id,
            activity_date: $row.activity_date,
            company_name: $row.company_name,
            country: $row.country,
            industry_tag: $row.industry_tag,
            last_contact_at: $row.last_contact_at,
            active_users: $row.active_users,
            events: $row.events,
            active_users_7d: $row.active_users_7d,
            is_churn_risk: $row.is_churn_risk,
            events_per_user: $row.events_per_user,
            days_since_last_contact: $row.days_since_last_contact,
            loaded_at: $loaded_at,
        }
    };
}

impl TryFrom<FactRecord> for FactRow {
    type Error = Error;

    fn try_from(record: FactRecord) -> Result<Self> {
        Ok(Self {
            key: FactKey {
                company_id: CompanyId::from_stored(record.company_id).map_err(corrupt)?,
                activity_date: record.activity_date,
            },
            company_name: record.company_name,
            country: record.country,
            industry_tag: record.industry_tag,
            last_contact_at: record.last_contact_at,
            active_users: record.active_users,
            events: record.events,
            active_users_7d: record.active_users_7d,
            is_churn_risk: record.is_churn_risk,
            events_per_user: record.events_per_user,
            days_since_last_contact: record.days_since_last_contact,
            loaded_at: record.loaded_at,
        })
    }
}

/// A row of `published_days`.
#[derive(Debug, Clone)]
#[expect(missing_docs, reason = "the columns are those of the ledger")]
pub struct PublicationRecord {
    pub activity_date: NaiveDate,
    pub run_id: String,
    pub published_at: DateTime<Utc>,
    pub row_count: i64,
    pub checksum_version: i32,
    pub checksum: i64,
}

/// Takes the [`PublicationRecord`] out of a row with more columns, as [`fact_record!`](crate::fact_record) does.
#[macro_export]
macro_rules! publication_record {
    ($row:expr) => {
        $crate::engine::PublicationRecord {
            activity_date: $row.activity_date,
            run_id: $row.run_id,
            published_at: $row.published_at,
            row_count: $row.row_count,
            checksum_version: $row.checksum_version,
            checksum: $row.checksum,
        }
    };
}

impl From<PublicationRecord> for Publication {
    fn from(record: PublicationRecord) -> Self {
        let PublicationRecord { activity_date, run_id, published_at, row_count, checksum_version, checksum } =
            record;
        let checksum = Checksum::from_stored(checksum_version, checksum);
        Self { activity_date, run_id, published_at, row_count, checksum }
    }
}

/// The stored state that a [`Fence`](crate::Fence) is compared with.
#[derive(Debug, Clone)]
#[expect(missing_docs, reason = "the columns are those of the run and its stage")]
pub struct FencedStage {
    pub run_state: String,
    pub lease_epoch: i64,
    pub stage_state: String,
    pub attempt: i64,
}
