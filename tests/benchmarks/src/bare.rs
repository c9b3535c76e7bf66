//! The baseline: the same rows into tables with the shape and the primary key,
//! and nothing else. No fence, no comparison, no dirty set, no audit, no
//! ledger.

use std::{path::Path, time::Duration};

use anyhow::{Context as _, Result};
use chrono::NaiveDate;
use test_postgres::Database;

use crate::server::{BARE_SETTINGS, psql};

/// A table to copy into.
pub(crate) enum CopyInto {
    Crm,
    /// With the two keys that a history needs: of its versions, and of the companies' names.
    CrmKeys,
    Usage,
}

impl CopyInto {
    fn name(&self) -> &'static str {
        match self {
            Self::Crm => "bare_crm",
            Self::CrmKeys => "bare_crm_keys",
            Self::Usage => "bare_usage",
        }
    }

    fn create(&self) -> &'static str {
        match self {
            Self::Crm => {
                "CREATE TABLE bare_crm (company_id TEXT COLLATE \"C\" PRIMARY KEY, name TEXT, country TEXT, \
                 industry_tag TEXT, last_contact_at TIMESTAMPTZ);"
            }
            Self::CrmKeys => {
                "CREATE TABLE bare_crm_keys (company_id TEXT COLLATE \"C\" UNIQUE, name TEXT, country TEXT, \
                 industry_tag TEXT, last_contact_at TIMESTAMPTZ, effective_from DATE DEFAULT CURRENT_DATE, \
                 PRIMARY KEY (company_id, effective_from));"
            }
            Self::Usage => {
                "CREATE TABLE bare_usage (company_id TEXT COLLATE \"C\" NOT NULL, date DATE NOT NULL, \
                 active_users INTEGER NOT NULL, events BIGINT NOT NULL, PRIMARY KEY (company_id, date));"
            }
        }
    }

    /// The columns that a file has, unless it has all.
    fn columns(&self) -> &'static str {
        match self {
            Self::CrmKeys => " (company_id, name, country, industry_tag, last_contact_at)",
            Self::Crm | Self::Usage => "",
        }
    }

    /// Creates the table, empty.
    pub(crate) async fn recreate(&self, database: &Database) -> Result<()> {
        let script = format!(
            "SET client_min_messages = error; DROP TABLE IF EXISTS {};\n{}\n",
            self.name(),
            self.create()
        );
        psql(database, &script).await.map(|_| ())
    }

    /// `\copy` of a file with a header.
    pub(crate) async fn copy(&self, database: &Database, file: &Path) -> Result<Duration> {
        timed(
            database,
            &format!(
                "\\copy {}{} FROM '{}' WITH (FORMAT csv, HEADER)",
                self.name(),
                self.columns(),
                file.display()
            ),
        )
        .await
    }
}

/// Tables for the fact: one as plain as possible, and one with the engine's monthly partitions.
#[derive(Debug, Clone, Copy)]
pub(crate) enum BareFact {
    Plain,
    Partitioned,
}

impl BareFact {
    fn name(self) -> &'static str {
        match self {
            Self::Plain => "bare_fact",
            Self::Partitioned => "bare_fact_by_month",
        }
    }

    /// Creates the table with everything published so far.
    pub(crate) async fn create(self, database: &Database, last_day: NaiveDate) -> Result<()> {
        let name = self.name();
        let partitions = match self {
            Self::Plain => String::new(),
            Self::Partitioned => format!(
                "SELECT format(
                   'CREATE TABLE %I PARTITION OF {name} FOR VALUES FROM (%L) TO (%L)',
                   '{name}' || to_char(month, '\"_y\"YYYY\"m\"MM'), month, month + INTERVAL '1 month'
                 )
                 FROM generate_series(
                   (SELECT date_trunc('month', MIN(activity_date)::TIMESTAMP) FROM published_days),
                   '{last_day}', INTERVAL '1 month'
                 ) AS months (month)
                 \\gexec\n"
            ),
        };
        let partition_by = match self {
            Self::Plain => "",
            Self::Partitioned => "PARTITION BY RANGE (activity_date)",
        };
        let script = format!(
            "{BARE_SETTINGS}
             SET client_min_messages = error;
             CREATE TABLE {name} (LIKE fact_company_activity) {partition_by};
             {partitions}INSERT INTO {name} SELECT * FROM fact_company_activity;
             ALTER TABLE {name} ADD PRIMARY KEY (company_id, activity_date);
             ANALYZE {name};\n"
        );
        psql(database, &script).await.map(|_| ())
    }

    /// Inserts a new day, computed by one statement from the engine's staged rows.
    pub(crate) async fn insert_day(self, database: &Database, day: NaiveDate) -> Result<Duration> {
        let select = include_str!("../sql/day_of_fact.sql").replace(":day", &format!("DATE '{day}'"));
        timed(database, &format!("INSERT INTO {} {select};", self.name())).await
    }

    /// The number of a day's rows that differ from the published ones.
    pub(crate) async fn differences(self, database: &Database, day: NaiveDate) -> Result<i64> {
        let columns = "company_id, company_name, country, industry_tag, last_contact_at, active_users, events, \
                       \"7d_active_users\", is_churn_risk, events_per_user, days_since_last_contact";
        let rows = |table: &str| format!("SELECT {columns} FROM {table} WHERE activity_date = '{day}'");
        let (ours, bare) = (rows("fact_company_activity"), rows(self.name()));
        let query = format!(
            "SELECT COUNT(*) FROM ((({ours}) EXCEPT ALL ({bare})) UNION ALL (({bare}) EXCEPT ALL ({ours}))) AS differing"
        );
        let pool = sqlx::PgPool::connect(&database.url()).await?;
        let differing = sqlx::query_scalar(sqlx::AssertSqlSafe(query)).fetch_one(&pool).await?;
        pool.close().await;
        Ok(differing)
    }
}

/// How long the seed's statement takes.
pub(crate) struct SeedTimes {
    /// As it stands.
    pub(crate) bare: Duration,
    /// Together with the key and the indexes of the fact.
    pub(crate) indexed: Duration,
}

/// Runs the seed's statement over everything staged, and indexes what it wrote.
pub(crate) async fn create_as_in_seed(database: &Database) -> Result<SeedTimes> {
    let script = format!(
        "{BARE_SETTINGS}
         \\timing on
         CREATE TABLE seed_fact AS {};
         ALTER TABLE seed_fact ADD PRIMARY KEY (company_id, activity_date);
         CREATE INDEX ON seed_fact (activity_date, company_id);
         CREATE INDEX ON seed_fact (company_id, activity_date) WHERE events > 0;
         \\timing off
         DROP TABLE seed_fact;\n",
        include_str!("../sql/seed.sql")
    );
    let times = psql(database, &script).await?;
    let bare = times.first().copied().context("psql reported no time")?;
    Ok(SeedTimes { bare, indexed: times.iter().sum() })
}

/// Drops tables left by earlier cases, so that they do not compete for memory.
pub(crate) async fn drop_tables(database: &Database, tables: &str) -> Result<()> {
    psql(database, &format!("DROP TABLE {tables};\n")).await.map(|_| ())
}

/// Flushes what earlier cases left in memory, so that neither side pays for it.
pub(crate) async fn checkpoint(database: &Database) -> Result<()> {
    psql(database, "CHECKPOINT;\n").await.map(|_| ())
}

async fn timed(database: &Database, statement: &str) -> Result<Duration> {
    let times = psql(database, &format!("{BARE_SETTINGS}\n\\timing on\n{statement}\n")).await?;
    times.last().copied().context("psql reported no time")
}
