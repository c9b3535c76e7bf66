//! Product usage, day by day.

use domain::{
    Counters, FailureKind, RejectionKind, RejectionReason, UsageNumbers, run::STAGE_CALL_PRODUCT_API,
};
use futures::{StreamExt, channel::oneshot, future, stream};
use warehouse_core::{
    Error, HeldDay, HeldUsage, QuarantinedRow, SourceError, UsageDay, UsageDayState, UsageLimits,
};

use crate::{
    engine::EngineUnderTest,
    observed::{Observed, interrupted_after, observe},
    scene::{
        at, day, days, id, offset_of, publish_run, published, published_of, records, rejected, usage_day,
    },
    usage_scene::{fetched, fetching_run, loaded, publish, refusal, strict},
};

/// Nothing is written, computed or published again.
pub async fn a_redelivered_day_changes_nothing(warehouse: EngineUnderTest) {
    let delivered = [("acme", 2, 8), ("bolt", 0, 0)];
    publish_run(&warehouse, days(0, 3), at(1), &[], &[(day(0), delivered.to_vec())]).await;
    let before = observe(&warehouse).await;
    let (run, fence) = fetching_run(&warehouse, 2).await;
    let outcome = run.load_usage(&fence, day(0), records(day(0), &delivered)).await.unwrap();
    assert_eq!(outcome.counters, loaded(0, 2, 0));
    let published = publish(&run, &fence).await;
    assert_eq!((published.counters, published.new_days), (Counters::default(), 0));
    let after = observe(&warehouse).await;
    assert_eq!((after.rows, after.freshness), (before.rows, before.freshness));
    assert_eq!(after.usage_days, [fetched(&run, 0, 2)]);
}

/// The API is the authority for a day: corrected, new and removed records follow it.
pub async fn a_record_that_is_gone_at_the_source_is_removed(warehouse: EngineUnderTest) {
    let delivered = vec![("acme", 2, 8), ("bolt", 1, 1), ("core", 5, 5)];
    publish_run(&warehouse, days(0, 3), at(1), &[], &[(day(1), delivered)]).await;
    let (run, fence) = fetching_run(&warehouse, 2).await;
    let corrected = records(day(1), &[("acme", 2, 9), ("core", 5, 5), ("zed", 1, 3)]);
    let outcome = run.load_usage(&fence, day(1), corrected).await.unwrap();
    assert_eq!(outcome.counters, loaded(2, 1, 1));
    assert_eq!(warehouse.usage_days(days(0, 3)).await.unwrap(), [fetched(&run, 1, 3)]);

    let outcome = publish(&run, &fence).await.counters;
    // acme's day itself, zed's three days; bolt's three days are gone.
    assert_eq!((outcome.rows_written, outcome.rows_removed), (4, 3));
    assert_eq!(published_of(&warehouse, "bolt", days(0, 3)).await, []);
    let zed = published_of(&warehouse, "zed", days(0, 3)).await;
    assert_eq!(zed.iter().map(offset_of).collect::<Vec<_>>(), [1, 2, 3]);
}

/// An answer without a valid record for a day that had some is refused; its rejected
/// records are in quarantine.
pub async fn an_empty_answer_for_a_known_day_is_refused(warehouse: EngineUnderTest) {
    publish_run(&warehouse, days(0, 3), at(1), &[], &[(day(0), vec![("acme", 2, 8)])]).await;
    let (run, fence) = fetching_run(&warehouse, 2).await;
    let before = observe(&warehouse).await;
    refusal(run.load_usage_within(&fence, day(0), strict(), vec![]).await);
    assert_eq!(observe(&warehouse).await, before);
    refusal(run.load_usage_within(&fence, day(0), strict(), vec![rejected(1, "bad", "{}")]).await);
    let after = observe(&warehouse).await;
    let reported: Vec<_> = after.quarantine.iter().map(|row| (row.line, row.raw.as_str())).collect();
    assert_eq!(reported, [(1, "{}")]);
    assert_eq!(Observed { quarantine: vec![], ..after }, before);
    assert_eq!(publish(&run, &fence).await.counters, Counters::default());
}

/// A day on which nothing happened counts as fetched, however often it is requested,
/// and accepts late records.
pub async fn an_empty_answer_for_a_new_day_is_recorded(warehouse: EngineUnderTest) {
    let (run, fence) = fetching_run(&warehouse, 1).await;
    let empty = UsageDay { day: day(2), landing_path: None, bytes: 0, etag: None, page_ends: vec![] };
    for _ in 0..2 {
        let rows = stream::iter([]).boxed();
        let outcome = warehouse.load_usage_day(&fence, &empty, strict(), rows, at(1)).await.unwrap();
        assert_eq!(outcome.counters, Counters::default());
        let fetched = UsageDayState {
            landing_path: None,
            bytes: 0,
            etag: None,
            page_ends: vec![],
            ..fetched(&run, 2, 0)
        };
        assert_eq!(warehouse.usage_days(days(0, 3)).await.unwrap(), [fetched]);
    }
    run.load_usage(&fence, day(2), records(day(2), &[("acme", 1, 1)])).await.unwrap();
    run.load_usage(&fence, day(0), records(day(0), &[("acme", 1, 1)])).await.unwrap();
    let known = [fetched(&run, 0, 1), fetched(&run, 2, 1)];
    assert_eq!(warehouse.usage_days(days(0, 3)).await.unwrap(), known);
    assert_eq!(warehouse.usage_days(days(1, 3)).await.unwrap(), known.get(1..).unwrap());
    assert_eq!(warehouse.usage_days(days(3, 9)).await.unwrap(), []);
}

/// A rejected record keeps its origin and its text; loading its file again replaces it.
pub async fn rejected_records_are_quarantined_with_their_origin(warehouse: EngineUnderTest) {
    let (run, fence) = fetching_run(&warehouse, 1).await;
    let rows = [records(day(0), &[("acme", 1, 1)]), vec![rejected(2, "no date", "{\"x\": 'y'}")]].concat();
    let counters = run.load_usage(&fence, day(0), rows).await.unwrap().counters;
    assert_eq!(counters, Counters { rows_read: 2, rows_rejected: 1, ..loaded(1, 0, 0) });
    run.load_usage(
        &fence,
        day(1),
        [records(day(1), &[("acme", 1, 1)]), vec![rejected(7, "bad", "?")]].concat(),
    )
    .await
    .unwrap();

    let quarantined = |offset, line, reason: &str, raw: &str| QuarantinedRow {
        run_id: run.run.run_id,
        stage: STAGE_CALL_PRODUCT_API.to_owned(),
        origin: usage_day(day(offset)).landing_path.unwrap(),
        line,
        kind: RejectionKind::Malformed,
        reason: reason.to_owned(),
        raw: raw.to_owned(),
        business_date: Some(day(offset)),
        quarantined_at: at(1),
        accepted: None,
    };
    let expected = [quarantined(0, 2, "no date", "{\"x\": 'y'}"), quarantined(1, 7, "bad", "?")];
    assert_eq!(warehouse.staging.quarantined_rows(None, 10).await.unwrap(), expected);
    assert_eq!(warehouse.staging.quarantined_rows(Some(run.run.run_id), 1).await.unwrap(), expected[..1]);
    assert_eq!(warehouse.staging.quarantined_rows(Some(uuid::Uuid::now_v7()), 10).await.unwrap(), []);

    run.load_usage(&fence, day(0), records(day(0), &[("acme", 1, 1)])).await.unwrap();
    assert_eq!(warehouse.staging.quarantined_rows(None, 10).await.unwrap(), expected[1..]);
}

/// Of several records for a company the last one counts; equal ones are duplicates,
/// contradicting ones go into quarantine.
pub async fn contradicting_records_go_into_quarantine_but_the_last(warehouse: EngineUnderTest) {
    let (run, fence) = fetching_run(&warehouse, 1).await;
    let rows = records(
        day(0),
        &[("acme", 1, 1), ("acme", 2, 2), ("bolt", 3, 3), ("acme", 1, 2), ("bolt", 3, 3), ("acme", 2, 2)],
    );
    let counters = run.load_usage(&fence, day(0), rows).await.unwrap().counters;
    let expected = Counters { rows_read: 6, rows_duplicate: 2, rows_rejected: 2, ..loaded(2, 0, 0) };
    assert_eq!(counters, expected);
    let superseded = RejectionReason::Superseded { by_line: 6 }.to_string();
    let quarantine = warehouse.staging.quarantined_rows(None, 10).await.unwrap();
    let reported: Vec<_> = quarantine.iter().map(|row| (row.line, row.reason.as_str())).collect();
    assert_eq!(reported, [(1, superseded.as_str()), (4, superseded.as_str())]);
    publish(&run, &fence).await;
    let rows = published(&warehouse, days(0, 0)).await;
    let reported: Vec<_> = rows.iter().map(|row| (row.active_users, row.events)).collect();
    assert_eq!(reported, [(2, 2), (3, 3)]);
}

/// A row that a later run reads again stays in quarantine as the first run put it there.
pub async fn a_rejected_row_keeps_the_run_that_first_met_it(warehouse: EngineUnderTest) {
    let rows = || {
        let contradicting = records(day(0), &[("acme", 1, 1), ("acme", 2, 2)]);
        [contradicting, vec![rejected(3, "bad", "?")]].concat()
    };
    let (first, fence) = fetching_run(&warehouse, 1).await;
    first.load_usage(&fence, day(0), rows()).await.unwrap();
    let before = warehouse.staging.quarantined_rows(None, 10).await.unwrap();
    assert_eq!(before.len(), 2);
    first.cancel().await;

    let (second, fence) = fetching_run(&warehouse, 2).await;
    second.load_usage(&fence, day(0), rows()).await.unwrap();
    assert_eq!(warehouse.staging.quarantined_rows(None, 10).await.unwrap(), before);
    let changed = [rows(), vec![rejected(4, "bad", "new")]].concat();
    second.load_usage(&fence, day(0), changed).await.unwrap();
    assert_eq!(warehouse.staging.quarantined_rows(Some(first.run.run_id), 10).await.unwrap(), before);
    let met = warehouse.staging.quarantined_rows(Some(second.run.run_id), 10).await.unwrap();
    let reported: Vec<_> = met.iter().map(|row| (row.line, row.quarantined_at)).collect();
    assert_eq!(reported, [(4, at(2))]);
}

/// A source that fails in the middle fails the load with its own error.
pub async fn a_source_that_breaks_off_leaves_nothing_behind(warehouse: EngineUnderTest) {
    publish_run(&warehouse, days(0, 3), at(1), &[], &[(day(0), vec![("acme", 2, 8)])]).await;
    let (run, fence) = fetching_run(&warehouse, 2).await;
    let before = observe(&warehouse).await;
    let rows =
        || [records(day(0), &[("acme", 9, 9), ("bolt", 1, 1)]), vec![rejected(3, "bad", "?")]].concat();
    let broken = run.load_broken_usage(&fence, day(0), rows()).await;
    assert!(
        matches!(&broken, Err(Error::Source(SourceError { kind: FailureKind::Unavailable, message }))
            if message == "the source is gone"),
        "{broken:?}"
    );
    assert_eq!(observe(&warehouse).await, before);
    run.load_usage(&fence, day(0), rows()).await.unwrap();
    assert_eq!(publish(&run, &fence).await.counters.rows_written, 8);
}

/// A caller that disconnects while rows still arrive rolls everything back, and leaves
/// the warehouse free for the next.
pub async fn a_load_that_is_dropped_leaves_nothing_behind(warehouse: EngineUnderTest) {
    publish_run(&warehouse, days(0, 3), at(1), &[], &[(day(0), vec![("acme", 2, 8)])]).await;
    let (run, fence) = fetching_run(&warehouse, 2).await;
    let before = observe(&warehouse).await;
    let (read_all, all_read) = oneshot::channel();
    let many: Vec<_> = (1..=5_000).map(|line| Ok(rejected(line, "bad", "?"))).collect();
    let never = stream::once(async move {
        read_all.send(()).unwrap();
        future::pending().await
    });
    let rows = stream::iter(many).chain(never).boxed();
    let day_0 = usage_day(day(0));
    let load = warehouse.load_usage_day(&fence, &day_0, UsageLimits::NONE, rows, at(2));
    // The load waits for its next row forever, so only the signal ends this.
    future::select(load, all_read).await;
    assert_eq!(observe(&warehouse).await, before);
    let outcome = run.load_usage(&fence, day(0), records(day(0), &[("acme", 2, 9)])).await.unwrap();
    assert_eq!(outcome.counters, loaded(1, 0, 0));
}

/// Wherever the caller disconnects, a day is loaded whole or not at all.
pub async fn an_interrupted_load_is_whole_or_nothing(warehouse: EngineUnderTest) {
    let delivered = [("acme", 2, 8), ("bolt", 1, 1)];
    let (run, fence) = fetching_run(&warehouse, 1).await;
    for polls in 1.. {
        let load = run.load_usage(&fence, day(0), records(day(0), &delivered));
        let outcome = interrupted_after(polls, load).await;
        run.settle(&fence).await;
        let known = warehouse.usage_days(days(0, 3)).await.unwrap();
        assert!(known.is_empty() || known == [fetched(&run, 0, 2)], "after {polls} polls: {known:?}");
        if outcome.is_some() {
            assert!(polls > 1, "the load was never interrupted");
            break;
        }
    }
    publish(&run, &fence).await;
    let rows = published(&warehouse, days(0, 3)).await;
    assert_eq!(rows.iter().map(offset_of).collect::<Vec<_>>(), [0, 1, 2, 3, 0, 1, 2, 3]);
}

/// What is published, what is staged and whether one waits to become the other.
pub async fn what_is_held_of_a_day_is_read_beside_each_other(warehouse: EngineUnderTest) {
    let delivered = [("acme", 2, 8), ("bolt", 1, 5)];
    publish_run(&warehouse, days(0, 1), at(1), &[], &[(day(0), delivered.to_vec())]).await;
    let (run, fence) = fetching_run(&warehouse, 2).await;
    let corrected = [("acme", 3, 9), ("bolt", 1, 5), ("core", 1, 1)];
    run.load_usage(&fence, day(0), records(day(0), &corrected)).await.unwrap();

    let held = |company: &str, published, staged, waits| {
        let numbers = |(active_users, events)| UsageNumbers { active_users, events };
        let (published, staged) = (Option::map(published, numbers), Option::map(staged, numbers));
        HeldUsage { company_id: id(company), published, staged, waits }
    };
    let first = warehouse.held_day(day(0)).await.unwrap();
    let expected = vec![
        held("acme", Some((2, 8)), Some((3, 9)), true),
        held("bolt", Some((1, 5)), Some((1, 5)), false),
        held("core", None, Some((1, 1)), true),
    ];
    assert_eq!(
        first,
        HeldDay { is_published: true, fetched: Some(fetched(&run, 0, 3)), companies: expected }
    );
    let next = warehouse.held_day(day(1)).await.unwrap();
    let expected = vec![held("acme", Some((0, 0)), None, true), held("bolt", Some((0, 0)), None, false)];
    assert_eq!((next.is_published, next.companies), (true, expected));
    let never = warehouse.held_day(day(9)).await.unwrap();
    assert_eq!(never, HeldDay { is_published: false, fetched: None, companies: vec![] });
}
