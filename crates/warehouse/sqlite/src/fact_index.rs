//! The indexes of the fact beside its key.

use sqlx::{AssertSqlSafe, Executor, SqliteConnection};

use crate::fault::Result;

/// Drops them; returns the statements that make them again. They are taken from the file: a
/// newer program may have given it other indexes.
pub(crate) async fn drop_all(connection: &mut SqliteConnection) -> Result<Vec<String>> {
    let indexes = sqlx::query_file!("sql/fact/indexes.sql").fetch_all(&mut *connection).await?;
    let mut definitions = Vec::new();
    for index in indexes {
        // Both texts come from the database itself.
        connection.execute(AssertSqlSafe(index.removal)).await?;
        definitions.push(index.definition);
    }
    Ok(definitions)
}

/// Makes them again.
pub(crate) async fn create(connection: &mut SqliteConnection, definitions: Vec<String>) -> Result<()> {
    for definition in definitions {
        connection.execute(AssertSqlSafe(definition)).await?;
    }
    Ok(())
}
