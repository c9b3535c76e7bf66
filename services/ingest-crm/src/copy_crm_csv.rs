//! The stage `act_copy_crm_csv`: every new CRM export into staging.

use async_trait::async_trait;
use chrono::NaiveDate;
use domain::{run::STAGE_COPY_CRM_CSV, snapshot::effective_on};
use file_ingest::{Delivery, FileKind, FileLoader};
use landing::FileInfo;
use tracing::info;
use warehouse::{CrmExport, LoadOutcome, SharedWarehouse, SnapshotLimits};

use crate::company_rows::company_rows;

/// Loads CRM exports, each as the CRM's full state.
pub(crate) struct CopyCrmCsv {
    pub(crate) warehouse: SharedWarehouse,
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

    async fn is_loaded(&self, file: &FileInfo, business_date: NaiveDate) -> warehouse::Result<bool> {
        self.warehouse.has_crm_export(&self.export(file, business_date)).await
    }

    async fn load(&self, delivery: Delivery<'_>) -> warehouse::Result<LoadOutcome> {
        let Delivery { file, chunks, report, fence, business_date, now } = delivery;
        let export = self.export(file, business_date);
        let rows = company_rows(chunks, report);
        let loaded = self.warehouse.load_crm_export(fence, &export, self.limits, rows, now).await?;
        let (effective_on, rows) = (export.effective_on, loaded.counters.rows_read);
        info!(file = %file.path, %effective_on, rows, "CRM export loaded");
        Ok(loaded)
    }
}

#[cfg(test)]
mod tests;
