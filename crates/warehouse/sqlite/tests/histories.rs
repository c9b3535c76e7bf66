//! The product's guarantee on the embedded engine: after any history the published
//! fact, and the events, equal the definition's fold.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::env;

use warehouse_conformance::{EngineUnderTest, history};
use warehouse_sqlite::SqliteWarehouse;

/// Histories in a normal run; `HISTORIES=5000 cargo test ...` soaks.
const HISTORIES: u32 = 200;

/// Histories of several months: each takes several times as long.
const LONG_HISTORIES: u32 = 60;

/// Histories that are played twice.
const MENDED_HISTORIES: u32 = 100;

async fn open() -> (tempfile::TempDir, EngineUnderTest) {
    let folder = tempfile::tempdir().unwrap();
    let url = format!("sqlite://{}", folder.path().join("warehouse.sqlite").display());
    let warehouse = SqliteWarehouse::open(&url).await.unwrap();
    (folder, EngineUnderTest::new(warehouse))
}

fn histories(usual: u32) -> u32 {
    env::var("HISTORIES").ok().and_then(|text| text.parse().ok()).unwrap_or(usual)
}

#[test]
fn any_history_publishes_what_the_definition_calls_for() {
    history::hold(histories(HISTORIES), open);
}

#[test]
fn any_preview_reports_what_the_backfill_then_does() {
    history::preview::hold(histories(HISTORIES), open);
}

#[test]
fn any_history_of_event_files_leaves_what_the_definition_calls_for() {
    history::events::hold(histories(HISTORIES), open);
}

#[test]
fn any_history_of_which_days_are_forgotten_goes_on_as_the_definition_calls_for() {
    history::retention::hold(histories(LONG_HISTORIES), open);
}

#[test]
fn any_company_day_is_explained_by_parts_that_add_up_and_changes_that_were_made() {
    history::explanations::hold(histories(LONG_HISTORIES), open);
}

#[test]
fn any_history_that_is_mended_ends_as_if_it_had_been_readable_from_the_start() {
    history::mended::hold(histories(MENDED_HISTORIES), open);
}
