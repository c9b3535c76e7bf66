//! What is held of a day, to compare with its source.

use async_trait::async_trait;
use chrono::NaiveDate;
use domain::{CompanyId, DateWindow, UsageNumbers};
use warehouse_core::{Error, HeldDay, HeldUsage, ReconciliationReader, engine::corrupt};

use crate::{database::SqliteWarehouse, usage::days};

#[async_trait]
impl ReconciliationReader for SqliteWarehouse {
    async fn held_day(&self, day: NaiveDate) -> Result<HeldDay, Error> {
        self.read(async |connection| {
            let publication =
                sqlx::query_scalar!("SELECT row_count FROM published_days WHERE activity_date = $1", day);
            let is_published = publication.fetch_optional(&mut *connection).await?.is_some();
            let fetched = days(connection, DateWindow::day(day)).await?.pop();
            let found = sqlx::query_file!("../sql/usage/held.sql", day).fetch_all(connection).await?;
            let companies = found.into_iter().map(|row| {
                Ok(HeldUsage {
                    company_id: CompanyId::from_stored(row.company_id).map_err(corrupt)?,
                    published: numbers(row.published_users, row.published_events),
                    staged: numbers(row.staged_users, row.staged_events),
                    waits: row.waits,
                })
            });
            Ok(HeldDay { is_published, fetched, companies: companies.collect::<Result<_, Error>>()? })
        })
        .await
    }
}

fn numbers(active_users: Option<i32>, events: Option<i64>) -> Option<UsageNumbers> {
    Some(UsageNumbers { active_users: active_users?, events: events? })
}
