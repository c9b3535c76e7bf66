//! Fetches days concurrently without landing them, each a few pages ahead of its reader.

use std::sync::Arc;

use chrono::NaiveDate;
use domain::{SourceRow, UsageRecord};
use futures::{Stream, StreamExt, TryStreamExt, stream};
use tokio::sync::mpsc;
use tokio_util::task::AbortOnDropHandle;
use tracing::Instrument;
use warehouse::{RowStream, SourceError};

use crate::{
    answer_options::Reading, api::Session, day_reader::DayReader, error::Error, page::Page, paging::pages,
    progress::ProgressMeter,
};

type Fetched = Result<Option<Page>, Error>;

/// A day being fetched; dropping it cancels the fetch.
pub(crate) struct FetchedDay {
    /// The day.
    pub(crate) day: NaiveDate,
    /// Its pages; `None` marks the last. If the channel closes without it, the fetch ended abnormally.
    pages: mpsc::Receiver<Fetched>,
    /// The first message, received but not read yet.
    first: Option<Fetched>,
    reading: Arc<Reading>,
    meter: Arc<ProgressMeter>,
    _task: AbortOnDropHandle<()>,
}

/// Fetches days in order, `concurrency` of them at the same time.
pub(crate) fn fetch_days(
    days: Vec<NaiveDate>,
    session: Session,
    concurrency: usize,
    meter: Arc<ProgressMeter>,
) -> impl Stream<Item = FetchedDay> + Send + Unpin {
    stream::iter(days)
        .map(move |day| std::future::ready(FetchedDay::begin(day, session.clone(), Arc::clone(&meter))))
        .buffered(concurrency)
}

impl FetchedDay {
    fn begin(day: NaiveDate, session: Session, meter: Arc<ProgressMeter>) -> Self {
        // The pages are ahead already.
        let (fetched, waiting) = mpsc::channel(1);
        let (reported, reading) = (Arc::clone(&meter), session.reading());
        let fetch = async move {
            let last = stream::iter([Ok(None)]);
            let all = pages(&session, day).map_ok(|(at, page)| {
                reported.page_fetched(at, page.body_bytes);
                Some(page)
            });
            let mut all = std::pin::pin!(all.chain(last));
            while let Some(page) = all.next().await {
                if fetched.send(page).await.is_err() {
                    return;
                }
            }
        };
        let task = AbortOnDropHandle::new(tokio::spawn(fetch.in_current_span()));
        Self { day, pages: waiting, first: None, reading, meter, _task: task }
    }

    /// Waits for the first page. Returns whether the product API knows the day.
    pub(crate) async fn is_known(&mut self) -> bool {
        let first = self.next().await;
        let is_known = !matches!(&first, Err(error) if error.as_unknown_day().is_some());
        self.first = Some(first);
        is_known
    }

    async fn next(&mut self) -> Fetched {
        match self.first.take() {
            Some(first) => first,
            None => self.pages.recv().await.unwrap_or(Err(Error::Abnormal { day: self.day })),
        }
    }

    /// The day's records as rows for staging. They fail if a page cannot be fetched.
    pub(crate) fn into_rows(self) -> RowStream<'static, UsageRecord> {
        let reader = DayReader::new(self.day, Arc::clone(&self.reading));
        let pages = stream::try_unfold((self, reader), |(mut this, mut reader)| async move {
            match this.next().await {
                Ok(Some(page)) => {
                    let rows: Vec<SourceRow<UsageRecord>> =
                        page.lines().map(|text| reader.record(text)).collect();
                    let rejected = rows.iter().filter(|row| row.rejection().is_some()).count();
                    this.meter.rows_compared(rows.len() as u64, rejected as u64);
                    Ok(Some((rows, (this, reader))))
                }
                Ok(None) => reader.finish().map(|()| None),
                Err(error) => Err(SourceError { kind: error.kind(), message: error.to_string() }),
            }
        });
        pages.map_ok(|rows| stream::iter(rows.into_iter().map(Ok))).try_flatten().boxed()
    }
}
