//! Conversions between the contracts' messages and the domain's values, in the one
//! place that knows both. What only a single service uses stays there.

mod difference;
mod fact;
mod run;
mod stage;
mod time;

pub use difference::{difference_kind_from_proto, difference_kind_to_proto, usage_numbers_to_proto};
pub use fact::{fact_row_to_proto, publication_to_proto};
pub use run::{
    alert_cause_from_proto, alert_cause_to_proto, run_state_from_proto, run_state_to_proto,
    run_trigger_from_proto, run_trigger_to_proto, stage_state_to_proto,
};
pub use stage::{counters_from_proto, counters_to_proto, progress_from_proto, progress_to_proto};
pub use time::{
    day_from_proto, timestamp_from_proto, timestamp_to_proto, window_from_proto, window_to_proto,
};
