//! What publishes replace is kept, and when each day was published and by whom.

use chrono::{DateTime, NaiveDate, TimeDelta, Utc};
use domain::{DateWindow, FactRow, Publication};
use futures::TryStreamExt;
use uuid::Uuid;
use warehouse_core::{
    ActivityQuery, Error, ForgottenHistory, HistoryStart, PublishedState,
    inspection::{LoggedPublication, ReplacedRow},
};

use crate::{
    behaviours::unpublish::take_back,
    engine::EngineUnderTest,
    scene::{UsageOfDay, at, company, day, days, export, hold_run, published},
};

/// Every day of these behaviours.
fn ever() -> DateWindow {
    days(-400, 400)
}

/// A whole run; returns its id.
async fn publish(
    warehouse: &EngineUnderTest,
    window: DateWindow,
    now: DateTime<Utc>,
    exports: &[(warehouse_core::CrmExport, Vec<domain::CrmCompany>)],
    usage: &[UsageOfDay<'_>],
) -> Uuid {
    let run = hold_run(warehouse, window, now).await;
    run.ingest(exports, usage).await;
    run.build().await;
    run.publish().await;
    run.run.run_id
}

/// Three days of two companies.
async fn three_days(warehouse: &EngineUnderTest) -> Uuid {
    let companies = vec![company("acme", "Acme"), company("bolt", "Bolt")];
    let usage = [(day(0), vec![("acme", 1, 1), ("zed", 1, 1)]), (day(2), vec![("bolt", 2, 2)])];
    publish(warehouse, days(0, 2), at(1), &[(export(day(0), "1"), companies)], &usage).await
}

fn replaced(rows: &[FactRow], replaced_at: DateTime<Utc>, replaced_by: Uuid) -> Vec<ReplacedRow> {
    rows.iter().map(|row| ReplacedRow { row: row.clone(), replaced_at, replaced_by }).collect()
}

async fn history(warehouse: &EngineUnderTest) -> Vec<ReplacedRow> {
    warehouse.staging.replaced_rows(ever()).await.unwrap()
}

/// The entries of the log as (day, time, run, rows).
async fn log(warehouse: &EngineUnderTest) -> Vec<(i64, DateTime<Utc>, String, Option<i64>)> {
    let entries = warehouse.staging.logged_publications(ever()).await.unwrap();
    let offset = |entry: &LoggedPublication| (entry.activity_date - day(0)).num_days();
    entries
        .into_iter()
        .map(|entry| (offset(&entry), entry.published_at, entry.run_id, entry.row_count))
        .collect()
}

/// The newest entries of published days say what the ledger says.
async fn assert_log_ends_as_ledger(warehouse: &EngineUnderTest) {
    let mut newest = std::collections::BTreeMap::new();
    for entry in warehouse.staging.logged_publications(ever()).await.unwrap() {
        newest.insert(entry.activity_date, entry);
    }
    newest.retain(|_, entry| entry.row_count.is_some());
    let logged = newest.into_values().map(|entry| {
        (entry.activity_date, entry.published_at, entry.run_id, entry.row_count.unwrap(), entry.checksum)
    });
    let ledger = warehouse.published_days(ever()).await.unwrap();
    let of_ledger =
        ledger.into_iter().map(|Publication { activity_date, run_id, published_at, row_count, checksum }| {
            (activity_date, published_at, run_id, row_count, Some(checksum.unwrap().to_stored()))
        });
    assert!(logged.eq(of_ledger));
}

/// A corrected row and one that goes are kept as they were; others are not.
pub async fn what_a_publish_replaces_is_kept(warehouse: EngineUnderTest) {
    let first = three_days(&warehouse).await;
    assert!(history(&warehouse).await.is_empty());
    let before = published(&warehouse, ever()).await;
    // The correction changes acme's three days; zed was there for the record that is gone.
    let second = publish(&warehouse, days(2, 3), at(2), &[], &[(day(0), vec![("acme", 3, 1)])]).await;
    let kept: Vec<FactRow> =
        before.iter().filter(|row| row.key.company_id.as_str() != "bolt").cloned().collect();
    assert_eq!(kept.len(), 6);
    assert_eq!(history(&warehouse).await, replaced(&kept, at(2), second));
    // Publishing equal values replaces nothing.
    publish(&warehouse, days(0, 3), at(3), &[], &[(day(0), vec![("acme", 3, 1)])]).await;
    assert_eq!(history(&warehouse).await.len(), 6);

    let (first, second) = (first.to_string(), second.to_string());
    let logged = |offset, hours, run: &String, rows| (offset, at(hours), run.clone(), Some(rows));
    let expected = [
        logged(0, 1, &first, 3),
        logged(0, 2, &second, 2),
        logged(1, 1, &first, 3),
        logged(1, 2, &second, 2),
        logged(2, 1, &first, 3),
        logged(2, 2, &second, 2),
        logged(3, 2, &second, 2),
    ];
    assert_eq!(log(&warehouse).await, expected);
    assert_log_ends_as_ledger(&warehouse).await;
}

/// Days that are taken back are kept with all their rows, and the log says so.
pub async fn what_is_taken_back_is_kept(warehouse: EngineUnderTest) {
    three_days(&warehouse).await;
    let before = published(&warehouse, days(1, 2)).await;
    let back = take_back(&warehouse, days(1, 9), at(2)).await;
    assert_eq!(history(&warehouse).await, replaced(&before, at(2), back));
    let again = publish(&warehouse, days(1, 2), at(3), &[], &[]).await;
    assert_eq!(history(&warehouse).await.len(), before.len());
    let of_day_1: Vec<_> = log(&warehouse).await.into_iter().filter(|(offset, ..)| *offset == 1).collect();
    assert_eq!(of_day_1.len(), 3);
    assert_eq!(of_day_1[1], (1, at(2), back.to_string(), None));
    assert_eq!(of_day_1[2], (1, at(3), again.to_string(), Some(3)));
    assert_log_ends_as_ledger(&warehouse).await;
}

/// However the clock stands, each publish is later than those before it, and its rows, the
/// ledger and what it replaces have its time.
pub async fn no_two_publishes_have_the_same_time(warehouse: EngineUnderTest) {
    let now = at(5) + TimeDelta::nanoseconds(1_234_567);
    let told = at(5) + TimeDelta::microseconds(1_234);
    let later = |steps: i64| told + TimeDelta::microseconds(steps);
    let acme = vec![company("acme", "Acme")];
    publish(&warehouse, days(0, 0), now, &[(export(day(0), "1"), acme)], &[]).await;
    publish(&warehouse, days(0, 0), now, &[], &[(day(0), vec![("acme", 1, 1)])]).await;
    // A clock that is behind.
    publish(&warehouse, days(0, 0), at(4), &[], &[(day(0), vec![("acme", 2, 1)])]).await;
    take_back(&warehouse, days(0, 0), now).await;
    publish(&warehouse, days(0, 0), now, &[], &[]).await;
    let spans: Vec<_> =
        history(&warehouse).await.iter().map(|kept| (kept.row.loaded_at, kept.replaced_at)).collect();
    assert_eq!(spans, [(told, later(1)), (later(1), later(2)), (later(2), later(3))]);
    let row = published(&warehouse, days(0, 0)).await.swap_remove(0);
    let ledger = warehouse.published_days(days(0, 0)).await.unwrap().swap_remove(0);
    assert_eq!((row.loaded_at, ledger.published_at), (later(4), later(4)));
    let times: Vec<_> = log(&warehouse).await.into_iter().map(|(_, time, ..)| time).collect();
    assert_eq!(times, [told, later(1), later(2), later(3), later(4)]);
}

/// Forgotten days leave no history behind; that of kept ones stays.
pub async fn history_goes_with_forgotten_days(warehouse: EngineUnderTest) {
    let acme = vec![company("acme", "Acme")];
    publish(&warehouse, days(-5, 5), at(1), &[(export(day(-5), "1"), acme)], &[]).await;
    publish(&warehouse, days(-5, 5), at(2), &[], &[(day(-5), vec![("acme", 1, 1)])]).await;
    publish(&warehouse, days(-5, 5), at(3), &[], &[(day(5), vec![("acme", 1, 1)])]).await;
    assert_eq!(history(&warehouse).await.len(), 11 + 1);
    warehouse.forget_days_before(HistoryStart::new(day(0)).unwrap(), false).await.unwrap();
    let kept: Vec<_> = history(&warehouse)
        .await
        .iter()
        .map(|kept| (kept.row.key.activity_date - day(0)).num_days())
        .collect();
    assert_eq!(kept, [0, 1, 2, 3, 4, 5, 5]);
    assert!(log(&warehouse).await.iter().all(|(offset, ..)| *offset >= 0));
    assert_log_ends_as_ledger(&warehouse).await;
}

/// All rows of a window, now or as a run left them, and what is published of it.
async fn read(
    warehouse: &EngineUnderTest,
    window: DateWindow,
    as_of: Option<Uuid>,
) -> Result<(Vec<FactRow>, PublishedState), Error> {
    let query = ActivityQuery { company_id: None, window, after: None, as_of };
    let export = warehouse.export_facts(&query).await?;
    let state = export.state.clone();
    Ok((export.rows().try_collect().await?, state))
}

async fn newest_day(warehouse: &EngineUnderTest, as_of: Uuid) -> Option<NaiveDate> {
    warehouse.newest_day(as_of).await.unwrap()
}

/// What a run left can be read again, whatever was published later; answers name the run whose
/// state they are.
pub async fn a_state_is_read_again_by_the_run_that_left_it(warehouse: EngineUnderTest) {
    let first = three_days(&warehouse).await;
    let left_by_first = read(&warehouse, ever(), None).await.unwrap();
    let correction = [(day(1), vec![("acme", 4, 4)])];
    let second = publish(&warehouse, days(3, 5), at(2), &[], &correction).await;
    let left_by_second = read(&warehouse, ever(), None).await.unwrap();
    // Of days that a run has not touched, an earlier one left the state.
    for (on, run_id) in [(0, first), (1, second)] {
        let (_, state) = read(&warehouse, days(on, on), None).await.unwrap();
        assert_eq!(state.left_by, Some(run_id.to_string()));
    }
    let back = take_back(&warehouse, days(2, 4), at(3)).await;
    let left_by_back = read(&warehouse, ever(), None).await.unwrap();
    publish(&warehouse, days(2, 8), at(4), &[], &[(day(0), vec![("acme", 9, 9)])]).await;

    for (run_id, left, newest) in
        [(first, left_by_first, 2), (second, left_by_second, 5), (back, left_by_back, 5)]
    {
        assert_eq!(left.1.left_by, Some(run_id.to_string()));
        assert_eq!(read(&warehouse, ever(), Some(run_id)).await.unwrap(), left);
        assert_eq!(newest_day(&warehouse, run_id).await, Some(day(newest)));
        let window = days(1, 3);
        let of_days = |row: &FactRow| window.contains(row.key.activity_date);
        let (rows, state) = read(&warehouse, window, Some(run_id)).await.unwrap();
        assert!(rows.iter().eq(left.0.iter().filter(|row| of_days(row))));
        let of_days = |entry: &&Publication| window.contains(entry.activity_date);
        assert!(state.publications.iter().eq(left.1.publications.iter().filter(of_days)));
    }
}

/// A run without a publish is refused, and none of its rows are guessed.
pub async fn a_run_that_published_nothing_names_no_state(warehouse: EngineUnderTest) {
    three_days(&warehouse).await;
    let unchanged = publish(&warehouse, days(0, 2), at(2), &[], &[]).await;
    for run_id in [unchanged, Uuid::now_v7()] {
        let refused = read(&warehouse, ever(), Some(run_id)).await.unwrap_err();
        assert!(matches!(refused, Error::NotFound(_)), "{refused:?}");
        assert!(refused.to_string().contains(&run_id.to_string()), "{refused}");
        let refused = warehouse.newest_day(run_id).await.unwrap_err();
        assert!(matches!(refused, Error::NotFound(_)), "{refused:?}");
    }
}

/// History is removed up to a time. From then on every state can be read; older ones, as far as
/// their days have not changed until then.
pub async fn history_is_kept_for_a_while(warehouse: EngineUnderTest) {
    let first = three_days(&warehouse).await;
    let of_first = read(&warehouse, days(2, 2), None).await.unwrap();
    let second = publish(&warehouse, days(0, 0), at(2), &[], &[(day(0), vec![("acme", 2, 2)])]).await;
    let companies = vec![company("acme", "Acme Inc.")];
    publish(&warehouse, days(3, 3), at(3), &[(export(day(3), "2"), companies)], &[]).await;
    let third = publish(&warehouse, days(0, 0), at(4), &[], &[(day(1), vec![("acme", 3, 3)])]).await;
    let of_third = read(&warehouse, ever(), None).await.unwrap();
    let fourth = publish(&warehouse, days(0, 0), at(6), &[], &[(day(1), vec![("acme", 5, 5)])]).await;
    let before = (history(&warehouse).await, log(&warehouse).await);

    let looked = warehouse.forget_history_before(at(5), true).await.unwrap();
    assert_eq!((history(&warehouse).await, log(&warehouse).await), before);
    let old = before.0.iter().filter(|kept| kept.replaced_at <= at(5)).count();
    assert!(old > 0 && old < before.0.len());
    assert_eq!(looked.rows, u64::try_from(old).unwrap());
    assert_eq!(warehouse.forget_history_before(at(5), false).await.unwrap(), looked);
    assert_eq!(warehouse.forget_history_before(at(5), false).await.unwrap(), ForgottenHistory::default());
    assert!(history(&warehouse).await.iter().all(|kept| kept.replaced_at > at(5)));
    assert_log_ends_as_ledger(&warehouse).await;

    // The state at that time is that of the last publish before it.
    assert_eq!(read(&warehouse, ever(), Some(third)).await.unwrap(), of_third);
    for run_id in [first, second] {
        let refused = read(&warehouse, ever(), Some(run_id)).await;
        match refused {
            Err(Error::Precondition(problem)) => {
                assert!(problem.contains("kept since 2026-06-01 05:00:00 UTC"), "{problem}");
            }
            // All its entries went.
            Err(Error::NotFound(_)) => {}
            other => panic!("{other:?}"),
        }
    }
    // Nothing has changed on that day since the first publish, unless it reads what was corrected.
    let unchanged = read(&warehouse, days(3, 3), None).await.unwrap();
    let run_id = Uuid::parse_str(unchanged.1.left_by.as_deref().unwrap()).unwrap();
    assert_eq!(read(&warehouse, days(3, 3), Some(run_id)).await.unwrap(), unchanged);
    assert_eq!(of_first.1.publications.len(), 1);

    // The newest state always stays.
    warehouse.forget_history_before(at(1_000), false).await.unwrap();
    assert!(history(&warehouse).await.is_empty());
    let now = read(&warehouse, ever(), None).await.unwrap();
    assert_eq!(read(&warehouse, ever(), Some(fourth)).await.unwrap(), now);
    let fifth = publish(&warehouse, days(0, 0), at(7), &[], &[(day(1), vec![("acme", 6, 6)])]).await;
    assert_eq!(read(&warehouse, ever(), Some(fourth)).await.unwrap(), now);
    assert_eq!(read(&warehouse, ever(), None).await.unwrap().1.left_by, Some(fifth.to_string()));
}
