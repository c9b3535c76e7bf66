//! An export as a stream of batches.

use domain::{FactRow, Publication};
use futures::{
    Stream, TryStreamExt,
    stream::{self, TryChunksError},
};
use tokio_util::sync::CancellationToken;
use warehouse::Export;

use crate::error::{Error, Result};

/// Rows in one message: some 100 KB, half of gRPC's limit at the widest, and the most that is held at a time.
const BATCH_ROWS: usize = 500;

/// Rows for one message.
#[derive(Debug, PartialEq)]
pub(crate) struct Batch {
    /// The rows in order.
    pub(crate) rows: Vec<FactRow>,
    /// The newest publication among the asked days, with the first batch only.
    pub(crate) publication: Option<Publication>,
}

/// The batches of an export, at least one. Rows are read as the receiver takes
/// them. `hard_stop` ends the stream with an error, so that nobody takes the
/// part that was sent for all there is.
pub(crate) fn batches(export: Export, hard_stop: CancellationToken) -> impl Stream<Item = Result<Batch>> {
    let Export { publication, rows } = export;
    let chunks = rows.try_chunks(BATCH_ROWS).map_err(|TryChunksError(_, error)| Error::Warehouse(error));
    let start = (Box::pin(chunks), hard_stop, Some(publication));
    stream::try_unfold(start, async |(mut chunks, hard_stop, mut not_yet_sent)| {
        let rows = tokio::select! {
            biased;
            () = hard_stop.cancelled() => return Err(Error::Stopping),
            rows = chunks.try_next() => rows?,
        };
        let first = not_yet_sent.take();
        if rows.is_none() && first.is_none() {
            return Ok(None);
        }
        let batch = Batch { rows: rows.unwrap_or_default(), publication: first.flatten() };
        Ok(Some((batch, (chunks, hard_stop, None))))
    })
}

#[cfg(test)]
mod tests {
    use chrono::DateTime;
    use domain::{CompanyId, FactKey, date_window::parse_day};
    use futures::{StreamExt, executor::block_on};

    use super::*;

    fn row(number: usize) -> FactRow {
        FactRow {
            key: FactKey {
                company_id: CompanyId::parse(&format!("{number:06}")).unwrap(),
                activity_date: parse_day("2026-02-01").unwrap(),
            },
            company_name: None,
            country: None,
            industry_tag: None,
            last_contact_at: None,
            active_users: 0,
            events: 0,
            active_users_7d: 0,
            is_churn_risk: true,
            events_per_user: None,
            days_since_last_contact: None,
            loaded_at: DateTime::UNIX_EPOCH,
        }
    }

    fn publication() -> Publication {
        Publication {
            activity_date: parse_day("2026-02-01").unwrap(),
            run_id: "run".to_owned(),
            published_at: DateTime::UNIX_EPOCH,
            row_count: 1_200,
            checksum: domain::Checksum::default(),
        }
    }

    fn export(rows: Vec<warehouse::Result<FactRow>>) -> Export {
        Export { publication: Some(publication()), rows: stream::iter(rows).boxed() }
    }

    fn collect(export: Export) -> Vec<Result<Batch>> {
        block_on(batches(export, CancellationToken::new()).collect())
    }

    #[test]
    fn rows_come_in_bounded_batches_and_the_publication_once() {
        let batches: Vec<Batch> = collect(export((0..1_200).map(|at| Ok(row(at))).collect()))
            .into_iter()
            .map(Result::unwrap)
            .collect();
        let sizes: Vec<usize> = batches.iter().map(|batch| batch.rows.len()).collect();
        assert_eq!(sizes, [500, 500, 200]);
        let told: Vec<bool> = batches.iter().map(|batch| batch.publication.is_some()).collect();
        assert_eq!(told, [true, false, false]);
        let rows: Vec<FactRow> = batches.into_iter().flat_map(|batch| batch.rows).collect();
        assert_eq!(rows, (0..1_200).map(row).collect::<Vec<_>>());
    }

    #[test]
    fn an_empty_export_still_tells_the_publication() {
        let batches = collect(export(Vec::new()));
        assert_eq!(batches.len(), 1);
        assert_eq!(batches[0].as_ref().unwrap().publication, Some(publication()));
    }

    #[test]
    fn a_failed_read_ends_the_export_with_an_error() {
        let mut rows: Vec<warehouse::Result<FactRow>> = (0..600).map(|at| Ok(row(at))).collect();
        rows.push(Err(warehouse::Error::Internal("disk".into())));
        let batches = collect(export(rows));
        assert_eq!(batches.len(), 2);
        assert!(batches[0].is_ok());
        assert!(matches!(batches[1], Err(Error::Warehouse(_))));
    }

    #[test]
    fn a_stopping_service_does_not_pretend_to_be_at_the_end() {
        let hard_stop = CancellationToken::new();
        let mut batches =
            Box::pin(batches(export((0..1_200).map(|at| Ok(row(at))).collect()), hard_stop.clone()));
        assert!(block_on(batches.next()).is_some_and(|batch| batch.is_ok()));
        hard_stop.cancel();
        assert!(matches!(block_on(batches.next()), Some(Err(Error::Stopping))));
        assert!(block_on(batches.next()).is_none());
    }
}
