//! The quarantine as operators work with it.

use async_trait::async_trait;
use chrono::{DateTime, NaiveDate, Utc};
use domain::RejectionKind;
use sqlx::PgConnection;
use uuid::Uuid;
use warehouse_core::{
    Acceptance, Error, QuarantineCount, QuarantineCursor, QuarantineFilter, QuarantineGrouping,
    QuarantineReader, QuarantineStore, QuarantinedRow, RequestedReplay,
    engine::{Deliveries, QuarantineConditions, check_expected, counted, stored},
};

use crate::{
    database::{PostgresWarehouse, storable},
    fault::Result,
    locks::Lock,
};

/// A row as it is stored.
#[derive(Debug)]
pub(crate) struct QuarantineRecord {
    pub(crate) run_id: Uuid,
    pub(crate) stage: String,
    pub(crate) origin: String,
    pub(crate) line: i64,
    pub(crate) kind: String,
    pub(crate) reason: String,
    pub(crate) raw: String,
    pub(crate) business_date: Option<NaiveDate>,
    pub(crate) quarantined_at: DateTime<Utc>,
    pub(crate) accepted_at: Option<DateTime<Utc>>,
    pub(crate) accepted_by: Option<String>,
    pub(crate) accepted_why: Option<String>,
}

impl TryFrom<QuarantineRecord> for QuarantinedRow {
    type Error = Error;

    fn try_from(row: QuarantineRecord) -> Result<Self, Error> {
        let (by, why) = (row.accepted_by.unwrap_or_default(), row.accepted_why.unwrap_or_default());
        Ok(Self {
            run_id: row.run_id,
            stage: row.stage,
            origin: row.origin,
            line: counted(row.line)?,
            kind: RejectionKind::of_stored(&row.kind),
            reason: row.reason,
            raw: row.raw,
            business_date: row.business_date,
            quarantined_at: row.quarantined_at,
            accepted: row.accepted_at.map(|at| Acceptance { at, by, why }),
        })
    }
}

#[async_trait]
impl QuarantineReader for PostgresWarehouse {
    async fn list_quarantine(
        &self,
        filter: &QuarantineFilter,
        after: Option<&QuarantineCursor>,
        limit: u32,
    ) -> Result<Vec<QuarantinedRow>, Error> {
        let asked = QuarantineConditions::from(filter);
        let (origin, line) = after.map_or(("", 0), |row| (row.origin.as_str(), stored(row.line)));
        self.once(async |connection| {
            let rows = sqlx::query_file_as!(
                QuarantineRecord,
                "sql/quarantine/list.sql",
                asked.origins.0,
                asked.origins.1,
                asked.line,
                asked.first_day,
                asked.last_day,
                asked.kind,
                asked.stage,
                asked.accepted,
                origin,
                line,
                i64::from(limit)
            );
            let rows = rows.fetch_all(connection).await?;
            Ok(rows.into_iter().map(QuarantinedRow::try_from).collect::<Result<_, _>>()?)
        })
        .await
    }

    async fn count_quarantine(
        &self,
        filter: &QuarantineFilter,
        by: QuarantineGrouping,
        limit: u32,
    ) -> Result<Vec<QuarantineCount>, Error> {
        self.once(async |connection| count(connection, filter, by, limit.into()).await).await
    }

    async fn count_open_quarantine(&self) -> Result<Vec<QuarantineCount>, Error> {
        self.once(async |connection| {
            let groups = sqlx::query_file!("../sql/quarantine/count_open.sql").fetch_all(connection).await?;
            let groups = groups.into_iter().map(|group| {
                Ok(QuarantineCount {
                    stage: group.stage,
                    kind: Some(RejectionKind::of_stored(&group.kind)),
                    origin: None,
                    business_date: None,
                    rows: counted(group.rows)?,
                })
            });
            groups.collect()
        })
        .await
    }
}

#[async_trait]
impl QuarantineStore for PostgresWarehouse {
    async fn accept_quarantined(
        &self,
        filter: &QuarantineFilter,
        acceptance: &Acceptance,
        expected: Option<u64>,
    ) -> Result<u64, Error> {
        let asked = QuarantineConditions::from(filter);
        let (by, why) = (storable(&acceptance.by), storable(&acceptance.why));
        self.write(async |connection| {
            // A load under way would not see the acceptance. In the order of maintenance.
            for lock in [Lock::Usage, Lock::Events, Lock::Crm] {
                lock.take(connection).await?;
            }
            let accepted = sqlx::query_file!(
                "sql/quarantine/accept.sql",
                asked.origins.0,
                asked.origins.1,
                asked.line,
                asked.first_day,
                asked.last_day,
                asked.kind,
                asked.stage,
                asked.accepted,
                acceptance.at,
                by.as_ref(),
                why.as_ref()
            );
            Ok(check_expected(accepted.execute(connection).await?.rows_affected(), expected)?)
        })
        .await
    }

    async fn request_replay(
        &self,
        filter: &QuarantineFilter,
        now: DateTime<Utc>,
    ) -> Result<Vec<RequestedReplay>, Error> {
        self.write(async |connection| {
            let found = count(connection, filter, QuarantineGrouping::Origin, i64::MAX).await?;
            let Deliveries { exports, event_files, days } = Deliveries::of(&found);
            let (paths, on): (Vec<String>, Vec<NaiveDate>) = exports.into_iter().unzip();
            let exports = sqlx::query_file!("sql/quarantine/replay_exports.sql", &paths, &on, now);
            let exports = exports.fetch_all(&mut *connection).await?.into_iter();
            let event_files: Vec<String> = event_files.into_iter().collect();
            let event_files =
                sqlx::query_file_scalar!("sql/quarantine/replay_event_files.sql", &event_files, now);
            let days: Vec<NaiveDate> = days.into_iter().collect();
            let days = sqlx::query_file_scalar!("sql/quarantine/replay_days.sql", &days, now);
            let marked = Deliveries {
                exports: exports.map(|export| (export.path, export.effective_on)).collect(),
                event_files: event_files.fetch_all(&mut *connection).await?.into_iter().collect(),
                days: days.fetch_all(connection).await?.into_iter().collect(),
            };
            Ok(marked.requested(found))
        })
        .await
    }
}

async fn count(
    connection: &mut PgConnection,
    filter: &QuarantineFilter,
    by: QuarantineGrouping,
    limit: i64,
) -> Result<Vec<QuarantineCount>> {
    let asked = QuarantineConditions::from(filter);
    let groups = sqlx::query_file!(
        "sql/quarantine/count.sql",
        asked.origins.0,
        asked.origins.1,
        asked.line,
        asked.first_day,
        asked.last_day,
        asked.kind,
        asked.stage,
        asked.accepted,
        by == QuarantineGrouping::Kind,
        by == QuarantineGrouping::Origin,
        by != QuarantineGrouping::Kind,
        limit
    );
    let groups = groups.fetch_all(connection).await?.into_iter().map(|group| {
        Ok(QuarantineCount {
            stage: group.stage,
            kind: group.kind.as_deref().map(RejectionKind::of_stored),
            origin: group.origin,
            business_date: group.business_date,
            rows: counted(group.rows)?,
        })
    });
    groups.collect()
}
