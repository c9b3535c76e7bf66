//! The rows of the newest published days, kept side by side for whoever reads many of a day.

use chrono::{DateTime, Utc};
use domain::ChecksumVersion;
use sqlx::SqliteConnection;

use crate::{checksum, fault::Result};

/// Forgets days of which the ledger has other rows: a program that does not know the newest days
/// has published them.
async fn forget_unknown(connection: &mut SqliteConnection) -> Result<()> {
    sqlx::query!(
        "DELETE FROM newest_days WHERE activity_date NOT IN (SELECT activity_date FROM known_newest_days)"
    )
    .execute(connection)
    .await?;
    Ok(())
}

/// Forgets days that are no longer the newest.
async fn forget_older(connection: &mut SqliteConnection) -> Result<()> {
    sqlx::query!(
        "DELETE FROM newest_days WHERE activity_date NOT IN (SELECT activity_date FROM two_newest_days)"
    )
    .execute(connection)
    .await?;
    Ok(())
}

/// Forgets the days that the candidates do not tell the changes of. Call it before a publish changes
/// the ledger.
pub(crate) async fn before_publish(connection: &mut SqliteConnection) -> Result<()> {
    forget_unknown(&mut *connection).await?;
    // Their rows may differ from what the ledger says, and nobody knows by what.
    sqlx::query!(
        "DELETE FROM newest_days
         WHERE activity_date IN (SELECT activity_date FROM fact_build_days WHERE is_rebuilt)"
    )
    .execute(connection)
    .await?;
    Ok(())
}

/// Has the newest days follow the publish of the candidates at `now`. Call it when the ledger and the
/// fact have them.
pub(crate) async fn after_publish(connection: &mut SqliteConnection, now: DateTime<Utc>) -> Result<()> {
    forget_older(&mut *connection).await?;
    sqlx::query_file!("sql/newest_days/enter_published.sql").execute(&mut *connection).await?;
    sqlx::query_file!("sql/newest_days/delete_gone.sql").execute(&mut *connection).await?;
    sqlx::query_file!("sql/newest_days/copy_changed.sql", now).execute(&mut *connection).await?;
    copy_missing(connection).await
}

/// Has the rows of the newest days as the ledger has them, whoever published them.
pub(crate) async fn catch_up(connection: &mut SqliteConnection) -> Result<()> {
    forget_unknown(&mut *connection).await?;
    forget_older(&mut *connection).await?;
    copy_missing(connection).await
}

/// Copies those newest days from the fact that nobody has kept.
async fn copy_missing(connection: &mut SqliteConnection) -> Result<()> {
    for missing in sqlx::query_file!("sql/newest_days/missing.sql").fetch_all(&mut *connection).await? {
        // What a newer release wrote is for it to copy.
        if ChecksumVersion::from_stored(missing.version).is_err() {
            continue;
        }
        // Other rows than the ledger's would count as the day's even after they are mended.
        let found = checksum::of_day(&mut *connection, missing.day, missing.version).await?;
        if (found.rows, Some(found.checksum.to_stored())) != (missing.rows, missing.checksum) {
            continue;
        }
        sqlx::query_file!("sql/newest_days/enter.sql", missing.day).execute(&mut *connection).await?;
        sqlx::query_file!("sql/newest_days/copy_day.sql", missing.day).execute(&mut *connection).await?;
    }
    Ok(())
}
