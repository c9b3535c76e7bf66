//! The quarantine while a delivery is loaded.

use chrono::NaiveDate;
use domain::run::STAGE_CALL_PRODUCT_API;
use futures::TryStreamExt;
use sqlx::SqliteConnection;
use warehouse_core::{AcceptedWords, engine::counted};

use crate::fault::Result;

/// Sets aside the quarantined rows of a file being loaded again, within the caller's
/// transaction.
pub(crate) async fn set_aside(connection: &mut SqliteConnection, origin: &str) -> Result<()> {
    sqlx::query_file!("sql/quarantine/set_aside.sql", origin).execute(&mut *connection).await?;
    sqlx::query!("DELETE FROM quarantine WHERE origin = $1", origin).execute(connection).await?;
    Ok(())
}

/// The words of a day's rejected records that somebody has accepted.
pub(crate) async fn accepted_words(
    connection: &mut SqliteConnection,
    day: NaiveDate,
) -> Result<AcceptedWords> {
    let mut words = AcceptedWords::default();
    let mut accepted = sqlx::query_file!("../sql/quarantine/accepted_words.sql", STAGE_CALL_PRODUCT_API, day)
        .fetch(connection);
    while let Some(row) = accepted.try_next().await? {
        words.add(&row.cause, &row.raw);
    }
    Ok(words)
}

/// Accepts rejected rows again whose words were accepted before. Returns how many of the
/// rows that count towards a limit are accepted.
pub(crate) async fn keep_accepted(connection: &mut SqliteConnection, origin: &str) -> Result<u64> {
    let kept =
        sqlx::query_file!("sql/quarantine/keep_accepted.sql", origin).execute(&mut *connection).await?;
    if kept.rows_affected() == 0 {
        return Ok(0);
    }
    let accepted = sqlx::query_file_scalar!("sql/quarantine/count_accepted.sql", origin);
    Ok(counted(accepted.fetch_one(connection).await?)?)
}

/// Restores the first run and time of set-aside rows that the file still has: loading it
/// again changes nothing.
pub(crate) async fn keep_first_met(connection: &mut SqliteConnection, origin: &str) -> Result<()> {
    sqlx::query_file!("sql/quarantine/keep_first_met.sql", origin).execute(&mut *connection).await?;
    sqlx::query!("DELETE FROM quarantine_before").execute(connection).await?;
    Ok(())
}
