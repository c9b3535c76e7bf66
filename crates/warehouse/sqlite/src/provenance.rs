//! Reads where a company-day comes from.

use async_trait::async_trait;
use chrono::NaiveDate;
use domain::{
    CompanyAttributes, CompanyId, FactKey, FactRow, Provenance, Publication,
    provenance::{
        CrmProvenance, CrmSnapshot, CrmVersion, DayFetch, DayPublication, DaySnapshot, DaySources,
        EventSource, MAX_EVENT_FILES, ReplacedRow, Unread, UsageProvenance, window_of,
    },
};
use sqlx::SqliteConnection;
use warehouse_core::{
    ActivityQuery, Error, ProvenanceReader,
    engine::{FetchedDay, PublicationRecord, corrupt, counted, every_day, export_origin},
    fact_record,
};

use crate::{
    activity::{Selection, select},
    database::SqliteWarehouse,
    fault::Result,
};

/// Later than any snapshot.
const LAST_DAY: NaiveDate = NaiveDate::from_ymd_opt(9999, 12, 31).unwrap();

#[async_trait]
impl ProvenanceReader for SqliteWarehouse {
    async fn provenance(&self, key: &FactKey) -> Result<Provenance, Error> {
        self.read(async |connection| read(connection, key).await).await
    }

    async fn day_sources(&self, day: NaiveDate) -> Result<DaySources, Error> {
        self.read(async |connection| day_sources(connection, day).await).await
    }

    async fn company_versions(
        &self,
        company: &CompanyId,
        before: Option<NaiveDate>,
        limit: u32,
    ) -> Result<Vec<CrmVersion>, Error> {
        let before = before.unwrap_or(LAST_DAY);
        self.once(async |connection| {
            let versions =
                sqlx::query_file!("../sql/provenance/company_versions.sql", company.as_str(), before, limit);
            let versions = versions.fetch_all(connection).await?.into_iter().map(|row| CrmVersion {
                from: row.effective_from,
                to: row.effective_to,
                attributes: CompanyAttributes {
                    name: row.name,
                    country: row.country,
                    industry_tag: row.industry_tag,
                    last_contact_at: row.last_contact_at,
                },
                export: export_origin(row.path, row.archive_path, row.run_id, row.loaded_at),
                unread: Unread::from_bits(row.unread),
            });
            Ok(versions.collect())
        })
        .await
    }
}

async fn read(connection: &mut SqliteConnection, key: &FactKey) -> Result<Provenance> {
    let standing =
        sqlx::query_file!("../sql/provenance/standing.sql", key.company_id.as_str(), key.activity_date);
    let standing = standing.fetch_one(&mut *connection).await?;
    Ok(Provenance {
        key: key.clone(),
        is_known: standing.is_known,
        is_waiting: standing.is_waiting,
        published_range: standing.oldest.zip(standing.newest),
        history_since: standing.history_since,
        ledger: ledger(connection, key).await?,
        publications: publications(connection, key).await?,
        rows: rows(connection, key).await?,
        replaced: replaced(connection, key).await?,
        usage: usage(connection, key).await?,
        crm: crm(connection, key).await?,
    })
}

async fn ledger(connection: &mut SqliteConnection, key: &FactKey) -> Result<Vec<Publication>> {
    let days = window_of(key.activity_date);
    let (start, end) = (days.start(), days.end());
    let entries = sqlx::query_file_as!(PublicationRecord, "../sql/activity/published_days.sql", start, end);
    Ok(entries.fetch_all(connection).await?.into_iter().map(Publication::from).collect())
}

async fn publications(connection: &mut SqliteConnection, key: &FactKey) -> Result<Vec<DayPublication>> {
    let days = window_of(key.activity_date);
    let (start, end) = (days.start(), days.end());
    let logged = sqlx::query_file_as!(DayPublication, "sql/provenance/publications.sql", start, end);
    Ok(logged.fetch_all(connection).await?)
}

async fn rows(connection: &mut SqliteConnection, key: &FactKey) -> Result<Vec<FactRow>> {
    let (company_id, window) = (Some(key.company_id.clone()), window_of(key.activity_date));
    let limit = u32::try_from(window.len_days()).map_err(corrupt)?;
    let query = ActivityQuery { company_id, window, after: None, as_of: None };
    select(connection, Selection::of(&query, None), limit).await
}

async fn replaced(connection: &mut SqliteConnection, key: &FactKey) -> Result<Vec<ReplacedRow>> {
    let days = window_of(key.activity_date);
    let (company, start, end) = (key.company_id.as_str(), days.start(), days.end());
    let rows = sqlx::query_file!("sql/provenance/replaced.sql", company, start, end);
    let rows = rows.fetch_all(connection).await?.into_iter();
    let rows = rows.map(|row| {
        let replaced_at = row.replaced_at;
        Ok(ReplacedRow { row: fact_record!(row, row.loaded_at).try_into()?, replaced_at })
    });
    rows.collect()
}

async fn usage(connection: &mut SqliteConnection, key: &FactKey) -> Result<Vec<UsageProvenance>> {
    let days = window_of(key.activity_date);
    let (company, start, end) = (key.company_id.as_str(), days.start(), days.end());
    let fetched = sqlx::query_file!("sql/provenance/usage.sql", company, start, end);
    let fetched = fetched.fetch_all(connection).await?.into_iter().map(|day| {
        let page_ends = day.page_ends.map(|json| serde_json::from_str(&json)).transpose().map_err(corrupt)?;
        let fetched = FetchedDay {
            day: day.day,
            active_users: day.active_users,
            events: day.events,
            landing_path: day.landing_path,
            bytes: day.bytes,
            etag: day.landing_etag,
            run_id: day.run_id,
            fetched_at: day.fetched_at,
            page_ends,
            quarantined: day.quarantined,
        };
        UsageProvenance::try_from(fetched)
    });
    Ok(every_day(key, fetched.collect::<Result<_, Error>>()?)?)
}

async fn crm(connection: &mut SqliteConnection, key: &FactKey) -> Result<CrmProvenance> {
    let (company, day) = (key.company_id.as_str(), key.activity_date);
    let snapshot = sqlx::query_file!("../sql/provenance/crm_snapshot.sql", company, day);
    let snapshot = snapshot.fetch_optional(&mut *connection).await?.map(|row| CrmSnapshot {
        on: row.effective_on,
        export: export_origin(row.path, row.archive_path, row.run_id, row.loaded_at),
        unread: Unread::from_bits(row.unread),
    });
    let version = sqlx::query_file!("../sql/provenance/crm_version.sql", company, day);
    let version = version.fetch_optional(connection).await?.map(|row| CrmVersion {
        from: row.effective_from,
        to: row.effective_to,
        attributes: CompanyAttributes {
            name: row.name,
            country: row.country,
            industry_tag: row.industry_tag,
            last_contact_at: row.last_contact_at,
        },
        export: export_origin(row.path, row.archive_path, row.run_id, row.loaded_at),
        unread: Unread::from_bits(row.unread),
    });
    Ok(CrmProvenance { snapshot, version })
}

async fn day_sources(connection: &mut SqliteConnection, day: NaiveDate) -> Result<DaySources> {
    let usage = sqlx::query_file!("../sql/provenance/usage_delivery.sql", day);
    let usage = usage.fetch_optional(&mut *connection).await?.map(|row| {
        Ok::<_, Error>(DayFetch {
            run_id: row.run_id,
            fetched_at: row.fetched_at,
            landing_path: row.landing_path,
            bytes: counted(row.bytes)?,
            pages: pages(row.page_ends.as_deref())?,
            staged: counted(row.records)?,
            quarantined: counted(row.quarantined)?,
        })
    });
    let crm = sqlx::query_file!("../sql/provenance/crm_delivery.sql", day);
    let crm = crm.fetch_optional(&mut *connection).await?.map(|row| {
        Ok::<_, Error>(DaySnapshot {
            on: row.effective_on,
            export: export_origin(row.path, row.archive_path, row.run_id, row.loaded_at),
            quarantined: counted(row.quarantined)?,
        })
    });
    let events = sqlx::query_file!("../sql/provenance/event_deliveries.sql", day, MAX_EVENT_FILES);
    let events = events.fetch_all(connection).await?.into_iter().rev();
    Ok(DaySources {
        usage: usage.transpose()?,
        crm: crm.transpose()?,
        events: events
            .map(|row| EventSource { path: row.path, loaded: row.run_id.zip(row.loaded_at) })
            .collect(),
    })
}

/// How many pages an answer had, by the ends that storage keeps as a JSON array.
fn pages(ends: Option<&str>) -> Result<usize, Error> {
    let Some(ends) = ends else { return Ok(0) };
    let ends: Vec<i64> = serde_json::from_str(ends).map_err(corrupt)?;
    Ok(ends.len())
}
