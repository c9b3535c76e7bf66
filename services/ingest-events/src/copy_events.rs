//! The stage `act_copy_events`: loads every new event file into the warehouse.

use std::sync::Arc;

use async_trait::async_trait;
use chrono::{DateTime, Utc};
use domain::{DateWindow, event::latest_event_day, run::STAGE_COPY_EVENTS};
use file_ingest::{Delivery, FileKind, FileLoader, Outcome, Plan, Unit};
use landing::FileInfo;
use tracing::info;
use warehouse::{EventFile, EventStaging, SourceError};

use crate::event_rows::event_rows;

/// Loads event files.
pub(crate) struct CopyEvents {
    pub(crate) staging: Arc<dyn EventStaging>,
}

fn event_file(file: &FileInfo) -> EventFile {
    EventFile { path: file.path.clone(), etag: file.etag.clone(), bytes: file.size }
}

#[async_trait]
impl FileLoader for CopyEvents {
    const STAGES: &'static [&'static str] = &[STAGE_COPY_EVENTS];

    const KIND: FileKind = FileKind {
        suffix: ".ndjson",
        singular: "event file",
        plural: "event files",
        without_any: "events stay as they are known so far",
        max_bytes_flag: "--events-max-file-bytes",
        may_be_empty: true,
    };

    type About = FileInfo;

    async fn plan(
        &self,
        files: Vec<FileInfo>,
        _window: DateWindow,
        _now: DateTime<Utc>,
    ) -> warehouse::Result<Plan<FileInfo>> {
        let asked: Vec<_> = files.iter().map(event_file).collect();
        let new = self.staging.new_event_files(&asked).await?;
        let units = (0..).zip(files).filter(|(at, _)| new.binary_search(at).is_ok());
        let units = units.map(|(_, file)| Unit { files: vec![file.clone()], about: file }).collect();
        Ok(Plan { units, refused: vec![], remarks: vec![] })
    }

    async fn load(&self, delivery: Delivery<'_, FileInfo>) -> warehouse::Result<Outcome> {
        let Delivery { unit, storage, report, fence, business_date, now } = delivery;
        let file = &unit.about;
        let chunks = storage.read(file).await.map_err(source_failed)?;
        let latest = latest_event_day(business_date, file.modified.date_naive());
        let rows = event_rows(chunks, latest, report);
        let loaded = self.staging.load_event_file(fence, &event_file(file), rows, now).await?;
        let rows = loaded.counters.rows_read;
        info!(file = %file.path, rows, "event file loaded");
        Ok(Outcome { counters: loaded.counters, remarks: vec![] })
    }
}

fn source_failed(error: landing::Error) -> warehouse::Error {
    SourceError { kind: error.kind(), message: error.to_string() }.into()
}

#[cfg(test)]
mod tests;
