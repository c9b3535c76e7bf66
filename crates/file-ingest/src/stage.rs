//! The stage: loads every new file of the folder into the warehouse.

use std::sync::Arc;

use async_trait::async_trait;
use chrono::{DateTime, Utc};
use domain::{Counters, FailureKind, Progress, Remarks};
use landing::Storage;
use runtime::{
    Clock,
    stage::{ProgressSink, StageCall, StageError, StageExecutor, StageOutcome},
};
use tracing::warn;
use warehouse_core::StageCompletion;

use crate::{
    error::{Error, RefusedFiles},
    file_span::in_span_of,
    loader::{Delivery, FileLoader, Loaded, Refused, Unit},
    strangers::Strangers,
};

/// Executes the stage of a loader.
pub struct FileStage<L> {
    /// The folder with the files.
    pub storage: Storage,
    /// Where the stage is committed.
    pub completion: Arc<dyn StageCompletion>,
    /// Provides the time at which files are loaded.
    pub clock: Arc<dyn Clock>,
    /// Larger files are refused.
    pub max_file_bytes: u64,
    /// Defines the files and loads them.
    pub loader: L,
}

#[async_trait]
impl<L: FileLoader> StageExecutor for FileStage<L> {
    fn stages(&self) -> &'static [&'static str] {
        L::STAGES
    }

    async fn execute(&self, call: StageCall, progress: ProgressSink) -> Result<StageOutcome, StageError> {
        Ok(Attempt { stage: self, call: &call, progress }.run().await?)
    }
}

/// One execution of the stage.
struct Attempt<'a, L> {
    stage: &'a FileStage<L>,
    call: &'a StageCall,
    progress: ProgressSink,
}

impl<L: FileLoader> Attempt<'_, L> {
    async fn run(&self) -> Result<StageOutcome, Error> {
        let listed = self.stage.storage.list(L::KIND.suffix).await?;
        let (files, strangers) = Strangers::separate(listed, L::KIND.may_be_empty);
        let count = files.len();
        // Asked once for all files: the set of loaded files only grows.
        let now = self.stage.clock.now();
        let plan = self.stage.loader.plan(files, self.call.window, now).await?;
        for about in &plan.passed_over {
            self.answer_replay(about, now).await?;
        }
        let is_all_known = plan.units.is_empty() && plan.refused.is_empty();
        let mut counters = Counters::default();
        let mut remarks = Remarks::default();
        let mut refused = plan.refused;
        remarks.extend(strangers.remarks());
        remarks.extend(plan.remarks);
        for (done, unit) in plan.units.iter().enumerate() {
            let progress = progress(counters, done, plan.units.len(), &unit.name());
            (self.progress)(progress.clone());
            let now = self.stage.clock.now();
            match in_span_of(unit, self.load(unit, progress, now)).await? {
                Loaded::Now(loaded) => {
                    counters += loaded.counters;
                    remarks.extend(rejected_remark(&unit.name(), loaded.counters));
                    remarks.extend(loaded.remarks);
                }
                Loaded::Refused(problem) => {
                    // Most refusals come before the warehouse judges the unit.
                    self.answer_replay(&unit.about, now).await?;
                    refused.push(Refused { files: unit.files.len(), problem });
                }
            }
        }
        (self.progress)(progress(counters, plan.units.len(), plan.units.len(), ""));
        if !refused.is_empty() {
            return Err(Error::Refused(RefusedFiles { plural: L::KIND.plural, refused, files: count }));
        }
        if is_all_known {
            remarks.push(self.nothing_new_remark(count));
        }
        let (remarks, now) = (remarks.into_texts(), self.stage.clock.now());
        self.stage.completion.complete_stage(&self.call.fence, counters, &remarks, now).await?;
        Ok(StageOutcome { counters, remarks })
    }

    /// A refusal answers whoever asked for files to be loaded again: the next runs do not
    /// fail because of that.
    async fn answer_replay(&self, about: &L::About, asked_until: DateTime<Utc>) -> Result<(), Error> {
        Ok(self.stage.completion.answer_replay(&self.call.fence, L::delivered(about), asked_until).await?)
    }

    /// Loads one unit, at `now`; `done` is the stage's progress before it.
    async fn load(&self, unit: &Unit<L::About>, done: Progress, now: DateTime<Utc>) -> Result<Loaded, Error> {
        let stage = self.stage;
        if let Some(file) = unit.files.iter().find(|file| file.size > stage.max_file_bytes) {
            return Ok(Loaded::Refused(format!(
                "{}: the file has {} bytes, more than the {} of {}",
                file.path,
                file.size,
                stage.max_file_bytes,
                L::KIND.max_bytes_flag
            )));
        }
        let delivery = Delivery {
            unit,
            storage: &stage.storage,
            report: Box::new(|read| {
                let counters = done.counters + read;
                (self.progress)(Progress { counters, ..done.clone() });
            }),
            fence: &self.call.fence,
            business_date: self.call.window.end(),
            now,
        };
        match stage.loader.load(delivery).await {
            Ok(loaded) => Ok(Loaded::Now(loaded)),
            Err(warehouse_core::Error::Refused(problem)) => Ok(Loaded::Refused(problem)),
            Err(warehouse_core::Error::Source(error)) if error.kind == FailureKind::InvalidInput => {
                Ok(Loaded::Refused(format!("{}: {}", unit.name(), error.message)))
            }
            Err(error) => Err(error.into()),
        }
    }

    /// The remark if no file was loaded and none refused. Not even an empty folder is a
    /// failure: other sources cannot be read again later.
    fn nothing_new_remark(&self, files: usize) -> String {
        let location = &self.stage.storage;
        let kind = L::KIND;
        if files > 0 {
            return format!("no new {}: all {files} in {location} are already loaded", kind.singular);
        }
        warn!(%location, "there is no {}", kind.singular);
        format!("there is no {} (*{}) in {location}: {}", kind.singular, kind.suffix, kind.without_any)
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

fn rejected_remark(name: &str, counters: Counters) -> Option<String> {
    match counters.rows_rejected {
        0 => None,
        1 => Some(format!("{name}: 1 row rejected")),
        rows => Some(format!("{name}: {rows} rows rejected")),
    }
}
