//! The product's promise on Postgres: after any history the published fact equals
//! the definition's fold.

mod migrated;

use std::env;

use warehouse_conformance::history;

/// Histories in a normal run; `HISTORIES=5000 cargo test ...` soaks.
const HISTORIES: u32 = 200;

#[test]
fn any_history_publishes_what_the_definition_calls_for() {
    let histories = env::var("HISTORIES").ok().and_then(|text| text.parse().ok()).unwrap_or(HISTORIES);
    history::hold(histories, migrated::open);
}
