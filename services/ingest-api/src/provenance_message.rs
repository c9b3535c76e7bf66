//! Converts what is on record of staged data to messages.

use contract::message::timestamp_to_proto;
use domain::provenance::{CrmVersion, DayFetch, DaySnapshot, DaySources, EventSource};
use proto::provenance::v1::{
    CompanyVersion, CrmDelivery, EventDelivery, GetDaySourcesResponse, ListCompanyVersionsResponse,
    UsageDelivery,
};

use crate::crm_message;

pub(crate) fn day_sources(sources: DaySources) -> GetDaySourcesResponse {
    let DaySources { usage, crm, events } = sources;
    GetDaySourcesResponse {
        usage: usage.map(usage_delivery),
        crm: crm.map(crm_delivery),
        events: events.into_iter().map(event_delivery).collect(),
    }
}

fn usage_delivery(fetch: DayFetch) -> UsageDelivery {
    let DayFetch { run_id, fetched_at, landing_path, bytes, pages, staged, quarantined } = fetch;
    UsageDelivery {
        run_id,
        fetch_time: Some(timestamp_to_proto(fetched_at)),
        landing_path: landing_path.unwrap_or_default(),
        bytes,
        pages: u32::try_from(pages).unwrap_or(u32::MAX),
        staged_records: staged,
        quarantined_records: quarantined,
    }
}

fn crm_delivery(snapshot: DaySnapshot) -> CrmDelivery {
    let DaySnapshot { on, export, quarantined } = snapshot;
    let archive_paths = crm_message::archive_paths(&export);
    let (run_id, loaded_at) = export.loaded.unzip();
    CrmDelivery {
        snapshot_date: on.to_string(),
        export_path: export.path,
        archive_paths,
        run_id: run_id.unwrap_or_default(),
        load_time: loaded_at.map(timestamp_to_proto),
        quarantined_rows: quarantined,
    }
}

fn event_delivery(source: EventSource) -> EventDelivery {
    let (run_id, loaded_at) = source.loaded.unzip();
    EventDelivery {
        path: source.path,
        run_id: run_id.unwrap_or_default(),
        load_time: loaded_at.map(timestamp_to_proto),
    }
}

/// A page of versions, of which one more than `limit` was read. A page goes on before the day on
/// which the last version of the one before begins.
pub(crate) fn versions(mut found: Vec<CrmVersion>, limit: u32) -> ListCompanyVersionsResponse {
    let has_more = found.len() > limit as usize;
    found.truncate(limit as usize);
    let next = found.last().filter(|_| has_more).map(|version| version.from.to_string());
    ListCompanyVersionsResponse {
        versions: found.into_iter().map(version).collect(),
        next_page_token: next.unwrap_or_default(),
    }
}

fn version(version: CrmVersion) -> CompanyVersion {
    let CrmVersion { from, to, attributes, export, unread } = version;
    let (run_id, loaded_at) = export.loaded.unzip();
    CompanyVersion {
        effective_from: from.to_string(),
        effective_to: to.map(|day| day.to_string()).unwrap_or_default(),
        company_name: attributes.name,
        country: attributes.country,
        industry_tag: attributes.industry_tag,
        last_contact_at: attributes.last_contact_at.map(timestamp_to_proto),
        export_path: export.path,
        run_id: run_id.unwrap_or_default(),
        load_time: loaded_at.map(timestamp_to_proto),
        unreadable_columns: crm_message::unreadable_columns(unread),
    }
}
