//! Drives an engine as the services do: runs, stages, loads, build, audit, publish.

use std::{
    fmt,
    path::Path,
    sync::Arc,
    time::{Duration, Instant},
};

use anyhow::Result;
use chrono::{DateTime, NaiveDate, TimeDelta, Utc};
use domain::{
    Counters, DateWindow,
    run::{STAGE_BUILD_FACT, STAGE_CALL_PRODUCT_API, STAGE_COPY_CRM_CSV, STAGE_VALIDATE},
};
use warehouse::{CrmExport, SharedWarehouse, SnapshotLimits, UsageDay, UsageLimits};
use warehouse_conformance::scene::{HeldRun, at, hold_run};

use crate::data::{crm_rows, usage_rows};

/// An engine and its clock.
pub(crate) struct Pipeline {
    warehouse: SharedWarehouse,
    now: DateTime<Utc>,
}

/// A timed load.
pub(crate) struct Load {
    pub(crate) took: Duration,
    pub(crate) counters: Counters,
}

/// The times from the dirty set to the published rows.
#[derive(Debug)]
pub(crate) struct Publish {
    pub(crate) build: Duration,
    pub(crate) measure: Duration,
    pub(crate) publish: Duration,
    pub(crate) counters: Counters,
}

impl Publish {
    pub(crate) fn took(&self) -> Duration {
        self.build + self.measure + self.publish
    }
}

impl fmt::Display for Publish {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { build, measure, publish, counters } = self;
        write!(
            f,
            "build {:.2} s, measure {:.2} s, publish {:.2} s: {} rows",
            build.as_secs_f64(),
            measure.as_secs_f64(),
            publish.as_secs_f64(),
            counters.rows_written
        )
    }
}

/// A run whose ingest stages are in progress.
pub(crate) struct Ingest<'a> {
    pipeline: &'a Pipeline,
    run: HeldRun,
    crm: warehouse::Fence,
    usage: warehouse::Fence,
}

impl Pipeline {
    pub(crate) fn new(warehouse: SharedWarehouse) -> Self {
        Self { warehouse, now: at(0) }
    }

    /// Begins a run, later than those before it.
    pub(crate) async fn ingest(&mut self, window: DateWindow) -> Ingest<'_> {
        self.now += TimeDelta::hours(1);
        let run = hold_run(&self.warehouse, window, self.now).await;
        let crm = run.begin(STAGE_COPY_CRM_CSV).await;
        let usage = run.begin(STAGE_CALL_PRODUCT_API).await;
        Ingest { pipeline: self, run, crm, usage }
    }
}

impl Ingest<'_> {
    /// Loads an export from its file.
    pub(crate) async fn load_crm(&self, file: &Path, effective_on: NaiveDate) -> Result<Load> {
        let began = Instant::now();
        let export = CrmExport {
            path: format!("crm/daily/companies_{effective_on}.csv"),
            etag: file.display().to_string(),
            effective_on,
            bytes: file.metadata()?.len(),
            archive_path: None,
        };
        let limits = SnapshotLimits { max_shrink_share: 0.2, ..SnapshotLimits::NONE };
        let rows = crm_rows(file)?;
        let outcome =
            self.pipeline.warehouse.load_crm_export(&self.crm, &export, limits, rows, self.run.now).await?;
        Ok(Load { took: began.elapsed(), counters: outcome.counters })
    }

    /// Loads a landed day from its file.
    pub(crate) async fn load_usage(&self, file: &Path, on: NaiveDate) -> Result<Load> {
        let began = Instant::now();
        let landed = UsageDay {
            day: on,
            landing_path: Some(format!("product_usage/{on}/usage_{on}.json")),
            bytes: file.metadata()?.len(),
            etag: None,
            page_ends: Vec::new(),
        };
        let rows = usage_rows(file, on)?;
        let limits = UsageLimits::NONE;
        let outcome =
            self.pipeline.warehouse.load_usage_day(&self.usage, &landed, limits, rows, self.run.now).await?;
        Ok(Load { took: began.elapsed(), counters: outcome.counters })
    }

    /// Abandons the run; what it loaded stays.
    pub(crate) async fn abandon(self) {
        self.run.cancel().await;
    }

    /// Completes the ingest, then builds, measures and publishes.
    pub(crate) async fn publish(self) -> Result<Publish> {
        let Self { pipeline, run, crm, usage } = self;
        run.complete(&crm).await;
        run.complete(&usage).await;
        let (warehouse, window) = (&pipeline.warehouse, run.run.window);

        let began = Instant::now();
        let fence = run.begin(STAGE_BUILD_FACT).await;
        warehouse.build_fact(&fence, window, run.now, Arc::new(|_| ())).await?;
        let build = began.elapsed();

        let began = Instant::now();
        let fence = run.begin(STAGE_VALIDATE).await;
        let measurements = warehouse.measure_candidates(&fence, window).await?;
        let measure = began.elapsed();
        for day in &measurements.days {
            anyhow::ensure!(day.rows == day.expected_rows, "{}: {day:?}", day.day);
        }

        let began = Instant::now();
        let outcome = warehouse.publish_fact(&fence, window, &[], run.now).await?;
        let publish = began.elapsed();
        run.finish().await?;
        Ok(Publish { build, measure, publish, counters: outcome.counters })
    }
}
