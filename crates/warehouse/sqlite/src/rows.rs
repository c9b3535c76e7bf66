//! Rows of the fact as sqlx reads them.

use chrono::{DateTime, NaiveDate, Utc};
use domain::{Checksum, CompanyId, FactKey, FactRow, Publication};
use warehouse_core::{Error, Fault, Result};

/// A row of `fact_company_activity`.
pub(crate) struct FactRecord {
    pub(crate) company_id: String,
    pub(crate) activity_date: NaiveDate,
    pub(crate) company_name: Option<String>,
    pub(crate) country: Option<String>,
    pub(crate) industry_tag: Option<String>,
    pub(crate) last_contact_at: Option<DateTime<Utc>>,
    pub(crate) active_users: i64,
    pub(crate) events: i64,
    pub(crate) active_users_7d: i64,
    pub(crate) is_churn_risk: bool,
    pub(crate) events_per_user: Option<f64>,
    pub(crate) days_since_last_contact: Option<i64>,
    pub(crate) loaded_at: DateTime<Utc>,
}

/// A row of `published_days`.
pub(crate) struct PublicationRecord {
    pub(crate) activity_date: NaiveDate,
    pub(crate) run_id: String,
    pub(crate) published_at: DateTime<Utc>,
    pub(crate) row_count: i64,
    pub(crate) checksum: i64,
}

impl From<PublicationRecord> for Publication {
    fn from(record: PublicationRecord) -> Self {
        let PublicationRecord { activity_date, run_id, published_at, row_count, checksum } = record;
        let checksum = Checksum::from_stored(checksum);
        Self { activity_date, run_id, published_at, row_count, checksum }
    }
}

impl TryFrom<FactRecord> for FactRow {
    type Error = Error;

    fn try_from(record: FactRecord) -> Result<Self> {
        Ok(Self {
            key: FactKey { company_id: company_id(&record.company_id)?, activity_date: record.activity_date },
            company_name: record.company_name,
            country: record.country,
            industry_tag: record.industry_tag,
            last_contact_at: record.last_contact_at,
            active_users: narrow("active_users", record.active_users)?,
            events: record.events,
            active_users_7d: record.active_users_7d,
            is_churn_risk: record.is_churn_risk,
            events_per_user: record.events_per_user,
            days_since_last_contact: record
                .days_since_last_contact
                .map(|days| narrow("days_since_last_contact", days))
                .transpose()?,
            loaded_at: record.loaded_at,
        })
    }
}

pub(crate) fn company_id(stored: &str) -> Result<CompanyId> {
    CompanyId::from_stored(stored).map_err(corrupt)
}

fn narrow(column: &str, value: i64) -> Result<i32> {
    i32::try_from(value).map_err(|_| corrupt(format!("{column} holds {value}")))
}

/// A stored value that no write of ours can have produced.
pub(crate) fn corrupt(problem: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> Error {
    Error::Internal(Fault::new("it holds a value that no service writes", problem))
}
