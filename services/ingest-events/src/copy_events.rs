//! The stage `act_copy_events`: loads every new event file into the warehouse.

use std::{collections::BTreeSet, sync::Arc};

use async_trait::async_trait;
use chrono::{DateTime, Utc};
use domain::{DateWindow, RejectionLimit, event::latest_event_day, run::STAGE_COPY_EVENTS};
use file_ingest::{Delivery, FileKind, FileLoader, Outcome, Plan, Unit};
use landing::FileInfo;
use tracing::info;
use warehouse::{Delivered, EventFile, EventStaging, SourceError};

use crate::event_rows::event_rows;

/// How many files a remark names.
const NAMED_FILES: usize = 3;

/// Loads event files.
pub(crate) struct CopyEvents {
    pub(crate) staging: Arc<dyn EventStaging>,
    /// How many records of a file may be rejected.
    pub(crate) limit: RejectionLimit,
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
        let remarks = self.gone_remark(&files).await?;
        let units = (0..).zip(files).filter(|(at, _)| new.binary_search(at).is_ok());
        let units = units.map(|(_, file)| Unit { files: vec![file.clone()], about: file }).collect();
        Ok(Plan { units, refused: vec![], passed_over: vec![], remarks: remarks.into_iter().collect() })
    }

    fn delivered(file: &FileInfo) -> Delivered<'_> {
        Delivered::EventFile(&file.path)
    }

    async fn load(&self, delivery: Delivery<'_, FileInfo>) -> warehouse::Result<Outcome> {
        let Delivery { unit, storage, report, fence, business_date, now } = delivery;
        let file = &unit.about;
        let chunks = storage.read(file).await.map_err(source_failed)?;
        let latest = latest_event_day(business_date, file.modified.date_naive());
        let rows = event_rows(chunks, latest, report);
        let loaded = self.staging.load_event_file(fence, &event_file(file), self.limit, rows, now).await?;
        let rows = loaded.counters.rows_read;
        info!(file = %file.path, rows, "event file loaded");
        Ok(Outcome { counters: loaded.counters, remarks: vec![] })
    }
}

impl CopyEvents {
    /// The remark on files that are to be loaded again and are no longer in the folder.
    /// Nobody keeps copies of event files.
    async fn gone_remark(&self, files: &[FileInfo]) -> warehouse::Result<Option<String>> {
        let replays = self.staging.event_replays().await?;
        let listed: BTreeSet<&str> = files.iter().map(|file| file.path.as_str()).collect();
        let gone: Vec<&str> =
            replays.iter().map(String::as_str).filter(|path| !listed.contains(path)).collect();
        Ok((!gone.is_empty()).then(|| {
            let named = gone.iter().take(NAMED_FILES).copied().collect::<Vec<_>>().join(", ");
            let more = match gone.len().saturating_sub(NAMED_FILES) {
                0 => String::new(),
                more => format!(" and {more} more"),
            };
            format!("to be loaded again, but no longer in the folder: {named}{more}; put them back there")
        }))
    }
}

fn source_failed(error: landing::Error) -> warehouse::Error {
    SourceError { kind: error.kind(), message: error.to_string() }.into()
}

#[cfg(test)]
mod tests;
