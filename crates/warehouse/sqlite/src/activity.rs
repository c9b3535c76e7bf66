//! The read side: published data only.

use async_trait::async_trait;
use chrono::{DateTime, NaiveDate, Utc};
use domain::{Checksum, CompanyId, DateWindow, FactKey, FactRow, Publication};
use futures::{StreamExt, TryStreamExt, stream::BoxStream};
use sqlx::{Sqlite, SqliteConnection, Transaction};
use tokio::sync::mpsc;
use tokio_stream::wrappers::ReceiverStream;
use warehouse_core::{
    ActivityQuery, ActivityReader, ChurnQuery, ChurnRisk, Export, Freshness, Period, Result, RollUp,
};

use crate::{
    SqliteWarehouse,
    database::failed,
    rows::{FactRecord, PublicationRecord},
};

/// Sorts after every company identifier.
const AFTER_ALL_COMPANIES: &str = "\u{10ffff}";

/// Rows under way between an export's query and its reader.
const EXPORT_BUFFER: usize = 512;

#[async_trait]
impl ActivityReader for SqliteWarehouse {
    async fn fact_row(&self, key: &FactKey) -> Result<Option<(FactRow, Publication)>> {
        let mut transaction = self.begin_read().await?;
        let row = published_row(&mut transaction, key).await?;
        let publication = newest_publication(&mut transaction, DateWindow::day(key.activity_date)).await?;
        Ok(row.zip(publication))
    }

    async fn fact_rows(
        &self,
        query: &ActivityQuery,
        limit: u32,
    ) -> Result<(Vec<FactRow>, Option<Publication>)> {
        let mut transaction = self.begin_read().await?;
        let rows = select(&mut transaction, Selection::of(query), limit).await?;
        Ok((rows, newest_publication(&mut transaction, query.window).await?))
    }

    async fn export_facts(&self, query: &ActivityQuery) -> Result<Export> {
        let mut transaction = self.begin_export().await?;
        let publication = newest_publication(&mut transaction, query.window).await?;
        let (rows, received) = mpsc::channel(EXPORT_BUFFER);
        tokio::spawn(export(transaction, Selection::of(query), rows));
        Ok(Export { publication, rows: ReceiverStream::new(received).boxed() })
    }

    async fn roll_up(
        &self,
        company: &CompanyId,
        window: DateWindow,
        period: Period,
    ) -> Result<(Vec<RollUp>, Option<Publication>)> {
        let (company, start, end) = (company.as_str(), window.start(), window.end());
        let by_month = period == Period::Month;
        let mut transaction = self.begin_read().await?;
        let roll_ups =
            sqlx::query_file_as!(RollUp, "sql/activity/roll_up.sql", company, start, end, by_month)
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
        // Sorts before every risk: nothing was active later than the end of time.
        let (mut after_date, mut after_company) = ("~".to_owned(), String::new());
        if let Some(after) = &query.after {
            after_date = after.last_event_date.map(|date| date.to_string()).unwrap_or_default();
            after_company = after.company_id.to_string();
        }
        let mut transaction = self.begin_read().await?;
        let risks =
            sqlx::query_file!("sql/activity/churn_risks.sql", query.day, after_date, after_company, limit)
                .fetch_all(&mut *transaction)
                .await
                .map_err(failed)?
                .into_iter()
                .map(|risk| {
                    let last_event_date = domain::date_window::parse_day(&risk.last_event_date);
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
                    Ok(ChurnRisk { row: record.try_into()?, last_event_date })
                })
                .collect::<Result<Vec<_>>>()?;
        let publication = newest_publication(&mut transaction, DateWindow::day(query.day)).await?;
        Ok((risks, publication))
    }

    async fn published_days(&self, window: DateWindow) -> Result<Vec<Publication>> {
        let (start, end) = (window.start(), window.end());
        let records = sqlx::query_file_as!(PublicationRecord, "sql/activity/published_days.sql", start, end)
            .fetch_all(&self.readers)
            .await
            .map_err(failed)?;
        Ok(records.into_iter().map(Publication::from).collect())
    }

    async fn freshness(&self) -> Result<Option<Freshness>> {
        let found = sqlx::query!(
            r#"SELECT activity_date AS "activity_date: NaiveDate", run_id, published_at AS "published_at: DateTime<Utc>",
                      row_count, checksum AS "checksum!", (SELECT MIN(activity_date) FROM published_days) AS "oldest!: NaiveDate",
                      (SELECT COUNT(*) FROM published_days) AS "published_days!: i64"
               FROM published_days ORDER BY activity_date DESC LIMIT 1"#
        )
        .fetch_optional(&self.readers)
        .await
        .map_err(failed)?;
        Ok(found.map(|row| Freshness {
            newest: Publication {
                activity_date: row.activity_date,
                run_id: row.run_id,
                published_at: row.published_at,
                row_count: row.row_count,
                checksum: Checksum::from_stored(row.checksum),
            },
            oldest: row.oldest,
            published_days: row.published_days,
        }))
    }
}

/// The bounds of a query as the statements take them.
struct Selection {
    window: DateWindow,
    first_company: String,
    last_company: String,
    after_company: String,
    after_day: NaiveDate,
}

impl Selection {
    fn of(query: &ActivityQuery) -> Self {
        let company = query.company_id.as_ref().map(ToString::to_string);
        let (after_company, after_day) = match &query.after {
            Some(key) => (key.company_id.to_string(), key.activity_date),
            None => (String::new(), query.window.start()),
        };
        Self {
            window: query.window,
            first_company: company.clone().unwrap_or_default(),
            last_company: company.unwrap_or_else(|| AFTER_ALL_COMPANIES.to_owned()),
            after_company,
            after_day,
        }
    }
}

/// One row, if it is published.
pub(crate) async fn published_row(
    connection: &mut SqliteConnection,
    key: &FactKey,
) -> Result<Option<FactRow>> {
    let query = ActivityQuery {
        company_id: Some(key.company_id.clone()),
        window: DateWindow::day(key.activity_date),
        after: None,
    };
    Ok(select(connection, Selection::of(&query), 1).await?.pop())
}

/// Up to `limit` rows.
async fn select(connection: &mut SqliteConnection, selection: Selection, limit: u32) -> Result<Vec<FactRow>> {
    rows(connection, &selection, i64::from(limit)).try_collect().await
}

/// The selected rows as they are read. One day is read through the index by
/// day, a range through the primary key; either way they come out in order.
fn rows<'a>(
    connection: &'a mut SqliteConnection,
    selection: &'a Selection,
    limit: i64,
) -> BoxStream<'a, Result<FactRow>> {
    let Selection { window, first_company, last_company, after_company, after_day } = selection;
    let (start, end) = (window.start(), window.end());
    let records = if start == end {
        sqlx::query_file_as!(
            FactRecord,
            "sql/activity/rows_of_day.sql",
            start,
            first_company,
            last_company,
            after_company,
            after_day,
            limit
        )
        .fetch(connection)
    } else {
        sqlx::query_file_as!(
            FactRecord,
            "sql/activity/rows.sql",
            start,
            end,
            first_company,
            last_company,
            after_company,
            after_day,
            limit
        )
        .fetch(connection)
    };
    records.map(|record| record.map_err(failed)?.try_into()).boxed()
}

/// Sends all rows until the reader goes away; the transaction holds the state.
async fn export(
    mut transaction: Transaction<'static, Sqlite>,
    selection: Selection,
    received: mpsc::Sender<Result<FactRow>>,
) {
    let mut exported = rows(&mut transaction, &selection, i64::MAX);
    while let Some(row) = exported.next().await {
        if received.send(row).await.is_err() {
            return;
        }
    }
}

async fn newest_publication(
    connection: &mut SqliteConnection,
    window: DateWindow,
) -> Result<Option<Publication>> {
    let (start, end) = (window.start(), window.end());
    let record = sqlx::query_file_as!(PublicationRecord, "sql/activity/newest_publication.sql", start, end)
        .fetch_optional(connection)
        .await
        .map_err(failed)?;
    Ok(record.map(Publication::from))
}
