//! What operators did: who, what, when, from where, and how it ended.

use async_trait::async_trait;
use chrono::{DateTime, Utc};
use domain::{ActionOutcome, OperatorAction};

use crate::error::Result;

/// Identifies an entry. A later action has a greater one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct AuditEntryId(pub i64);

/// An action that is about to be done.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewAuditEntry {
    /// What is done.
    pub action: OperatorAction,
    /// Who does it.
    pub actor: String,
    /// The address that the call came from; `None` if it was made on this machine.
    pub address: Option<String>,
    /// To what, and how: the run, the days, the flags.
    pub details: String,
    /// When it was asked for.
    pub requested_at: DateTime<Utc>,
}

/// How an action ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ActionEnd {
    /// The outcome.
    pub outcome: ActionOutcome,
    /// What was done, or why it was not.
    pub message: String,
    /// When.
    pub ended_at: DateTime<Utc>,
}

/// An entry of the audit trail.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AuditEntry {
    /// The id.
    pub id: AuditEntryId,
    /// What was done: the name of an [`OperatorAction`], or of one that only a newer
    /// version knows.
    pub action: String,
    /// Who did it.
    pub actor: String,
    /// The address that the call came from; `None` if it was made on the machine itself.
    pub address: Option<String>,
    /// To what, and how.
    pub details: String,
    /// When it was asked for.
    pub requested_at: DateTime<Utc>,
    /// How it ended; `None` if that was not recorded: it is still being done, or the
    /// program ended before.
    pub end: Option<ActionEnd>,
}

/// Which entries to list.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct AuditQuery {
    /// Only actions asked for then or later.
    pub since: Option<DateTime<Utc>>,
    /// Only these actions; empty: all.
    pub actions: Vec<OperatorAction>,
    /// Only entries before this one.
    pub before: Option<AuditEntryId>,
}

/// The record of what operators did. It is only ever added to: the database itself
/// refuses to change or remove an entry.
#[async_trait]
pub trait AuditTrail: Send + Sync {
    /// Records an action before it is done. Whoever cannot record it does not do it.
    async fn record_action(&self, new: &NewAuditEntry) -> Result<AuditEntryId>;

    /// Records how a recorded action ended, once.
    ///
    /// # Errors
    /// If there is no such entry, or its end is recorded already.
    async fn record_end(&self, id: AuditEntryId, end: &ActionEnd) -> Result<()>;

    /// Up to `limit` entries, the newest first.
    async fn audit_entries(&self, query: &AuditQuery, limit: u32) -> Result<Vec<AuditEntry>>;
}
