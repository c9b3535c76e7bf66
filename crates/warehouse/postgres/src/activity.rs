//! Reads published data only.

use async_trait::async_trait;
use chrono::NaiveDate;
use domain::{CompanyId, DateWindow, FactKey, FactRow, Publication};
use futures::StreamExt;
use sqlx::PgConnection;
use tokio::sync::{mpsc, oneshot};
use tokio_stream::wrappers::ReceiverStream;
use warehouse_core::{
    ActivityQuery, ActivityReader, ChurnQuery, ChurnRisk, Error, Export, Fault, Freshness, Listing, Period,
    RollUp, RowsVersion,
    engine::{FactRecord, PublicationRecord},
    fact_record,
};

use crate::{
    database::{PostgresWarehouse, begin_export},
    fault::{Failure, Result},
    lease::Lease,
};

/// Rows an export reads at a time. It pages within one transaction rather than
/// streaming one long result: if the reader disconnects, no remainder has to be
/// received.
const EXPORT_PAGE: u32 = 2_000;

#[async_trait]
impl ActivityReader for PostgresWarehouse {
    async fn fact_row(&self, key: &FactKey) -> Result<Option<(FactRow, Publication)>, Error> {
        let (company, day) = (key.company_id.as_str(), key.activity_date);
        self.once(async |connection| {
            let found = sqlx::query_file!("sql/activity/row.sql", company, day);
            let Some(row) = found.fetch_optional(connection).await? else { return Ok(None) };
            let publication = PublicationRecord {
                activity_date: row.activity_date,
                run_id: row.run_id,
                published_at: row.published_at,
                row_count: row.row_count,
                checksum_version: row.checksum_version,
                checksum: row.checksum,
            };
            Ok(Some((fact_record!(row, row.loaded_at).try_into()?, publication.into())))
        })
        .await
    }

    async fn fact_rows(&self, query: &ActivityQuery, limit: u32) -> Result<Listing<FactRow>, Error> {
        self.read_fact(async |connection| {
            let items = select(connection, query, limit).await?;
            let publication = newest_publication(connection, query.window).await?;
            let rows = rows_version(connection, query.window, false).await?;
            Ok(Listing { items, publication, rows })
        })
        .await
    }

    async fn export_facts(&self, query: &ActivityQuery) -> Result<Export, Error> {
        let (begun, publication) = oneshot::channel();
        let (rows, received) = mpsc::channel(1);
        tokio::spawn(export(self.connect_export().await?, query.clone(), begun, rows));
        let publication = publication.await.unwrap_or(Err(ended()))?;
        let rows = ReceiverStream::new(received).flat_map(|page: Result<Vec<FactRow>, Error>| {
            let rows = match page {
                Ok(rows) => rows.into_iter().map(Ok).collect(),
                Err(error) => vec![Err(error)],
            };
            futures::stream::iter(rows)
        });
        Ok(Export { publication, rows: rows.boxed() })
    }

    async fn roll_up(
        &self,
        company: &CompanyId,
        window: DateWindow,
        period: Period,
    ) -> Result<(Vec<RollUp>, Option<Publication>), Error> {
        let (company, start, end) = (company.as_str(), window.start(), window.end());
        let unit = match period {
            Period::Week => "week",
            Period::Month => "month",
        };
        self.read_fact(async |connection| {
            let roll_ups =
                sqlx::query_file_as!(RollUp, "sql/activity/roll_up.sql", company, start, end, unit);
            let roll_ups = roll_ups.fetch_all(&mut *connection).await?;
            Ok((roll_ups, newest_publication(connection, window).await?))
        })
        .await
    }

    async fn churn_risks(&self, query: &ChurnQuery, limit: u32) -> Result<Listing<ChurnRisk>, Error> {
        self.read_fact(async |connection| {
            let items = select_risks(connection, query, limit).await?;
            let day = DateWindow::day(query.day);
            let publication = newest_publication(connection, day).await?;
            let rows = rows_version(connection, day, true).await?;
            Ok(Listing { items, publication, rows })
        })
        .await
    }

    async fn published_days(&self, window: DateWindow) -> Result<Vec<Publication>, Error> {
        let (start, end) = (window.start(), window.end());
        self.once(async |connection| {
            let days =
                sqlx::query_file_as!(PublicationRecord, "../sql/activity/published_days.sql", start, end);
            Ok(days.fetch_all(connection).await?.into_iter().map(Publication::from).collect())
        })
        .await
    }

    async fn freshness(&self) -> Result<Option<Freshness>, Error> {
        self.once(async |connection| {
            let newest = sqlx::query_file!("sql/activity/freshness.sql").fetch_optional(connection).await?;
            Ok(newest.map(|row| Freshness {
                newest: PublicationRecord {
                    activity_date: row.activity_date,
                    run_id: row.run_id,
                    published_at: row.published_at,
                    row_count: row.row_count,
                    checksum_version: row.checksum_version,
                    checksum: row.checksum,
                }
                .into(),
                oldest: row.oldest,
                published_days: row.published_days,
            }))
        })
        .await
    }
}

/// One row, if it is published.
pub(crate) async fn published_row(connection: &mut PgConnection, key: &FactKey) -> Result<Option<FactRow>> {
    let query = ActivityQuery {
        company_id: Some(key.company_id.clone()),
        window: DateWindow::day(key.activity_date),
        after: None,
    };
    Ok(select(connection, &query, 1).await?.pop())
}

/// Up to `limit` rows.
async fn select(connection: &mut PgConnection, query: &ActivityQuery, limit: u32) -> Result<Vec<FactRow>> {
    let (after_company, after_day) = match &query.after {
        Some(key) => (key.company_id.as_str(), key.activity_date),
        // Sorts before every row: no company identifier is empty.
        None => ("", NaiveDate::default()),
    };
    let rows = sqlx::query_file_as!(
        FactRecord,
        "sql/activity/rows.sql",
        query.window.start(),
        query.window.end(),
        query.company_id.as_ref().map(CompanyId::as_str),
        after_company,
        after_day,
        i64::from(limit)
    );
    rows.fetch_all(connection).await?.into_iter().map(|row| Ok(row.try_into()?)).collect()
}

/// Exports on `lease`, and stops whatever it is doing when the reader disconnects.
async fn export(
    mut lease: Lease,
    query: ActivityQuery,
    begun: oneshot::Sender<Result<Option<Publication>, Error>>,
    pages: mpsc::Sender<Result<Vec<FactRow>, Error>>,
) {
    let is_complete = tokio::select! {
        biased;
        () = pages.closed() => false,
        is_complete = send_pages(&mut lease, query, begun, &pages) => is_complete,
    };
    if is_complete {
        lease.release();
    }
}

/// Sends the newest publication, then all rows page by page; one transaction holds the
/// state. Returns whether nothing went wrong.
async fn send_pages(
    connection: &mut PgConnection,
    mut query: ActivityQuery,
    begun: oneshot::Sender<Result<Option<Publication>, Error>>,
    pages: &mpsc::Sender<Result<Vec<FactRow>, Error>>,
) -> bool {
    let beginning = async {
        let mut transaction = begin_export(connection).await?;
        let publication = newest_publication(&mut transaction, query.window).await?;
        Ok::<_, Failure>((transaction, publication))
    };
    let (mut transaction, publication) = match beginning.await {
        Ok(begun) => begun,
        Err(failure) => {
            // The caller may have disconnected.
            drop(begun.send(Err(failure.into())));
            return false;
        }
    };
    if begun.send(Ok(publication)).is_err() {
        return true;
    }
    loop {
        let page = select(&mut transaction, &query, EXPORT_PAGE).await.map_err(Error::from);
        let (is_well, last) = match &page {
            Ok(rows) => (true, rows.last().map(|row| row.key.clone())),
            Err(_) => (false, None),
        };
        if pages.send(page).await.is_err() || last.is_none() {
            return is_well;
        }
        query.after = last;
    }
}

/// An export whose task was aborted, which happens only when the process exits.
fn ended() -> Error {
    Error::Unavailable(Fault::plain("the export's task has ended"))
}

async fn select_risks(
    connection: &mut PgConnection,
    query: &ChurnQuery,
    limit: u32,
) -> Result<Vec<ChurnRisk>> {
    let after = query.after.as_ref();
    let risks = sqlx::query_file!(
        "sql/activity/churn_risks.sql",
        query.day,
        after.is_some(),
        after.and_then(|after| after.last_event_date),
        after.map_or("", |after| after.company_id.as_str()),
        i64::from(limit)
    );
    let risks = risks.fetch_all(connection).await?.into_iter().map(|risk| {
        let last_event_date = risk.last_event_date;
        Ok(ChurnRisk { row: fact_record!(risk, risk.loaded_at).try_into()?, last_event_date })
    });
    risks.collect()
}

async fn newest_publication(
    connection: &mut PgConnection,
    window: DateWindow,
) -> Result<Option<Publication>> {
    let (start, end) = (window.start(), window.end());
    let newest =
        sqlx::query_file_as!(PublicationRecord, "../sql/activity/newest_publication.sql", start, end);
    Ok(newest.fetch_optional(connection).await?.map(Publication::from))
}

/// Which rows the window has, and if `and_before` all days before it.
async fn rows_version(
    connection: &mut PgConnection,
    window: DateWindow,
    and_before: bool,
) -> Result<RowsVersion> {
    let (start, end) = (window.start(), window.end());
    let version =
        sqlx::query_file_as!(RowsVersion, "../sql/activity/rows_version.sql", start, end, and_before);
    Ok(version.fetch_one(connection).await?)
}
