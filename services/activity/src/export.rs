//! Streams an export in batches.

use std::{time::Duration, vec};

use domain::FactRow;
use futures::{
    Stream, StreamExt, TryStreamExt,
    stream::{self, BoxStream},
};
use tokio::sync::mpsc;
use tokio_stream::wrappers::ReceiverStream;
use tokio_util::{sync::CancellationToken, task::AbortOnDropHandle};
use tracing::{Instrument as _, warn};
use warehouse::{Export, PublishedState};

use crate::error::{Error, Result};

/// Bytes of rows in one message, about, whatever their width: enough that the message itself
/// costs little, and far less than gRPC's limit.
const BATCH_BYTES: usize = 64 * 1024;

/// Rows for one message.
#[derive(Debug, PartialEq)]
pub(crate) struct Batch {
    /// The rows, in order.
    pub(crate) rows: Vec<FactRow>,
    /// What is published of the requested days; only in the first batch.
    pub(crate) state: Option<PublishedState>,
}

/// The batches of an export, at least one. Rows are read as the receiver takes them.
///
/// Nobody polls a stream whose receiver has stalled, so the stream cannot
/// detect that itself: a separate task reads the warehouse. If no batch is
/// taken for `stall_timeout`, or at `hard_stop`, the task releases the
/// warehouse and the stream ends with an error, so that nobody mistakes the
/// part sent for the whole.
pub(crate) fn batches(
    export: Export,
    stall_timeout: Duration,
    hard_stop: CancellationToken,
) -> impl Stream<Item = Result<Batch>> {
    let (sender, batches) = mpsc::channel(1);
    let reading = read(export, sender, stall_timeout, hard_stop).in_current_span();
    let reading = AbortOnDropHandle::new(tokio::spawn(reading));
    let ending = stream::once(reading).filter_map(async |ended| match ended {
        Ok(outcome) => outcome.err().map(Err),
        Err(_panicked) => Some(Err(Error::Stopping)),
    });
    ReceiverStream::new(batches).map(Ok).chain(ending)
}

/// Reads an export to its end, or until the receiver is gone.
async fn read(
    export: Export,
    batches: mpsc::Sender<Batch>,
    stall_timeout: Duration,
    hard_stop: CancellationToken,
) -> Result<()> {
    let Export { state, pages } = export;
    let mut state = Some(state);
    let mut rows = Rows { pages, page: Vec::new().into_iter(), usual: 0 };
    let mut is_first = true;
    loop {
        let batch = tokio::select! {
            biased;
            () = hard_stop.cancelled() => return Err(Error::Stopping),
            // Dropping the call also drops this; until then the receiver may already be gone.
            () = batches.closed() => return Ok(()),
            batch = rows.next_batch() => batch?,
        };
        if batch.is_empty() && !is_first {
            return Ok(());
        }
        is_first = false;
        let batch = Batch { rows: batch, state: state.take() };
        tokio::select! {
            biased;
            () = hard_stop.cancelled() => return Err(Error::Stopping),
            sent = tokio::time::timeout(stall_timeout, batches.send(batch)) => match sent {
                Ok(Ok(())) => {}
                Ok(Err(_gone)) => return Ok(()),
                Err(_elapsed) => {
                    warn!(after = ?stall_timeout, "the reader of an export takes nothing: the export is ended");
                    return Err(Error::Stalled(stall_timeout));
                }
            },
        }
    }
}

/// The rows of an export that are not in a batch yet.
struct Rows {
    pages: BoxStream<'static, warehouse::Result<Vec<FactRow>>>,
    page: vec::IntoIter<FactRow>,
    /// How many rows the last message had: the next one will have about as many.
    usual: usize,
}

impl Rows {
    /// The rows of the next message; empty at the end.
    async fn next_batch(&mut self) -> Result<Vec<FactRow>> {
        let (mut batch, mut bytes) = (Vec::with_capacity(self.usual + self.usual / 8), 0);
        loop {
            for row in self.page.by_ref() {
                bytes += row.approximate_bytes();
                batch.push(row);
                if bytes >= BATCH_BYTES {
                    self.usual = batch.len();
                    return Ok(batch);
                }
            }
            match self.pages.try_next().await? {
                Some(page) => self.page = page.into_iter(),
                None => return Ok(batch),
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use chrono::DateTime;
    use domain::{Publication, date_window::parse_day};
    use prost::Message as _;

    use super::*;
    use crate::{convert::export_message, test_rows::idle_company};

    fn row(number: usize) -> FactRow {
        idle_company(&format!("{number:06}"))
    }

    fn state() -> PublishedState {
        let publication = Publication {
            activity_date: parse_day("2026-02-01").unwrap(),
            run_id: "run".to_owned(),
            published_at: DateTime::UNIX_EPOCH,
            row_count: 1_200,
            checksum: Ok(domain::Checksum::default()),
        };
        let left_by = Some("run".to_owned());
        PublishedState { publications: vec![publication], left_by, ..PublishedState::default() }
    }

    /// An export whose pages have one row each.
    fn export(rows: Vec<warehouse::Result<FactRow>>) -> Export {
        let pages = rows.into_iter().map(|row| row.map(|row| vec![row]));
        Export { state: state(), pages: stream::iter(pages).boxed() }
    }

    /// Longer than a test lasts.
    const PATIENCE: Duration = Duration::from_secs(3_600);

    async fn collect(export: Export) -> Vec<Result<Batch>> {
        batches(export, PATIENCE, CancellationToken::new()).collect().await
    }

    /// Endless rows, and a handle that shows whether they are still held.
    fn endless() -> (Export, std::sync::Weak<()>) {
        let held = std::sync::Arc::new(());
        let watch = std::sync::Arc::downgrade(&held);
        let pages = stream::iter((0..).map(move |at| {
            std::hint::black_box(&held);
            Ok(vec![row(at)])
        }))
        .boxed();
        (Export { state: PublishedState::default(), pages }, watch)
    }

    #[tokio::test(start_paused = true)]
    async fn an_export_that_nobody_reads_lets_go_of_the_warehouse_and_says_so() {
        let (export, held) = endless();
        let limit = Duration::from_secs(60);
        let mut batches = Box::pin(batches(export, limit, CancellationToken::new()));
        assert!(batches.next().await.is_some_and(|batch| batch.is_ok()));
        tokio::time::sleep(limit / 2).await;
        assert!(held.upgrade().is_some(), "it gave up early");
        tokio::time::sleep(limit).await;
        assert!(held.upgrade().is_none(), "it holds on");
        // Batches that were ready come first; the rows do not end there.
        assert!(batches.next().await.is_some_and(|batch| batch.is_ok()));
        assert!(matches!(batches.next().await, Some(Err(Error::Stalled(after))) if after == limit));
        assert!(batches.next().await.is_none());
    }

    #[tokio::test(start_paused = true)]
    async fn a_reader_that_is_slow_but_reads_is_waited_for() {
        let limit = Duration::from_secs(60);
        let mut batches = Box::pin(batches(
            export((0..5_000).map(|at| Ok(row(at))).collect()),
            limit,
            CancellationToken::new(),
        ));
        let mut rows = 0;
        while let Some(batch) = batches.next().await {
            rows += batch.unwrap().rows.len();
            tokio::time::sleep(limit.checked_sub(Duration::from_secs(1)).unwrap()).await;
        }
        assert_eq!(rows, 5_000);
    }

    #[tokio::test]
    async fn a_reader_that_goes_away_lets_go_of_the_warehouse() {
        let (export, held) = endless();
        let mut batches = Box::pin(batches(export, PATIENCE, CancellationToken::new()));
        assert!(batches.next().await.is_some_and(|batch| batch.is_ok()));
        drop(batches);
        while held.upgrade().is_some() {
            tokio::task::yield_now().await;
        }
    }

    #[tokio::test]
    async fn every_row_comes_once_and_the_publication_first() {
        let batches: Vec<Batch> = collect(export((0..5_000).map(|at| Ok(row(at))).collect()))
            .await
            .into_iter()
            .map(Result::unwrap)
            .collect();
        assert!(batches.len() > 2);
        assert!(batches.iter().skip(1).all(|batch| batch.state.is_none()));
        assert_eq!(batches[0].state, Some(state()));
        let rows: Vec<FactRow> = batches.into_iter().flat_map(|batch| batch.rows).collect();
        assert_eq!(rows, (0..5_000).map(row).collect::<Vec<_>>());
    }

    #[tokio::test]
    async fn messages_have_about_as_many_bytes_whatever_the_width_of_their_rows() {
        for width in [None, Some(10), Some(300), Some(1_000)] {
            let wide = |at| {
                let text = width.map(|width| "x".repeat(width));
                let loaded_at = DateTime::from_timestamp(1_770_000_000, 0).unwrap();
                FactRow {
                    company_name: text.clone(),
                    industry_tag: text.clone(),
                    country: text,
                    loaded_at,
                    ..row(at)
                }
            };
            // Pages larger and smaller than a message.
            for page in [7, 4_000] {
                let rows: Vec<FactRow> = (0..4_000).map(wide).collect();
                let pages = rows.chunks(page).map(|page| Ok(page.to_vec())).collect::<Vec<_>>();
                let export = Export { state: PublishedState::default(), pages: stream::iter(pages).boxed() };
                let mut sizes = Vec::new();
                for batch in collect(export).await {
                    sizes.push(export_message(batch.unwrap().rows, None, None).encoded_len());
                }
                assert!(sizes.pop().is_some(), "the last may be smaller");
                assert!(!sizes.is_empty());
                let bounds = 32 * 1024..=128 * 1024;
                assert!(sizes.iter().all(|size| bounds.contains(size)), "{width:?}, {page}: {sizes:?}");
            }
        }
    }

    #[tokio::test]
    async fn an_empty_export_still_reports_the_publication() {
        let batches = collect(export(Vec::new())).await;
        assert_eq!(batches.len(), 1);
        assert_eq!(batches[0].as_ref().unwrap().state, Some(state()));
    }

    #[tokio::test]
    async fn a_failed_read_ends_the_export_with_an_error() {
        let mut rows: Vec<warehouse::Result<FactRow>> = (0..1_500).map(|at| Ok(row(at))).collect();
        rows.push(Err(warehouse::Error::Internal("disk".into())));
        let batches = collect(export(rows)).await;
        assert_eq!(batches.len(), 2);
        assert!(batches[0].is_ok());
        assert!(matches!(batches[1], Err(Error::Warehouse(_))));
    }

    #[tokio::test]
    async fn a_stopping_service_does_not_pretend_to_be_at_the_end() {
        let hard_stop = CancellationToken::new();
        let mut batches = Box::pin(batches(endless().0, PATIENCE, hard_stop.clone()));
        assert!(batches.next().await.is_some_and(|batch| batch.is_ok()));
        hard_stop.cancel();
        // One more may have been ready.
        let last = loop {
            match batches.next().await {
                Some(Ok(_)) => {}
                ended => break ended,
            }
        };
        assert!(matches!(last, Some(Err(Error::Stopping))));
        assert!(batches.next().await.is_none());
    }
}
