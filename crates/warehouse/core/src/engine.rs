//! What all engines share: the rules that their transactions follow, and the meaning of
//! stored values. An engine itself consists of statements and transactions.

mod checksum_version;
mod churn_summaries;
mod churn_summary;
mod company_order;
mod crm_steps;
mod day_totals;
mod delivery;
mod fencing;
mod logged_publication;
mod past_state;
mod provenance;
mod publish_time;
mod quarantine;
mod records;
mod run_choice;
mod stored;

pub use crate::quarantine::check_expected;
pub use checksum_version::version_to_publish;
pub use churn_summaries::ChurnSummaries;
pub use churn_summary::ChurnGroupRecord;
pub use company_order::CompanyPosition;
pub use crm_steps::{Arrival, CrmChanges, CrmHistory, CrmStep, Heir, take_over};
pub use day_totals::{DayBefore, StoredTotals, TotalsChanges};
pub use delivery::Delivery;
pub use logged_publication::LoggedRecord;
pub use past_state::{PublishOnRecord, StateRecord};
pub use provenance::{FetchedDay, every_day, export_origin};
pub use publish_time::publish_time;
pub use quarantine::{Deliveries, QuarantineConditions};
pub use records::{FactRecord, FencedStage, PublicationRecord};
pub use run_choice::{RunChoice, RunLookup, choose_run, scheduled_from};
pub use stored::{balanced, corrupt, counted, position, stored, stored_millis};

/// How many earlier days a day's volume is compared with: whole weeks, so that every
/// weekday has the same weight.
pub const VOLUME_DAYS: i32 = 28;

#[cfg(test)]
mod tests {
    #[test]
    fn a_volume_window_is_whole_weeks() {
        assert_eq!(super::VOLUME_DAYS % 7, 0, "every weekday weighs the same");
    }
}
