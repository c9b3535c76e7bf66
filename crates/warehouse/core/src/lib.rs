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
mod backlog;
mod crm;
mod crm_snapshots;
pub mod engine;
mod error;
mod events;
mod fact;
mod fence;
mod horizon;
mod migration;
mod preview;
mod preview_tally;
mod quarantine;
mod received;
mod retention;
mod run_rules;
mod runs;
mod usage;
mod usage_judgement;

pub use activity::{
    ActivityQuery, ActivityReader, ChurnCursor, ChurnQuery, ChurnRisk, Export, Freshness, Period, RollUp,
};
pub use alerts::{AlertCause, AlertLog, AlertOutbox, NewAlert, PendingAlert};
pub use backlog::{Backlog, BacklogReader, Connections};
pub use crm::{CrmDays, CrmExport, CrmStaging, NOTHING_READABLE, UndatedExport};
pub use crm_snapshots::{NamedCompanies, Neighbourhood, Snapshot, SnapshotLimits};
pub use error::{Error, Fault, Result, SourceError};
pub use events::{DailyEvents, EventFile, EventReader, EventStaging, StoredEvent};
pub use fact::{FactBuilder, PublishOutcome};
pub use fence::Fence;
pub use horizon::{Horizon, OutOfReach, PublishedFacts, Reach, unpublished_window};
pub use migration::MigrationReport;
pub use preview::{BackfillPreview, CompanyDayChange, DayChanges, PreviewOutcome, PreviewSession};
pub use preview_tally::{ChangeCounts, ChangeKind, PreviewTally, days_between};
pub use quarantine::{QuarantineReader, QuarantinedRow};
pub use received::{Notes, Received, noted};
pub use retention::{
    AbandonedCandidates, ForgottenDays, HistoryStart, Obstacles, Retention, UnpublishedDays,
};
pub use runs::{
    CreatedRun, LeaseState, NewRun, NewStage, Run, RunCursor, RunStage, RunStore, StageFailure, TakenUp,
    WindowChoice,
};
pub use usage::{LoadOutcome, UsageDay, UsageDayState, UsageStaging};
pub use usage_judgement::{ComparedDay, HABIT_DAYS, UsageLimits};

use std::sync::Arc;

use domain::{Progress, SourceRow};
use futures::stream::BoxStream;

/// Everything that a storage engine does.
pub trait Warehouse:
    RunStore
    + AlertOutbox
    + AlertLog
    + CrmStaging
    + UsageStaging
    + EventStaging
    + EventReader
    + QuarantineReader
    + FactBuilder
    + BackfillPreview
    + ActivityReader
    + BacklogReader
    + Retention
    + std::fmt::Debug
{
}

/// A shared engine.
pub type SharedWarehouse = Arc<dyn Warehouse>;

/// Rows of a delivery in order, read on demand. An `Err` ends the load and rolls it back.
pub type RowStream<'a, T> = BoxStream<'a, std::result::Result<SourceRow<T>, SourceError>>;

/// Receives the progress of a long method. Called often: must not block.
pub type ProgressSink = Arc<dyn Fn(Progress) + Send + Sync>;
