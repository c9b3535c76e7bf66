//! A day's raw records in the landing: written while fetching, read back for loading.

use std::{pin::pin, sync::Arc};

use chrono::NaiveDate;
use domain::{FailureKind, UsageRecord, date_window::parse_day};
use futures::{StreamExt, TryStreamExt, stream};
use landing::{FileInfo, NumberedLines, Storage};
use tracing::Span;
use warehouse::{RowStream, SourceError, UsageDay};

use crate::{
    answer_options::Reading,
    api::Session,
    day_reader::{DayReader, MAX_RECORD_BYTES},
    error::Error,
    paging::pages,
    progress::ProgressMeter,
};

/// The result of landing a day.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct LandedDay {
    /// The day.
    pub(crate) day: NaiveDate,
    /// Its file; `None` if it has no records, so that nothing was uploaded.
    pub(crate) file: Option<FileInfo>,
    /// Records in the file, valid or not.
    pub(crate) records: u64,
    /// The number of the last record of each page, from page 1 on.
    pub(crate) page_ends: Vec<u64>,
}

impl LandedDay {
    /// The delivery, as staging records it.
    pub(crate) fn delivery(&self) -> UsageDay {
        UsageDay {
            day: self.day,
            landing_path: self.file.as_ref().map(|file| file.path.clone()),
            bytes: self.file.as_ref().map_or(0, |file| file.size),
            etag: self.file.as_ref().map(|file| file.etag.clone()),
            page_ends: self.page_ends.clone(),
        }
    }
}

/// The folder of landed days, relative to the landing's root.
pub const LANDED_FOLDER: &str = "product_usage/";

fn landing_path(day: NaiveDate) -> String {
    format!("{LANDED_FOLDER}{day}/usage_{day}.json")
}

/// The day whose records a landed file holds; `None` for any other file.
#[must_use]
pub fn landed_day(path: &str) -> Option<NaiveDate> {
    let day = parse_day(path.strip_prefix(LANDED_FOLDER)?.split_once('/')?.0)?;
    (path == landing_path(day)).then_some(day)
}

/// Whether a file is the one that was loaded for its day: a later fetch replaces it, also if that is
/// then refused. Loads of releases that noted no entity tag are told by their size.
pub(crate) fn is_loaded(file: &FileInfo, etag: Option<&str>, bytes: u64) -> bool {
    etag.map_or(file.size == bytes, |etag| file.etag == etag)
}

/// Fetches a day page by page and lands its records verbatim. The file appears
/// once the last page has arrived; an earlier failure leaves the landing as it
/// was.
///
/// # Errors
/// If a page cannot be fetched or the storage rejects it.
pub(crate) async fn land(
    storage: &Storage,
    session: &Session,
    day: NaiveDate,
    meter: &ProgressMeter,
) -> Result<LandedDay, Error> {
    let failed = |source| Error::Landing { day, source };
    let mut records = 0;
    let mut page_ends = Vec::new();
    let mut writer = None;
    let mut pages = pin!(pages(session, day));
    while let Some((at, page)) = pages.try_next().await? {
        meter.page_fetched(at, page.body_bytes);
        if page.records > 0 {
            records += page.records as u64;
            let writer = writer.get_or_insert_with(|| storage.write(&landing_path(day)));
            writer.write(page.ndjson.as_bytes()).await.map_err(failed)?;
        }
        // A page that was skipped, because it repeats another, ends where the one before it does.
        let ended_before = page_ends.last().copied().unwrap_or(0);
        page_ends.resize(at.page as usize - 1, ended_before);
        page_ends.push(records);
    }
    let file = match writer {
        Some(writer) => Some(writer.finish().await.map_err(failed)?),
        None => None,
    };
    Span::current().record("pipeline.rows_read", telemetry::spans::count(records));
    Ok(LandedDay { day, file, records, page_ends })
}

/// Reads a landed day back as rows for staging. The rows fail if the file is no
/// longer the landed one, has another number of records, or has none in the
/// promised form.
///
/// # Errors
/// If the file cannot be read.
pub(crate) async fn usage_rows(
    storage: &Storage,
    landed: &LandedDay,
    reading: Arc<Reading>,
) -> Result<RowStream<'static, UsageRecord>, Error> {
    let day = landed.day;
    let Some(file) = &landed.file else { return Ok(stream::empty().boxed()) };
    let chunks = storage.read(file).await.map_err(|source| Error::Landing { day, source })?;
    let lines = NumberedLines::new(chunks, MAX_RECORD_BYTES);
    let (path, expected) = (file.path.clone(), landed.records);
    let reader = DayReader::new(day, reading);
    let rows = stream::try_unfold((lines, reader), move |(mut lines, mut reader)| {
        let path = path.clone();
        async move {
            match lines.try_next().await.map_err(|error| unreadable(&error))? {
                Some(line) => Ok(Some((reader.line(line), (lines, reader)))),
                None if reader.rows() == expected => reader.finish().map(|()| None),
                None => Err(incomplete(&path, reader.rows(), expected)),
            }
        }
    });
    Ok(rows.boxed())
}

fn unreadable(error: &landing::Error) -> SourceError {
    SourceError { kind: error.kind(), message: error.to_string() }
}

fn incomplete(path: &str, read: u64, expected: u64) -> SourceError {
    SourceError {
        kind: FailureKind::Internal,
        message: format!("{path} holds {read} records, but {expected} were landed"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_is_the_loaded_one_by_its_tag_and_without_one_by_its_size() {
        let file = FileInfo {
            path: "a.json".to_owned(),
            etag: "2".to_owned(),
            size: 10,
            modified: chrono::DateTime::UNIX_EPOCH,
        };
        let told = [(Some("2"), 10), (Some("1"), 10), (None, 10), (None, 9)];
        assert_eq!(told.map(|(etag, bytes)| is_loaded(&file, etag, bytes)), [true, false, true, false]);
    }

    #[test]
    fn a_landed_file_names_its_day_and_no_other_file_does() {
        let day = parse_day("2026-01-31").unwrap();
        assert_eq!(landed_day(&landing_path(day)), Some(day));
        for other in [
            "product_usage/2026-01-31/usage_2026-01-30.json",
            "product_usage/2026-01-31/usage_2026-01-31.json.bak",
            "product_usage/2026-1-31/usage_2026-1-31.json",
            "product_usage/2026-01-31/more/usage_2026-01-31.json",
            "crm/daily/2026-01-31.csv",
        ] {
            assert_eq!(landed_day(other), None, "{other}");
        }
    }
}
