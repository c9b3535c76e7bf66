//! The quarantine while a delivery is loaded.

use chrono::NaiveDate;
use domain::{Rejection, run::STAGE_CALL_PRODUCT_API};
use futures::TryStreamExt;
use sqlx::{Executor, PgConnection};
use warehouse_core::{
    AcceptedWords,
    engine::{Delivery, counted, stored},
};

use crate::{database::storable, fault::Result};

/// Creates the connection's table for the rejected rows of a delivery.
pub(crate) async fn create_incoming(connection: &mut PgConnection) -> Result<()> {
    connection.execute(include_str!("../sql/quarantine/create_incoming.sql")).await?;
    Ok(())
}

/// Adds rejected rows of the delivery.
pub(crate) async fn insert_incoming(
    connection: &mut PgConnection,
    rejected: &mut Vec<Rejection>,
) -> Result<()> {
    if rejected.is_empty() {
        return Ok(());
    }
    let mut lines = Vec::with_capacity(rejected.len());
    let mut kinds = Vec::with_capacity(rejected.len());
    let mut reasons = Vec::with_capacity(rejected.len());
    let mut raws = Vec::with_capacity(rejected.len());
    let mut causes = Vec::with_capacity(rejected.len());
    for Rejection { line, reason, raw, .. } in rejected.drain(..) {
        lines.push(stored(line));
        kinds.push(reason.kind().as_str().to_owned());
        reasons.push(storable(&reason.to_string()).into_owned());
        causes.push(storable(&reason.cause()).into_owned());
        raws.push(storable(&raw).into_owned());
    }
    sqlx::query_file!("sql/quarantine/insert_incoming.sql", &lines, &kinds, &reasons, &raws, &causes)
        .execute(connection)
        .await?;
    Ok(())
}

/// The words of a day's rejected records that somebody has accepted.
pub(crate) async fn accepted_words(connection: &mut PgConnection, day: NaiveDate) -> Result<AcceptedWords> {
    let mut words = AcceptedWords::default();
    let mut accepted = sqlx::query_file!("../sql/quarantine/accepted_words.sql", STAGE_CALL_PRODUCT_API, day)
        .fetch(connection);
    while let Some(row) = accepted.try_next().await? {
        words.add(&row.cause, &row.raw);
    }
    Ok(words)
}

/// Accepts rejected rows again whose words were accepted before. Returns how many of the
/// rows that count towards a limit are accepted. The caller holds the lock of what it
/// loads, which whoever accepts a row takes.
pub(crate) async fn keep_accepted(connection: &mut PgConnection, origin: &str) -> Result<u64> {
    let accepted = sqlx::query_file_scalar!("sql/quarantine/keep_accepted.sql", origin);
    Ok(counted(accepted.fetch_one(connection).await?)?)
}

/// Replaces the quarantine of the delivery's file with the delivery's rejected rows.
pub(crate) async fn replace(connection: &mut PgConnection, delivery: &Delivery<'_>) -> Result<()> {
    let Delivery { origin, fence, business_date, now } = delivery;
    sqlx::query_file!("sql/quarantine/delete_gone.sql", origin).execute(&mut *connection).await?;
    sqlx::query_file!(
        "sql/quarantine/upsert_changed.sql",
        origin,
        fence.run_id,
        fence.stage,
        now,
        *business_date
    )
    .execute(connection)
    .await?;
    Ok(())
}
