//! Reads published data only.

use async_trait::async_trait;
use chrono::NaiveDate;
use domain::{ChurnChange, CompanyId, DateWindow, FactKey, FactRow, Publication, date_window::parse_day};
use futures::{
    StreamExt, TryStreamExt,
    stream::{BoxStream, TryChunksError},
};
use sqlx::{Connection, SqliteConnection};
use tokio::sync::{mpsc, oneshot};
use tokio_stream::wrappers::ReceiverStream;
use uuid::Uuid;
use warehouse_core::{
    ActivityQuery, ActivityReader, ChurnQuery, ChurnRisk, Error, Export, FactPage, Fault, Freshness, Listing,
    Period, PublishedState, RollUp, RowsVersion,
    engine::{FactRecord, PublicationRecord, corrupt},
    fact_record, publication_record,
};

use crate::{
    database::SqliteWarehouse,
    fault::{Failure, Result},
    overview,
    published_state::{self, At},
    reader::Reader,
};

/// Sorts after every company identifier.
const AFTER_ALL_COMPANIES: &str = "\u{10ffff}";

/// Rows that an export passes on at a time; one such page waits for the reader.
const EXPORT_PAGE: usize = 512;

#[async_trait]
impl ActivityReader for SqliteWarehouse {
    async fn fact_row(&self, key: &FactKey) -> Result<Option<(FactRow, Publication)>, Error> {
        self.read(async |connection| {
            let row = published_row(connection, key).await?;
            let publication = newest_publication(connection, DateWindow::day(key.activity_date)).await?;
            Ok(row.zip(publication))
        })
        .await
    }

    async fn fact_rows(&self, query: &ActivityQuery, limit: u32) -> Result<FactPage, Error> {
        self.read(async |connection| {
            let days = (query.window.start(), query.window.end());
            let at = published_state::time_of(connection, query.as_of, days).await?;
            let rows = select(connection, Selection::of(query, at), limit).await?;
            let state = published_state::published_state(connection, query.window, at).await?;
            Ok(FactPage { rows, state })
        })
        .await
    }

    async fn export_facts(&self, query: &ActivityQuery) -> Result<Export, Error> {
        let (begun, state) = oneshot::channel();
        let (pages, received) = mpsc::channel(1);
        tokio::spawn(export(self.export_reader().await?, query.clone(), begun, pages));
        let state =
            state.await.unwrap_or(Err(Error::Unavailable(Fault::plain("the export's task has ended"))))?;
        Ok(Export { state, pages: ReceiverStream::new(received).boxed() })
    }

    async fn newest_day(&self, as_of: Uuid) -> Result<Option<NaiveDate>, Error> {
        self.read(async |connection| published_state::newest_day(connection, as_of).await).await
    }

    async fn roll_up(
        &self,
        company: &CompanyId,
        window: DateWindow,
        period: Period,
    ) -> Result<(Vec<RollUp>, Option<Publication>), Error> {
        let (company, start, end) = (company.as_str(), window.start(), window.end());
        let by_month = period == Period::Month;
        self.read(async |connection| {
            let roll_ups =
                sqlx::query_file_as!(RollUp, "sql/activity/roll_up.sql", company, start, end, by_month);
            let roll_ups = roll_ups.fetch_all(&mut *connection).await?;
            Ok((roll_ups, newest_publication(connection, window).await?))
        })
        .await
    }

    async fn churn_risks(&self, query: &ChurnQuery, limit: u32) -> Result<Listing<ChurnRisk>, Error> {
        self.read(async |connection| {
            let day = DateWindow::day(query.day);
            let publication = newest_publication(connection, day).await?;
            if publication.is_some() && query.change.is_some() {
                check_day_before(connection, query.day).await?;
            }
            let items = select_risks(connection, query, limit).await?;
            let rows = rows_version(connection, query.day).await?;
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
                newest: publication_record!(row).into(),
                oldest: row.oldest,
                published_days: row.published_days,
            }))
        })
        .await
    }
}

/// The bounds of a query in the form that the statements take.
pub(crate) struct Selection {
    window: DateWindow,
    first_company: String,
    last_company: String,
    after_company: String,
    after_day: NaiveDate,
    at: At,
}

impl Selection {
    pub(crate) fn of(query: &ActivityQuery, at: At) -> Self {
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
            at,
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
        as_of: None,
    };
    Ok(select(connection, Selection::of(&query, None), 1).await?.pop())
}

/// Up to `limit` rows.
pub(crate) async fn select(
    connection: &mut SqliteConnection,
    selection: Selection,
    limit: u32,
) -> Result<Vec<FactRow>> {
    rows(connection, &selection, i64::from(limit)).try_collect().await
}

async fn select_risks(
    connection: &mut SqliteConnection,
    query: &ChurnQuery,
    limit: u32,
) -> Result<Vec<ChurnRisk>> {
    // Sorts before every risk: no activity is later than this date.
    let (mut after_date, mut after_company) = ("~".to_owned(), String::new());
    if let Some(after) = &query.after {
        after_date = after.last_event_date.map(|date| date.to_string()).unwrap_or_default();
        after_company = after.company_id.to_string();
    }
    if query.is_for_all() {
        let risks =
            sqlx::query_file!("sql/activity/churn_risks.sql", query.day, after_date, after_company, limit);
        let risks = risks.fetch_all(connection).await?.into_iter();
        return risks
            .map(|risk| churn_risk(&risk.last_event_date, fact_record!(risk, risk.loaded_at)))
            .collect();
    }
    let ChurnQuery { day, change, traits, .. } = query;
    let (is_at_risk, was_at_risk) =
        (change.is_none_or(ChurnChange::is_at_risk), change.map(ChurnChange::was_at_risk));
    let risks = sqlx::query_file!(
        "sql/activity/churn_risks_of.sql",
        day,
        after_date,
        after_company,
        limit,
        is_at_risk,
        was_at_risk,
        overview::day_before(*day),
        traits.country,
        traits.industry_tag
    );
    let risks = risks.fetch_all(connection).await?.into_iter();
    risks.map(|risk| churn_risk(&risk.last_event_date, fact_record!(risk, risk.loaded_at))).collect()
}

/// A risk; its last day with events is empty if there is none.
fn churn_risk(last_event_date: &str, record: FactRecord) -> Result<ChurnRisk> {
    let last_event_date = match last_event_date {
        "" => None,
        day => Some(parse_day(day).ok_or_else(|| corrupt(format!("{day:?} is no day")))?),
    };
    Ok(ChurnRisk { row: record.try_into()?, last_event_date })
}

/// Checks that the day before is published, which a change is told by.
async fn check_day_before(connection: &mut SqliteConnection, day: NaiveDate) -> Result<()> {
    if overview::is_published(connection, overview::day_before(day)).await? {
        return Ok(());
    }
    Err(ChurnQuery::without_day_before(day).into())
}

/// Streams the selected rows. One day is read through the index by day, a range through
/// the primary key; either way they come out in order.
fn rows<'a>(
    connection: &'a mut SqliteConnection,
    selection: &'a Selection,
    limit: i64,
) -> BoxStream<'a, Result<FactRow>> {
    let Selection { window, first_company, last_company, after_company, after_day, at } = selection;
    let (start, end) = (window.start(), window.end());
    let records = match (start == end, at) {
        (true, None) => sqlx::query_file_as!(
            FactRecord,
            "sql/activity/rows_of_day.sql",
            start,
            first_company,
            last_company,
            after_company,
            after_day,
            limit
        )
        .fetch(connection),
        (true, Some(at)) => sqlx::query_file_as!(
            FactRecord,
            "sql/activity/rows_of_day_as_of.sql",
            start,
            first_company,
            last_company,
            after_company,
            after_day,
            limit,
            at
        )
        .fetch(connection),
        (false, None) => sqlx::query_file_as!(
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
        .fetch(connection),
        (false, Some(at)) => sqlx::query_file_as!(
            FactRecord,
            "sql/activity/rows_as_of.sql",
            start,
            end,
            first_company,
            last_company,
            after_company,
            after_day,
            limit,
            at
        )
        .fetch(connection),
    };
    records.map(|record| Ok(record?.try_into()?)).boxed()
}

/// Exports through `reader`, and stops whatever it is doing when the caller disconnects.
async fn export(
    mut reader: Reader,
    query: ActivityQuery,
    begun: oneshot::Sender<Result<PublishedState, Error>>,
    pages: mpsc::Sender<Result<Vec<FactRow>, Error>>,
) {
    tokio::select! {
        biased;
        () = pages.closed() => {}
        () = send_rows(&mut reader, &query, begun, &pages) => {}
    }
}

/// Sends what is published, then all rows; one transaction holds the state.
async fn send_rows(
    connection: &mut SqliteConnection,
    query: &ActivityQuery,
    begun: oneshot::Sender<Result<PublishedState, Error>>,
    pages: &mpsc::Sender<Result<Vec<FactRow>, Error>>,
) {
    let beginning = async {
        let mut transaction = connection.begin().await?;
        let days = (query.window.start(), query.window.end());
        let at = published_state::time_of(&mut transaction, query.as_of, days).await?;
        let state = published_state::published_state(&mut transaction, query.window, at).await?;
        Ok::<_, Failure>((transaction, at, state))
    };
    let (mut transaction, at, state) = match beginning.await {
        Ok(begun) => begun,
        // The caller may have disconnected.
        Err(failure) => return drop(begun.send(Err(failure.into()))),
    };
    if begun.send(Ok(state)).is_err() {
        return;
    }
    let selection = Selection::of(query, at);
    let mut exported = rows(&mut transaction, &selection, i64::MAX).try_chunks(EXPORT_PAGE);
    while let Some(page) = exported.next().await {
        let page = page.map_err(|TryChunksError(_, failure)| Error::from(failure));
        if pages.send(page).await.is_err() {
            return;
        }
    }
}

async fn newest_publication(
    connection: &mut SqliteConnection,
    window: DateWindow,
) -> Result<Option<Publication>> {
    let (start, end) = (window.start(), window.end());
    let newest =
        sqlx::query_file_as!(PublicationRecord, "../sql/activity/newest_publication.sql", start, end);
    Ok(newest.fetch_optional(connection).await?.map(Publication::from))
}

/// Which rows the days through `last` have.
async fn rows_version(connection: &mut SqliteConnection, last: NaiveDate) -> Result<RowsVersion> {
    let version = sqlx::query_file_as!(RowsVersion, "../sql/activity/rows_version.sql", last);
    Ok(version.fetch_one(connection).await?)
}
