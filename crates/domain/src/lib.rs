//! Pure types and rules of Company Activity: no I/O, no clock, no randomness.
//!
//! Everything here is a value or a function of its arguments, so that every rule of the
//! fact table can be tested without a database and every service uses each word in the
//! same sense.

pub mod alert;
pub mod audit;
pub mod checksum;
pub mod churn_change;
pub mod company;
pub mod counters;
pub mod date_window;
pub mod day_totals;
pub mod difference;
pub mod event;
pub mod explanation;
pub mod fact;
pub mod failure;
pub mod operator_action;
pub mod provenance;
pub mod publication;
pub mod rejection;
pub mod rejection_kind;
pub mod remarks;
pub mod retry_after;
pub mod run;
pub mod source_day;
pub mod text;
pub mod timestamp;
pub mod trend;
pub mod usage;

pub use alert::AlertCause;
pub use checksum::{Checksum, ChecksumVersion, UnknownChecksumVersion};
pub use churn_change::{ChurnChange, LastContact};
pub use company::{CompanyAttributes, CompanyId, CrmCompany, UnreadableFields};
pub use counters::{Counters, Progress};
pub use date_window::DateWindow;
pub use day_totals::DayTotals;
pub use difference::DifferenceKind;
pub use event::{EventId, EventRecord};
pub use explanation::Explanation;
pub use fact::{FactKey, FactRow};
pub use failure::FailureKind;
pub use operator_action::{ActionOutcome, OperatorAction};
pub use provenance::Provenance;
pub use publication::Publication;
pub use rejection::{Concerns, Rejection, RejectionLimit, RejectionReason, SourceRow, share};
pub use rejection_kind::RejectionKind;
pub use remarks::Remarks;
pub use run::{RunState, RunTrigger, StageState};
pub use usage::{UsageNumbers, UsageRecord};
