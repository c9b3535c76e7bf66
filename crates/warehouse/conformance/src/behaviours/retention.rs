//! Removes old data, and checks the rest.

use std::collections::BTreeSet;

use domain::{
    FactRow, StageState,
    run::{STAGE_BUILD_FACT, STAGE_CALL_PRODUCT_API, STAGE_VALIDATE},
};
use warehouse_core::{
    AbandonedCandidates, CreatedRun, Error, ForgottenDays, HistoryStart, NewRun, WindowChoice,
};

use crate::{
    engine::EngineUnderTest,
    event_scene::{EventRun, Reported, assert_stored, file, has_event_file},
    observed::{interrupted_after, ledger_of_rows, observe},
    reference::{ExpectedRow, Inputs},
    scene::{
        UsageOfDay, all_days, at, company, day, days, export, hold_run, id, new_run, publish_run, published,
        stage_states, take_up, unpublished,
    },
};

/// History is kept from the first day of the year on: [`day`] 0.
fn start() -> HistoryStart {
    HistoryStart::new(day(0)).unwrap()
}

/// Usage on every day from `from` to `to`, each day different.
fn daily(from: i64, to: i64) -> Vec<UsageOfDay<'static>> {
    let numbers = |on: i64| (i32::try_from(on.rem_euclid(5)).unwrap(), on.rem_euclid(7));
    (from..=to)
        .map(|on| {
            let ((one, two), (three, four)) = (numbers(on), numbers(on + 3));
            (day(on), vec![("acme", one, two), ("bolt", three, four)])
        })
        .collect()
}

/// Three months of two companies, up to [`day`] 20, and their inputs.
async fn three_months(warehouse: &EngineUnderTest) -> Inputs {
    let companies = vec![company("acme", "Acme"), company("bolt", "Bolt")];
    let usage = daily(-88, 20);
    publish_run(warehouse, days(-75, 20), at(1), &[(export(day(-75), "1"), companies.clone())], &usage).await;
    let mut inputs = Inputs::default();
    let companies = companies.into_iter().map(|company| (company.company_id.clone(), company));
    inputs.snapshots.insert(day(-75), companies.collect());
    accept(&mut inputs, &usage);
    inputs
}

fn accept(inputs: &mut Inputs, usage: &[UsageOfDay<'_>]) {
    for (on, companies) in usage {
        inputs.usage.retain(|(_, known), _| known != on);
        for (company_id, users, events) in companies {
            inputs.usage.insert((id(company_id), *on), (*users, *events));
        }
    }
}

async fn assert_published(warehouse: &EngineUnderTest, inputs: &Inputs, from: i64, to: i64) {
    let rows = published(warehouse, days(-400, 400)).await;
    let rows: Vec<ExpectedRow> = rows.iter().map(ExpectedRow::from).collect();
    let expected: BTreeSet<_> = days(from, to).days().collect();
    assert_eq!(rows, inputs.fact(&expected));
    let ledger = warehouse.published_days(days(-400, 400)).await.unwrap();
    let ledger: Vec<_> =
        ledger.iter().map(|entry| (entry.activity_date, entry.row_count, entry.checksum.unwrap())).collect();
    assert_eq!(ledger, ledger_of_rows(warehouse, days(-400, 400)).await);
    assert!(ledger.iter().map(|(day, ..)| *day).eq(expected));
}

async fn forget(warehouse: &EngineUnderTest) -> ForgottenDays {
    warehouse.forget_days_before(start(), false).await.unwrap()
}

/// The message of a refusal, which has changed nothing.
async fn refusal(warehouse: &EngineUnderTest) -> String {
    let before = observe(warehouse).await;
    for dry_run in [true, false] {
        let refused = warehouse.forget_days_before(start(), dry_run).await;
        assert!(matches!(refused, Err(Error::Precondition(_))), "{refused:?}");
    }
    assert_eq!(observe(warehouse).await, before);
    warehouse.forget_days_before(start(), false).await.unwrap_err().to_string()
}

/// Days are removed with their ledger entries and the usage that no kept day reads; a
/// dry run reports this beforehand, and afterwards nothing is left to forget.
pub async fn forgotten_days_are_as_if_never_published(warehouse: EngineUnderTest) {
    let inputs = three_months(&warehouse).await;
    let before = observe(&warehouse).await;
    let reported = warehouse.forget_days_before(start(), true).await.unwrap();
    assert_eq!(observe(&warehouse).await, before);

    let forgotten = forget(&warehouse).await;
    assert_eq!(forgotten, reported);
    let expected = ForgottenDays {
        days: 75,
        rows: 150,
        // October and November; January reads December.
        usage_days: 57,
        usage_records: 114,
        events: 0,
        partitions: forgotten.partitions,
    };
    assert_eq!(forgotten, expected);
    assert_published(&warehouse, &inputs, 0, 20).await;
    let kept = |row: &&FactRow| row.key.activity_date >= day(0);
    assert!(published(&warehouse, days(-400, 400)).await.iter().eq(before.rows.iter().filter(kept)));
    let after = observe(&warehouse).await;
    assert_eq!((after.runs, after.quarantine), (before.runs, before.quarantine));
    assert_eq!(after.usage_days.first().unwrap().day, day(-31));

    for dry_run in [true, false] {
        let again = warehouse.forget_days_before(start(), dry_run).await.unwrap();
        assert_eq!(again, ForgottenDays::default());
    }
}

/// The next day and a late record in or shortly before the oldest kept days give the
/// same fact as if nothing had been forgotten.
pub async fn kept_days_are_computed_as_before(warehouse: EngineUnderTest) {
    let mut inputs = three_months(&warehouse).await;
    forget(&warehouse).await;
    let late = [(day(-5), vec![("acme", 9, 9), ("late", 1, 1)]), (day(0), vec![("bolt", 7, 7)])];
    let new = (day(21), vec![("acme", 1, 1)]);
    let usage = [late[0].clone(), late[1].clone(), new];
    accept(&mut inputs, &usage);
    let through = NewRun { force: false, ..new_run(unpublished(day(21))) };
    let CreatedRun { run, created } = warehouse.create_run(through).await.unwrap();
    assert_eq!((run.window, created), (days(21, 21), true));
    let run = take_up(&warehouse, at(2)).await;
    run.ingest(&[], &usage).await;
    run.build().await;
    run.publish().await;
    assert_published(&warehouse, &inputs, 0, 21).await;
    let again = publish_run(&warehouse, days(0, 21), at(3), &[], &usage).await;
    assert_eq!((again.counters.rows_written, again.new_days), (0, 0));
}

/// The run that published a forgotten day does not make a new one unnecessary, and the
/// day is built from newly fetched data; kept days stay as they are.
pub async fn a_forgotten_day_is_run_and_built_as_new(warehouse: EngineUnderTest) {
    let mut inputs = three_months(&warehouse).await;
    let silent = [(day(-60), vec![("acme", 1, 1)])];
    publish_run(&warehouse, days(-60, -60), at(2), &[], &silent).await;
    accept(&mut inputs, &silent);
    forget(&warehouse).await;
    let kept = published(&warehouse, days(0, 20)).await;

    let asked = NewRun { force: false, ..new_run(WindowChoice::Days(days(-60, -60))) };
    assert!(warehouse.create_run(asked.clone()).await.unwrap().created);
    let run = take_up(&warehouse, at(3)).await;
    let staged = warehouse.usage_days(days(-73, -60)).await.unwrap();
    assert_eq!(staged, []);
    let answers: Vec<UsageOfDay<'_>> = daily(-73, -61).into_iter().chain(silent.iter().cloned()).collect();
    run.ingest(&[], &answers).await;
    run.build().await;
    assert_eq!(run.publish().await.new_days, 1);
    assert_eq!(published(&warehouse, days(0, 20)).await, kept);
    let rows = published(&warehouse, days(-60, -60)).await;
    let rows: Vec<ExpectedRow> = rows.iter().map(ExpectedRow::from).collect();
    assert_eq!(rows, inputs.fact(&BTreeSet::from([day(-60)])));
    assert!(!warehouse.create_run(asked).await.unwrap().created, "it is published again");
}

/// Dirty marks of forgotten days are removed; those of kept days stay.
pub async fn dirty_days_are_forgotten_up_to_the_first_kept_one(warehouse: EngineUnderTest) {
    let mut inputs = three_months(&warehouse).await;
    let corrections =
        [(day(-40), vec![("acme", 8, 8)]), (day(-5), vec![("acme", 8, 8)]), (day(3), vec![("acme", 8, 8)])];
    let failing = hold_run(&warehouse, days(20, 20), at(2)).await;
    failing.ingest(&[], &corrections).await;
    failing.cancel().await;
    accept(&mut inputs, &corrections);
    forget(&warehouse).await;
    // Two corrections for both companies each; those of the first one are gone.
    assert_eq!(warehouse.backlog().await.unwrap().dirty_ranges, 4);
    publish_run(&warehouse, days(20, 20), at(3), &[], &[]).await;
    assert_published(&warehouse, &inputs, 0, 20).await;
}

/// Anything that still needs the days is named, and keeps them.
pub async fn days_that_somebody_needs_are_not_forgotten(warehouse: EngineUnderTest) {
    three_months(&warehouse).await;
    let queued = warehouse.create_run(new_run(WindowChoice::Days(days(-1, 3)))).await.unwrap().run;
    let reported = refusal(&warehouse).await;
    assert!(
        reported.contains(&format!("run {} over 2025-12-31..2026-01-04 is active", queued.run_id)),
        "{reported}"
    );
    let run = take_up(&warehouse, at(2)).await;
    refusal(&warehouse).await;
    run.cancel().await;

    let built = hold_run(&warehouse, days(20, 20), at(3)).await;
    built.ingest(&[], &[(day(-10), vec![("acme", 8, 8)])]).await;
    built.build().await;
    let reported = refusal(&warehouse).await;
    assert!(reported.contains(&format!("the candidates of run {}", built.run.run_id)), "{reported}");
    built.publish().await;
    assert_eq!(forget(&warehouse).await.days, 75);
}

/// Candidates of kept days are published as if nothing had happened.
pub async fn candidates_of_kept_days_outlive_the_forgotten(warehouse: EngineUnderTest) {
    let mut inputs = three_months(&warehouse).await;
    let run = hold_run(&warehouse, days(21, 21), at(2)).await;
    let usage = [(day(15), vec![("acme", 8, 8)]), (day(21), vec![("bolt", 1, 1)])];
    run.ingest(&[], &usage).await;
    accept(&mut inputs, &usage);
    run.build().await;
    forget(&warehouse).await;
    assert_eq!(run.publish().await.new_days, 1);
    assert_published(&warehouse, &inputs, 0, 21).await;
}

/// If the first kept day were unpublished, no schedule would fill the gap.
pub async fn a_gap_at_the_first_kept_day_is_filled_before(warehouse: EngineUnderTest) {
    publish_run(&warehouse, days(-20, -2), at(1), &[], &daily(-33, -2)).await;
    let reported = refusal(&warehouse).await;
    assert!(reported.contains("2026-01-01 itself is not published"), "{reported}");
    publish_run(&warehouse, days(-1, 0), at(2), &[], &daily(-1, 0)).await;
    assert_eq!(forget(&warehouse).await.days, 20);
}

/// Wherever the caller disconnects, the days are all there or all gone.
pub async fn an_interrupted_forgetting_is_whole_or_nothing(warehouse: EngineUnderTest) {
    let inputs = three_months(&warehouse).await;
    for polls in 1.. {
        let outcome = interrupted_after(polls, warehouse.forget_days_before(start(), false)).await;
        // Waits for a dropped call to finish its cleanup.
        let asked = new_run(WindowChoice::Days(days(20, 20)));
        let run = warehouse.create_run(NewRun { force: true, ..asked }).await.unwrap().run;
        warehouse.cancel_run(run.run_id, at(5)).await.unwrap();
        let oldest = warehouse.freshness().await.unwrap().unwrap().oldest;
        if oldest == day(0) {
            assert!(polls > 1, "the call was never interrupted");
            break;
        }
        assert!(outcome.is_none(), "after {polls} polls: {outcome:?}");
        assert_eq!(oldest, day(-75));
        assert_eq!(warehouse.usage_days(days(-88, 20)).await.unwrap().len(), 109, "after {polls} polls");
    }
    assert_published(&warehouse, &inputs, 0, 20).await;
    assert_eq!(forget(&warehouse).await, ForgottenDays::default());
}

/// Events are removed with their days, and their file does not count as new.
pub async fn events_are_forgotten_with_their_days(warehouse: EngineUnderTest) {
    let reported: [Reported<'_>; 3] = [("acme", -1, "a", 5), ("acme", 0, "a", 7), ("bolt", -40, "b", 1)];
    let run = EventRun::begin(&warehouse, 1).await;
    run.accept("events.ndjson", "1", &reported).await;
    assert_eq!(warehouse.forget_days_before(start(), true).await.unwrap().events, 2);
    assert_eq!(forget(&warehouse).await.events, 2);
    assert_stored(&warehouse, &[(("acme", 0, "a", 7), "events.ndjson")]).await;
    assert!(has_event_file(&warehouse, &file("events.ndjson", "1")).await);
    run.accept("more.ndjson", "1", &[("acme", 1, "b", 2)]).await;
    assert_stored(&warehouse, &[(reported[1], "events.ndjson"), (("acme", 1, "b", 2), "more.ndjson")]).await;
}

/// A retried run does not rely on usage that is gone.
pub async fn a_retried_run_stages_again_what_was_forgotten(warehouse: EngineUnderTest) {
    use StageState::{Pending, Succeeded};
    three_months(&warehouse).await;
    let run = hold_run(&warehouse, days(-60, -58), at(2)).await;
    run.ingest(&[], &[]).await;
    run.fail_at(STAGE_BUILD_FACT).await;
    let retried = warehouse.retry_run(run.run.run_id, None).await.unwrap();
    assert_eq!(stage_states(&retried), [Succeeded, Succeeded, Pending, Pending]);
    warehouse.cancel_run(run.run.run_id, at(3)).await.unwrap();

    forget(&warehouse).await;
    let retried = warehouse.retry_run(run.run.run_id, None).await.unwrap();
    assert_eq!(stage_states(&retried), [Succeeded, Pending, Pending, Pending]);
    let again = take_up(&warehouse, at(4)).await;
    let api = again.begin(STAGE_CALL_PRODUCT_API).await;
    again.complete(&api).await;
    again.build().await;
    assert_eq!(again.publish().await.new_days, 3);
}

/// Candidates outlive their run until they are discarded, and a retry builds them again.
pub async fn candidates_of_an_ended_run_are_discarded(warehouse: EngineUnderTest) {
    let discard =
        async |before, dry_run| warehouse.discard_abandoned_candidates(at(before), dry_run).await.unwrap();
    assert_eq!(discard(99, false).await, None);
    let run = hold_run(&warehouse, days(0, 1), at(1)).await;
    run.ingest(&[], &all_days(days(0, 1), &[(day(0), vec![("acme", 1, 1)])])).await;
    run.build().await;
    assert_eq!(discard(99, false).await, None, "the run is active");
    run.fail_at(STAGE_VALIDATE).await;
    assert_eq!(discard(1, false).await, None, "it ended at that time, not before");
    let abandoned = Some(AbandonedCandidates { run_id: run.run.run_id, rows: 2 });
    assert_eq!(discard(2, true).await, abandoned);
    assert_eq!(discard(2, false).await, abandoned);
    assert_eq!(discard(2, false).await, None);

    let retried = warehouse.retry_run(run.run.run_id, None).await.unwrap();
    assert_eq!(stage_states(&retried)[2..], [StageState::Pending; 2]);
    let again = take_up(&warehouse, at(3)).await;
    assert_eq!(again.build().await.rows_written, 2);
    assert_eq!(discard(99, false).await, None, "it was retried");
    assert_eq!(again.publish().await.counters.rows_written, 2);
}

/// A landed file is in use once usage was staged from it.
pub async fn landed_files_in_use_are_distinguished_from_others(warehouse: EngineUnderTest) {
    publish_run(&warehouse, days(0, 0), at(1), &[], &[(day(0), vec![("acme", 1, 1)])]).await;
    let landed = "product_usage/2026-01-01/usage_2026-01-01.json";
    let asked = [landed, "product_usage/2026-01-02/usage_2026-01-02.json"].map(str::to_owned);
    let in_use = warehouse.landed_files_in_use(&asked).await.unwrap();
    assert_eq!(in_use, BTreeSet::from([landed.to_owned()]));
    assert_eq!(warehouse.landed_files_in_use(&[]).await.unwrap(), BTreeSet::new());
}
