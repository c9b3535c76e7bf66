//! Reads published data at a glance.

use async_trait::async_trait;
use chrono::{DateTime, Days, NaiveDate, Utc};
use domain::{DateWindow, FactKey, FactRow};
use serde_json::json;
use sqlx::SqliteConnection;
use warehouse_core::{
    ChurnSummary, CompanyPage, CompanySearch, DayHistory, DayPublication, Error, OverviewReader,
    PublishedDay,
    engine::{ChurnGroupRecord, CompanyPosition, FactRecord, LoggedRecord},
    publication_record, stored_totals,
};

use crate::{
    activity::published_row, database::SqliteWarehouse, fault::Result, published_state::published_state,
};

#[async_trait]
impl OverviewReader for SqliteWarehouse {
    async fn search_companies(&self, search: &CompanySearch, limit: u32) -> Result<CompanyPage, Error> {
        self.read(async |connection| {
            let rows = found(connection, search, limit).await?;
            let most = usize::try_from(limit).unwrap_or(usize::MAX);
            let state = published_state(connection, DateWindow::day(search.day), None).await?;
            let total = match search.after {
                // The ledger knows.
                None if search.is_for_all() => Some(state.newest().map_or(0, |day| day.row_count)),
                // There are no others.
                None if rows.len() < most => i64::try_from(rows.len()).ok(),
                None => Some(total(connection, search).await?),
                Some(_) => None,
            };
            Ok(CompanyPage { rows, total, state })
        })
        .await
    }

    async fn churn_summary(&self, day: NaiveDate) -> Result<Option<ChurnSummary>, Error> {
        self.read(async |connection| {
            let before = day_before(day);
            let window = DateWindow::day(day).reaching_back(1);
            let state = published_state(connection, window, None).await?;
            let entry = |day| state.publications.iter().find(|entry| entry.activity_date == day);
            let Some(publication) = entry(day) else { return Ok(None) };
            if let Some(summary) = self.churn_summaries.get(publication, state.rows) {
                return Ok(Some(summary));
            }
            let is_previous_day_published = before < day && entry(before).is_some();
            let groups = sqlx::query_file_as!(ChurnGroupRecord, "sql/activity/churn_groups.sql", day, before);
            let groups = groups.fetch_all(connection).await?;
            let summary = ChurnSummary::of(publication.clone(), is_previous_day_published, groups);
            self.churn_summaries.keep(state.rows, &summary);
            Ok(Some(summary))
        })
        .await
    }

    async fn days_with_totals(&self, window: DateWindow) -> Result<Vec<PublishedDay>, Error> {
        let (start, end) = (window.start(), window.end());
        self.once(async |connection| {
            let days = sqlx::query_file!("../sql/activity/days_with_totals.sql", start, end);
            let days = days.fetch_all(connection).await?.into_iter();
            Ok(days
                .map(|day| PublishedDay {
                    totals: stored_totals!(day).into_totals(),
                    publication: publication_record!(day).into(),
                })
                .collect())
        })
        .await
    }

    async fn publications_of_day(
        &self,
        day: NaiveDate,
        before: Option<DateTime<Utc>>,
        limit: u32,
    ) -> Result<DayHistory, Error> {
        // Later than every publish.
        let before = before.or(DateTime::from_timestamp(253_402_214_400, 0));
        let most = i64::from(limit);
        self.read(async |connection| {
            let entries = sqlx::query_file_as!(
                LoggedRecord,
                "../sql/activity/publications_of_day.sql",
                day,
                before,
                most
            );
            let entries = entries.fetch_all(&mut *connection).await?;
            let history_since = sqlx::query_scalar!(
                r#"SELECT history_since AS "history_since: DateTime<Utc>" FROM warehouse_versions"#
            )
            .fetch_one(connection)
            .await?;
            Ok(DayHistory { entries: entries.into_iter().map(DayPublication::from).collect(), history_since })
        })
        .await
    }
}

/// The day before; a day without one is its own.
pub(crate) fn day_before(day: NaiveDate) -> NaiveDate {
    day.checked_sub_days(Days::new(1)).unwrap_or(day)
}

/// Whether a day is published.
pub(crate) async fn is_published(connection: &mut SqliteConnection, day: NaiveDate) -> Result<bool> {
    Ok(sqlx::query_file_scalar!("../sql/activity/is_published.sql", day).fetch_one(connection).await?)
}

/// Up to `limit` companies.
async fn found(
    connection: &mut SqliteConnection,
    search: &CompanySearch,
    limit: u32,
) -> Result<Vec<FactRow>> {
    let words = json!(search.lower_words()).to_string();
    let (country, industry) = (&search.traits.country, &search.traits.industry_tag);
    let most = i64::from(limit);
    let records = if search.is_in_order_of_rows() {
        // Sorts before every row: no company identifier is empty.
        let after = search.after.as_ref().map(ToString::to_string).unwrap_or_default();
        sqlx::query_file_as!(
            FactRecord,
            "sql/activity/companies_by_id.sql",
            search.day,
            words,
            country,
            industry,
            search.only_churn_risks,
            after,
            most
        )
        .fetch_all(connection)
        .await?
    } else {
        let CompanyPosition { is_missing, text, number, company_id } = start(connection, search).await?;
        sqlx::query_file_as!(
            FactRecord,
            "sql/activity/companies_by_value.sql",
            search.day,
            words,
            country,
            industry,
            search.only_churn_risks,
            company_id,
            most,
            search.order.as_stored(),
            search.descending,
            is_missing,
            text,
            number
        )
        .fetch_all(connection)
        .await?
    };
    records.into_iter().map(|record| Ok(record.try_into()?)).collect()
}

/// Where a page starts. Without the row that it starts after, the rows have changed, and whoever
/// asked finds that out by their version.
async fn start(connection: &mut SqliteConnection, search: &CompanySearch) -> Result<CompanyPosition> {
    let Some(company_id) = search.after.clone() else { return Ok(CompanyPosition::default()) };
    let key = FactKey { company_id, activity_date: search.day };
    let last = published_row(connection, &key).await?;
    Ok(last.map(|row| search.position_of(&row)).unwrap_or_default())
}

async fn total(connection: &mut SqliteConnection, search: &CompanySearch) -> Result<i64> {
    let words = json!(search.lower_words()).to_string();
    let total = sqlx::query_file_scalar!(
        "sql/activity/count_companies.sql",
        search.day,
        words,
        search.traits.country,
        search.traits.industry_tag,
        search.only_churn_risks
    );
    Ok(total.fetch_one(connection).await?)
}
