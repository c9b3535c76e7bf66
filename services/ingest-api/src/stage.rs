//! `act_call_product_api`: plan the days, land each, load each.

use std::{fmt, sync::Arc};

use async_trait::async_trait;
use chrono::NaiveDate;
use domain::{Counters, DateWindow, Remarks, run::STAGE_CALL_PRODUCT_API};
use futures::{Stream, StreamExt, TryStreamExt, stream};
use landing::Storage;
use runtime::{
    Clock,
    stage::{ProgressSink, StageCall, StageError, StageExecutor, StageOutcome},
    telemetry::pipeline_spans::record_counters,
};
use tokio_util::task::AbortOnDropHandle;
use tracing::Span;
use warehouse::{Fence, SharedWarehouse};

use crate::{
    Error,
    api::{ProductApi, Session},
    day_spans::observe,
    plan::{days_to_fetch, lookback},
    progress::ProgressMeter,
    usage_file::{LandedDay, land, usage_rows},
};

/// Executes `act_call_product_api`.
pub(crate) struct ProductApiStage {
    pub(crate) api: ProductApi,
    pub(crate) storage: Storage,
    pub(crate) warehouse: SharedWarehouse,
    pub(crate) clock: Arc<dyn Clock>,
    /// Days that are fetched at the same time.
    pub(crate) concurrency: usize,
    /// Days before a window that are fetched again.
    pub(crate) repoll_days: u64,
}

#[async_trait]
impl StageExecutor for ProductApiStage {
    fn stages(&self) -> &'static [&'static str] {
        &[STAGE_CALL_PRODUCT_API]
    }

    async fn execute(&self, call: StageCall, progress: ProgressSink) -> Result<StageOutcome, StageError> {
        let fence =
            Fence { run_id: call.run_id, stage: call.stage, attempt: call.attempt, epoch: call.epoch };
        Ok(self.ingest(&fence, call.window, progress).await?)
    }
}

impl ProductApiStage {
    /// Days are fetched side by side and loaded one after the other, in order.
    /// What was loaded before a failure stays, and is unchanged the next time.
    async fn ingest(
        &self,
        fence: &Fence,
        window: DateWindow,
        sink: ProgressSink,
    ) -> Result<StageOutcome, Error> {
        // Landing is no data transaction: without this a call out of order would
        // replace landed files before the first load turns it away.
        self.warehouse.check_fence(fence).await?;
        let session = self.api.session()?;
        let days = self.plan(window).await?;
        let meter = Arc::new(ProgressMeter::new(days.len(), sink));
        let mut remarks = Remarks::default();
        let spans = session.spans();
        let mut landed_days = self.land_days(days, session, Arc::clone(&meter));
        while let Some(landed) = landed_days.try_next().await? {
            let counters = observe(spans.load.of(landed.day), self.load(fence, &landed)).await?;
            meter.day_loaded(landed.day, counters);
            remarks.extend(remark(&landed, &counters));
        }
        let counters = meter.counters().check_balance()?;
        let remarks = remarks.into_texts();
        self.warehouse.complete_stage(fence, counters, &remarks, self.clock.now()).await?;
        Ok(StageOutcome { counters, remarks })
    }

    async fn plan(&self, window: DateWindow) -> Result<Vec<NaiveDate>, Error> {
        let known = self.warehouse.usage_days(lookback(window, self.repoll_days)).await?;
        let fetched = known.into_iter().map(|state| state.day).collect();
        Ok(days_to_fetch(window, self.repoll_days, &fetched))
    }

    /// Lands days in their order, a few ahead of the one that is asked for. Each
    /// has a task of its own, so that no request times out while a load holds
    /// the stage; dropping the stream ends them.
    fn land_days(
        &self,
        days: Vec<NaiveDate>,
        session: Session,
        meter: Arc<ProgressMeter>,
    ) -> impl Stream<Item = Result<LandedDay, Error>> + Send + Unpin + use<> {
        let storage = self.storage.clone();
        stream::iter(days)
            .map(move |day| {
                let (storage, session, meter) = (storage.clone(), session.clone(), Arc::clone(&meter));
                let span = session.spans().land.of(day);
                let work = async move { land(&storage, &session, day, &meter).await };
                let task = AbortOnDropHandle::new(tokio::spawn(observe(span, work)));
                async move { task.await.unwrap_or(Err(Error::Abnormal { day })) }
            })
            .buffered(self.concurrency)
            .boxed()
    }

    async fn load(&self, fence: &Fence, landed: &LandedDay) -> Result<Counters, Error> {
        let rows = usage_rows(&self.storage, landed).await?;
        let outcome =
            self.warehouse.load_usage_day(fence, &landed.delivery(), rows, self.clock.now()).await?;
        record_counters(&Span::current(), &outcome.counters);
        Ok(outcome.counters)
    }
}

/// What people should know about a day that is no failure.
fn remark(landed: &LandedDay, counters: &Counters) -> Option<String> {
    let LandedDay { day, records, .. } = landed;
    if *records == 0 {
        return Some(format!("{day}: no records, nothing uploaded"));
    }
    let rejected = counters.rows_rejected;
    (rejected > 0).then(|| format!("{day}: {rejected} of {records} records rejected, see the quarantine"))
}

impl fmt::Debug for ProductApiStage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ProductApiStage").field("storage", &self.storage).finish_non_exhaustive()
    }
}
