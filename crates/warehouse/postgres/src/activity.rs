//! Reads published data only.

use async_trait::async_trait;
use chrono::NaiveDate;
use domain::{ChurnChange, CompanyId, DateWindow, FactKey, FactRow, Publication};
use futures::TryStreamExt;
use sqlx::PgConnection;
use uuid::Uuid;
use warehouse_core::{
    ActivityQuery, ActivityReader, ChurnCursor, ChurnQuery, ChurnRisk, Error, Export, FactPage, Freshness,
    Listing, Period, RollUp, RowsVersion,
    engine::{FactRecord, PublicationRecord, corrupt},
    fact_record, publication_record,
};

use crate::{
    churn_order::ChurnOrder,
    database::PostgresWarehouse,
    export,
    fault::Result,
    overview,
    published_state::{self, At},
};

#[async_trait]
impl ActivityReader for PostgresWarehouse {
    async fn fact_row(&self, key: &FactKey) -> Result<Option<(FactRow, Publication)>, Error> {
        let (company, day) = (key.company_id.as_str(), key.activity_date);
        self.look_up(async |connection| {
            let found = sqlx::query_file!("sql/activity/row.sql", company, day);
            let Some(row) = found.fetch_optional(connection).await? else { return Ok(None) };
            let publication = publication_record!(row).into();
            Ok(Some((fact_record!(row, row.loaded_at).try_into()?, publication)))
        })
        .await
    }

    async fn fact_rows(&self, query: &ActivityQuery, limit: u32) -> Result<FactPage, Error> {
        self.read_fact(async |connection| {
            let days = (query.window.start(), query.window.end());
            let at = published_state::time_of(connection, query.as_of, days).await?;
            let rows = select(connection, query, at, limit).await?;
            let state = published_state::published_state(connection, query.window, at).await?;
            Ok(FactPage { rows, state })
        })
        .await
    }

    async fn export_facts(&self, query: &ActivityQuery) -> Result<Export, Error> {
        export::begin(self.connect_export().await?, query.clone()).await
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
        self.read_fact(async |connection| {
            let roll_ups = roll_ups(connection, company, window, period).await?;
            Ok((roll_ups, newest_publication(connection, window).await?))
        })
        .await
    }

    async fn churn_risks(&self, query: &ChurnQuery, limit: u32) -> Result<Listing<ChurnRisk>, Error> {
        self.read_fact(async |connection| {
            let day = DateWindow::day(query.day);
            let publication = newest_publication(connection, day).await?;
            let rows = rows_version(connection, query.day).await?;
            if publication.is_some() && query.change.is_some() {
                check_day_before(connection, query.day).await?;
            }
            let order = match self.churn_orders.get(query, rows) {
                Some(order) => order,
                None => self.churn_orders.keep(query, rows, churn_order(connection, query).await?),
            };
            let risks = order.page(query.after.as_ref(), limit);
            Ok(Listing { items: select_risks(connection, query.day, risks).await?, publication, rows })
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
        self.look_up(async |connection| {
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

/// One row, if it is published.
pub(crate) async fn published_row(connection: &mut PgConnection, key: &FactKey) -> Result<Option<FactRow>> {
    let query = ActivityQuery {
        company_id: Some(key.company_id.clone()),
        window: DateWindow::day(key.activity_date),
        after: None,
        as_of: None,
    };
    Ok(select(connection, &query, None, 1).await?.pop())
}

/// Up to `limit` rows.
pub(crate) async fn select(
    connection: &mut PgConnection,
    query: &ActivityQuery,
    at: At,
    limit: u32,
) -> Result<Vec<FactRow>> {
    let (after_company, after_day) = match &query.after {
        Some(key) => (key.company_id.as_str(), key.activity_date),
        // Sorts before every row: no company identifier is empty.
        None => ("", NaiveDate::default()),
    };
    let (start, end) = (query.window.start(), query.window.end());
    let company = query.company_id.as_ref().map(CompanyId::as_str);
    let most = i64::from(limit);
    // At once as large as it gets: a page of an export is a megabyte, which growing would copy.
    let mut page = Vec::with_capacity(usize::try_from(limit).map_or(0, |limit| limit.min(export::MOST_ROWS)));
    let mut rows = match at {
        None => sqlx::query_file_as!(
            FactRecord,
            "sql/activity/rows.sql",
            start,
            end,
            company,
            after_company,
            after_day,
            most
        )
        .fetch(connection),
        Some(at) => sqlx::query_file_as!(
            FactRecord,
            "sql/activity/rows_as_of.sql",
            start,
            end,
            company,
            after_company,
            after_day,
            most,
            at
        )
        .fetch(connection),
    };
    while let Some(row) = rows.try_next().await? {
        page.push(row.try_into()?);
    }
    Ok(page)
}

async fn roll_ups(
    connection: &mut PgConnection,
    company: &CompanyId,
    window: DateWindow,
    period: Period,
) -> Result<Vec<RollUp>> {
    let (company, start, end) = (company.as_str(), window.start(), window.end());
    let unit = match period {
        Period::Week => "week",
        Period::Month => "month",
    };
    let roll_ups = sqlx::query_file_as!(RollUp, "sql/activity/roll_up.sql", company, start, end, unit);
    Ok(roll_ups.fetch_all(connection).await?)
}

/// A company at risk, and its last day with events.
struct RiskRecord {
    company_id: String,
    last_event_date: Option<NaiveDate>,
}

async fn churn_order(connection: &mut PgConnection, query: &ChurnQuery) -> Result<ChurnOrder> {
    let ChurnQuery { day, change, traits, .. } = query;
    let risks = if query.is_for_all() {
        sqlx::query_file_as!(RiskRecord, "sql/activity/churn_order.sql", day).fetch_all(connection).await?
    } else {
        let (is_at_risk, was_at_risk) =
            (change.is_none_or(ChurnChange::is_at_risk), change.map(ChurnChange::was_at_risk));
        sqlx::query_file_as!(
            RiskRecord,
            "sql/activity/churn_order_of.sql",
            day,
            is_at_risk,
            was_at_risk,
            overview::day_before(*day),
            traits.country.as_deref(),
            traits.industry_tag.as_deref()
        )
        .fetch_all(connection)
        .await?
    };
    let risks = risks.into_iter().map(|risk| {
        let company_id = CompanyId::from_stored(risk.company_id).map_err(corrupt)?;
        Ok(ChurnCursor { last_event_date: risk.last_event_date, company_id })
    });
    Ok(ChurnOrder::of(risks.collect::<Result<_>>()?))
}

/// Checks that the day before is published, which a change is told by.
async fn check_day_before(connection: &mut PgConnection, day: NaiveDate) -> Result<()> {
    if overview::is_published(connection, overview::day_before(day)).await? {
        return Ok(());
    }
    Err(ChurnQuery::without_day_before(day).into())
}

/// The rows of a day's risks, in their order.
async fn select_risks(
    connection: &mut PgConnection,
    day: NaiveDate,
    risks: &[ChurnCursor],
) -> Result<Vec<ChurnRisk>> {
    let companies: Vec<&str> = risks.iter().map(|risk| risk.company_id.as_str()).collect();
    let rows = sqlx::query_file!("sql/activity/rows_of_companies.sql", day, &companies as &[&str]);
    let rows = rows.fetch_all(connection).await?.into_iter().map(|row| {
        let position = usize::try_from(row.position - 1).map_err(corrupt)?;
        let last_event_date = risks.get(position).and_then(|risk| risk.last_event_date);
        Ok(ChurnRisk { row: fact_record!(row, row.loaded_at).try_into()?, last_event_date })
    });
    rows.collect()
}

pub(crate) async fn newest_publication(
    connection: &mut PgConnection,
    window: DateWindow,
) -> Result<Option<Publication>> {
    let (start, end) = (window.start(), window.end());
    let newest =
        sqlx::query_file_as!(PublicationRecord, "../sql/activity/newest_publication.sql", start, end);
    Ok(newest.fetch_optional(connection).await?.map(Publication::from))
}

/// Which rows the days through `last` have.
async fn rows_version(connection: &mut PgConnection, last: NaiveDate) -> Result<RowsVersion> {
    let version = sqlx::query_file_as!(RowsVersion, "../sql/activity/rows_version.sql", last);
    Ok(version.fetch_one(connection).await?)
}

#[cfg(test)]
mod tests {
    use sqlx::{Connection, Executor};
    use test_postgres::Database;
    use warehouse_conformance::{
        EngineUnderTest,
        scene::{at, company, day, days, export, hold_run, publish_run},
    };

    use super::*;

    #[tokio::test]
    async fn an_older_state_has_nothing_of_a_month_that_was_attached_since() {
        let database = Database::create().await.unwrap();
        PostgresWarehouse::migrate(&database.url()).await.unwrap();
        let warehouse = EngineUnderTest::new(PostgresWarehouse::open(&database.url()).await.unwrap());
        let exports = [(export(day(0), "1"), vec![company("acme", "Acme")])];
        publish_run(&warehouse, days(31, 58), at(1), &exports, &[]).await;
        let run = hold_run(&warehouse, days(0, 30), at(2)).await;
        run.ingest(&[], &[(day(4), vec![("acme", 1, 5)])]).await;
        run.build().await;

        let mut connection = PgConnection::connect(&database.url()).await.unwrap();
        connection.execute("BEGIN ISOLATION LEVEL REPEATABLE READ").await.unwrap();
        assert!(newest_publication(&mut connection, days(0, 58)).await.unwrap().is_some());
        run.publish().await;

        let query = ActivityQuery { company_id: None, window: days(0, 58), after: None, as_of: None };
        let rows = select(&mut connection, &query, None, 100).await.unwrap();
        assert_eq!(rows.len(), 28);
        assert!(rows.iter().all(|row| row.key.activity_date >= day(31)));
        let acme = CompanyId::parse("acme").unwrap();
        let months = roll_ups(&mut connection, &acme, days(0, 58), Period::Month).await.unwrap();
        assert_eq!(
            months.iter().map(|month| (month.period_start, month.days)).collect::<Vec<_>>(),
            [(day(31), 28)]
        );
        let risk = ChurnCursor { last_event_date: None, company_id: acme };
        assert_eq!(
            churn_order(&mut connection, &ChurnQuery::all(day(50), None)).await.unwrap().page(None, 9),
            [risk]
        );
        assert!(
            churn_order(&mut connection, &ChurnQuery::all(day(30), None))
                .await
                .unwrap()
                .page(None, 9)
                .is_empty()
        );

        connection.execute("COMMIT").await.unwrap();
        assert_eq!(select(&mut connection, &query, None, 100).await.unwrap().len(), 59);
        let order = churn_order(&mut connection, &ChurnQuery::all(day(50), None)).await.unwrap();
        assert_eq!(order.page(None, 9)[0].last_event_date, Some(day(4)));
    }
}
