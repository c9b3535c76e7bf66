//! One suite of behaviours that every storage engine must show.
//!
//! An engine's tests call [`suite!`] with a function that opens a fresh, empty
//! warehouse; every behaviour becomes a test of its own. [`history::hold`] adds
//! the product's promise: after any history of loads, failures and publishes
//! the fact equals [`reference`], an independent fold of the definition.

// A suite of tests fails by panicking, like any test.
#![allow(clippy::expect_used, clippy::panic, clippy::unwrap_used)]

pub mod behaviours;
pub mod history;
pub mod reference;
pub mod scene;

/// Makes a test of every behaviour. `$open` is an async function that returns a
/// guard, dropped at the test's end, and a fresh [`warehouse_core::SharedWarehouse`].
#[macro_export]
macro_rules! suite {
    ($open:path) => {
        $crate::suite! {@area $open, runs:
            a_window_is_run_once_however_often_it_is_triggered
            a_forced_trigger_runs_a_succeeded_window_again
            the_schedule_covers_every_day_since_the_first_gap
            a_run_is_taken_up_by_one_holder_at_a_time
            an_expired_lease_passes_on_with_a_higher_epoch
            a_stage_waits_for_what_it_depends_on
            a_stale_epoch_or_attempt_changes_nothing
            a_cancelled_run_accepts_nothing_more
            a_retried_run_keeps_what_succeeded
            a_failed_stage_fails_the_run_and_skips_the_rest
            a_stage_that_lost_rows_is_not_committed
            runs_are_listed_newest_first_in_pages
        }
        $crate::suite! {@area $open, alerts:
            an_alert_is_written_with_its_failure_and_claimed_once
            a_deferred_alert_comes_back_and_a_settled_one_does_not
            a_delivery_is_remembered_per_channel
        }
        $crate::suite! {@area $open, crm:
            an_export_is_known_by_path_content_and_day
            any_order_of_arrival_gives_the_same_companies
            a_replaced_export_replaces_what_it_said
            of_two_exports_for_a_day_the_last_path_counts
            an_export_without_companies_is_refused
            an_export_that_shrank_too_far_is_refused_whole
            contradicting_rows_go_into_quarantine_but_the_last
        }
        $crate::suite! {@area $open, usage:
            a_redelivered_day_changes_nothing
            a_record_that_is_gone_at_the_source_is_removed
            an_empty_answer_for_a_known_day_is_refused
            an_empty_answer_for_a_new_day_is_recorded
            rejected_records_are_quarantined_with_their_origin
            a_source_that_breaks_off_leaves_nothing_behind
        }
        $crate::suite! {@area $open, fact:
            candidates_are_invisible_until_published
            a_correction_reaches_exactly_the_days_that_read_it
            publishing_equal_values_leaves_loaded_at_alone
            dirty_days_survive_a_run_that_fails
            candidates_built_from_an_older_state_are_not_published
            a_day_before_the_first_publish_changes_later_days
            measurements_count_what_would_be_published
        }
        $crate::suite! {@area $open, activity:
            pages_and_export_agree
            an_export_sees_one_state_while_a_publish_goes_on
            roll_ups_follow_weeks_and_months
            churn_risks_come_most_recently_active_first
            freshness_tells_the_newest_day
        }
    };
    (@area $open:path, $area:ident: $($behaviour:ident)*) => {
        mod $area {
            $(
                #[tokio::test]
                async fn $behaviour() {
                    let (_guard, warehouse) = $open().await;
                    $crate::behaviours::$area::$behaviour(warehouse).await;
                }
            )*
        }
    };
}
