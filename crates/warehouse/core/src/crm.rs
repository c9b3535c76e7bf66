//! Staging of CRM exports and their history.

use async_trait::async_trait;
use chrono::{DateTime, NaiveDate, Utc};
use domain::CrmCompany;

use crate::{
    error::Result, fence::Fence, row_stream::RowStream, runs::StageCompletion,
    snapshot_limits::SnapshotLimits, usage::LoadOutcome,
};

/// One CRM export file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CrmExport {
    /// The file's path in object storage, relative to its root.
    pub path: String,
    /// The file's entity tag: a different tag means different content.
    pub etag: String,
    /// The day on which the export takes effect.
    pub effective_on: NaiveDate,
    /// The file's size in bytes.
    pub bytes: u64,
    /// Path of its immutable copy, relative to the archive's root; one line per part if
    /// it was split over several files. `None` while unknown; it is not part of the
    /// export's identity.
    pub archive_path: Option<String>,
}

/// An export without a date in its path.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UndatedExport {
    /// The file's path in object storage, relative to its root.
    pub path: String,
    /// The file's entity tag.
    pub etag: String,
}

/// Determines on which day an undated export takes effect.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct CrmDays {
    /// For each requested export, the day on which it took effect when this content was
    /// loaded; `None` if its path last had other content.
    pub decided: Vec<Option<NaiveDate>>,
    /// The first snapshot's day.
    pub first_snapshot: Option<NaiveDate>,
    /// The newest day that is published or, up to today, has a snapshot: an export
    /// first seen now says nothing about earlier days.
    pub newest: Option<NaiveDate>,
}

/// The encoding for a company whose row could not be read beyond the identifier.
pub const NOTHING_READABLE: i32 = 0b1_1111;

/// Staging of CRM exports. Each file is a full state that takes effect on its day; the
/// resulting history does not depend on the order of arrival.
///
/// Among files that take effect on the same day, the one whose path sorts last wins. A
/// file that changed in place replaces its earlier content.
///
/// Unreadable input removes nothing. A [`Partial`](domain::SourceRow::Partial) row is
/// quarantined and counts as rejected, and its company is in the snapshot with its
/// readable fields; the others are as in the previous snapshot. A rejected row of a
/// company without another row in the export leaves the company as in the previous
/// snapshot, and one that concerns [anyone](domain::Concerns::Anyone) does so for every
/// company that the export does not name. Such companies follow the previous snapshot
/// even if it arrives or changes later.
#[async_trait]
pub trait CrmStaging: StageCompletion {
    /// The positions in `exports` of the new ones: exactly this file content is not yet
    /// loaded with this effective day, or is to be loaded again.
    async fn new_crm_exports(&self, exports: &[CrmExport]) -> Result<Vec<usize>>;

    /// The loaded exports that are to be loaded [again](crate::QuarantineStore::request_replay),
    /// by path, then day.
    async fn crm_replays(&self) -> Result<Vec<CrmExport>>;

    /// What is known about the days of undated exports.
    async fn crm_days(&self, undated: &[UndatedExport], today: NaiveDate) -> Result<CrmDays>;

    /// The [`archive_path`](CrmExport::archive_path) of the export in effect before
    /// `day`.
    async fn crm_archive_before(&self, day: NaiveDate) -> Result<Option<String>>;

    /// Loads one export as the state from `export.effective_on` on, and marks dirty the
    /// published company-days whose columns or membership it changes.
    ///
    /// `written` counts companies that are new or changed against the previous state,
    /// `removed` those that are no longer in the CRM.
    ///
    /// # Errors
    /// [`Error::Refused`](crate::Error::Refused) for an export without any readable
    /// company, or one beyond `limits`. Nothing of a refused export is loaded, but its
    /// rejected rows are in quarantine.
    async fn load_crm_export(
        &self,
        fence: &Fence,
        export: &CrmExport,
        limits: SnapshotLimits,
        rows: RowStream<'_, CrmCompany>,
        now: DateTime<Utc>,
    ) -> Result<LoadOutcome>;
}
