//! Staging of CRM exports and their history.

use async_trait::async_trait;
use chrono::{DateTime, NaiveDate, Utc};
use domain::{CrmCompany, UnreadableFields};

use crate::{Fence, LoadOutcome, Result, RowStream, SnapshotLimits};

/// One CRM export file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CrmExport {
    /// The file's path in object storage, relative to its root.
    pub path: String,
    /// The file's entity tag: another one means other content.
    pub etag: String,
    /// The day from which the export counts.
    pub effective_on: NaiveDate,
    /// The file's size in bytes.
    pub bytes: u64,
    /// Where its immutable copy is kept, relative to the archive's root; a line for
    /// each part if it lay in several files. `None` while it is not known yet; the
    /// export is the same with or without.
    pub archive_path: Option<String>,
}

/// An export whose path holds no date.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UndatedExport {
    /// The file's path in object storage, relative to its root.
    pub path: String,
    /// The file's entity tag.
    pub etag: String,
}

/// What decides on which day an export without a date takes effect.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct CrmDays {
    /// For each export that was asked for, the day on which it took effect when
    /// this content was loaded; `None` if it is not what its path had last.
    pub decided: Vec<Option<NaiveDate>>,
    /// The first snapshot's day.
    pub first_snapshot: Option<NaiveDate>,
    /// The newest day that is published or, up to today, has a snapshot: what is
    /// first seen now says nothing of days before it.
    pub newest: Option<NaiveDate>,
}

/// How engines store of which fields nothing could be read: a bit each.
#[must_use]
pub fn unreadable_bits(fields: UnreadableFields) -> i32 {
    let UnreadableFields { name, country, industry_tag, last_contact_at } = fields;
    i32::from(name) | i32::from(country) << 1 | i32::from(industry_tag) << 2 | i32::from(last_contact_at) << 3
}

/// The same of a company of whose row nothing but the identifier could be read.
pub const NOTHING_READABLE: i32 = 0b1_1111;

/// Staging of CRM exports. Each file is a full state that takes effect on its
/// day; the history that results does not depend on the order of arrival.
///
/// Among files that take effect on the same day, the one whose path sorts last
/// counts. A file that changed in place replaces what it said before.
///
/// What cannot be read removes nothing. A [`Partial`](domain::SourceRow::Partial)
/// row is quarantined and counts as rejected, and its company is in the snapshot
/// with what could be read; the other fields are what they were in the snapshot
/// before. A rejected row of a company that the export does not give otherwise
/// leaves the company as it was in the snapshot before, and one that may be
/// [anyone's](domain::Concerns::Anyone) does so for every company that the export
/// does not name. Such companies follow the snapshot before, also if that one
/// arrives or changes later.
#[async_trait]
pub trait CrmStaging: Send + Sync {
    /// The positions in `exports` of those that are new: exactly this file content
    /// is not loaded with this effective day.
    async fn new_crm_exports(&self, exports: &[CrmExport]) -> Result<Vec<usize>>;

    /// What is known of the days of exports without a date.
    async fn crm_days(&self, undated: &[UndatedExport], today: NaiveDate) -> Result<CrmDays>;

    /// Where the copies of the export are kept that counts before `day`, as its
    /// [`archive_path`](CrmExport::archive_path) said.
    async fn crm_archive_before(&self, day: NaiveDate) -> Result<Option<String>>;

    /// Loads one export as the state from `export.effective_on` on, and marks
    /// dirty the published company-days whose columns or membership it changes.
    ///
    /// `written` counts companies that are new or changed against the state
    /// before, `removed` those that are no longer in the CRM.
    ///
    /// # Errors
    /// [`Error::Refused`](crate::Error::Refused) for an export without any company
    /// that can be read, or one beyond `limits`. Of a refused export nothing is
    /// loaded, but its rejected rows are in quarantine.
    async fn load_crm_export(
        &self,
        fence: &Fence,
        export: &CrmExport,
        limits: SnapshotLimits,
        rows: RowStream<'_, CrmCompany>,
        now: DateTime<Utc>,
    ) -> Result<LoadOutcome>;
}
