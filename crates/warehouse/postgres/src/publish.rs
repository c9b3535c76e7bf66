//! Publishes candidates within the caller's transaction.

use chrono::{DateTime, NaiveDate, Utc};
use domain::{ChecksumVersion, Counters};
use sqlx::{Executor, PgConnection};
use uuid::Uuid;
use warehouse_core::{
    Error, Fence, PublishOutcome,
    engine::{counted, publish_time, stored},
};

use crate::{
    candidate_months,
    fault::Result,
    rebuild,
    tally::{LedgerChanges, Tally},
    totals,
};

/// Blocks changes to staged and published data by loads and publishes until the
/// caller's transaction ends.
pub(crate) async fn lock_versions(connection: &mut PgConnection) -> Result<()> {
    sqlx::query!("SELECT id FROM warehouse_versions FOR UPDATE").fetch_one(connection).await?;
    Ok(())
}

/// Checks that the candidates are this run's, and that neither staged nor published
/// data has changed since they were built.
pub(crate) async fn check_build_is_current(connection: &mut PgConnection, fence: &Fence) -> Result<()> {
    if has_current_build(connection, fence.run_id).await? {
        return Ok(());
    }
    Err(Error::outdated_candidates(fence.run_id).into())
}

/// Whether the candidates are the run's, built from the present staged and published
/// data.
pub(crate) async fn has_current_build(connection: &mut PgConnection, run_id: Uuid) -> Result<bool> {
    Ok(sqlx::query_file_scalar!("../sql/fact/has_current_build.sql", run_id).fetch_one(connection).await?)
}

/// The time of a publish at `now`: later than any before. Call it under
/// [`lock_versions`].
pub(crate) async fn time_of_publish(
    connection: &mut PgConnection,
    now: DateTime<Utc>,
) -> Result<DateTime<Utc>> {
    let newest = sqlx::query_file_scalar!("../sql/fact/newest_publish.sql").fetch_one(connection).await?;
    Ok(publish_time(now, newest))
}

/// Turns the candidates into published data.
pub(crate) async fn publish(
    connection: &mut PgConnection,
    fence: &Fence,
    now: DateTime<Utc>,
) -> Result<PublishOutcome> {
    let now = time_of_publish(connection, now).await?;
    let bounds = sqlx::query_file!("sql/fact/build_bounds.sql").fetch_one(&mut *connection).await?;
    let mut counters = Counters::default();
    if let (Some(first), Some(last)) = (bounds.first_day, bounds.last_day) {
        let rebuilt = rebuild::begin(connection).await?;
        let tally = Tally::of(connection, first, last).await?;
        if tally.changed_rows() + tally.gone_rows() > 0 {
            sqlx::query!("SELECT keep_replaced_rows($1, $2, $3, $4)", fence.run_id, now, first, last)
                .execute(&mut *connection)
                .await?;
        }
        (counters.rows_written, counters.rows_removed) =
            write_rows(connection, &tally, (first, last), bounds.new_days, now).await?;
        counters.rows_unchanged = counted(tally.equal_rows())?;
        counters.rows_read = counted(tally.new_rows() + tally.changed_rows() + tally.equal_rows())?;
        let mut changes = tally.ledger_changes();
        let mut totals_changes = tally.totals_changes();
        totals_changes.whole = rebuild::end(connection, &rebuilt, &mut changes).await?;
        let totals = totals_changes.after(&totals::before(connection).await?);
        let LedgerChanges { days, rows, checksums } = changes;
        let version = ChecksumVersion::WRITTEN.to_stored();
        sqlx::query_file!("sql/fact/record_days.sql", fence.run_id, now, &days, &rows, &checksums, version)
            .execute(&mut *connection)
            .await?;
        totals::keep(connection, &totals).await?;
    }
    sqlx::query!("SELECT log_publish($1, $2)", fence.run_id, now).execute(&mut *connection).await?;
    for statement in [
        "DELETE FROM dirty_company_days WHERE change_id <= (SELECT last_dirty_change FROM fact_build)",
        "UPDATE warehouse_versions SET publish = publish + 1",
        "DELETE FROM fact_build",
    ] {
        sqlx::query(statement).execute(&mut *connection).await?;
    }
    candidate_months::discard(connection).await?;
    Ok(PublishOutcome { counters, new_days: counted(bounds.new_days)? })
}

/// Writes the changed rows. Returns how many were written and removed.
async fn write_rows(
    connection: &mut PgConnection,
    tally: &Tally,
    (first_day, last_day): (NaiveDate, NaiveDate),
    new_days: i64,
    now: DateTime<Utc>,
) -> Result<(u64, u64)> {
    let (mut written, mut removed, mut has_new_month) = (0, 0, false);
    if tally.new_rows() > 0 {
        // Rows, and the indexes of a whole month, are sorted in memory if they fit.
        connection.execute("SET LOCAL work_mem = '128MB'; SET LOCAL maintenance_work_mem = '256MB'").await?;
        let months = publish_months(connection, &mut written, now).await?;
        has_new_month = !months.is_empty();
        if written < counted(tally.new_rows())? {
            let others = sqlx::query_file!("sql/fact/publish_new.sql", now, &months);
            written += others.execute(&mut *connection).await?.rows_affected();
        }
    }
    if tally.gone_rows() > 0 {
        let gone = sqlx::query_file!("sql/fact/delete_gone.sql", first_day, last_day);
        removed = gone.execute(&mut *connection).await?.rows_affected();
    }
    if tally.changed_rows() > 0 {
        let changed = sqlx::query_scalar!(r#"SELECT publish_changed_rows($1) AS "rows!""#, now);
        written += counted(changed.fetch_one(&mut *connection).await?)?;
    }
    // Autovacuum comes soon enough for a day that joins its month, whose second day would
    // otherwise take a third longer to publish than any other. Months that the build
    // completed are known to the planner.
    if has_new_month || new_days != 1 {
        let unknown = stored(written) - tally.counted_rows();
        sqlx::query_file!("sql/fact/analyze_grown.sql", first_day, last_day, unknown)
            .execute(connection)
            .await?;
    }
    Ok((written, removed))
}

/// Publishes the candidates of new months, each month whole, and adds their number to
/// `written`. Returns the months. Afterwards candidates are only what is published row by
/// row.
async fn publish_months(
    connection: &mut PgConnection,
    written: &mut u64,
    now: DateTime<Utc>,
) -> Result<Vec<NaiveDate>> {
    let months = sqlx::query_scalar!(r#"SELECT month AS "month!" FROM new_months()"#);
    let months = months.fetch_all(&mut *connection).await?;
    for month in &months {
        let rows = sqlx::query_scalar!(r#"SELECT publish_new_month($1, $2) AS "rows!""#, month, now);
        *written += counted(rows.fetch_one(&mut *connection).await?)?;
    }
    Ok(months)
}
