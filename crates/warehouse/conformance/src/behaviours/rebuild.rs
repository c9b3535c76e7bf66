//! Days that are rebuilt because something other than a publish changed their rows.

use std::{collections::BTreeSet, sync::Arc};

use chrono::NaiveDate;
use domain::{
    DateWindow, FactRow,
    run::{STAGE_BUILD_FACT, STAGE_CALL_PRODUCT_API, STAGE_VALIDATE},
};
use warehouse_core::{CompanyOrder, CompanySearch, CompanyTraits, Error, NewRun, WindowChoice};

use super::migrations::Database;
use crate::{
    engine::EngineUnderTest,
    observed::ledger_of_rows,
    scene::{
        HeldRun, UsageOfDay, at, company, day, days, export, hold_new_run, hold_run, new_run, offset_of,
        publish_run, published, take_up,
    },
};

/// What the rows are, apart from when they were published, and what the ledger says of them.
#[derive(Debug, PartialEq)]
struct Content {
    rows: Vec<FactRow>,
    ledger: Vec<(NaiveDate, i64, String)>,
}

async fn content(warehouse: &EngineUnderTest) -> Content {
    let mut rows = published(warehouse, all()).await;
    for row in &mut rows {
        row.loaded_at = at(0);
    }
    let ledger = warehouse.published_days(all()).await.unwrap();
    let entry = |checksum: domain::Checksum| checksum.to_string();
    let ledger =
        ledger.iter().map(|day| (day.activity_date, day.row_count, entry(day.checksum.unwrap()))).collect();
    Content { rows, ledger }
}

/// Whether the ledger agrees with the rows.
async fn fits(warehouse: &EngineUnderTest) -> bool {
    let ledger = warehouse.published_days(all()).await.unwrap();
    let reported: Vec<_> =
        ledger.iter().map(|entry| (entry.activity_date, entry.row_count, entry.checksum.unwrap())).collect();
    reported == ledger_of_rows(warehouse, all()).await
}

/// More days than there are.
fn all() -> DateWindow {
    days(-30, 30)
}

/// Every way in which rows and ledger can come to differ, on days 2 to 6.
const TAMPERING: &str = r#"
    UPDATE fact_company_activity SET events = events + 1
    WHERE company_id = 'bolt' AND activity_date = '2026-01-03';
    DELETE FROM fact_company_activity WHERE company_id = 'acme' AND activity_date = '2026-01-04';
    INSERT INTO fact_company_activity (
      company_id, activity_date, active_users, events, "7d_active_users", is_churn_risk, loaded_at
    )
    SELECT 'nobody', activity_date, active_users, events, "7d_active_users", is_churn_risk, loaded_at
    FROM fact_company_activity
    WHERE company_id = 'acme' AND activity_date = '2026-01-05';
    DELETE FROM fact_company_activity WHERE activity_date = '2026-01-06';
    DELETE FROM published_days WHERE activity_date = '2026-01-07';
    UPDATE fact_company_activity SET company_id = 'stray'
    WHERE company_id = 'bolt' AND activity_date = '2026-01-07';"#;

/// Publishes ten days of two companies.
async fn publish(warehouse: &EngineUnderTest) {
    let exports = [(export(day(0), "1"), vec![company("acme", "Acme"), company("bolt", "Bolt")])];
    publish_run(warehouse, days(0, 9), at(1), &exports, &usage()).await;
}

fn usage() -> [UsageOfDay<'static>; 2] {
    [(day(1), vec![("acme", 3, 30), ("bolt", 2, 7)]), (day(4), vec![("bolt", 1, 1)])]
}

async fn hold_rebuild(warehouse: &EngineUnderTest, offsets: &[i64]) -> HeldRun {
    let rebuild_days: BTreeSet<NaiveDate> = offsets.iter().map(|offset| day(*offset)).collect();
    let window = DateWindow::new(*rebuild_days.first().unwrap(), *rebuild_days.last().unwrap()).unwrap();
    let new = NewRun { rebuild_days, ..new_run(WindowChoice::Days(window)) };
    hold_new_run(warehouse, new, at(2)).await
}

/// The rows of the audit beside what the inputs call for.
async fn expects_its_rows(run: &HeldRun) -> bool {
    let fence = run.begin(STAGE_VALIDATE).await;
    let measured = run.warehouse.measure_candidates(&fence, run.run.window).await.unwrap();
    run.fail(&fence, true).await;
    measured.days.iter().all(|day| day.rows == day.expected_rows)
}

/// Whatever was done to them: rows and ledger are as they were, and only what differed counts as
/// published anew.
pub async fn tampered_days_are_as_published_after_a_rebuild<D: Database>(create: impl AsyncFn() -> D) {
    let database = create().await;
    let warehouse = database.open().await.unwrap();
    publish(&warehouse).await;
    let before = content(&warehouse).await;
    database.execute(TAMPERING).await;
    assert!(!fits(&warehouse).await);

    let run = hold_rebuild(&warehouse, &[2, 3, 4, 5, 6]).await;
    assert_eq!(run.run.rebuild_days, (2..=6).map(day).collect());
    run.ingest(&[], &[]).await;
    run.build().await;
    assert!(expects_its_rows(&run).await);
    let outcome = run.publish().await;
    assert_eq!((outcome.counters.rows_removed, outcome.new_days), (1, 1));
    assert_eq!(content(&warehouse).await, before);
    assert!(fits(&warehouse).await);

    let rows = published(&warehouse, all()).await;
    let anew = rows.iter().filter(|row| row.loaded_at > at(1));
    let anew: Vec<_> = anew.map(|row| (row.key.company_id.as_str(), offset_of(row))).collect();
    assert_eq!(
        anew,
        [("acme", 3), ("acme", 5), ("acme", 6), ("bolt", 2), ("bolt", 5), ("bolt", 6)],
        "those that differed"
    );
}

/// Rebuilding what is as it should be changes neither rows nor ledger.
pub async fn a_rebuild_of_good_days_changes_nothing<D: Database>(create: impl AsyncFn() -> D) {
    let database = create().await;
    let warehouse = database.open().await.unwrap();
    publish(&warehouse).await;
    let (rows, ledger) = (published(&warehouse, all()).await, warehouse.published_days(all()).await.unwrap());
    let run = hold_rebuild(&warehouse, &[2, 3]).await;
    run.ingest(&[], &[]).await;
    assert_eq!(run.build().await.rows_unchanged, 4);
    run.publish().await;
    assert_eq!(published(&warehouse, all()).await, rows);
    assert_eq!(warehouse.published_days(all()).await.unwrap(), ledger);
}

/// A rebuild that failed leaves other runs alone, and its retry makes up for it.
pub async fn a_rebuild_that_failed_is_made_up_for_by_its_retry<D: Database>(create: impl AsyncFn() -> D) {
    let database = create().await;
    let warehouse = database.open().await.unwrap();
    publish(&warehouse).await;
    let before = content(&warehouse).await;
    database.execute(TAMPERING).await;
    let run = hold_rebuild(&warehouse, &[2, 3, 4, 5, 6]).await;
    run.ingest(&[], &[]).await;
    run.build().await;
    run.fail_at(STAGE_VALIDATE).await;

    // What a rebuild left open waits for no other run: it is told as what something else changed.
    let held = warehouse.held_day(day(2)).await.unwrap().companies;
    assert_eq!(held.iter().map(|row| row.waits).collect::<Vec<_>>(), [false, false]);

    // Its rows would not pass the audits of a run that does not count them all.
    let next = hold_run(&warehouse, days(9, 10), at(3)).await;
    next.ingest(&[], &[]).await;
    next.build().await;
    assert!(expects_its_rows(&next).await);
    let outcome = next.publish().await;
    assert_eq!((outcome.counters.rows_written, outcome.new_days), (2, 1));
    assert!(!fits(&warehouse).await);

    warehouse.retry_run(run.run.run_id, None).await.unwrap();
    let again = take_up(&warehouse, at(4)).await;
    let api = again.begin(STAGE_CALL_PRODUCT_API).await;
    again.complete(&api).await;
    again.build().await;
    again.publish().await;
    let mut found = content(&warehouse).await;
    found.rows.retain(|row| offset_of(row) <= 9);
    found.ledger.pop();
    assert_eq!(found, before);
    assert!(fits(&warehouse).await);
}

/// Without asking the product API, a day that it was never asked for is not published: nothing
/// would ever ask for it then.
pub async fn a_rebuild_from_staging_publishes_no_day_that_was_never_fetched<D: Database>(
    create: impl AsyncFn() -> D,
) {
    let database = create().await;
    let warehouse = database.open().await.unwrap();
    let exports = [(export(day(0), "1"), vec![company("acme", "Acme")])];
    publish_run(&warehouse, days(0, 1), at(1), &exports, &[(day(1), vec![("acme", 3, 30)])]).await;
    let from_staging = |window: DateWindow| {
        let new = new_run(WindowChoice::Days(window));
        let mut stages = new.stages.clone();
        stages.retain(|stage| [STAGE_BUILD_FACT, STAGE_VALIDATE].contains(&stage.stage.as_str()));
        stages[0].depends_on.clear();
        NewRun { rebuild_days: [day(1)].into(), stages, ..new }
    };
    let run = hold_new_run(&warehouse, from_staging(days(1, 2)), at(2)).await;
    let fence = run.begin(STAGE_BUILD_FACT).await;
    let refused = warehouse.build_fact(&fence, run.run.window, at(2), Arc::new(|_| ())).await.unwrap_err();
    assert!(matches!(&refused, Error::Precondition(words) if words.starts_with("2026-01-03 ")), "{refused}");
    assert!(refused.to_string().contains("leave out --from-staging"), "{refused}");
    run.fail(&fence, false).await;
    run.finish().await.unwrap();

    let run = hold_new_run(&warehouse, from_staging(days(1, 1)), at(3)).await;
    run.build().await;
    run.publish().await;
}

/// What only a newer release can compare is not rebuilt.
pub async fn a_day_of_an_unknown_checksum_is_not_rebuilt<D: Database>(create: impl AsyncFn() -> D) {
    let database = create().await;
    let warehouse = database.open().await.unwrap();
    publish(&warehouse).await;
    database
        .execute("UPDATE published_days SET checksum_version = 9 WHERE activity_date = '2026-01-03'")
        .await;
    let before = warehouse.published_days(all()).await.unwrap();
    let run = hold_rebuild(&warehouse, &[2]).await;
    run.ingest(&[], &[]).await;
    run.build().await;
    let fence = run.begin(STAGE_VALIDATE).await;
    let refused = warehouse.publish_fact(&fence, run.run.window, &[], at(2)).await.unwrap_err();
    assert!(refused.to_string().contains("checksum is of version 9"), "{refused}");
    assert_eq!(warehouse.published_days(all()).await.unwrap(), before);
}

/// What arrives with the rebuild is published with it.
pub async fn a_rebuild_publishes_corrections_as_well<D: Database>(create: impl AsyncFn() -> D) {
    let database = create().await;
    let warehouse = database.open().await.unwrap();
    publish(&warehouse).await;
    database.execute(TAMPERING).await;
    let run = hold_rebuild(&warehouse, &[2, 3, 4, 5, 6]).await;
    let [_, unchanged] = usage();
    let corrected = [(day(1), vec![("acme", 4, 40)]), (day(3), vec![("ghost", 1, 1)]), unchanged];
    run.ingest(&[], &corrected).await;
    run.build().await;
    assert!(expects_its_rows(&run).await);
    run.publish().await;
    assert!(fits(&warehouse).await);
    let found = content(&warehouse).await;

    // The same from the start.
    let database = create().await;
    let other = database.open().await.unwrap();
    let exports = [(export(day(0), "1"), vec![company("acme", "Acme"), company("bolt", "Bolt")])];
    publish_run(&other, days(0, 9), at(1), &exports, &corrected).await;
    assert_eq!(found, content(&other).await);
}

/// On the newest day one company is what its next correction makes of it, and another is gone.
const TAMPERING_WITH_THE_NEWEST: &str = r#"
    UPDATE fact_company_activity
    SET active_users = 2, events = 7, events_per_user = 3.5, "7d_active_users" = "7d_active_users" + 2
    WHERE company_id = 'bolt' AND activity_date = '2026-01-10';
    DELETE FROM fact_company_activity WHERE company_id = 'acme' AND activity_date = '2026-01-10';"#;

/// Rows of the newest days may be kept twice; both are then mended.
pub async fn a_search_finds_what_a_rebuild_leaves_of_the_newest_day<D: Database>(
    create: impl AsyncFn() -> D,
) {
    let database = create().await;
    let warehouse = database.open().await.unwrap();
    publish(&warehouse).await;
    let newest = CompanySearch {
        day: day(9),
        words: Vec::new(),
        traits: CompanyTraits::default(),
        only_churn_risks: false,
        order: CompanyOrder::CompanyId,
        descending: false,
        after: None,
    };
    database.execute(TAMPERING_WITH_THE_NEWEST).await;
    let run = hold_rebuild(&warehouse, &[8, 9]).await;
    run.ingest(&[], &[(day(9), vec![("bolt", 2, 7)])]).await;
    assert_eq!(run.build().await.rows_unchanged, 3, "what was tampered with is as it should be");
    run.publish().await;
    assert!(fits(&warehouse).await);
    let rows = published(&warehouse, days(9, 9)).await;
    assert_eq!(rows.iter().map(|row| row.events).collect::<Vec<_>>(), [0, 7]);
    assert_eq!(warehouse.search_companies(&newest, 9).await.unwrap().rows, rows);
}
