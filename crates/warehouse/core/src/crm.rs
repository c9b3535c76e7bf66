//! Staging of CRM exports and their history.

use async_trait::async_trait;
use chrono::{DateTime, NaiveDate, Utc};
use domain::CrmCompany;

use crate::{Fence, LoadOutcome, Result, RowStream};

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
    /// Where its immutable copy is kept, relative to the archive's root. `None`
    /// while it is not known yet; the export is the same with or without.
    pub archive_path: Option<String>,
}

/// When an export is not believed.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct SnapshotLimits {
    /// The greatest share of companies, from 0 to 1, by which an export may be
    /// smaller than the one before it.
    pub max_shrink_share: f64,
}

/// Staging of CRM exports. Each file is a full state that takes effect on its
/// day; the history that results does not depend on the order of arrival.
///
/// Among files that take effect on the same day, the one whose path sorts last
/// counts. A file that changed in place replaces what it said before.
#[async_trait]
pub trait CrmStaging: Send + Sync {
    /// The positions in `exports` of those that are new: exactly this file content
    /// is not loaded with this effective day.
    async fn new_crm_exports(&self, exports: &[CrmExport]) -> Result<Vec<usize>>;

    /// Loads one export as the state from `export.effective_on` on, and marks
    /// dirty the published company-days whose columns or membership it changes.
    ///
    /// `written` counts companies that are new or changed against the state
    /// before, `removed` those that are no longer in the CRM.
    ///
    /// # Errors
    /// [`Error::Refused`](crate::Error::Refused) for an export without any
    /// accepted row, or one that shrank beyond `limits`.
    async fn load_crm_export(
        &self,
        fence: &Fence,
        export: &CrmExport,
        limits: SnapshotLimits,
        rows: RowStream<'_, CrmCompany>,
        now: DateTime<Utc>,
    ) -> Result<LoadOutcome>;
}
