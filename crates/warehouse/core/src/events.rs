//! Single events and their daily sums.

use async_trait::async_trait;
use chrono::{DateTime, NaiveDate, Utc};
use domain::{EventRecord, RejectionLimit};

use crate::{
    error::{Error, Result},
    fence::Fence,
    received::{Received, way_to_accept},
    row_stream::RowStream,
    runs::StageCompletion,
    usage::LoadOutcome,
};

/// One file of events.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EventFile {
    /// The file's path in object storage, relative to its root.
    pub path: String,
    /// The file's entity tag: a different tag means different content.
    pub etag: String,
    /// The file's size in bytes.
    pub bytes: u64,
}

impl EventFile {
    /// Whether enough of the file is readable.
    ///
    /// # Errors
    /// [`Error::Refused`] that says what to do about it.
    pub fn judge(&self, received: &Received, limit: RejectionLimit) -> Result<()> {
        received.within(limit).map_err(|problem| {
            Error::Refused(format!(
                "{}: {problem}; nothing of it was loaded. Check the file; {}, or raise --events-max-rejected-share",
                self.path,
                way_to_accept(&self.path)
            ))
        })
    }

    /// The refusal of a file with which a day's sum would not fit its column.
    #[must_use]
    pub fn refused_for_sum(&self, company_id: &str, date: NaiveDate) -> Error {
        Error::Refused(format!(
            "{}: with it the events of company {company_id} on {date} add up to more than {}; correct its \
             records of that day",
            self.path,
            i64::MAX
        ))
    }
}

/// Loads event files into `fact_events`, which has one row per company, day and event,
/// and keeps `agg_company_daily_events` equal to its sums.
///
/// For each event, the file whose path sorts last wins, and within a file the last
/// line: the order of arrival does not matter, and delivering an event again, under any
/// file name, never counts it twice. A file that changed in place updates the events it
/// has; those it no longer has stay, because a log of events only grows.
#[async_trait]
pub trait EventStaging: StageCompletion {
    /// The positions in `files` of the new ones: exactly this content is not yet loaded, or
    /// is to be loaded again.
    async fn new_event_files(&self, files: &[EventFile]) -> Result<Vec<usize>>;

    /// The paths of the loaded files that are to be loaded
    /// [again](crate::QuarantineStore::request_replay), in order.
    async fn event_replays(&self) -> Result<Vec<String>>;

    /// Loads one file, and sums up again the company-days in which an event is new or
    /// has another count.
    ///
    /// `written` counts those events. `duplicate` counts records equal to a later line
    /// of the file, and records of events that a later path overrides. A record that a
    /// later line contradicts goes into quarantine.
    ///
    /// # Errors
    /// [`Error::Refused`] if a day's sum would not fit 64 bits; and if more of its records
    /// are rejected than `limit` allows, which are in quarantine then.
    async fn load_event_file(
        &self,
        fence: &Fence,
        file: &EventFile,
        limit: RejectionLimit,
        rows: RowStream<'_, EventRecord>,
        now: DateTime<Utc>,
    ) -> Result<LoadOutcome>;
}
