//! The stage `act_copy_crm_csv`: every new CRM export into staging.

use std::sync::Arc;

use async_trait::async_trait;
use domain::{Counters, FailureKind, Progress, Remarks, run::STAGE_COPY_CRM_CSV, snapshot::effective_on};
use landing::{FileInfo, Storage};
use runtime::{
    Clock,
    stage::{ProgressSink, StageCall, StageError, StageExecutor, StageOutcome},
};
use tracing::{info, warn};
use warehouse::{CrmExport, Fence, SharedWarehouse, SnapshotLimits};

use crate::{
    company_rows::company_rows,
    error::{Error, RefusedFiles},
    invalid_file::InvalidFile,
};

/// Executes the stage.
///
/// Every file is loaded in a transaction of its own, in the order of the paths,
/// unless exactly this content is already loaded. A file that must be refused is
/// refused as a whole and does not keep the others from being loaded; the stage
/// then fails and names it.
pub(crate) struct CopyCrmCsv {
    pub(crate) storage: Storage,
    pub(crate) warehouse: SharedWarehouse,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) effective_offset_days: i32,
    pub(crate) limits: SnapshotLimits,
    pub(crate) max_file_bytes: u64,
}

#[async_trait]
impl StageExecutor for CopyCrmCsv {
    fn stages(&self) -> &'static [&'static str] {
        &[STAGE_COPY_CRM_CSV]
    }

    async fn execute(&self, call: StageCall, progress: ProgressSink) -> Result<StageOutcome, StageError> {
        let fence = Fence {
            run_id: call.run_id,
            stage: call.stage.clone(),
            attempt: call.attempt,
            epoch: call.epoch,
        };
        let attempt = Attempt { stage: self, call: &call, fence, progress };
        Ok(attempt.run().await?)
    }
}

/// One execution of the stage.
struct Attempt<'a> {
    stage: &'a CopyCrmCsv,
    call: &'a StageCall,
    fence: Fence,
    progress: ProgressSink,
}

/// What became of a file.
enum Loaded {
    /// Loaded now.
    Now(Counters),
    /// Exactly this content was loaded before.
    Before,
    /// Nothing of it is loaded, for this reason.
    Refused(String),
}

impl Attempt<'_> {
    async fn run(&self) -> Result<StageOutcome, Error> {
        let files = self.stage.storage.list(".csv").await?;
        let mut counters = Counters::default();
        let mut remarks = Remarks::default();
        let mut refused = RefusedFiles { files: files.len(), ..RefusedFiles::default() };
        let mut loaded_before = 0;
        for (done, file) in files.iter().enumerate() {
            let progress = progress(counters, done, files.len(), &file.path);
            match self.load(file, progress).await? {
                Loaded::Now(loaded) => {
                    counters += loaded;
                    remarks.extend(rejected_remark(file, loaded));
                }
                Loaded::Before => loaded_before += 1,
                Loaded::Refused(problem) => refused.problems.push(problem),
            }
        }
        (self.progress)(progress(counters, files.len(), files.len(), ""));
        if !refused.problems.is_empty() {
            return Err(Error::Refused(refused));
        }
        if loaded_before == files.len() {
            remarks.push(self.nothing_new_remark(files.len()));
        }
        let (remarks, now) = (remarks.into_texts(), self.stage.clock.now());
        self.stage.warehouse.complete_stage(&self.fence, counters, &remarks, now).await?;
        Ok(StageOutcome { counters, remarks })
    }

    /// Loads one file, `done` being how far the stage has got before it.
    async fn load(&self, file: &FileInfo, done: Progress) -> Result<Loaded, Error> {
        (self.progress)(done.clone());
        let stage = self.stage;
        let name = file.path.rsplit('/').next().unwrap_or_default();
        let export = CrmExport {
            path: file.path.clone(),
            etag: file.etag.clone(),
            effective_on: effective_on(name, stage.effective_offset_days, self.call.window.end()),
            bytes: file.size,
        };
        if stage.warehouse.has_crm_export(&export).await? {
            return Ok(Loaded::Before);
        }
        if file.size > stage.max_file_bytes {
            let problem = InvalidFile::FileTooLong { bytes: file.size, max_bytes: stage.max_file_bytes };
            return Ok(Loaded::Refused(format!("{}: {problem}", file.path)));
        }
        let chunks = stage.storage.read(file).await?;
        let rows = company_rows(chunks, |read| {
            let counters = done.counters + read;
            (self.progress)(Progress { counters, ..done.clone() });
        });
        let now = stage.clock.now();
        match stage.warehouse.load_crm_export(&self.fence, &export, stage.limits, rows, now).await {
            Ok(loaded) => {
                let (effective_on, rows) = (export.effective_on, loaded.counters.rows_read);
                info!(file = %file.path, %effective_on, rows, "CRM export loaded");
                Ok(Loaded::Now(loaded.counters))
            }
            Err(warehouse::Error::Refused(problem)) => Ok(Loaded::Refused(problem)),
            Err(warehouse::Error::Source(error)) if error.kind == FailureKind::InvalidInput => {
                Ok(Loaded::Refused(format!("{}: {}", file.path, error.message)))
            }
            Err(error) => Err(error.into()),
        }
    }

    /// What to say if no file was loaded and none refused. Not even the very
    /// first run fails for it: usage cannot be fetched again later, and companies
    /// are filled in on all published days once an export arrives.
    fn nothing_new_remark(&self, files: usize) -> String {
        let location = &self.stage.storage;
        if files > 0 {
            return format!("no new CRM export: all {files} in {location} are already loaded");
        }
        warn!(%location, "there is no CRM export");
        format!("there is no CRM export (*.csv) in {location}: companies stay as they are known so far")
    }
}

fn progress(counters: Counters, files_done: usize, files: usize, activity: &str) -> Progress {
    Progress {
        counters,
        units_done: files_done as u64,
        units_total: files as u64,
        activity: activity.to_owned(),
    }
}

fn rejected_remark(file: &FileInfo, counters: Counters) -> Option<String> {
    match counters.rows_rejected {
        0 => None,
        1 => Some(format!("{}: 1 row rejected", file.path)),
        rows => Some(format!("{}: {rows} rows rejected", file.path)),
    }
}

#[cfg(test)]
mod tests;
