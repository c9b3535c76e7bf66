//! Temporary tables that hide the warehouse's own from one connection, so that the same
//! statements work on copies.
//!
//! SQLite looks for a table among a connection's temporary ones first. The connection
//! is read-only, except for temporary tables: a statement that misses its shadow fails
//! instead of writing.

use sqlx::{AssertSqlSafe, Executor, SqliteConnection};

use crate::fault::Result;

/// Creates an empty temporary table with the same definition in front of each of
/// `tables`.
pub(crate) async fn shadow(connection: &mut SqliteConnection, tables: &[&str]) -> Result<()> {
    for table in tables {
        let definitions = sqlx::query_file_scalar!("sql/preview/definitions.sql", table);
        let definitions = definitions.fetch_all(&mut *connection).await?;
        for definition in definitions {
            let temporary = definition.replacen("CREATE TABLE ", "CREATE TEMPORARY TABLE ", 1).replacen(
                "CREATE INDEX ",
                "CREATE INDEX temp.",
                1,
            );
            // The text comes from the database itself.
            connection.execute(AssertSqlSafe(temporary)).await?;
        }
    }
    Ok(())
}
