//! Where staged data comes from, as JSON.

use proto::provenance::v1::{
    CompanyVersion, CrmDelivery, EventDelivery, GetDaySourcesResponse, UsageDelivery,
};
use serde::Serialize;

use super::{json::non_empty, value::rfc3339};

/// The deliveries that a day is made of.
#[derive(Debug, Serialize)]
pub struct DaySourcesJson<'a> {
    activity_date: &'a str,
    usage: Option<UsageJson<'a>>,
    crm: Option<CrmJson<'a>>,
    events: Vec<EventsJson<'a>>,
}

#[derive(Debug, Serialize)]
struct UsageJson<'a> {
    run_id: &'a str,
    fetch_time: Option<String>,
    landing_path: Option<&'a str>,
    bytes: u64,
    pages: u32,
    staged_records: u64,
    quarantined_records: u64,
}

#[derive(Debug, Serialize)]
struct CrmJson<'a> {
    snapshot_date: &'a str,
    export_path: &'a str,
    archive_paths: &'a [String],
    run_id: Option<&'a str>,
    load_time: Option<String>,
    quarantined_rows: u64,
}

#[derive(Debug, Serialize)]
struct EventsJson<'a> {
    path: &'a str,
    run_id: Option<&'a str>,
    load_time: Option<String>,
}

impl<'a> DaySourcesJson<'a> {
    /// The answer about a day.
    #[must_use]
    pub fn new(activity_date: &'a str, sources: &'a GetDaySourcesResponse) -> Self {
        Self {
            activity_date,
            usage: sources.usage.as_ref().map(Into::into),
            crm: sources.crm.as_ref().map(Into::into),
            events: sources.events.iter().map(Into::into).collect(),
        }
    }
}

impl<'a> From<&'a UsageDelivery> for UsageJson<'a> {
    fn from(usage: &'a UsageDelivery) -> Self {
        Self {
            run_id: &usage.run_id,
            fetch_time: rfc3339(usage.fetch_time.as_ref()),
            landing_path: non_empty(&usage.landing_path),
            bytes: usage.bytes,
            pages: usage.pages,
            staged_records: usage.staged_records,
            quarantined_records: usage.quarantined_records,
        }
    }
}

impl<'a> From<&'a CrmDelivery> for CrmJson<'a> {
    fn from(crm: &'a CrmDelivery) -> Self {
        Self {
            snapshot_date: &crm.snapshot_date,
            export_path: &crm.export_path,
            archive_paths: &crm.archive_paths,
            run_id: non_empty(&crm.run_id),
            load_time: rfc3339(crm.load_time.as_ref()),
            quarantined_rows: crm.quarantined_rows,
        }
    }
}

impl<'a> From<&'a EventDelivery> for EventsJson<'a> {
    fn from(events: &'a EventDelivery) -> Self {
        Self {
            path: &events.path,
            run_id: non_empty(&events.run_id),
            load_time: rfc3339(events.load_time.as_ref()),
        }
    }
}

/// What the CRM says of a company in some snapshots.
#[derive(Debug, Serialize)]
pub struct VersionJson<'a> {
    effective_from: &'a str,
    effective_to: Option<&'a str>,
    company_name: Option<&'a str>,
    country: Option<&'a str>,
    industry_tag: Option<&'a str>,
    last_contact_at: Option<String>,
    export_path: &'a str,
    run_id: Option<&'a str>,
    load_time: Option<String>,
    unreadable_columns: &'a [String],
}

impl<'a> From<&'a CompanyVersion> for VersionJson<'a> {
    fn from(version: &'a CompanyVersion) -> Self {
        Self {
            effective_from: &version.effective_from,
            effective_to: non_empty(&version.effective_to),
            company_name: version.company_name.as_deref(),
            country: version.country.as_deref(),
            industry_tag: version.industry_tag.as_deref(),
            last_contact_at: rfc3339(version.last_contact_at.as_ref()),
            export_path: &version.export_path,
            run_id: non_empty(&version.run_id),
            load_time: rfc3339(version.load_time.as_ref()),
            unreadable_columns: &version.unreadable_columns,
        }
    }
}
