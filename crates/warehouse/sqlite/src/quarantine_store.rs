//! The quarantine as operators work with it.

use std::collections::BTreeSet;

use async_trait::async_trait;
use chrono::{DateTime, NaiveDate, Utc};
use domain::{
    RejectionKind,
    run::{STAGE_CALL_PRODUCT_API, STAGE_COPY_CRM_CSV, STAGE_COPY_EVENTS},
};
use serde_json::{Value, json};
use sqlx::SqliteConnection;
use warehouse_core::{
    Acceptance, Error, Origin, QuarantineCount, QuarantineCursor, QuarantineFilter, QuarantineGrouping,
    QuarantineReader, QuarantineStore, QuarantinedRow, RequestedReplay,
    engine::{check_expected, counted, stored},
};

use crate::{database::SqliteWarehouse, fault::Result, run_rows::parse_id};

/// A row as it is stored.
#[derive(Debug)]
pub(crate) struct QuarantineRecord {
    pub(crate) run_id: String,
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
            run_id: parse_id(&row.run_id)?,
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

/// A filter as statements take it.
struct Conditions<'a> {
    origins: (String, String),
    line: Option<i64>,
    first_day: Option<NaiveDate>,
    last_day: Option<NaiveDate>,
    kind: Option<&'static str>,
    stage: Option<&'a str>,
    accepted: Option<bool>,
}

impl<'a> From<&'a QuarantineFilter> for Conditions<'a> {
    fn from(filter: &'a QuarantineFilter) -> Self {
        Self {
            origins: Origin::range(filter.origin.as_ref()),
            line: filter.line.map(stored),
            first_day: filter.days.map(|days| days.start()),
            last_day: filter.days.map(|days| days.end()),
            kind: filter.kind.map(RejectionKind::as_str),
            stage: filter.stage.as_deref(),
            accepted: filter.accepted,
        }
    }
}

#[async_trait]
impl QuarantineReader for SqliteWarehouse {
    async fn list_quarantine(
        &self,
        filter: &QuarantineFilter,
        after: Option<&QuarantineCursor>,
        limit: u32,
    ) -> Result<Vec<QuarantinedRow>, Error> {
        let asked = Conditions::from(filter);
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
                limit
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
impl QuarantineStore for SqliteWarehouse {
    async fn accept_quarantined(
        &self,
        filter: &QuarantineFilter,
        acceptance: &Acceptance,
        expected: Option<u64>,
    ) -> Result<u64, Error> {
        let asked = Conditions::from(filter);
        self.write(async |connection| {
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
                acceptance.by,
                acceptance.why
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
            let files = |stage: &str| -> String {
                let files = found.iter().filter(|group| group.stage == stage);
                files.filter_map(|group| group.origin.as_deref()).collect::<Value>().to_string()
            };
            let days = found.iter().filter(|group| group.stage == STAGE_CALL_PRODUCT_API);
            let days: Value =
                days.filter_map(|group| group.business_date).map(|day| day.to_string()).collect();
            let exports = found.iter().filter(|group| group.stage == STAGE_COPY_CRM_CSV);
            let exports: Value = exports.map(|group| json!([group.origin, group.business_date])).collect();
            let exports = sqlx::query_file!("sql/quarantine/replay_exports.sql", exports.to_string(), now);
            let exports = exports.fetch_all(&mut *connection).await?.into_iter();
            let exports: BTreeSet<(String, NaiveDate)> =
                exports.map(|export| (export.path, export.effective_on)).collect();
            let event_files = sqlx::query_file_scalar!(
                "sql/quarantine/replay_event_files.sql",
                files(STAGE_COPY_EVENTS),
                now
            );
            let event_files: BTreeSet<String> =
                event_files.fetch_all(&mut *connection).await?.into_iter().collect();
            let days = sqlx::query_file_scalar!("sql/quarantine/replay_days.sql", days.to_string(), now);
            let days: BTreeSet<NaiveDate> = days.fetch_all(connection).await?.into_iter().collect();
            let requested = found.into_iter().map(|group| {
                let origin = group.origin.unwrap_or_default();
                let was_loaded = match group.stage.as_str() {
                    STAGE_COPY_CRM_CSV => {
                        group.business_date.is_some_and(|on| exports.contains(&(origin.clone(), on)))
                    }
                    STAGE_COPY_EVENTS => event_files.contains(&origin),
                    _ => group.business_date.is_some_and(|day| days.contains(&day)),
                };
                let QuarantineCount { stage, business_date, rows, .. } = group;
                RequestedReplay { stage, origin, business_date, rows, was_loaded }
            });
            Ok(requested.collect())
        })
        .await
    }
}

async fn count(
    connection: &mut SqliteConnection,
    filter: &QuarantineFilter,
    by: QuarantineGrouping,
    limit: i64,
) -> Result<Vec<QuarantineCount>> {
    let asked = Conditions::from(filter);
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
