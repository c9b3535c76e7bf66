//! The audit trail.

use async_trait::async_trait;
use domain::ActionOutcome;
use warehouse_core::{
    ActionEnd, AuditEntry, AuditEntryId, AuditQuery, AuditTrail, Error, NewAuditEntry, engine::corrupt,
};

use crate::database::{PostgresWarehouse, storable};

#[async_trait]
impl AuditTrail for PostgresWarehouse {
    async fn record_action(&self, new: &NewAuditEntry) -> Result<AuditEntryId, Error> {
        let (actor, details) = (storable(&new.actor), storable(&new.details));
        self.record(async |connection| {
            let recorded = sqlx::query_file_scalar!(
                "../sql/audit/record_action.sql",
                new.action.as_str(),
                actor.as_ref(),
                new.address,
                details.as_ref(),
                new.requested_at
            );
            Ok(AuditEntryId(recorded.fetch_one(connection).await?))
        })
        .await
    }

    async fn record_end(&self, id: AuditEntryId, end: &ActionEnd) -> Result<(), Error> {
        let message = storable(&end.message);
        self.record(async |connection| {
            sqlx::query_file!(
                "../sql/audit/record_end.sql",
                id.0,
                end.outcome.as_str(),
                message.as_ref(),
                end.ended_at
            )
            .execute(connection)
            .await?;
            Ok(())
        })
        .await
    }

    async fn audit_entries(&self, query: &AuditQuery, limit: u32) -> Result<Vec<AuditEntry>, Error> {
        let actions: Vec<String> = query.actions.iter().map(|action| action.as_str().to_owned()).collect();
        let before = query.before.map(|AuditEntryId(id)| id);
        self.once(async |connection| {
            let rows =
                sqlx::query_file!("sql/audit/entries.sql", query.since, &actions, before, i64::from(limit));
            let entries = rows.fetch_all(connection).await?.into_iter().map(|row| {
                let end = match (row.outcome, row.message, row.ended_at) {
                    (Some(outcome), Some(message), Some(ended_at)) => Some(ActionEnd {
                        outcome: ActionOutcome::parse(&outcome).ok_or_else(|| corrupt(outcome))?,
                        message,
                        ended_at,
                    }),
                    _ => None,
                };
                Ok(AuditEntry {
                    id: AuditEntryId(row.action_id),
                    action: row.action,
                    actor: row.actor,
                    address: row.address,
                    details: row.details,
                    requested_at: row.requested_at,
                    end,
                })
            });
            entries.collect()
        })
        .await
    }
}
