//! The product's guarantee on Postgres: after any history the published fact, and the
//! events, equal the definition's fold.

mod migrated;

use std::env;

use warehouse_conformance::history;

/// Histories in a normal run; `HISTORIES=5000 cargo test ...` soaks.
const HISTORIES: u32 = 200;

/// Histories that end in a preview: each takes several times as long.
const PREVIEWS: u32 = 40;

/// Histories of several months: each takes several times as long.
const LONG_HISTORIES: u32 = 30;

/// Fewer: every file is loaded over its own connection.
const EVENT_HISTORIES: u32 = 60;

/// Fewer: every company-day is read on its own.
const EXPLAINED_HISTORIES: u32 = 12;
/// Histories that are played twice.
const MENDED_HISTORIES: u32 = 30;

fn histories() -> Option<u32> {
    env::var("HISTORIES").ok().and_then(|text| text.parse().ok())
}

#[test]
fn any_history_publishes_what_the_definition_calls_for() {
    history::hold(histories().unwrap_or(HISTORIES), migrated::open);
}

#[test]
fn any_preview_reports_what_the_backfill_then_does() {
    history::preview::hold(histories().unwrap_or(PREVIEWS), migrated::open);
}

#[test]
fn any_history_of_event_files_leaves_what_the_definition_calls_for() {
    history::events::hold(histories().unwrap_or(EVENT_HISTORIES), migrated::open);
}

#[test]
fn any_history_of_which_days_are_forgotten_goes_on_as_the_definition_calls_for() {
    history::retention::hold(histories().unwrap_or(LONG_HISTORIES), migrated::open);
}

#[test]
fn any_company_day_is_explained_by_parts_that_add_up_and_changes_that_were_made() {
    history::explanations::hold(histories().unwrap_or(EXPLAINED_HISTORIES), migrated::open);
}

#[test]
fn any_history_that_is_mended_ends_as_if_it_had_been_readable_from_the_start() {
    history::mended::hold(histories().unwrap_or(MENDED_HISTORIES), migrated::open);
}
