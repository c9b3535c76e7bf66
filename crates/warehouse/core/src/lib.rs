//! The storage contract of Company Activity.
//!
//! One trait per concern, and one implementation of all of them per engine; the
//! conformance suite holds every engine to the same behaviour. Three rules apply
//! throughout:
//!
//! - **Order is enforced here.** Every method that changes data on behalf of a
//!   stage takes a [`Fence`] and checks it inside its own transaction.
//! - **All or nothing.** A method commits everything or nothing, wherever it is
//!   interrupted; dropping its future rolls back.
//! - **Repetition is harmless.** Calling a method again with the same input changes no
//!   row.

mod activity;
mod alerts;
mod attempts;
mod audit_trail;
mod backlog;
mod crm;
mod crm_snapshots;
pub mod engine;
mod error;
mod events;
mod fact;
mod fence;
mod horizon;
pub mod inspection;
mod migration;
mod overview;
mod preview;
mod preview_tally;
mod progress_sink;
mod provenance;
mod quarantine;
mod received;
mod reconciliation;
mod reconciliation_log;
mod retention;
mod row_stream;
mod run_audits;
mod run_rules;
mod runs;
mod snapshot_limits;
mod usage;
mod usage_judgement;

pub use activity::{
    ActivityQuery, ActivityReader, ChurnCursor, ChurnQuery, ChurnRisk, Export, FactPage, Freshness, Listing,
    Period, PublishedState, RollUp, RowsVersion,
};
pub use alerts::{
    AlertCursor, AlertLog, AlertOutbox, AlertQuery, AlertReader, NewAlert, PendingAlert, RecordedAlert,
};
pub use attempts::{CutOff, EARLIER_ATTEMPTS, StageAttempt};
pub use audit_trail::{ActionEnd, AuditEntry, AuditEntryId, AuditQuery, AuditTrail, NewAuditEntry};
pub use backlog::{Backlog, BacklogReader, Connections, Observable};
pub use crm::{CrmDays, CrmExport, CrmStaging, NOTHING_READABLE, UndatedExport};
pub use crm_snapshots::{NamedCompanies, Neighbourhood, Snapshot};
pub use error::{Error, Fault, Result, SourceError};
pub use events::{EventFile, EventStaging};
pub use fact::{FactBuilder, PublishOutcome};
pub use fence::Fence;
pub use horizon::{Horizon, OutOfReach, PublishedFacts, Reach, unpublished_window};
pub use migration::MigrationReport;
pub use overview::{
    ChurnCounts, ChurnSummary, CompanyOrder, CompanyPage, CompanySearch, CompanyTraits, DayHistory,
    DayPublication, DaySummation, MOST_CHURN_GROUPS, OverviewReader, PublishedDay,
};
pub use preview::{BackfillPreview, CompanyDayChange, DayChanges, PreviewOutcome, PreviewSession};
pub use preview_tally::{ChangeCounts, ChangeKind, PreviewTally, days_between};
pub use progress_sink::ProgressSink;
pub use provenance::ProvenanceReader;
pub use quarantine::{
    Acceptance, Delivered, Origin, QuarantineCount, QuarantineCursor, QuarantineFilter, QuarantineGrouping,
    QuarantineReader, QuarantineStore, QuarantinedRow, RequestedReplay,
};
pub use received::{AcceptedWords, Notes, Received, noted, noted_after};
pub use reconciliation::{HeldDay, HeldUsage, ReconciliationReader};
pub use reconciliation_log::{Reconciliation, ReconciliationId, ReconciliationLog};
pub use retention::{
    AbandonedCandidates, ForgottenDays, ForgottenHistory, HistoryStart, Obstacles, Retention, UnpublishedDays,
};
pub use row_stream::RowStream;
pub use run_audits::{MOST_MEASURED_DAYS, RunAuditReader, RunAudits};
pub use runs::{
    CreatedRun, LeaseState, NewRun, NewStage, Run, RunCursor, RunQuery, RunReader, RunStage, RunStore,
    StageCompletion, StageFailure, TakenUp, WindowChoice,
};
pub use snapshot_limits::SnapshotLimits;
pub use usage::{LoadOutcome, UsageDay, UsageDayState, UsageStaging};
pub use usage_judgement::{ComparedDay, HABIT_DAYS, UsageLimits};

use std::sync::Arc;

/// Everything that the programs ask of a storage engine. Whoever opens the warehouse holds
/// it; what works on it is handed the traits that it needs, and can do no more.
///
/// The reader of what is published can publish nothing:
///
/// ```compile_fail
/// # use warehouse_core::{ActivityReader, Fence};
/// # async fn misuse(reader: &dyn ActivityReader, fence: &Fence, window: domain::DateWindow) {
/// let _ = reader.publish_fact(fence, window, &[], chrono::Utc::now()).await;
/// # }
/// ```
///
/// ```
/// # use warehouse_core::{FactBuilder, Fence};
/// # async fn publish(builder: &dyn FactBuilder, fence: &Fence, window: domain::DateWindow) {
/// let _ = builder.publish_fact(fence, window, &[], chrono::Utc::now()).await;
/// # }
/// ```
pub trait Warehouse:
    RunStore
    + CrmStaging
    + UsageStaging
    + ReconciliationReader
    + EventStaging
    + FactBuilder
    + BackfillPreview
    + OverviewReader
    + DaySummation
    + ProvenanceReader
    + AlertOutbox
    + AlertLog
    + AlertReader
    + RunAuditReader
    + ReconciliationLog
    + AuditTrail
    + BacklogReader
    + QuarantineStore
    + Retention
    + Observable
    + std::fmt::Debug
{
}

/// A shared engine.
pub type SharedWarehouse = Arc<dyn Warehouse>;
