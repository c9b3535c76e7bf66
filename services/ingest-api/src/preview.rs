//! Previews what a backfill would change, from a fresh fetch of the product API.

use std::{collections::BTreeSet, sync::Arc};

use chrono::NaiveDate;
use domain::{DateWindow, Progress};
use futures::{Stream, StreamExt, stream};
use runtime::{Clock, stage::ProgressSink};
use tokio::sync::{mpsc, watch};
use tokio_util::task::AbortOnDropHandle;
use tracing::Instrument;
use warehouse::{BackfillPreview, PreviewOutcome, UsageLimits, UsageStaging};

use crate::{
    api::{ProductApi, Session},
    error::Error,
    fetch_ahead::fetch_days,
    plan::FetchPlan,
    progress::ProgressMeter,
};

/// The most company-days in a sample.
pub(crate) const MAX_SAMPLE: u32 = 1000;

/// The backfill to preview.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Preview {
    /// Its days, in order, without overlap.
    pub(crate) windows: Vec<DateWindow>,
    /// The most company-days in the sample.
    pub(crate) sample: u32,
}

/// A step of a preview.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Step {
    /// How far it has got.
    Progress(Progress),
    /// The result; the last step.
    Done {
        /// What would change.
        outcome: PreviewOutcome,
        /// Records of the product API that are not valid usage.
        rejected: u64,
    },
}

/// Previews backfills. Changes nothing.
#[derive(Clone)]
pub(crate) struct Previewer {
    pub(crate) api: ProductApi,
    pub(crate) previews: Arc<dyn BackfillPreview>,
    /// Knows which days were fetched before.
    pub(crate) staging: Arc<dyn UsageStaging>,
    pub(crate) clock: Arc<dyn Clock>,
    /// Days to fetch at the same time.
    pub(crate) concurrency: usize,
    /// Which other days to fetch.
    pub(crate) plan: FetchPlan,
    /// What a day's answer may lack.
    pub(crate) limits: UsageLimits,
}

impl Previewer {
    /// The steps of a preview. Dropping the stream cancels it.
    ///
    /// # Errors
    /// If the token cannot be read; the stream fails if a source or the
    /// warehouse does.
    pub(crate) fn preview(
        self,
        asked: Preview,
    ) -> Result<impl Stream<Item = Result<Step, Error>> + Send + use<>, Error> {
        let session = self.api.session()?;
        let (steps, received) = mpsc::channel(1);
        // A separate task, so that fetching continues however slowly the caller reads.
        let task = AbortOnDropHandle::new(tokio::spawn(self.run(session, asked, steps).in_current_span()));
        Ok(stream::unfold((received, task), |(mut received, task)| async move {
            Some((received.recv().await?, (received, task)))
        }))
    }

    async fn run(self, session: Session, asked: Preview, steps: mpsc::Sender<Result<Step, Error>>) {
        // Keeps only the newest progress: a slow reader skips some.
        let (latest, mut changes) = watch::channel(Progress::default());
        let work = self.compute(session, asked, latest);
        let forward = async {
            while changes.changed().await.is_ok() {
                let progress = changes.borrow_and_update().clone();
                if steps.send(Ok(Step::Progress(progress))).await.is_err() {
                    return;
                }
            }
        };
        let (last, ()) = tokio::join!(work, forward);
        // The receiver may be gone.
        let _ = steps.send(last).await;
    }

    async fn compute(
        &self,
        session: Session,
        asked: Preview,
        latest: watch::Sender<Progress>,
    ) -> Result<Step, Error> {
        let days = self.days(&asked.windows).await?;
        let sink: ProgressSink = Arc::new(move |progress| {
            latest.send_replace(progress);
        });
        let meter = Arc::new(ProgressMeter::new(days.len(), Arc::clone(&sink)));
        let mut preview = self.previews.begin_preview(&asked.windows).await?;
        let mut fetched = fetch_days(days, session, self.concurrency, Arc::clone(&meter));
        while let Some(mut day) = fetched.next().await {
            let date = day.day;
            // As in a run, such a day is optional before the first window.
            let is_optional = !asked.windows.iter().any(|window| window.contains(date));
            if !is_optional || day.is_known().await {
                preview.add_usage_day(date, self.limits, day.into_rows()).await?;
            }
            meter.day_compared(date);
        }
        let outcome = preview.finish(asked.sample, self.clock.now(), sink).await?;
        Ok(Step::Done { outcome, rejected: meter.counters().rows_rejected })
    }

    /// The days that the backfill's runs will fetch, in order.
    async fn days(&self, windows: &[DateWindow]) -> Result<Vec<NaiveDate>, Error> {
        let mut days = BTreeSet::new();
        for window in windows {
            let known = self.staging.usage_days(self.plan.lookback(*window)).await?;
            let fetched = known.into_iter().map(|state| state.day).collect();
            days.extend(self.plan.days_to_fetch(*window, &fetched));
        }
        Ok(days.into_iter().collect())
    }
}
