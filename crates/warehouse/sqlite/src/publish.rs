//! Publishes candidates within the caller's transaction.

use std::collections::BTreeMap;

use chrono::{DateTime, NaiveDate, Utc};
use domain::{ChecksumVersion, Counters};
use serde_json::json;
use sqlx::SqliteConnection;
use uuid::Uuid;
use warehouse_core::{
    Error, Fence, PublishOutcome,
    engine::{TotalsChanges, counted},
};

use crate::{
    checksum::{self, DayChange},
    fact_index,
    fault::Result,
    history::Publish,
    newest_days, rebuild, totals,
};

/// Checks that the candidates are this run's, and that neither staged nor published
/// data has changed since they were built.
pub(crate) async fn check_build_is_current(connection: &mut SqliteConnection, fence: &Fence) -> Result<()> {
    if has_current_build(connection, fence.run_id).await? {
        return Ok(());
    }
    Err(Error::outdated_candidates(fence.run_id).into())
}

/// Whether the candidates are the run's, built from the present staged and published
/// data.
pub(crate) async fn has_current_build(connection: &mut SqliteConnection, run_id: Uuid) -> Result<bool> {
    let is_current = sqlx::query_file_scalar!("../sql/fact/has_current_build.sql", run_id.hyphenated());
    Ok(is_current.fetch_one(connection).await?)
}

/// Turns the candidates into published data.
pub(crate) async fn publish(
    connection: &mut SqliteConnection,
    fence: &Fence,
    now: DateTime<Utc>,
) -> Result<PublishOutcome> {
    let run_id = fence.run_id.hyphenated();
    let publish = Publish::at(connection, run_id, now).await?;
    let now = publish.at;
    let counts = sqlx::query_file!("sql/fact/count_candidates.sql").fetch_one(&mut *connection).await?;
    let rebuilt = rebuild::begin(connection).await?;
    let mut changes = checksum::changes_of_publish(&mut *connection).await?;
    if counts.leaving > 0 {
        publish.keep_replaced_rows(connection).await?;
    }
    let gone = sqlx::query_file!("sql/fact/delete_gone.sql").execute(&mut *connection).await?;
    let changed = write_changed(connection, now, changes.values().map(|day| day.rows).sum()).await?;
    let by = changes.iter().map(|(day, change)| (*day, change.totals)).collect();
    let whole = rebuild::end(connection, &rebuilt, &mut changes).await?;
    let totals = TotalsChanges { by, whole }.after(&totals::before(connection).await?);
    newest_days::before_publish(connection).await?;
    let version = ChecksumVersion::WRITTEN.to_stored();
    let recorded = sqlx::query_file!("sql/fact/record_days.sql", run_id, now, to_json(&changes), version);
    recorded.execute(&mut *connection).await?;
    totals::keep(connection, &totals).await?;
    newest_days::after_publish(connection, now).await?;
    publish.log(connection).await?;
    for statement in [
        "DELETE FROM dirty_company_days WHERE change_id <= (SELECT last_dirty_change FROM fact_build)",
        "UPDATE warehouse_versions SET publish = publish + 1",
        "DELETE FROM fact_build",
        "DELETE FROM fact_build_days",
        "DELETE FROM fact_candidates",
    ] {
        sqlx::query(statement).execute(&mut *connection).await?;
    }
    Ok(PublishOutcome {
        counters: Counters {
            rows_read: counted(counts.candidates)?,
            rows_written: changed,
            rows_unchanged: counted(counts.equal)?,
            rows_removed: gone.rows_affected(),
            ..Counters::default()
        },
        new_days: counted(counts.new_days)?,
    })
}

/// Writes the rows whose values change; returns their number. `growth` is how many more rows
/// the fact then has.
///
/// An index is written in its own order, and not in that of the rows, so each row costs as
/// much again as the row itself. Rows that outnumber what is there are written without any,
/// and the indexes made anew, which sorts them once.
async fn write_changed(connection: &mut SqliteConnection, now: DateTime<Utc>, growth: i64) -> Result<u64> {
    let published = sqlx::query_scalar!(r#"SELECT SUM(row_count) AS "rows: i64" FROM published_days"#);
    let published = published.fetch_one(&mut *connection).await?.unwrap_or_default();
    let indexes = if growth > published { fact_index::drop_all(connection).await? } else { Vec::new() };
    let changed = sqlx::query_file!("sql/fact/publish_changed.sql", now).execute(&mut *connection).await?;
    fact_index::create(connection, indexes).await?;
    Ok(changed.rows_affected())
}

/// The changes as `record_days.sql` reads them.
fn to_json(changes: &BTreeMap<NaiveDate, DayChange>) -> String {
    let changes = changes.iter().map(|(day, change)| (day, (change.rows, change.checksum.to_stored())));
    json!(changes.collect::<BTreeMap<_, _>>()).to_string()
}
