//! What every engine does alike: the rules that its transactions follow, and what
//! stored values mean. An engine itself is statements and transactions.

mod crm_steps;
mod records;
mod run_choice;
mod stored;

pub use crm_steps::{Arrival, CrmChanges, CrmHistory, CrmStep, Heir, take_over};
pub use records::{FactRecord, FencedStage, PublicationRecord};
pub use run_choice::{RunChoice, RunLookup, choose_run};
pub use stored::{balanced, corrupt, counted, position, stored, stored_millis};

/// Days before a day whose volume its own is compared with: whole weeks, so that
/// every weekday weighs the same.
pub const VOLUME_DAYS: i32 = 28;

#[cfg(test)]
mod tests {
    #[test]
    fn a_volume_window_is_whole_weeks() {
        assert_eq!(super::VOLUME_DAYS % 7, 0, "every weekday weighs the same");
    }
}
