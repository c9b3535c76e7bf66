//! Locks on things other than rows. They belong to the caller's transaction and end
//! with it, so no crash and no connection pooler leaves one behind.

use sqlx::PgConnection;

use crate::fault::Result;

/// The thing to lock.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Lock<'a> {
    /// Creating and taking up runs of this pipeline.
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
    /// The two keys of the lock.
    fn keys(&self) -> (&'static str, &str) {
        match self {
            Self::Pipeline(pipeline) => ("pipeline", pipeline),
            Self::Usage => ("warehouse", "usage"),
            Self::Crm => ("warehouse", "crm"),
            Self::Events => ("warehouse", "events"),
            Self::Candidates => ("warehouse", "candidates"),
        }
    }

    /// Waits for a shared lock: others may share it, but no one may take it.
    pub(crate) async fn share(self, connection: &mut PgConnection) -> Result<()> {
        let (class, name) = self.keys();
        sqlx::query!("SELECT pg_advisory_xact_lock_shared(hashtext($1), hashtext($2))", class, name)
            .execute(connection)
            .await?;
        Ok(())
    }

    /// Waits for an exclusive lock.
    pub(crate) async fn take(self, connection: &mut PgConnection) -> Result<()> {
        let (class, name) = self.keys();
        sqlx::query!("SELECT pg_advisory_xact_lock(hashtext($1), hashtext($2))", class, name)
            .execute(connection)
            .await?;
        Ok(())
    }
}
