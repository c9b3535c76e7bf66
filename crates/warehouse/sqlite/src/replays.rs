//! Deliveries that wait to be loaded again.

use chrono::{DateTime, Utc};
use sqlx::SqliteConnection;
use warehouse_core::Delivered;

use crate::fault::Result;

/// Answers the requests until `asked_until` to load a delivery again, within the caller's
/// transaction.
pub(crate) async fn answer(
    connection: &mut SqliteConnection,
    delivered: Delivered<'_>,
    asked_until: DateTime<Utc>,
) -> Result<()> {
    match delivered {
        Delivered::Export(path) => {
            sqlx::query_file!("../sql/quarantine/answer_export.sql", path, asked_until)
                .execute(connection)
                .await?
        }
        Delivered::EventFile(path) => {
            sqlx::query_file!("../sql/quarantine/answer_event_file.sql", path, asked_until)
                .execute(connection)
                .await?
        }
        Delivered::Day(day) => {
            sqlx::query_file!("../sql/quarantine/answer_day.sql", day, asked_until)
                .execute(connection)
                .await?
        }
    };
    Ok(())
}
