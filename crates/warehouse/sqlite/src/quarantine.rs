//! Writes the quarantine.

use sqlx::SqliteConnection;

use crate::fault::Result;

/// Sets aside the quarantined rows of a file being loaded again, within the caller's
/// transaction.
pub(crate) async fn set_aside(connection: &mut SqliteConnection, origin: &str) -> Result<()> {
    sqlx::query_file!("sql/quarantine/set_aside.sql", origin).execute(&mut *connection).await?;
    sqlx::query!("DELETE FROM quarantine WHERE origin = $1", origin).execute(connection).await?;
    Ok(())
}

/// Restores the first run and time of set-aside rows that the file still has: loading it
/// again changes nothing.
pub(crate) async fn keep_first_met(connection: &mut SqliteConnection, origin: &str) -> Result<()> {
    sqlx::query_file!("sql/quarantine/keep_first_met.sql", origin).execute(&mut *connection).await?;
    sqlx::query!("DELETE FROM quarantine_before").execute(connection).await?;
    Ok(())
}
