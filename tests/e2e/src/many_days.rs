//! Many companies on many days, for benchmarks of what reads them.

use anyhow::Result;
use domain::DateWindow;
use sqlx::{Connection as _, Executor as _, PgConnection};

/// Publishes days on Postgres by writing what a publish writes, and leaves tables as they are after a vacuum.
///
/// # Errors
/// If the database refuses.
pub async fn publish(url: &str, companies: usize, window: DateWindow) -> Result<()> {
    let mut connection = PgConnection::connect(url).await?;
    sqlx::query("SELECT ensure_month_partitions('fact_company_activity', $1, $2)")
        .bind(window.start())
        .bind(window.end())
        .execute(&mut connection)
        .await?;
    sqlx::query(include_str!("many_days.sql"))
        .bind(i32::try_from(companies)?)
        .bind(window.end())
        .bind(i32::try_from(window.days().count())?)
        .execute(&mut connection)
        .await?;
    connection.execute("VACUUM ANALYZE").await?;
    connection.execute("CHECKPOINT").await?;
    connection.close().await?;
    Ok(())
}

/// The days that end with `end`.
///
/// # Errors
/// If there are none.
pub fn days_until(end: chrono::NaiveDate, days: usize) -> Result<DateWindow> {
    let before = chrono::Days::new(u64::try_from(days)?.saturating_sub(1));
    Ok(DateWindow::new(end.checked_sub_days(before).unwrap_or(end), end)?)
}
