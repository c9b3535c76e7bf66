//! Exports: pages of rows from one state, read ahead of whoever takes them.

use domain::FactRow;
use futures::StreamExt;
use sqlx::PgConnection;
use tokio::sync::{mpsc, oneshot};
use tokio_stream::wrappers::ReceiverStream;
use warehouse_core::{ActivityQuery, Error, Export, Fault, PublishedState};

use crate::{
    activity::select,
    database::begin_export,
    fault::{Failure, Result},
    lease::Lease,
    published_state,
};

/// Bytes of rows that a page aims at, in messages; in memory they take about three times as
/// much. An export holds three pages: one being read, one that waits, one being sent.
const PAGE_BYTES: usize = 512 * 1024;

/// Rows of the first page: nobody knows yet how wide they are.
const FIRST_PAGE_ROWS: usize = 1_000;

/// The most that a page may have of the rows of the one before. Wide rows may follow narrow ones.
const GROWTH: usize = 4;

/// The most rows of a page.
pub(crate) const MOST_ROWS: usize = 16_000;

type Begun = oneshot::Sender<Result<PublishedState, Error>>;
type Pages = mpsc::Sender<Result<Vec<FactRow>, Error>>;

/// Begins an export on `lease`. It pages within one transaction rather than streaming one
/// long result: if the reader disconnects, no remainder has to be received.
pub(crate) async fn begin(lease: Lease, query: ActivityQuery) -> Result<Export, Error> {
    let (begun, state) = oneshot::channel();
    let (pages, received) = mpsc::channel(1);
    tokio::spawn(export(lease, query, begun, pages));
    let state = state.await.unwrap_or(Err(ended()))?;
    Ok(Export { state, pages: ReceiverStream::new(received).boxed() })
}

/// Exports on `lease`, and stops whatever it is doing when the reader disconnects.
async fn export(mut lease: Lease, query: ActivityQuery, begun: Begun, pages: Pages) {
    let is_complete = tokio::select! {
        biased;
        () = pages.closed() => false,
        is_complete = send_pages(&mut lease, query, begun, &pages) => is_complete,
    };
    if is_complete {
        lease.release();
    }
}

/// Sends what is published, then all rows page by page; one transaction holds the
/// state. Returns whether nothing went wrong.
async fn send_pages(
    connection: &mut PgConnection,
    mut query: ActivityQuery,
    begun: Begun,
    pages: &Pages,
) -> bool {
    let beginning = async {
        let mut transaction = begin_export(connection).await?;
        let days = (query.window.start(), query.window.end());
        let at = published_state::time_of(&mut transaction, query.as_of, days).await?;
        let state = published_state::published_state(&mut transaction, query.window, at).await?;
        Ok::<_, Failure>((transaction, at, state))
    };
    let (mut transaction, at, state) = match beginning.await {
        Ok(begun) => begun,
        Err(failure) => {
            // The caller may have disconnected.
            drop(begun.send(Err(failure.into())));
            return false;
        }
    };
    if begun.send(Ok(state)).is_err() {
        return true;
    }
    let mut limit = FIRST_PAGE_ROWS;
    loop {
        let page = match select(&mut transaction, &query, at, u32::try_from(limit).unwrap_or(u32::MAX)).await
        {
            Ok(page) => page,
            Err(failure) => {
                drop(pages.send(Err(failure.into())).await);
                return false;
            }
        };
        let Some(last) = page.last() else { return true };
        query.after = Some(last.key.clone());
        let is_last = page.len() < limit;
        limit = next_limit(&page);
        if pages.send(Ok(page)).await.is_err() || is_last {
            return true;
        }
    }
}

/// How many rows to read after those of a page.
fn next_limit(page: &[FactRow]) -> usize {
    let bytes = page.iter().map(FactRow::approximate_bytes).sum::<usize>();
    let fitting = PAGE_BYTES * page.len() / bytes.max(1);
    fitting.clamp(1, MOST_ROWS.min(GROWTH * page.len()))
}

/// An export whose task was aborted, which happens only when the process exits.
fn ended() -> Error {
    Error::Unavailable(Fault::plain("the export's task has ended"))
}

#[cfg(test)]
mod tests {
    use chrono::NaiveDate;
    use domain::{CompanyId, FactKey};

    use super::*;

    fn page(rows: usize, width: usize) -> Vec<FactRow> {
        let key =
            FactKey { company_id: CompanyId::parse("acme").unwrap(), activity_date: NaiveDate::default() };
        vec![FactRow { company_name: Some("x".repeat(width)), ..FactRow::blank(key) }; rows]
    }

    #[test]
    fn pages_have_as_many_bytes_whatever_the_width_of_their_rows() {
        for width in [10, 100, 1_000, 3_000] {
            let rows = next_limit(&page(10_000, width));
            let bytes = page(rows, width).iter().map(FactRow::approximate_bytes).sum::<usize>();
            assert!((PAGE_BYTES * 9 / 10..=PAGE_BYTES).contains(&bytes), "{width}: {bytes}");
        }
    }

    #[test]
    fn pages_grow_step_by_step_and_always_have_rows() {
        assert_eq!(next_limit(&page(1, 10)), GROWTH);
        assert_eq!(next_limit(&page(1, 2 * PAGE_BYTES)), 1);
    }
}
