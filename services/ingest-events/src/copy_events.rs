//! The stage `act_copy_events`: every new event file into the warehouse.

use async_trait::async_trait;
use chrono::NaiveDate;
use domain::{event::latest_event_day, run::STAGE_COPY_EVENTS};
use file_ingest::{Delivery, FileKind, FileLoader};
use landing::FileInfo;
use tracing::info;
use warehouse::{EventFile, LoadOutcome, SharedWarehouse};

use crate::event_rows::event_rows;

/// Loads event files.
pub(crate) struct CopyEvents {
    pub(crate) warehouse: SharedWarehouse,
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
    };

    async fn new_files(
        &self,
        files: &[FileInfo],
        _business_date: NaiveDate,
    ) -> warehouse::Result<Vec<usize>> {
        let files: Vec<_> = files.iter().map(event_file).collect();
        self.warehouse.new_event_files(&files).await
    }

    async fn load(&self, delivery: Delivery<'_>) -> warehouse::Result<LoadOutcome> {
        let Delivery { file, chunks, report, fence, business_date, now } = delivery;
        let latest = latest_event_day(business_date, file.modified.date_naive());
        let rows = event_rows(chunks, latest, report);
        let loaded = self.warehouse.load_event_file(fence, &event_file(file), rows, now).await?;
        let rows = loaded.counters.rows_read;
        info!(file = %file.path, rows, "event file loaded");
        Ok(loaded)
    }
}

#[cfg(test)]
mod tests;
