//! One suite of behaviours that every storage engine must show.
//!
//! An engine's tests call [`suite!`] with a function that opens a fresh, empty
//! warehouse; every behaviour becomes its own test. [`history::hold`] adds the
//! product's guarantee: after any history of loads, failures and publishes the fact
//! equals [`reference`], an independent fold of the definition.
//! [`history::retention::hold`] forgets days in between, [`history::events::hold`] does
//! the same for events and their sums, and [`migrations!`] covers schemas of other
//! versions.

#![expect(
    clippy::missing_errors_doc,
    clippy::panic,
    clippy::unwrap_used,
    reason = "a test suite fails by panicking, like any test, and its scenes as the engine does"
)]

pub mod behaviours;
mod engine;
pub mod event_scene;
pub mod history;
pub mod observed;
pub mod reference;
pub mod scene;
pub mod usage_scene;

pub use engine::EngineUnderTest;

/// Makes every behaviour a test. `$open` is an async function that returns a guard,
/// dropped at the test's end, and a fresh [`EngineUnderTest`].
#[macro_export]
macro_rules! suite {
    ($open:path) => {
        $crate::suite! {@area $open, runs:
            a_lease_that_is_given_back_is_taken_up_at_once
            an_attempt_that_was_cut_off_is_no_failure
            a_run_is_taken_up_by_one_holder_at_a_time
            pipelines_do_not_wait_for_each_other
            an_expired_lease_passes_on_with_a_higher_epoch
            a_lease_is_held_until_the_run_ends
            a_stage_waits_for_what_it_depends_on
            a_stage_that_lost_rows_is_not_committed
            a_failed_stage_fails_the_run_and_skips_the_rest
            a_run_succeeds_with_its_last_stage
            a_run_is_cancelled_with_its_unfinished_stages
            a_retried_run_keeps_what_succeeded
            a_run_is_not_retried_beside_an_active_one
            runs_are_listed_newest_first_in_pages
            runs_are_listed_by_cause_and_day
            active_runs_are_named_in_the_order_in_which_they_execute
            a_stage_is_compared_with_its_executions_in_runs_like_this_one
        }
        $crate::suite! {@area $open, attempts:
            attempts_that_did_not_succeed_are_on_record
        }
        $crate::suite! {@area $open, triggers:
            a_new_run_is_queued_with_its_stages
            a_window_is_run_once_however_often_it_is_triggered
            triggers_at_the_same_time_create_one_run
            a_forced_trigger_runs_a_succeeded_window_again
            a_failed_or_cancelled_window_is_run_again
            an_active_run_is_found_behind_newer_failed_ones
            a_succeeded_run_is_found_behind_newer_failed_ones
            the_schedule_covers_every_day_since_the_first_gap
            the_schedule_heals_a_gap_before_its_last_day
            the_schedule_waits_for_an_active_run_that_ends_on_its_day
            a_forced_schedule_runs_a_published_day_again
            a_stray_day_does_not_widen_the_schedule
            the_horizon_of_the_schedule_can_be_moved
            accepted_days_are_kept_and_run_again
        }
        $crate::suite! {@area $open, fences:
            a_stale_epoch_or_attempt_changes_nothing
            a_stage_that_is_not_running_changes_nothing
            a_stage_commits_once
            a_holder_that_lost_its_lease_changes_nothing
            a_cancelled_run_accepts_nothing_more
            a_stage_begins_only_under_the_lease
        }
        $crate::suite! {@area $open, alerts:
            an_alert_is_written_with_its_failure_and_claimed_once
            a_failure_that_is_retried_silently_writes_no_alert
            an_alert_with_a_known_key_is_written_once
            an_alert_without_a_failed_stage_is_written_once
            the_oldest_alerts_are_claimed_first
            a_deferred_alert_comes_back_and_a_settled_one_does_not
            a_delivery_is_remembered_per_channel
            alerts_are_listed_with_what_became_of_them
            an_alert_is_not_open_once_a_run_found_nothing_to_change
            an_alert_closes_when_its_own_run_succeeds_after_all
            an_alert_of_a_long_run_is_open_until_all_of_its_days_are_published
        }
        $crate::suite! {@area $open, run_audits:
            what_audits_found_is_kept_until_they_judge_again
            a_stale_fence_records_no_audit
        }
        $crate::suite! {@area $open, reconciliation_log:
            comparisons_are_listed_newest_first
            old_comparisons_are_forgotten
        }
        $crate::suite! {@area $open, audit_trail:
            an_action_is_listed_with_its_end_once_that_is_known
            the_end_of_an_action_is_recorded_once
            entries_are_listed_newest_first_and_by_what_is_asked
        }
        $crate::suite! {@area $open, crm:
            an_export_is_known_by_path_content_and_day
            a_replaced_export_replaces_what_it_said
            of_two_exports_for_a_day_the_last_path_counts
            the_copies_of_the_export_before_are_found
            an_export_without_companies_is_refused_and_its_rows_are_quarantined
            an_export_that_shrank_too_far_is_refused_whole
            contradicting_rows_go_into_quarantine_but_the_last
            a_contact_is_kept_to_the_microsecond
        }
        $crate::suite! {@area $open, crm_unreadable:
            a_field_that_cannot_be_read_stays_as_it_was
            a_rejected_row_does_not_remove_its_company
            a_row_that_may_be_anyones_removes_nobody
            what_cannot_be_read_follows_the_export_before
            an_unreadable_row_beside_another_of_its_company_is_counted_once
            an_export_of_which_too_much_is_rejected_is_refused
            a_replaced_export_is_compared_with_what_it_replaces
            the_day_of_an_undated_export_is_kept_with_its_content
        }
        $crate::suite! {@opening $open, orders:
            any_order_of_arrival_gives_the_same_companies
            any_order_within_a_run_gives_the_same_companies
            any_order_of_days_gives_the_same_fact
            any_order_of_files_leaves_the_same_events
        }
        $crate::suite! {@area $open, usage:
            a_redelivered_day_changes_nothing
            a_record_that_is_gone_at_the_source_is_removed
            an_empty_answer_for_a_known_day_is_refused
            an_empty_answer_for_a_new_day_is_recorded
            rejected_records_are_quarantined_with_their_origin
            contradicting_records_go_into_quarantine_but_the_last
            what_is_held_of_a_day_is_read_beside_each_other
            a_rejected_row_keeps_the_run_that_first_met_it
            a_source_that_breaks_off_leaves_nothing_behind
            a_load_that_is_dropped_leaves_nothing_behind
            an_interrupted_load_is_whole_or_nothing
        }
        $crate::suite! {@area $open, usage_unreadable:
            an_unreadable_record_leaves_what_is_known
            a_new_company_that_cannot_be_read_stays_unknown
            a_record_that_may_be_anyones_removes_nobody
            a_readable_record_beside_an_unreadable_one_counts
            an_answer_of_which_too_much_is_rejected_is_refused
            an_answer_without_a_readable_record_is_refused
            an_accepted_empty_answer_empties_a_known_day
            an_empty_answer_after_a_week_of_usage_is_refused
            a_day_that_lost_too_much_is_refused
            an_unreadable_answer_loaded_again_changes_nothing
        }
        $crate::suite! {@area $open, events:
            an_event_file_is_known_by_path_and_content
            an_event_counts_once_however_often_it_is_delivered
            a_correction_replaces_the_event
            a_file_changed_in_place_has_a_new_word_and_takes_nothing_back
            of_contradicting_records_in_a_file_the_last_counts
            a_rejected_record_is_quarantined_with_its_file
            a_file_without_any_event_is_known
            the_largest_sums_are_kept_and_larger_ones_refused
            events_of_many_months_find_their_place
            a_stale_fence_loads_no_event
            an_event_file_that_breaks_off_leaves_nothing_behind
            an_event_load_that_is_dropped_leaves_nothing_behind
            an_interrupted_event_load_is_whole_or_nothing
            loading_events_does_not_disturb_a_publish
        }
        $crate::suite! {@area $open, quarantine:
            rows_are_listed_by_what_is_asked
            rows_are_counted_by_what_is_asked
            accepting_changes_nothing_but_the_row
            an_acceptance_holds_as_long_as_the_words
            accepted_rows_of_an_export_do_not_count_towards_the_limit
            accepted_records_of_a_day_do_not_count_towards_the_limit
            a_preview_believes_what_is_accepted
            an_event_file_of_which_too_much_is_rejected_is_refused
            an_acceptance_moves_with_a_superseded_row
            an_acceptance_covers_as_many_rows_as_were_accepted
            a_day_without_records_has_none_in_quarantine
        }
        $crate::suite! {@area $open, deliveries:
            a_day_names_what_it_is_made_of
            a_day_names_its_event_files
            versions_are_listed_newest_first
        }
        $crate::suite! {@area $open, replays:
            a_replay_is_answered_without_a_load
            a_replay_is_answered_by_the_next_load
            a_replay_waits_for_a_load_that_begins_after_it
        }
        $crate::suite! {@area $open, fact:
            every_column_follows_its_definition
            the_largest_counts_are_published
            a_correction_reaches_exactly_the_days_that_read_it
            a_correction_near_the_end_reaches_later_days_too
            publishing_equal_values_leaves_loaded_at_alone
            dirty_days_survive_a_run_that_fails
            a_day_before_the_first_publish_changes_later_days
            a_gap_is_published_later
            a_build_reports_how_far_it_is
            measurements_count_what_would_be_published
            the_median_looks_four_weeks_back
        }
        $crate::suite! {@area $open, publish:
            candidates_are_invisible_until_published
            candidates_built_from_an_older_state_are_not_published
            candidates_belong_to_the_run_that_built_last
            a_published_run_is_not_built_again
            an_interrupted_publish_is_whole_or_nothing
            an_interrupted_build_starts_over
        }
        $crate::suite! {@area $open, unpublish:
            days_that_were_taken_back_are_published_again
            the_only_day_that_was_taken_back_is_published_again
            a_stale_fence_takes_no_day_back
            taking_back_and_publishing_wait_for_each_other
            what_is_dirty_beside_days_that_were_taken_back_stays_dirty
        }
        $crate::suite! {@area $open, retention:
            forgotten_days_are_as_if_never_published
            kept_days_are_computed_as_before
            a_forgotten_day_is_run_and_built_as_new
            dirty_days_are_forgotten_up_to_the_first_kept_one
            days_that_somebody_needs_are_not_forgotten
            candidates_of_kept_days_outlive_the_forgotten
            a_gap_at_the_first_kept_day_is_filled_before
            an_interrupted_forgetting_is_whole_or_nothing
            events_are_forgotten_with_their_days
            a_retried_run_stages_again_what_was_forgotten
            candidates_of_an_ended_run_are_discarded
            landed_files_in_use_are_distinguished_from_others
        }
        $crate::suite! {@area $open, kept_history:
            what_a_publish_replaces_is_kept
            what_is_taken_back_is_kept
            no_two_publishes_have_the_same_time
            history_goes_with_forgotten_days
            a_state_is_read_again_by_the_run_that_left_it
            a_run_that_published_nothing_names_no_state
            history_is_kept_for_a_while
        }
        $crate::suite! {@area $open, backfill:
            a_day_is_done_over_if_its_newest_run_failed
            a_preview_reports_old_and_new_values_of_a_correction
            a_preview_reads_answers_as_a_load_does
            a_preview_keeps_what_a_load_keeps
            a_preview_refuses_what_a_load_refuses
            a_preview_changes_nothing
            a_preview_includes_what_is_dirty_already
            a_preview_fills_the_asked_gaps_alone
            a_preview_notices_what_is_loaded_beside_it
        }
        $crate::suite! {@area $open, ledger:
            the_ledger_reports_every_published_day_in_order
            a_checksum_covers_every_value_a_row_may_hold
            a_correction_changes_the_checksums_of_its_days_alone
            rows_that_go_leave_the_checksum
            publishing_equal_values_leaves_the_ledger_alone
        }
        $crate::suite! {@area $open, activity:
            pages_and_export_agree
            a_page_starts_after_any_key
            an_answer_reports_its_newest_publication
            a_list_names_the_version_of_its_rows
            a_row_is_found_by_its_key
            an_export_sees_one_state_while_a_publish_goes_on
            open_exports_do_not_keep_others_waiting
            roll_ups_follow_weeks_and_months
            churn_risks_come_most_recently_active_first
            freshness_reports_the_newest_day
        }
        $crate::suite! {@area $open, overview:
            a_word_is_found_as_it_is_written
            names_are_ordered_by_their_characters
            a_day_that_is_not_published_has_nothing_to_show
        }
    };
    (@area $open:path, $area:ident: $($behaviour:ident)*) => {
        mod $area {
            use super::*;

            $(
                #[tokio::test]
                async fn $behaviour() {
                    let (_guard, warehouse) = $open().await;
                    $crate::behaviours::$area::$behaviour(warehouse).await;
                }
            )*
        }
    };
    // Behaviours that take the function, because they need a warehouse for each of several
    // histories.
    (@opening $open:path, $area:ident: $($behaviour:ident)*) => {
        mod $area {
            use super::*;

            $(
                #[tokio::test]
                async fn $behaviour() {
                    $crate::behaviours::$area::$behaviour($open).await;
                }
            )*
        }
    };
}

/// Makes a test of every behaviour for rows that something other than a publish has changed.
/// `$create` is as for [`migrations!`].
#[macro_export]
macro_rules! rebuilds {
    ($create:path) => {
        $crate::rebuilds! {@behaviours $create:
            tampered_days_are_as_published_after_a_rebuild
            a_rebuild_of_good_days_changes_nothing
            a_rebuild_that_failed_is_made_up_for_by_its_retry
            a_rebuild_from_staging_publishes_no_day_that_was_never_fetched
            a_day_of_an_unknown_checksum_is_not_rebuilt
            a_rebuild_publishes_corrections_as_well
            a_search_finds_what_a_rebuild_leaves_of_the_newest_day
        }
    };
    (@behaviours $create:path: $($behaviour:ident)*) => {
        mod rebuild {
            use super::*;

            $(
                #[tokio::test]
                async fn $behaviour() {
                    $crate::behaviours::rebuild::$behaviour($create).await;
                }
            )*
        }
    };
}

/// Makes a test of every behaviour for schemas that other versions have migrated.
/// `$create` is an async function that returns an empty
/// [`Database`](behaviours::migrations::Database), dropped at the test's end.
#[macro_export]
macro_rules! migrations {
    ($create:path) => {
        $crate::migrations! {@behaviours $create:
            a_schema_that_the_next_version_added_to_is_worked_with
            a_newer_schema_is_reported_and_left_alone
            programs_start_while_the_next_version_migrates
            a_schema_that_took_something_away_is_refused
            a_schema_of_another_line_is_refused
            a_known_migration_that_was_changed_is_refused_on_a_newer_schema
            a_day_with_a_newer_checksum_is_reported_and_left_alone
            a_publish_that_kept_no_history_is_noticed
            a_day_that_was_published_without_a_log_is_answered
            totals_of_other_rows_do_not_count
        }
        // Together they execute most statements.
        $crate::migrations! {@added_to $create:
            alerts::a_delivery_is_remembered_per_channel
            audit_trail::an_action_is_listed_with_its_end_once_that_is_known
            runs::a_retried_run_keeps_what_succeeded
            crm::a_replaced_export_replaces_what_it_said
            usage::contradicting_records_go_into_quarantine_but_the_last
            events::a_correction_replaces_the_event
            fact::a_correction_reaches_exactly_the_days_that_read_it
            publish::an_interrupted_publish_is_whole_or_nothing
            backfill::a_preview_reports_old_and_new_values_of_a_correction
            ledger::rows_that_go_leave_the_checksum
            kept_history::what_a_publish_replaces_is_kept
            kept_history::what_is_taken_back_is_kept
            kept_history::a_state_is_read_again_by_the_run_that_left_it
            activity::roll_ups_follow_weeks_and_months
            activity::churn_risks_come_most_recently_active_first
            overview::a_word_is_found_as_it_is_written
            overview::names_are_ordered_by_their_characters
        }
    };
    (@behaviours $create:path: $($behaviour:ident)*) => {
        $(
            #[tokio::test]
            async fn $behaviour() {
                $crate::behaviours::migrations::$behaviour($create().await).await;
            }
        )*
    };
    (@added_to $create:path: $($area:ident::$behaviour:ident)*) => {
        mod on_the_schema_of_the_next_version {
            use super::*;

            $(
                #[tokio::test]
                async fn $behaviour() {
                    let database = $create().await;
                    let warehouse = $crate::behaviours::migrations::added_to(&database).await;
                    $crate::behaviours::$area::$behaviour(warehouse).await;
                }
            )*
        }
    };
}
