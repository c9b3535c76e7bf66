//! The stage `act_copy_crm_csv`: loads every new CRM export into staging.

use std::sync::{Arc, OnceLock};

use async_trait::async_trait;
use chrono::{DateTime, NaiveDate, Utc};
use domain::{Concerns, CrmCompany, DateWindow, FailureKind, Rejection, SourceRow, run::STAGE_COPY_CRM_CSV};
use file_ingest::{Delivery, FileKind, FileLoader, Outcome, Plan};
use futures::{StreamExt, TryStreamExt};
use landing::{FileInfo, Storage};
use tracing::info;
use warehouse::{CrmExport, CrmStaging, Delivered, SnapshotLimits, SourceError};

use crate::{
    archive::{Archive, source_failed},
    csv_format::CsvFormat,
    effective_day::DaySource,
    export_content::{Part, export_rows},
    export_plan::{Exports, SameDay},
    gone_files::{GoneFiles, archived_parts, copies_gone},
    header_change::{columns_of, columns_of_earlier, lost, new_columns},
};

/// Loads CRM exports, each as the CRM's full state.
pub(crate) struct CopyCrmCsv {
    pub(crate) staging: Arc<dyn CrmStaging>,
    pub(crate) archive: Archive,
    pub(crate) format: CsvFormat,
    pub(crate) effective_offset_days: i32,
    pub(crate) day_source: DaySource,
    pub(crate) same_day: SameDay,
    pub(crate) limits: SnapshotLimits,
}

#[async_trait]
impl FileLoader for CopyCrmCsv {
    const STAGES: &'static [&'static str] = &[STAGE_COPY_CRM_CSV];

    const KIND: FileKind = FileKind {
        suffix: ".csv",
        singular: "CRM export",
        plural: "CRM exports",
        // Even the first run succeeds without an export: usage cannot be
        // fetched again later, and companies are filled in on all published
        // days once an export arrives.
        without_any: "companies stay as they are known so far",
        max_bytes_flag: "--crm-max-file-bytes",
        may_be_empty: false,
    };

    type About = CrmExport;

    async fn plan(
        &self,
        files: Vec<FileInfo>,
        window: DateWindow,
        now: DateTime<Utc>,
    ) -> warehouse::Result<Plan<CrmExport>> {
        let gone = GoneFiles::to_load_again(&*self.staging, &self.archive, &files).await?;
        let exports = Exports::of(files, &self.day_source, self.effective_offset_days, self.same_day);
        let days = self.staging.crm_days(&exports.undated(), now.date_naive()).await?;
        let settled = exports.settle(&days, window);
        let new = self.staging.new_crm_exports(&settled.exports()).await?;
        let mut plan = settled.plan(&new, days.first_snapshot, window, self.same_day);
        plan.passed_over.retain(|export| gone.asked.contains(&export.path));
        plan.remarks.extend(plan.passed_over.iter().map(|export| {
            format!("{} is not read again: it is not the export that counts for its day", export.path)
        }));
        plan.units.extend(gone.units);
        plan.remarks.extend(gone.remarks);
        Ok(plan)
    }

    fn delivered(export: &CrmExport) -> Delivered<'_> {
        Delivered::Export(&export.path)
    }

    async fn load(&self, delivery: Delivery<'_, CrmExport>) -> warehouse::Result<Outcome> {
        let Delivery { unit, storage, report, fence, now, .. } = delivery;
        // A caller that may not load an export does not even copy it.
        self.staging.check_fence(fence).await?;
        let parts = match &unit.about.archive_path {
            Some(copies) => archived_parts(&self.archive, copies)
                .await
                .map_err(source_failed)?
                .ok_or_else(|| copies_gone(unit))?,
            None => self.keep_parts(&unit.files, storage).await?,
        };
        let compared = self.compare_header(&parts, unit.about.effective_on).await?;
        let copies: Vec<&str> = parts.iter().map(|part| part.copy.path.as_str()).collect();
        let export = CrmExport { archive_path: Some(copies.join("\n")), ..unit.about.clone() };
        if let Some(problem) = compared.lost {
            let refused = SourceError { kind: FailureKind::InvalidInput, message: problem };
            return Err(naming_the_copy(refused.into(), &export));
        }
        let unnamed = OnceLock::new();
        let rows = export_rows(&self.archive, parts, &self.format, report);
        let rows = rows.inspect_ok(|row| note_unnamed(row, &unnamed)).boxed();
        let loaded = self.staging.load_crm_export(fence, &export, self.limits, rows, now).await;
        let loaded = loaded.map_err(|error| naming_the_copy(error, &export))?;
        let (file, effective_on, rows) = (unit.name(), export.effective_on, loaded.counters.rows_read);
        info!(%file, %effective_on, rows, "CRM export loaded");
        let new =
            compared.new.map(|headings| format!("{file}: columns that are new and not read: {headings}"));
        let kept = unnamed.get().map(|problem| {
            format!(
                "{file}: a rejected row may be that of any company ({problem}), so this export takes no company \
                 out of the CRM"
            )
        });
        Ok(Outcome { counters: loaded.counters, remarks: kept.into_iter().chain(new).collect() })
    }
}

/// The result of comparing an export's header with the previous one.
#[derive(Debug, Default)]
struct ComparedHeader {
    /// Why the export is refused.
    lost: Option<String>,
    /// New columns.
    new: Option<String>,
}

impl CopyCrmCsv {
    /// Copies the files of an export to the archive.
    async fn keep_parts(&self, files: &[FileInfo], storage: &Storage) -> warehouse::Result<Vec<Part>> {
        let mut parts = Vec::with_capacity(files.len());
        for file in files {
            let chunks = storage.read(file).await.map_err(source_failed)?;
            let copy = self.archive.keep(file, chunks).await.map_err(source_failed)?;
            parts.push(Part { path: file.path.clone(), copy });
        }
        Ok(parts)
    }

    async fn compare_header(
        &self,
        parts: &[Part],
        effective_on: NaiveDate,
    ) -> warehouse::Result<ComparedHeader> {
        let copies = self.staging.crm_archive_before(effective_on).await?;
        let Some(earlier) = copies.as_deref().and_then(|copies| copies.lines().next()) else {
            return Ok(ComparedHeader::default());
        };
        let Some(part) = parts.first() else { return Ok(ComparedHeader::default()) };
        let (archive, format) = (&self.archive, &self.format);
        let now = columns_of(archive, &part.copy, format).await.map_err(source_failed)?;
        let before = columns_of_earlier(archive, earlier, format).await;
        let (Some(before), Some(now)) = (before, now) else { return Ok(ComparedHeader::default()) };
        Ok(ComparedHeader { lost: lost(&before, &now, &format.columns), new: new_columns(&before, &now) })
    }
}

/// Notes the first row whose company is unclear: because of it, a company that the
/// export does not name stays in the CRM.
fn note_unnamed(row: &SourceRow<CrmCompany>, first: &OnceLock<String>) {
    if let SourceRow::Rejected(rejection @ Rejection { concerns: Concerns::Anyone, .. }) = row {
        first.get_or_init(|| rejection.reported());
    }
}

/// The CRM may have overwritten a refused file before somebody looks at it; its
/// copy is still the refused content.
fn naming_the_copy(error: warehouse::Error, export: &CrmExport) -> warehouse::Error {
    let copies = export.archive_path.as_deref().unwrap_or_default();
    let kept = match copies.replace('\n', ", ") {
        copies if copies.contains(", ") => format!("(copies are kept as {copies})"),
        copy => format!("(a copy is kept as {copy})"),
    };
    match error {
        warehouse::Error::Refused(problem) => warehouse::Error::Refused(format!("{problem} {kept}")),
        warehouse::Error::Source(error) if error.kind == FailureKind::InvalidInput => {
            SourceError { message: format!("{} {kept}", error.message), ..error }.into()
        }
        other => other,
    }
}

#[cfg(test)]
mod tests;
