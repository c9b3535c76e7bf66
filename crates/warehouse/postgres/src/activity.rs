//! The read side: published data only.

use async_trait::async_trait;
use chrono::NaiveDate;
use domain::{Checksum, CompanyId, DateWindow, FactKey, FactRow, Publication};
use futures::StreamExt;
use sqlx::PgConnection;
use tokio::sync::{mpsc, oneshot};
use tokio_stream::wrappers::ReceiverStream;
use warehouse_core::{
    ActivityQuery, ActivityReader, ChurnQuery, ChurnRisk, Error, Export, Fault, Freshness, Period, Result,
    RollUp,
};

use crate::{
    PostgresWarehouse,
    connections::LongLease,
    database::{begin_read_fact, failed},
    rows::{FactRecord, PublicationRecord},
};

/// Rows an export reads at a time. It goes from page to page within one
/// transaction, rather than through one long answer: a reader that goes away
/// leaves no rest that somebody would have to receive.
const EXPORT_PAGE: u32 = 2_000;

#[async_trait]
impl ActivityReader for PostgresWarehouse {
    async fn fact_row(&self, key: &FactKey) -> Result<Option<(FactRow, Publication)>> {
        let mut transaction = self.begin_read_fact().await?;
        let row = published_row(&mut transaction, key).await?;
        let publication = newest_publication(&mut transaction, DateWindow::day(key.activity_date)).await?;
        Ok(row.zip(publication))
    }

    async fn fact_rows(
        &self,
        query: &ActivityQuery,
        limit: u32,
    ) -> Result<(Vec<FactRow>, Option<Publication>)> {
        let mut transaction = self.begin_read_fact().await?;
        let rows = select(&mut transaction, query, limit).await?;
        Ok((rows, newest_publication(&mut transaction, query.window).await?))
    }

    async fn export_facts(&self, query: &ActivityQuery) -> Result<Export> {
        let (begun, publication) = oneshot::channel();
        let (rows, received) = mpsc::channel(1);
        tokio::spawn(export(self.connect_export().await?, query.clone(), begun, rows));
        let publication = publication.await.unwrap_or(Err(ended()))?;
        let rows = ReceiverStream::new(received).flat_map(|page: Result<Vec<FactRow>>| {
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
    ) -> Result<(Vec<RollUp>, Option<Publication>)> {
        let unit = match period {
            Period::Week => "week",
            Period::Month => "month",
        };
        let mut transaction = self.begin_read_fact().await?;
        let roll_ups = sqlx::query_file_as!(
            RollUp,
            "sql/activity/roll_up.sql",
            company.as_str(),
            window.start(),
            window.end(),
            unit
        )
        .fetch_all(&mut *transaction)
        .await
        .map_err(failed)?;
        Ok((roll_ups, newest_publication(&mut transaction, window).await?))
    }

    async fn churn_risks(
        &self,
        query: &ChurnQuery,
        limit: u32,
    ) -> Result<(Vec<ChurnRisk>, Option<Publication>)> {
        let mut transaction = self.begin_read_fact().await?;
        let risks = select_risks(&mut transaction, query, limit).await?;
        let publication = newest_publication(&mut transaction, DateWindow::day(query.day)).await?;
        Ok((risks, publication))
    }

    async fn published_days(&self, window: DateWindow) -> Result<Vec<Publication>> {
        let records = sqlx::query_file_as!(
            PublicationRecord,
            "sql/activity/published_days.sql",
            window.start(),
            window.end()
        )
        .fetch_all(&mut *self.connection().await?)
        .await
        .map_err(failed)?;
        Ok(records.into_iter().map(Publication::from).collect())
    }

    async fn freshness(&self) -> Result<Option<Freshness>> {
        let found = sqlx::query_file!("sql/activity/freshness.sql")
            .fetch_optional(&mut *self.connection().await?)
            .await
            .map_err(failed)?;
        Ok(found.map(|row| Freshness {
            newest: Publication {
                activity_date: row.activity_date,
                run_id: row.run_id.to_string(),
                published_at: row.published_at,
                row_count: row.row_count,
                checksum: Checksum::from_stored(row.checksum),
            },
            oldest: row.oldest,
            published_days: row.published_days,
        }))
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
        // Sorts before every row: no company's identifier is empty.
        None => ("", NaiveDate::default()),
    };
    sqlx::query_file_as!(
        FactRecord,
        "sql/activity/rows.sql",
        query.window.start(),
        query.window.end(),
        query.company_id.as_ref().map(CompanyId::as_str),
        after_company,
        after_day,
        i64::from(limit)
    )
    .fetch_all(connection)
    .await
    .map_err(failed)?
    .into_iter()
    .map(TryInto::try_into)
    .collect()
}

/// Sends the newest publication, then all rows page by page until the reader goes
/// away; one transaction holds the state.
async fn export(
    mut connection: LongLease,
    mut query: ActivityQuery,
    begun: oneshot::Sender<Result<Option<Publication>>>,
    pages: mpsc::Sender<Result<Vec<FactRow>>>,
) {
    let beginning = async {
        let mut transaction = begin_read_fact(&mut connection).await?;
        let publication = newest_publication(&mut transaction, query.window).await?;
        Ok((transaction, publication))
    };
    let mut transaction = match beginning.await {
        Ok((transaction, publication)) => {
            if begun.send(Ok(publication)).is_err() {
                return;
            }
            transaction
        }
        // Whoever asked may be gone.
        Err(error) => return drop(begun.send(Err(error))),
    };
    loop {
        let page = select(&mut transaction, &query, EXPORT_PAGE).await;
        let last = page.as_ref().ok().and_then(|rows| rows.last()).map(|row| row.key.clone());
        if pages.send(page).await.is_err() || last.is_none() {
            return;
        }
        query.after = last;
    }
}

/// An export whose task was ended, which only a process that ends does.
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
    )
    .fetch_all(connection)
    .await
    .map_err(failed)?;
    risks
        .into_iter()
        .map(|risk| {
            let record = FactRecord {
                company_id: risk.company_id,
                activity_date: risk.activity_date,
                company_name: risk.company_name,
                country: risk.country,
                industry_tag: risk.industry_tag,
                last_contact_at: risk.last_contact_at,
                active_users: risk.active_users,
                events: risk.events,
                active_users_7d: risk.active_users_7d,
                is_churn_risk: risk.is_churn_risk,
                events_per_user: risk.events_per_user,
                days_since_last_contact: risk.days_since_last_contact,
                loaded_at: risk.loaded_at,
            };
            Ok(ChurnRisk { row: record.try_into()?, last_event_date: risk.last_event_date })
        })
        .collect()
}

async fn newest_publication(
    connection: &mut PgConnection,
    window: DateWindow,
) -> Result<Option<Publication>> {
    let record = sqlx::query_file_as!(
        PublicationRecord,
        "sql/activity/newest_publication.sql",
        window.start(),
        window.end()
    )
    .fetch_optional(connection)
    .await
    .map_err(failed)?;
    Ok(record.map(Publication::from))
}
