//! Locks on things that are no rows. They last until the caller's transaction
//! ends and belong to it alone, so no crash and no connection pooler leaves one behind.

use sqlx::PgConnection;

use crate::fault::Result;

/// What is locked.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Lock<'a> {
    /// Which run of this pipeline is created or taken up.
    Pipeline(&'a str),
    /// Staged usage.
    Usage,
    /// Staged CRM exports.
    Crm,
    /// Events and their daily sums.
    Events,
    /// The candidates of a build.
    Candidates,
}

impl Lock<'_> {
    /// Its two keys.
    fn keys(&self) -> (&'static str, &str) {
        match self {
            Self::Pipeline(pipeline) => ("pipeline", pipeline),
            Self::Usage => ("warehouse", "usage"),
            Self::Crm => ("warehouse", "crm"),
            Self::Events => ("warehouse", "events"),
            Self::Candidates => ("warehouse", "candidates"),
        }
    }

    /// Waits for the lock beside nobody who takes it, but beside all who share it.
    pub(crate) async fn share(self, connection: &mut PgConnection) -> Result<()> {
        let (class, name) = self.keys();
        sqlx::query!("SELECT pg_advisory_xact_lock_shared(hashtext($1), hashtext($2))", class, name)
            .execute(connection)
            .await?;
        Ok(())
    }

    /// Waits for the lock.
    pub(crate) async fn take(self, connection: &mut PgConnection) -> Result<()> {
        let (class, name) = self.keys();
        sqlx::query!("SELECT pg_advisory_xact_lock(hashtext($1), hashtext($2))", class, name)
            .execute(connection)
            .await?;
        Ok(())
    }
}
