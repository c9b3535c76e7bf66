//! Single events and their daily sums.

use domain::{
    Counters, FailureKind, RejectionKind, RejectionLimit, RejectionReason, SourceRow, run::STAGE_COPY_EVENTS,
};
use futures::{StreamExt, channel::oneshot, future, stream};
use warehouse_core::{Error, EventFile, Fence, QuarantinedRow, Result, SourceError};

use crate::{
    engine::EngineUnderTest,
    event_scene::{
        EventRun, FILE_BYTES, Reported, assert_stored, assert_sums, event, file, has_event_file, lines,
        loaded, stored, sums,
    },
    observed::{interrupted_after, observe},
    scene::{at, day, days, hold_run, published, rejected},
};

const DELIVERED: [Reported<'static>; 4] =
    [("007", 0, "a", 7), ("acme", 0, "a", 1), ("acme", 0, "b", 2), ("acme", 1, "a", 4)];

fn from(path: &str) -> Vec<(Reported<'static>, &str)> {
    DELIVERED.iter().map(|reported| (*reported, path)).collect()
}

/// A different path or content makes a different file; loading the same one again
/// changes nothing.
pub async fn an_event_file_is_known_by_path_and_content(warehouse: EngineUnderTest) {
    let run = EventRun::begin(&warehouse, 1).await;
    assert!(!has_event_file(&warehouse, &file("a.ndjson", "1")).await);
    assert_eq!(run.accept("a.ndjson", "1", &DELIVERED).await, loaded(4, 0, 0));
    assert!(has_event_file(&warehouse, &file("a.ndjson", "1")).await);
    for other in [file("b.ndjson", "1"), file("a.ndjson", "2")] {
        assert!(!has_event_file(&warehouse, &other).await, "{other:?}");
        let several = [other.clone(), file("a.ndjson", "1"), other];
        assert_eq!(warehouse.new_event_files(&several).await.unwrap(), [0, 2]);
    }
    assert_eq!(warehouse.new_event_files(&[]).await.unwrap(), []);
    assert_eq!(run.accept("a.ndjson", "1", &DELIVERED).await, loaded(0, 4, 0));
    assert_stored(&warehouse, &from("a.ndjson")).await;
}

/// An event does not count again under a later or an earlier name.
pub async fn an_event_counts_once_however_often_it_is_delivered(warehouse: EngineUnderTest) {
    let run = EventRun::begin(&warehouse, 1).await;
    let expected = [("007", 0, 7, 1), ("acme", 0, 3, 2), ("acme", 1, 4, 1)];
    run.accept("b.ndjson", "1", &DELIVERED).await;
    assert_sums(&warehouse, &expected).await;
    assert_eq!(run.accept("c.ndjson", "1", &DELIVERED).await, loaded(0, 4, 0));
    assert_stored(&warehouse, &from("c.ndjson")).await;
    assert_eq!(run.accept("a.ndjson", "1", &DELIVERED).await, loaded(0, 0, 4));
    assert_stored(&warehouse, &from("c.ndjson")).await;
    assert_sums(&warehouse, &expected).await;
}

/// A later file corrects an event, or retracts it with a count of zero; a late event
/// joins its day.
pub async fn a_correction_replaces_the_event(warehouse: EngineUnderTest) {
    let run = EventRun::begin(&warehouse, 1).await;
    run.accept("a.ndjson", "1", &DELIVERED).await;
    let corrections =
        [("acme", 0, "b", 20), ("acme", 1, "a", 0), ("bolt", 0, "late", 5), ("acme", 0, "a", 1)];
    assert_eq!(run.accept("b.ndjson", "1", &corrections).await, loaded(3, 1, 0));
    assert_stored(
        &warehouse,
        &[
            (("007", 0, "a", 7), "a.ndjson"),
            (("acme", 0, "a", 1), "b.ndjson"),
            (("acme", 0, "b", 20), "b.ndjson"),
            (("acme", 1, "a", 0), "b.ndjson"),
            (("bolt", 0, "late", 5), "b.ndjson"),
        ],
    )
    .await;
    assert_sums(&warehouse, &[("007", 0, 7, 1), ("acme", 0, 21, 2), ("acme", 1, 0, 1), ("bolt", 0, 5, 1)])
        .await;
    // The earlier file's new content is overridden.
    let overruled = [("acme", 0, "b", 3), ("007", 0, "a", 8)];
    assert_eq!(run.accept("a.ndjson", "2", &overruled).await, loaded(1, 0, 1));
    assert_sums(&warehouse, &[("007", 0, 8, 1), ("acme", 0, 21, 2), ("acme", 1, 0, 1), ("bolt", 0, 5, 1)])
        .await;
}

/// The log only grows: events that a file no longer has stay as they were.
pub async fn a_file_changed_in_place_has_a_new_word_and_takes_nothing_back(warehouse: EngineUnderTest) {
    let run = EventRun::begin(&warehouse, 1).await;
    run.accept("a.ndjson", "1", &DELIVERED).await;
    let grown = [("acme", 0, "b", 3), ("acme", 0, "c", 9)];
    assert_eq!(run.accept("a.ndjson", "2", &grown).await, loaded(2, 0, 0));
    assert!(!has_event_file(&warehouse, &file("a.ndjson", "1")).await);
    assert_sums(&warehouse, &[("007", 0, 7, 1), ("acme", 0, 13, 3), ("acme", 1, 4, 1)]).await;
}

/// Equal records are duplicates; a contradicted one goes into quarantine.
pub async fn of_contradicting_records_in_a_file_the_last_counts(warehouse: EngineUnderTest) {
    let run = EventRun::begin(&warehouse, 1).await;
    let reported = [
        ("acme", 0, "a", 1),
        ("acme", 0, "a", 2),
        ("acme", 1, "a", 1),
        ("acme", 0, "a", 1),
        ("acme", 0, "a", 1),
    ];
    let expected = Counters {
        rows_read: 5,
        rows_written: 2,
        rows_duplicate: 2,
        rows_rejected: 1,
        bytes_read: FILE_BYTES,
        ..Counters::default()
    };
    assert_eq!(run.accept("a.ndjson", "1", &reported).await, expected);
    assert_sums(&warehouse, &[("acme", 0, 1, 1), ("acme", 1, 1, 1)]).await;
    let quarantine = warehouse.staging.quarantined_rows(None, 10).await.unwrap();
    let superseded = RejectionReason::Superseded { by_line: 5 }.to_string();
    let rows: Vec<_> = quarantine.iter().map(|row| (row.line, row.reason.as_str())).collect();
    assert_eq!(rows, [(2, superseded.as_str())]);
    let raw = &quarantine.first().unwrap().raw;
    for part in ["acme", "2026-01-01", "\"a\"", "2"] {
        assert!(raw.contains(part), "{raw}");
    }
}

/// It keeps its origin; loading its file again replaces it.
pub async fn a_rejected_record_is_quarantined_with_its_file(warehouse: EngineUnderTest) {
    let run = EventRun::begin(&warehouse, 1).await;
    let rows = [lines(&[("acme", 0, "a", 1)]), vec![rejected(2, "no date", "{\"x\": 'y'}")]].concat();
    let counters = run.load(&file("a.ndjson", "1"), rows).await.unwrap().counters;
    assert_eq!(counters, Counters { rows_read: 2, rows_rejected: 1, ..loaded(1, 0, 0) });
    let expected = QuarantinedRow {
        run_id: run.held.run.run_id,
        stage: STAGE_COPY_EVENTS.to_owned(),
        origin: "a.ndjson".to_owned(),
        line: 2,
        kind: RejectionKind::Malformed,
        reason: "no date".to_owned(),
        raw: "{\"x\": 'y'}".to_owned(),
        business_date: None,
        quarantined_at: at(1),
        accepted: None,
    };
    assert_eq!(warehouse.staging.quarantined_rows(None, 10).await.unwrap(), [expected]);
    run.accept("a.ndjson", "2", &[("acme", 0, "a", 1)]).await;
    assert_eq!(warehouse.staging.quarantined_rows(None, 10).await.unwrap(), []);
}

/// Nothing happened, so it need not be loaded again.
pub async fn a_file_without_any_event_is_known(warehouse: EngineUnderTest) {
    let run = EventRun::begin(&warehouse, 1).await;
    assert_eq!(run.accept("a.ndjson", "1", &[]).await, loaded(0, 0, 0));
    assert!(has_event_file(&warehouse, &file("a.ndjson", "1")).await);
    assert_stored(&warehouse, &[]).await;
}

/// The limit itself is accepted. A refused file is refused as a whole, by name.
pub async fn the_largest_sums_are_kept_and_larger_ones_refused(warehouse: EngineUnderTest) {
    let run = EventRun::begin(&warehouse, 1).await;
    let half = i64::MAX / 2;
    run.accept("a.ndjson", "1", &[("acme", 0, "a", half), ("acme", 0, "b", half), ("acme", 0, "c", 1)]).await;
    assert_sums(&warehouse, &[("acme", 0, i64::MAX, 3)]).await;
    let one_more = lines(&[("007", 0, "a", 1), ("acme", 0, "d", 1)]);
    let refused = run.load(&file("b.ndjson", "1"), one_more).await;
    assert!(
        matches!(&refused, Err(Error::Refused(problem))
            if ["b.ndjson", "acme", "2026-01-01"].iter().all(|part| problem.contains(part))),
        "{refused:?}"
    );
    assert!(!has_event_file(&warehouse, &file("b.ndjson", "1")).await);
    assert_sums(&warehouse, &[("acme", 0, i64::MAX, 3)]).await;
    // Nor does a whole file of the largest counts crash.
    let largest = [("bolt", 0, "a", i64::MAX), ("bolt", 0, "b", i64::MAX), ("bolt", 0, "c", i64::MAX)];
    let refused = run.load(&file("c.ndjson", "1"), lines(&largest)).await;
    assert!(matches!(refused, Err(Error::Refused(_))), "{refused:?}");
    run.accept("c.ndjson", "2", &[("acme", 0, "c", 0), ("acme", 0, "d", 1)]).await;
    assert_sums(&warehouse, &[("acme", 0, i64::MAX, 4)]).await;
}

/// One file may contain days that are years apart.
pub async fn events_of_many_months_find_their_place(warehouse: EngineUnderTest) {
    let run = EventRun::begin(&warehouse, 1).await;
    let reported =
        [("acme", -3_650, "a", 1), ("acme", -1, "a", 2), ("acme", 0, "a", 3), ("acme", 400, "a", 4)];
    assert_eq!(run.accept("a.ndjson", "1", &reported).await, loaded(4, 0, 0));
    assert_eq!(run.accept("b.ndjson", "1", &reported).await, loaded(0, 4, 0));
    let expected: Vec<_> = reported.iter().map(|reported| (*reported, "b.ndjson")).collect();
    assert_stored(&warehouse, &expected).await;
}

async fn load_under(warehouse: &EngineUnderTest, fence: &Fence, file: &EventFile) -> Result<()> {
    let rows = stream::iter(lines(&DELIVERED).into_iter().map(Ok)).boxed();
    warehouse.load_event_file(fence, file, RejectionLimit::NONE, rows, at(2)).await.map(drop)
}

/// A caller that lost the run, or never had it, writes nothing.
pub async fn a_stale_fence_loads_no_event(warehouse: EngineUnderTest) {
    let run = EventRun::begin(&warehouse, 1).await;
    let stale = |epoch, attempt| Fence {
        epoch: run.fence.epoch + epoch,
        attempt: run.fence.attempt + attempt,
        ..run.fence.clone()
    };
    for fence in [stale(1, 0), stale(-1, 0), stale(0, 1)] {
        let refused = load_under(&warehouse, &fence, &file("a.ndjson", "1")).await;
        assert!(matches!(refused, Err(Error::Fenced { .. })), "{refused:?}");
    }
    run.held.cancel().await;
    let refused = load_under(&warehouse, &run.fence, &file("a.ndjson", "1")).await;
    assert!(matches!(refused, Err(Error::Fenced { .. })), "{refused:?}");
    assert!(!has_event_file(&warehouse, &file("a.ndjson", "1")).await);
    assert_stored(&warehouse, &[]).await;
}

/// A source that fails in the middle fails the load with its own error.
pub async fn an_event_file_that_breaks_off_leaves_nothing_behind(warehouse: EngineUnderTest) {
    let run = EventRun::begin(&warehouse, 1).await;
    run.accept("a.ndjson", "1", &DELIVERED).await;
    let before = (observe(&warehouse).await, stored(&warehouse).await, sums(&warehouse).await);
    let rows = [lines(&[("acme", 0, "a", 9), ("bolt", 3, "z", 1)]), vec![rejected(3, "bad", "?")]].concat();
    let broken = run.load_broken(&file("b.ndjson", "1"), rows.clone()).await;
    assert!(
        matches!(&broken, Err(Error::Source(SourceError { kind: FailureKind::Unavailable, .. }))),
        "{broken:?}"
    );
    assert_eq!((observe(&warehouse).await, stored(&warehouse).await, sums(&warehouse).await), before);
    let counters = run.load(&file("b.ndjson", "1"), rows).await.unwrap().counters;
    assert_eq!((counters.rows_written, counters.rows_rejected), (2, 1));
}

/// A caller that disconnects while rows still arrive rolls everything back, and leaves
/// the warehouse free for the next.
pub async fn an_event_load_that_is_dropped_leaves_nothing_behind(warehouse: EngineUnderTest) {
    let run = EventRun::begin(&warehouse, 1).await;
    run.accept("a.ndjson", "1", &DELIVERED).await;
    let (read_all, all_read) = oneshot::channel();
    let names: Vec<String> = (0..5_000).map(|number| number.to_string()).collect();
    let many = (1..)
        .zip(&names)
        .map(|(line, name)| Ok(SourceRow::Accepted { line, row: event(("acme", 0, name.as_str(), 1)) }));
    let never = stream::once(async move {
        read_all.send(()).unwrap();
        future::pending().await
    });
    let rows = stream::iter(many).chain(never).boxed();
    let big = file("b.ndjson", "1");
    let load = warehouse.load_event_file(&run.fence, &big, RejectionLimit::NONE, rows, at(2));
    // The load waits for its next row forever, so only the signal ends this.
    future::select(load, all_read).await;
    assert_stored(&warehouse, &from("a.ndjson")).await;
    assert_eq!(run.accept("b.ndjson", "1", &[("acme", 0, "a", 9)]).await, loaded(1, 0, 0));
}

/// Wherever the caller disconnects, a file is loaded whole or not at all.
pub async fn an_interrupted_event_load_is_whole_or_nothing(warehouse: EngineUnderTest) {
    let run = EventRun::begin(&warehouse, 1).await;
    let delivered = file("a.ndjson", "1");
    for polls in 1.. {
        let outcome = interrupted_after(polls, run.load(&delivered, lines(&DELIVERED))).await;
        run.held.settle(&run.fence).await;
        if has_event_file(&warehouse, &delivered).await {
            assert_stored(&warehouse, &from("a.ndjson")).await;
        } else {
            assert_stored(&warehouse, &[]).await;
        }
        if outcome.is_some() {
            assert!(polls > 1, "the load was never interrupted");
            break;
        }
    }
    assert_stored(&warehouse, &from("a.ndjson")).await;
}

/// The fact does not read events: candidates stay current, and no company gets rows for
/// its events alone.
pub async fn loading_events_does_not_disturb_a_publish(warehouse: EngineUnderTest) {
    let run = hold_run(&warehouse, days(0, 0), at(1)).await;
    run.ingest(&[], &[(day(0), vec![("acme", 1, 1)])]).await;
    run.build().await;
    let events = EventRun::begin(&warehouse, 1).await;
    events.accept("a.ndjson", "1", &DELIVERED).await;
    assert_eq!(run.publish().await.new_days, 1);
    let rows = published(&warehouse, days(0, 0)).await;
    assert_eq!(rows.iter().map(|row| row.key.company_id.as_str()).collect::<Vec<_>>(), ["acme"]);
}
