//! What a backfill runs, and what it would change.

use std::sync::Arc;

use chrono::NaiveDate;
use domain::{
    Concerns, DateWindow, FactRow, SourceRow, UsageRecord,
    run::{DAILY_PIPELINE, STAGE_COPY_CRM_CSV},
};
use futures::{StreamExt, stream};
use warehouse_core::{DayChanges, PreviewOutcome, RowStream, UsageLimits};

use crate::{
    engine::EngineUnderTest,
    observed::observe,
    scene::{
        self, UsageOfDay, at, company, day, days, export, hold_run, hold_run_of, offset_of, publish_run,
        records, rejected,
    },
    usage_scene::{accepted_silence, refusal, strict, unreadable, unreadable_of},
};

/// Only a day's newest run decides whether the day has to be redone: published or not,
/// and whatever other pipelines do.
pub async fn a_day_is_done_over_if_its_newest_run_failed(warehouse: EngineUnderTest) {
    let failed = async || warehouse.failed_days(DAILY_PIPELINE, days(0, 9)).await.unwrap();
    assert_eq!(failed().await, []);
    publish_run(&warehouse, days(0, 5), at(1), &[], &[(day(0), vec![("acme", 1, 1)])]).await;
    hold_run_of(&warehouse, "pl_other", days(0, 9), at(1)).await.fail_at(STAGE_COPY_CRM_CSV).await;
    assert_eq!(failed().await, []);

    hold_run(&warehouse, days(1, 3), at(2)).await.fail_at(STAGE_COPY_CRM_CSV).await;
    hold_run(&warehouse, days(8, 12), at(3)).await.cancel().await;
    assert_eq!(failed().await, [1, 2, 3, 8, 9].map(day));
    assert_eq!(warehouse.failed_days(DAILY_PIPELINE, days(2, 2)).await.unwrap(), [day(2)]);

    publish_run(&warehouse, days(3, 8), at(4), &[], &[]).await;
    let under_way = hold_run(&warehouse, days(1, 1), at(5)).await;
    assert_eq!(failed().await, [2, 9].map(day));
    under_way.cancel().await;
    assert_eq!(failed().await, [1, 2, 9].map(day));
}

/// What a backfill over `windows` with these answers of the product API would change.
async fn preview(
    warehouse: &EngineUnderTest,
    windows: &[DateWindow],
    answers: &[UsageOfDay<'_>],
    sample: u32,
) -> PreviewOutcome {
    let mut session = warehouse.begin_preview(windows).await.unwrap();
    for (on, companies) in answers {
        session.add_usage_day(*on, UsageLimits::NONE, rows_of(records(*on, companies))).await.unwrap();
    }
    session.finish(sample, at(99), Arc::new(|_| ())).await.unwrap()
}

fn rows_of(rows: Vec<SourceRow<UsageRecord>>) -> RowStream<'static, UsageRecord> {
    stream::iter(rows.into_iter().map(Ok)).boxed()
}

/// The days that differ, as offsets, each with its new, changed and gone rows.
fn reported(outcome: &PreviewOutcome) -> Vec<(i64, u64, u64, u64)> {
    let differs = |day: &&DayChanges| day.new + day.changed + day.gone > 0;
    let offset = |day: NaiveDate| (day - scene::day(0)).num_days();
    outcome.days.iter().filter(differs).map(|day| (offset(day.day), day.new, day.changed, day.gone)).collect()
}

/// Twenty-one days of two companies in the CRM, both active every day.
async fn two_companies(warehouse: &EngineUnderTest) {
    let exports = [(export(day(0), "1"), vec![company("acme", "Acme"), company("bolt", "Bolt")])];
    let usage: Vec<UsageOfDay<'_>> =
        (0..=20).map(|on| (day(on), vec![("acme", 1, 10), ("bolt", 2, 20)])).collect();
    publish_run(warehouse, days(0, 20), at(1), &exports, &usage).await;
}

/// A corrected record changes exactly the fourteen days that read it.
pub async fn a_preview_reports_old_and_new_values_of_a_correction(warehouse: EngineUnderTest) {
    two_companies(&warehouse).await;
    let corrected = [(day(3), vec![("acme", 1, 10), ("bolt", 5, 20)])];
    let outcome = preview(&warehouse, &[days(3, 3)], &corrected, 3).await;
    // The users of seven days; events, and so the churn risk, are unchanged.
    assert_eq!(reported(&outcome), (3..=9).map(|on| (on, 0, 1, 0)).collect::<Vec<_>>());
    assert!(outcome.days.iter().all(|day| day.is_published && day.unchanged == 1));
    let users = |row: &Option<FactRow>| {
        row.as_ref().map(|row| (offset_of(row), row.active_users, row.active_users_7d))
    };
    let sampled: Vec<_> =
        outcome.sample.iter().map(|change| (users(&change.old), users(&change.new))).collect();
    assert_eq!(
        sampled,
        [
            (Some((3, 2, 8)), Some((3, 5, 11))),
            (Some((4, 2, 10)), Some((4, 2, 13))),
            (Some((5, 2, 12)), Some((5, 2, 15))),
        ]
    );
    let names = outcome.sample.iter().map(|change| change.new.as_ref().unwrap().company_name.as_deref());
    assert!(names.eq([Some("Bolt"); 3]));
    let equal = [(day(3), vec![("acme", 1, 10), ("bolt", 2, 20)])];
    let outcome = preview(&warehouse, &[days(3, 3)], &equal, 3).await;
    assert_eq!((reported(&outcome), outcome.sample), (vec![], vec![]));
    assert_eq!(outcome.days.iter().map(|day| day.unchanged).collect::<Vec<_>>(), [2]);
}

/// Of several records for a company the last one counts, and rejected ones do not.
pub async fn a_preview_reads_answers_as_a_load_does(warehouse: EngineUnderTest) {
    two_companies(&warehouse).await;
    let mut rows = records(day(3), &[("bolt", 9, 9), ("acme", 1, 10), ("bolt", 2, 20)]);
    rows.push(rejected(9, "bad", "?"));
    let mut session = warehouse.begin_preview(&[days(3, 3)]).await.unwrap();
    session.add_usage_day(day(3), strict(), rows_of(rows)).await.unwrap();
    let unread = rows_of(vec![rejected(1, "bad", "?")]);
    refusal(session.add_usage_day(day(4), strict(), unread).await);
    let outcome = session.finish(9, at(99), Arc::new(|_| ())).await.unwrap();
    assert_eq!(reported(&outcome), []);
}

/// Unreadable input changes nothing, just as in a load.
pub async fn a_preview_keeps_what_a_load_keeps(warehouse: EngineUnderTest) {
    two_companies(&warehouse).await;
    let mut session = warehouse.begin_preview(&[days(3, 5)]).await.unwrap();
    let acme = |on| records(on, &[("acme", 1, 10)]);
    let of_bolt = [acme(day(3)), vec![unreadable_of(9, "bolt"), unreadable_of(10, "unheard of")]].concat();
    session.add_usage_day(day(3), strict(), rows_of(of_bolt)).await.unwrap();
    let anyones = [acme(day(4)), vec![unreadable(9, Concerns::Anyone)]].concat();
    session.add_usage_day(day(4), strict(), rows_of(anyones)).await.unwrap();
    let no_ones = [acme(day(5)), vec![unreadable(9, Concerns::NoOne)]].concat();
    session.add_usage_day(day(5), strict(), rows_of(no_ones)).await.unwrap();
    let outcome = session.finish(9, at(99), Arc::new(|_| ())).await.unwrap();
    // Only bolt's record of the last day is gone.
    assert_eq!(reported(&outcome), (5..=11).map(|on| (on, 0, 1, 0)).collect::<Vec<_>>());
}

/// An implausible answer is refused, and leaves nothing behind; the answers before it
/// count as if they were loaded.
pub async fn a_preview_refuses_what_a_load_refuses(warehouse: EngineUnderTest) {
    two_companies(&warehouse).await;
    let mut session = warehouse.begin_preview(&[days(3, 60)]).await.unwrap();
    let torn = (10..14).map(|line| unreadable_of(line, "bolt"));
    let rows = records(day(3), &[("acme", 9, 9)]).into_iter().chain(torn).collect();
    refusal(session.add_usage_day(day(3), strict(), rows_of(rows)).await);
    refusal(session.add_usage_day(day(4), strict(), rows_of(vec![])).await);
    for on in 40..47 {
        let rows = rows_of(records(day(on), &[("acme", 1, 10)]));
        session.add_usage_day(day(on), strict(), rows).await.unwrap();
    }
    let problem = refusal(session.add_usage_day(day(47), strict(), rows_of(vec![])).await);
    assert!(problem.contains("each of the 7 days known before it"), "{problem}");
    session.add_usage_day(day(47), accepted_silence(), rows_of(vec![])).await.unwrap();
    session.add_usage_day(day(48), strict(), rows_of(vec![])).await.unwrap();
    let outcome = session.finish(9, at(99), Arc::new(|_| ())).await.unwrap();
    assert!(outcome.days.iter().all(|day| day.changed + day.gone == 0));
}

/// Whatever a preview does, and wherever it is dropped, readers see no change.
pub async fn a_preview_changes_nothing(warehouse: EngineUnderTest) {
    two_companies(&warehouse).await;
    let before = observe(&warehouse).await;
    let answers = [(day(5), vec![("new", 1, 1)]), (day(22), vec![("acme", 1, 1)])];
    let first = preview(&warehouse, &[days(5, 24)], &answers, 100).await;
    assert_eq!(observe(&warehouse).await, before);
    let mut dropped = warehouse.begin_preview(&[days(5, 24)]).await.unwrap();
    let rows = rows_of(records(day(5), &[("new", 1, 1)]));
    dropped.add_usage_day(day(5), UsageLimits::NONE, rows).await.unwrap();
    drop(dropped);
    assert_eq!(observe(&warehouse).await, before);
    // The first one leaves nothing for the second to find.
    assert_eq!(preview(&warehouse, &[days(5, 24)], &answers, 100).await, first);
    assert!(!first.is_outdated);
    // A run that publishes neither what was previewed nor what was dropped.
    let outcome = publish_run(&warehouse, days(0, 20), at(2), &[], &[]).await;
    assert_eq!(outcome.counters.rows_written + outcome.counters.rows_removed, 0);
}

/// Changes since the last publish would be published as well.
pub async fn a_preview_includes_what_is_dirty_already(warehouse: EngineUnderTest) {
    two_companies(&warehouse).await;
    let failing = hold_run(&warehouse, days(15, 15), at(2)).await;
    failing.ingest(&[], &[(day(15), vec![("acme", 1, 10), ("bolt", 0, 20)])]).await;
    failing.cancel().await;
    let outcome = preview(&warehouse, &[days(0, 0)], &[], 0).await;
    assert_eq!(reported(&outcome), (15..=20).map(|on| (on, 0, 1, 0)).collect::<Vec<_>>());
}

/// A gap between two windows is neither requested nor filled.
pub async fn a_preview_fills_the_asked_gaps_alone(warehouse: EngineUnderTest) {
    two_companies(&warehouse).await;
    let windows = [days(-3, -2), days(22, 22), days(24, 24)];
    let outcome = preview(&warehouse, &windows, &[(day(22), vec![("late", 1, 1)])], 2).await;
    assert_eq!(reported(&outcome), [(-3, 2, 0, 0), (-2, 2, 0, 0), (22, 3, 0, 0), (24, 3, 0, 0)]);
    assert!(outcome.days.iter().all(|day| !day.is_published && day.unchanged == 0));
    assert!(outcome.sample.iter().all(|change| change.old.is_none() && change.new.is_some()));
}

/// A preview reports that its data has changed meanwhile.
pub async fn a_preview_notices_what_is_loaded_beside_it(warehouse: EngineUnderTest) {
    two_companies(&warehouse).await;
    let session = warehouse.begin_preview(&[days(0, 20)]).await.unwrap();
    let run = hold_run(&warehouse, days(15, 15), at(2)).await;
    run.ingest(&[], &[(day(15), vec![("acme", 1, 10), ("bolt", 0, 20)])]).await;
    assert!(session.finish(0, at(99), Arc::new(|_| ())).await.unwrap().is_outdated);
}
