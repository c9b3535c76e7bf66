//! What was read of where a company-day comes from.

use chrono::{DateTime, NaiveDate, Utc};
use domain::{
    FactKey, UsageNumbers,
    provenance::{ExportOrigin, Fetch, UsageProvenance, window_of},
};

use super::stored::{corrupt, counted};
use crate::error::Result;

/// A day that was fetched, with the company's record.
#[derive(Debug, Clone)]
#[expect(missing_docs, reason = "the columns are those of the staged usage and its days")]
pub struct FetchedDay {
    pub day: NaiveDate,
    pub active_users: Option<i32>,
    pub events: Option<i64>,
    pub landing_path: Option<String>,
    pub bytes: i64,
    pub etag: Option<String>,
    pub run_id: String,
    pub fetched_at: DateTime<Utc>,
    pub page_ends: Option<Vec<i64>>,
    pub quarantined: i64,
}

impl TryFrom<FetchedDay> for UsageProvenance {
    type Error = crate::Error;

    fn try_from(fetched: FetchedDay) -> Result<Self> {
        let FetchedDay { day, landing_path, bytes, etag, run_id, fetched_at, page_ends, quarantined, .. } =
            fetched;
        let record = fetched.active_users.zip(fetched.events);
        let page_ends = page_ends.unwrap_or_default().into_iter().map(counted).collect::<Result<_>>()?;
        let (bytes, quarantined) = (counted(bytes)?, counted(quarantined)?);
        Ok(Self {
            day,
            record: record.map(|(active_users, events)| UsageNumbers { active_users, events }),
            fetch: Some(Fetch { run_id, fetched_at, landing_path, bytes, etag, page_ends, quarantined }),
        })
    }
}

/// The days that a company-day is made of, each once: those that were never fetched as well.
///
/// # Errors
/// If what was read is of other days.
pub fn every_day(key: &FactKey, fetched: Vec<UsageProvenance>) -> Result<Vec<UsageProvenance>> {
    let mut fetched = fetched.into_iter().peekable();
    let days = window_of(key.activity_date).days().map(|day| {
        let found = fetched.next_if(|usage| usage.day == day);
        found.unwrap_or(UsageProvenance { day, record: None, fetch: None })
    });
    let days = days.collect();
    match fetched.next() {
        Some(usage) => Err(corrupt(format!("{} is no day before {}", usage.day, key.activity_date))),
        None => Ok(days),
    }
}

/// An export, as far as it is on record which run loaded it.
#[must_use]
pub fn export_origin(
    path: String,
    archive_path: Option<String>,
    run_id: Option<String>,
    loaded_at: Option<DateTime<Utc>>,
) -> ExportOrigin {
    ExportOrigin { path, archive_path, loaded: run_id.zip(loaded_at) }
}
