//! What tests see of staging.

use async_trait::async_trait;
use domain::{CompanyId, DateWindow, EventId, EventRecord};
use uuid::Uuid;
use warehouse_core::{
    Error, QuarantinedRow,
    engine::corrupt,
    fact_record,
    inspection::{DailyEvents, LoggedPublication, ReplacedRow, StagingInspector, StoredEvent},
};

use crate::{
    database::SqliteWarehouse, fault::Result, quarantine_store::QuarantineRecord, run_rows::parse_id,
};

#[async_trait]
impl StagingInspector for SqliteWarehouse {
    async fn stored_events(
        &self,
        company: &CompanyId,
        window: DateWindow,
    ) -> Result<Vec<StoredEvent>, Error> {
        let (start, end) = (window.start(), window.end());
        self.once(async |connection| {
            let rows = sqlx::query_file!("../sql/events/stored_events.sql", company.as_str(), start, end);
            let events = rows.fetch_all(connection).await?.into_iter().map(|row| {
                let event_id = EventId::parse(&row.event_id).map_err(corrupt)?;
                let (company_id, date, events) = (company.clone(), row.date, row.events);
                let record = EventRecord { company_id, date, event_id, events };
                Ok(StoredEvent { record, source_path: row.source_path })
            });
            events.collect()
        })
        .await
    }

    async fn daily_events(&self, company: &CompanyId, window: DateWindow) -> Result<Vec<DailyEvents>, Error> {
        let (company_id, start, end) = (company.as_str(), window.start(), window.end());
        self.once(async |connection| {
            let days =
                sqlx::query_file_as!(DailyEvents, "../sql/events/daily_events.sql", company_id, start, end);
            Ok(days.fetch_all(connection).await?)
        })
        .await
    }

    async fn replaced_rows(&self, window: DateWindow) -> Result<Vec<ReplacedRow>, Error> {
        let (start, end) = (window.start(), window.end());
        self.once(async |connection| {
            let rows = sqlx::query_file!("sql/activity/replaced_rows.sql", start, end);
            let rows = rows.fetch_all(connection).await?.into_iter().map(|row| {
                let (replaced_at, replaced_by) = (row.replaced_at, parse_id(&row.replaced_by)?);
                let row = fact_record!(row, row.loaded_at).try_into()?;
                Ok(ReplacedRow { row, replaced_at, replaced_by })
            });
            rows.collect()
        })
        .await
    }

    async fn logged_publications(&self, window: DateWindow) -> Result<Vec<LoggedPublication>, Error> {
        let (start, end) = (window.start(), window.end());
        self.once(async |connection| {
            let entries = sqlx::query_file_as!(
                LoggedPublication,
                "../sql/activity/logged_publications.sql",
                start,
                end
            );
            Ok(entries.fetch_all(connection).await?)
        })
        .await
    }

    async fn quarantined_rows(&self, run_id: Option<Uuid>, limit: u32) -> Result<Vec<QuarantinedRow>, Error> {
        let run_id = run_id.map(Uuid::hyphenated);
        self.once(async |connection| {
            let rows = sqlx::query_file_as!(QuarantineRecord, "sql/quarantine/newest.sql", run_id, limit);
            let rows = rows.fetch_all(connection).await?;
            Ok(rows.into_iter().map(QuarantinedRow::try_from).collect::<Result<_, _>>()?)
        })
        .await
    }
}
