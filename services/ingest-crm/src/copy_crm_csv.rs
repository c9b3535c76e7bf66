//! The stage `act_copy_crm_csv`: every new CRM export into staging.

use async_trait::async_trait;
use chrono::NaiveDate;
use domain::{FailureKind, run::STAGE_COPY_CRM_CSV, snapshot::effective_on};
use file_ingest::{Delivery, FileKind, FileLoader};
use landing::FileInfo;
use tracing::info;
use warehouse::{CrmExport, LoadOutcome, SharedWarehouse, SnapshotLimits, SourceError};

use crate::{archive::Archive, company_rows::company_rows, csv_format::CsvFormat};

/// Loads CRM exports, each as the CRM's full state.
pub(crate) struct CopyCrmCsv {
    pub(crate) warehouse: SharedWarehouse,
    pub(crate) archive: Archive,
    pub(crate) format: CsvFormat,
    pub(crate) effective_offset_days: i32,
    pub(crate) limits: SnapshotLimits,
}

impl CopyCrmCsv {
    fn export(&self, file: &FileInfo, business_date: NaiveDate) -> CrmExport {
        let name = file.path.rsplit('/').next().unwrap_or_default();
        CrmExport {
            path: file.path.clone(),
            etag: file.etag.clone(),
            effective_on: effective_on(name, self.effective_offset_days, business_date),
            bytes: file.size,
            archive_path: None,
        }
    }
}

#[async_trait]
impl FileLoader for CopyCrmCsv {
    const STAGES: &'static [&'static str] = &[STAGE_COPY_CRM_CSV];

    const KIND: FileKind = FileKind {
        suffix: ".csv",
        singular: "CRM export",
        plural: "CRM exports",
        // Not even the very first run fails for it: usage cannot be fetched again
        // later, and companies are filled in on all published days once an export arrives.
        without_any: "companies stay as they are known so far",
        max_bytes_flag: "--crm-max-file-bytes",
    };

    async fn new_files(&self, files: &[FileInfo], business_date: NaiveDate) -> warehouse::Result<Vec<usize>> {
        let exports: Vec<_> = files.iter().map(|file| self.export(file, business_date)).collect();
        self.warehouse.new_crm_exports(&exports).await
    }

    async fn load(&self, delivery: Delivery<'_>) -> warehouse::Result<LoadOutcome> {
        let Delivery { file, chunks, report, fence, business_date, now } = delivery;
        // Not even a copy is made on behalf of somebody who may not load it.
        self.warehouse.check_fence(fence).await?;
        let copy = self.archive.keep(file, chunks).await.map_err(source_failed)?;
        let chunks = self.archive.read(&copy).await.map_err(source_failed)?;
        let rows = company_rows(chunks, &self.format, report);
        let export = CrmExport { archive_path: Some(copy.path), ..self.export(file, business_date) };
        let loaded = self.warehouse.load_crm_export(fence, &export, self.limits, rows, now).await;
        let loaded = loaded.map_err(|error| naming_the_copy(error, &export))?;
        let (effective_on, rows) = (export.effective_on, loaded.counters.rows_read);
        info!(file = %file.path, %effective_on, rows, "CRM export loaded");
        Ok(loaded)
    }
}

fn source_failed(error: landing::Error) -> warehouse::Error {
    SourceError { kind: error.kind(), message: error.to_string() }.into()
}

/// The CRM may have overwritten a refused file by the time that somebody looks
/// at it; its copy is still the one that was refused.
fn naming_the_copy(error: warehouse::Error, export: &CrmExport) -> warehouse::Error {
    let copy = export.archive_path.as_deref().unwrap_or_default();
    match error {
        warehouse::Error::Refused(problem) => {
            warehouse::Error::Refused(format!("{problem} (a copy is kept as {copy})"))
        }
        warehouse::Error::Source(error) if error.kind == FailureKind::InvalidInput => {
            SourceError { message: format!("{} (a copy is kept as {copy})", error.message), ..error }.into()
        }
        other => other,
    }
}

#[cfg(test)]
mod tests;
