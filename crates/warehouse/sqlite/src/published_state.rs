//! What is published of days, now and as earlier publishes left it.

use chrono::{DateTime, NaiveDate, Utc};
use domain::DateWindow;
use sqlx::SqliteConnection;
use uuid::Uuid;
use warehouse_core::{
    PublishedState,
    engine::{PublishOnRecord, StateRecord},
    publication_record,
};

use crate::fault::Result;

/// Which state to read: `None` for the present one, else as it was at that time.
pub(crate) type At = Option<DateTime<Utc>>;

/// When the days were as `as_of` left them.
pub(crate) async fn time_of(
    connection: &mut SqliteConnection,
    as_of: Option<Uuid>,
    (first, last): (NaiveDate, NaiveDate),
) -> Result<At> {
    let Some(run_id) = as_of else { return Ok(None) };
    let publish = sqlx::query_file_as!(
        PublishOnRecord,
        "../sql/activity/publish_on_record.sql",
        run_id.hyphenated(),
        first,
        last
    );
    Ok(Some(publish.fetch_one(connection).await?.time_of(run_id)?))
}

/// What is published of a window.
pub(crate) async fn published_state(
    connection: &mut SqliteConnection,
    window: DateWindow,
    at: At,
) -> Result<PublishedState> {
    let (first, last) = (window.start(), window.end());
    let Some(at) = at else {
        let days = sqlx::query_file!("../sql/activity/published_state.sql", first, last);
        let days = days.fetch_all(connection).await?.into_iter();
        return Ok(days
            .map(|day| StateRecord { publication: publication_record!(day), left_by: day.left_by })
            .collect());
    };
    let days = sqlx::query_file!("../sql/activity/past_state.sql", first, last, at);
    let days = days.fetch_all(connection).await?.into_iter();
    Ok(days.map(|day| StateRecord { publication: publication_record!(day), left_by: day.left_by }).collect())
}

/// The newest day that was published when `as_of` had published.
pub(crate) async fn newest_day(connection: &mut SqliteConnection, as_of: Uuid) -> Result<Option<NaiveDate>> {
    let ever = (
        NaiveDate::from_yo_opt(1, 1).unwrap_or_default(),
        NaiveDate::from_yo_opt(9999, 1).unwrap_or_default(),
    );
    let at = time_of(connection, Some(as_of), ever).await?;
    Ok(sqlx::query_file_scalar!("../sql/activity/newest_day_as_of.sql", at)
        .fetch_optional(connection)
        .await?)
}
