//! Everything that a suite keeps, to show that something changed nothing.

use std::{collections::BTreeMap, fs, path::Path};

use anyhow::Result;
use sqlx::{AssertSqlSafe, PgPool, SqlitePool};

use crate::suite::Suite;

/// Every row of every table as text, and the content of every landed file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Stored {
    /// Rows by table.
    pub tables: BTreeMap<String, Vec<String>>,
    /// Content by path.
    pub landed: BTreeMap<String, Vec<u8>>,
}

impl Suite {
    /// Looks at everything that is stored.
    ///
    /// # Errors
    /// If it cannot be read.
    pub async fn stored(&self) -> Result<Stored> {
        let url = self.warehouse_url();
        let tables = if url.starts_with("postgres") {
            postgres_tables(&PgPool::connect(&url).await?).await?
        } else {
            sqlite_tables(&self.warehouse().await?).await?
        };
        let mut landed = BTreeMap::new();
        read_below(&self.landing_folder(), &mut landed)?;
        Ok(Stored { tables, landed })
    }
}

async fn sqlite_tables(pool: &SqlitePool) -> Result<BTreeMap<String, Vec<String>>> {
    let names: Vec<String> =
        sqlx::query_scalar("SELECT name FROM sqlite_schema WHERE type = 'table'").fetch_all(pool).await?;
    let mut tables = BTreeMap::new();
    for name in names {
        let columns: Vec<String> =
            sqlx::query_scalar(r#"SELECT 'quote("' || name || '")' FROM pragma_table_info(?1)"#)
                .bind(&name)
                .fetch_all(pool)
                .await?;
        let select = format!(r#"SELECT {} FROM "{name}" ORDER BY 1"#, columns.join(" || ',' || "));
        tables.insert(name, sqlx::query_scalar(AssertSqlSafe(select)).fetch_all(pool).await?);
    }
    Ok(tables)
}

async fn postgres_tables(pool: &PgPool) -> Result<BTreeMap<String, Vec<String>>> {
    let names: Vec<String> = sqlx::query_scalar(
        "SELECT relname::TEXT FROM pg_class
         WHERE relnamespace = current_schema()::regnamespace AND relkind IN ('r', 'p') AND NOT relispartition",
    )
    .fetch_all(pool)
    .await?;
    let mut tables = BTreeMap::new();
    for name in names {
        let select = format!(r#"SELECT to_jsonb(stored)::TEXT FROM "{name}" AS stored ORDER BY 1"#);
        tables.insert(name, sqlx::query_scalar(AssertSqlSafe(select)).fetch_all(pool).await?);
    }
    Ok(tables)
}

fn read_below(folder: &Path, files: &mut BTreeMap<String, Vec<u8>>) -> Result<()> {
    for entry in fs::read_dir(folder)? {
        let path = entry?.path();
        if path.is_dir() {
            read_below(&path, files)?;
        } else {
            files.insert(path.display().to_string(), fs::read(&path)?);
        }
    }
    Ok(())
}
