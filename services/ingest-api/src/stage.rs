//! `act_call_product_api`: plan the days, land each, load each.

use std::{collections::BTreeSet, fmt, sync::Arc};

use async_trait::async_trait;
use chrono::{DateTime, NaiveDate, Utc};
use domain::{Counters, DateWindow, Remarks, run::STAGE_CALL_PRODUCT_API};
use futures::{Stream, StreamExt, stream};
use landing::Storage;
use reqwest::StatusCode;
use runtime::{
    Clock,
    stage::{ProgressSink, StageCall, StageError, StageExecutor, StageOutcome},
};
use telemetry::spans::record_counters;
use tokio_util::task::AbortOnDropHandle;
use tracing::Span;
use warehouse::{Delivered, Fence, UsageLimits, UsageStaging};

use crate::{
    answer_options::AnswerOptions,
    api::{ProductApi, Session},
    day_spans::observe,
    error::Error,
    plan::FetchPlan,
    progress::ProgressMeter,
    usage_file::{LandedDay, land, usage_rows},
};

/// Executes `act_call_product_api`.
pub(crate) struct ProductApiStage {
    pub(crate) api: ProductApi,
    pub(crate) storage: Storage,
    pub(crate) staging: Arc<dyn UsageStaging>,
    pub(crate) clock: Arc<dyn Clock>,
    /// Days to fetch at the same time.
    pub(crate) concurrency: usize,
    /// Which days before a window to fetch as well.
    pub(crate) plan: FetchPlan,
    /// When to believe an answer.
    pub(crate) answers: AnswerOptions,
}

#[async_trait]
impl StageExecutor for ProductApiStage {
    fn stages(&self) -> &'static [&'static str] {
        &[STAGE_CALL_PRODUCT_API]
    }

    async fn execute(&self, call: StageCall, progress: ProgressSink) -> Result<StageOutcome, StageError> {
        Ok(self.ingest(&call, progress).await?)
    }
}

impl ProductApiStage {
    /// Fetches days concurrently and loads them one after the other, in order.
    /// Days loaded before a failure stay, and the next attempt continues after
    /// them.
    async fn ingest(&self, call: &StageCall, sink: ProgressSink) -> Result<StageOutcome, Error> {
        let fence = &call.fence;
        // Landing is not a data transaction: without this check, a call out of
        // order would replace landed files before its first load is rejected.
        self.staging.check_fence(fence).await?;
        let session = self.api.session()?;
        let days = self.days(fence, call.window).await?;
        let meter = Arc::new(ProgressMeter::new(days.to_fetch.len(), sink));
        let mut remarks = Remarks::default();
        remarks.extend(days.remark());
        let spans = session.spans();
        let mut unknown = UnknownDays::default();
        let mut fetched_days = self.land_days(days.to_fetch, call.window, session, Arc::clone(&meter));
        while let Some(Fetched { day, begun, outcome }) = fetched_days.next().await {
            let loaded = match outcome {
                Ok(FetchedDay::Landed(landed)) => {
                    let limits = self.answers.limits(call.accept_empty_days.contains(&day));
                    let load = self.load(fence, &landed, limits, begun);
                    observe(spans.load.of(day), load).await.map(|counters| Some((landed, counters)))
                }
                Ok(FetchedDay::Unknown { status }) => {
                    meter.day_unknown(day);
                    unknown.note(day, status);
                    Ok(None)
                }
                Err(error) => Err(error),
            };
            // An operator's request ends with any answer: the next runs do not fail because of it.
            let is_answered = loaded.as_ref().map_or_else(Error::refuses_the_day, Option::is_none);
            if is_answered && days.asked.contains(&day) {
                self.staging.answer_replay(fence, Delivered::Day(day), begun).await?;
            }
            if let Some((landed, counters)) = loaded? {
                meter.day_loaded(day, counters);
                remarks.extend(remark(&landed, &counters));
            }
        }
        remarks.extend(unknown.remark());
        let counters = meter.counters().check_balance()?;
        let remarks = remarks.into_texts();
        self.staging.complete_stage(fence, counters, &remarks, self.clock.now()).await?;
        Ok(StageOutcome { counters, remarks })
    }

    async fn days(&self, fence: &Fence, window: DateWindow) -> Result<StageDays, Error> {
        let known = self.staging.usage_days(self.plan.lookback(window)).await?;
        let fetched = known.iter().map(|state| state.day).collect();
        let loaded: BTreeSet<NaiveDate> =
            known.iter().filter(|state| state.run_id == fence.run_id).map(|state| state.day).collect();
        let mut to_fetch: BTreeSet<NaiveDate> =
            self.plan.days_to_fetch(window, &fetched).into_iter().collect();
        to_fetch.retain(|day| !loaded.contains(day));
        // Asked for by operators, wherever they lie.
        let asked: BTreeSet<NaiveDate> = self.staging.usage_replays().await?.into_iter().collect();
        to_fetch.extend(&asked);
        Ok(StageDays { already_loaded: loaded.len(), asked, to_fetch: to_fetch.into_iter().collect() })
    }

    /// Lands days in order, a few ahead of the one requested. Each has its own
    /// task, so that no request times out while a load holds the stage;
    /// dropping the stream cancels them.
    fn land_days(
        &self,
        days: Vec<NaiveDate>,
        window: DateWindow,
        session: Session,
        meter: Arc<ProgressMeter>,
    ) -> impl Stream<Item = Fetched> + Send + Unpin + use<> {
        let (storage, clock) = (self.storage.clone(), Arc::clone(&self.clock));
        stream::iter(days)
            .map(move |day| {
                let (storage, session, meter) = (storage.clone(), session.clone(), Arc::clone(&meter));
                let span = session.spans().land.of(day);
                let begun = clock.now();
                let work = async move {
                    match land(&storage, &session, day, &meter).await {
                        Ok(landed) => Ok(FetchedDay::Landed(landed)),
                        Err(error) => match error.as_unknown_day() {
                            // The window's fact reads such a day, but can do without it.
                            Some(status) if !window.contains(day) => Ok(FetchedDay::Unknown { status }),
                            _ => Err(error),
                        },
                    }
                };
                let task = AbortOnDropHandle::new(tokio::spawn(observe(span, work)));
                async move {
                    Fetched { day, begun, outcome: task.await.unwrap_or(Err(Error::Abnormal { day })) }
                }
            })
            .buffered(self.concurrency)
            .boxed()
    }

    /// Loads a day that was fetched from `begun` on: what an operator asks for later is not in it.
    async fn load(
        &self,
        fence: &Fence,
        landed: &LandedDay,
        limits: UsageLimits,
        begun: DateTime<Utc>,
    ) -> Result<Counters, Error> {
        let rows = usage_rows(&self.storage, landed, self.api.reading()).await?;
        let outcome = self.staging.load_usage_day(fence, &landed.delivery(), limits, rows, begun).await?;
        record_counters(&Span::current(), &outcome.counters);
        Ok(outcome.counters)
    }
}

/// The days of a stage.
struct StageDays {
    /// The days still to fetch, in order.
    to_fetch: Vec<NaiveDate>,
    /// Those of them that operators have asked for.
    asked: BTreeSet<NaiveDate>,
    /// How many other days an earlier attempt of the run loaded.
    already_loaded: usize,
}

impl StageDays {
    fn remark(&self) -> Option<String> {
        let Self { to_fetch, asked: _, already_loaded } = self;
        (*already_loaded > 0).then(|| {
            format!(
                "{already_loaded} of {} days were loaded by an earlier attempt and are not fetched again",
                already_loaded + to_fetch.len()
            )
        })
    }
}

/// A day that was fetched, or could not be.
struct Fetched {
    day: NaiveDate,
    /// When it was first asked for.
    begun: DateTime<Utc>,
    outcome: Result<FetchedDay, Error>,
}

/// The outcome of fetching a day.
enum FetchedDay {
    /// Its records, if any, are landed.
    Landed(LandedDay),
    /// The product API does not know it.
    Unknown { status: StatusCode },
}

/// Days before the window that the product API does not know.
#[derive(Default)]
struct UnknownDays {
    /// The first and last of them, how many there are, and the last answer's status.
    found: Option<(NaiveDate, NaiveDate, u32, StatusCode)>,
}

impl UnknownDays {
    fn note(&mut self, day: NaiveDate, status: StatusCode) {
        let (first, _, count, _) = self.found.unwrap_or((day, day, 0, status));
        self.found = Some((first, day, count + 1, status));
    }

    fn remark(&self) -> Option<String> {
        self.found.map(|(first, last, count, status)| {
            format!(
                "{first}..{last}: the product API knows nothing of {count} days before the window ({status}); no \
                 usage of theirs is counted, and they are asked for again; --history-start ends that"
            )
        })
    }
}

/// A remark for people on a day that did not fail.
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
