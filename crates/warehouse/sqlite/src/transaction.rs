//! The transactions that write.

use sqlx::{SqliteConnection, SqlitePool};

use crate::fault::Result;

/// Runs `work` in one transaction of the writer.
pub(crate) async fn write<T>(
    writer: &SqlitePool,
    work: impl AsyncFnOnce(&mut SqliteConnection) -> Result<T>,
) -> Result<T> {
    let mut transaction = writer.begin_with("BEGIN IMMEDIATE").await?;
    let done = work(&mut transaction).await?;
    transaction.commit().await?;
    Ok(done)
}
