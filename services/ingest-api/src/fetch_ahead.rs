//! Days fetched side by side without landing them: each a few pages ahead of
//! whoever reads it.

use std::sync::Arc;

use chrono::NaiveDate;
use domain::{Rejection, RejectionReason, SourceRow, UsageRecord};
use futures::{Stream, StreamExt, TryStreamExt, stream};
use tokio::sync::mpsc;
use tokio_util::task::AbortOnDropHandle;
use tracing::Instrument;
use warehouse::{RowStream, SourceError};

use crate::{
    Error,
    api::Session,
    page::Page,
    paging::pages,
    progress::ProgressMeter,
    usage_file::{MAX_RECORD_BYTES, usage_row},
};

/// Pages of a day that wait to be read.
const PAGES_AHEAD: usize = 8;

/// A day that is being fetched; dropping it ends that.
pub(crate) struct FetchedDay {
    /// The day.
    pub(crate) day: NaiveDate,
    /// Its pages; `None` after the last. Without that the fetch ended abnormally.
    pages: mpsc::Receiver<Result<Option<Page>, Error>>,
    meter: Arc<ProgressMeter>,
    _task: AbortOnDropHandle<()>,
}

/// Fetches days in their order, `concurrency` of them at the same time.
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
        let (fetched, waiting) = mpsc::channel(PAGES_AHEAD);
        let told = Arc::clone(&meter);
        let fetch = async move {
            let last = stream::iter([Ok(None)]);
            let all = pages(&session, day).map_ok(|(at, page)| {
                told.page_fetched(at, page.body_bytes);
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
        Self { day, pages: waiting, meter, _task: task }
    }

    /// The day's records as rows for staging. They fail where a page cannot be had.
    pub(crate) fn into_rows(self) -> RowStream<'static, UsageRecord> {
        let pages = stream::try_unfold((self, 0), |(mut this, read)| async move {
            match this.pages.recv().await.unwrap_or(Err(Error::Abnormal { day: this.day })) {
                Ok(Some(page)) => {
                    let rows = rows_of(&page, this.day, read);
                    let rejected = rows.iter().filter(|row| row.rejection().is_some()).count();
                    this.meter.rows_compared(rows.len() as u64, rejected as u64);
                    let read = read + rows.len() as u64;
                    Ok(Some((rows, (this, read))))
                }
                Ok(None) => Ok(None),
                Err(error) => Err(SourceError { kind: error.kind(), message: error.to_string() }),
            }
        });
        pages.map_ok(|rows| stream::iter(rows.into_iter().map(Ok))).try_flatten().boxed()
    }
}

/// The rows of a page that comes after `read` others.
fn rows_of(page: &Page, day: NaiveDate, read: u64) -> Vec<SourceRow<UsageRecord>> {
    let row = |(number, text): (u64, &str)| {
        if text.len() > MAX_RECORD_BYTES {
            // Read back from the landing it would not be taken either.
            let reason = RejectionReason::Malformed(format!("longer than {MAX_RECORD_BYTES} bytes"));
            return SourceRow::Rejected(Rejection::new(number, reason, ""));
        }
        usage_row(number, text, day)
    };
    (read + 1..).zip(page.lines()).map(row).collect()
}
