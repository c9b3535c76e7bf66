//! Metrics for monitoring: freshness and backlog.

use std::{sync::Arc, time::Duration};

use chrono::{Days, NaiveTime};
use domain::{
    RejectionKind,
    run::{STAGE_CALL_PRODUCT_API, STAGE_COPY_CRM_CSV, STAGE_COPY_EVENTS},
};
use opentelemetry::KeyValue;
use runtime::Clock;
use telemetry::metrics;
use tokio_util::sync::CancellationToken;
use tracing::debug;
use warehouse::{ActivityReader, BacklogReader, QuarantineCount, QuarantineReader};

use crate::{numbers_differ, pipeline::Pipeline};

/// How often the store is queried; a scrape in between gets the last values.
const INTERVAL: Duration = Duration::from_secs(15);

/// The stages that put rows into quarantine.
const INGEST_STAGES: [&str; 3] = [STAGE_COPY_CRM_CSV, STAGE_CALL_PRODUCT_API, STAGE_COPY_EVENTS];

/// Keeps the gauges up to date.
pub(crate) struct Gauges {
    pub(crate) pipeline: Arc<Pipeline>,
    pub(crate) backlog: Arc<dyn BacklogReader>,
    pub(crate) quarantine: Arc<dyn QuarantineReader>,
    pub(crate) published: Arc<dyn ActivityReader>,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) shutdown: CancellationToken,
}

impl Gauges {
    /// Runs until the process begins to shut down.
    pub(crate) async fn run(self) -> anyhow::Result<()> {
        // The first increment of a counter that did not exist before would not show as growth.
        for outcome in ["succeeded", "failed", "cancelled"] {
            metrics::RUNS.counter().add(0, &[KeyValue::new("outcome", outcome)]);
        }
        metrics::LEASE_TAKEOVERS.counter().add(0, &[]);
        numbers_differ::begin_counts();
        for stage in &self.pipeline.stages {
            metrics::SLOW_STAGES.counter().add(0, &[KeyValue::new("stage", stage.name.clone())]);
        }
        let mut ticks = tokio::time::interval(INTERVAL);
        loop {
            tokio::select! {
                () = self.shutdown.cancelled() => return Ok(()),
                _ = ticks.tick() => {}
            }
            // The next tick tries again; in the meantime monitoring sees that the values stand still.
            if let Err(error) = self.record().await {
                debug!(%error, "the gauges could not be read");
            }
        }
    }

    #[expect(clippy::cast_precision_loss, reason = "a gauge is a float, and shows no 53 bits")]
    async fn record(&self) -> warehouse::Result<()> {
        let backlog = self.backlog.backlog().await?;
        for (metric, value) in [
            (metrics::DIRTY_RANGES, backlog.dirty_ranges),
            (metrics::QUARANTINED_ROWS, backlog.quarantined_rows),
            (metrics::ALERTS_WAITING, backlog.alerts),
        ] {
            metric.gauge().record(value as f64, &[]);
        }
        self.record_quarantine().await?;
        metrics::ALERTS_OLDEST_AGE.gauge().record(backlog.oldest_alert.as_secs_f64(), &[]);
        let Some(freshness) = self.published.freshness().await? else { return Ok(()) };
        let newest = freshness.newest.activity_date;
        let ends_at = (newest + Days::new(1)).and_time(NaiveTime::MIN).and_utc();
        let lag = self.clock.now() - ends_at;
        let span = (newest - freshness.oldest).num_days() + 1;
        metrics::PUBLISHED_THROUGH.gauge().record(ends_at.timestamp() as f64, &[]);
        metrics::FRESHNESS_LAG.gauge().record(lag.as_seconds_f64(), &[]);
        metrics::MISSING_DAYS.gauge().record((span - freshness.published_days).max(0) as f64, &[]);
        Ok(())
    }

    /// Each stage and kind has a value, 0 if it has no row: one that is not recorded would
    /// keep its last.
    #[expect(clippy::cast_precision_loss, reason = "a gauge is a float, and shows no 53 bits")]
    async fn record_quarantine(&self) -> warehouse::Result<()> {
        let found = self.quarantine.count_open_quarantine().await?;
        for stage in INGEST_STAGES {
            for kind in RejectionKind::ALL {
                let is_meant = |group: &&QuarantineCount| group.stage == stage && group.kind == Some(kind);
                // Kinds that only a newer version knows are unknown here: there may be several.
                let rows: u64 = found.iter().filter(is_meant).map(|group| group.rows).sum();
                let label = kind.as_str().to_lowercase();
                let labels = [KeyValue::new("stage", stage), KeyValue::new("kind", label)];
                metrics::QUARANTINE_OPEN_ROWS.gauge().record(rows as f64, &labels);
            }
        }
        Ok(())
    }
}
