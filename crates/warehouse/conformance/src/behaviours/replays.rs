//! Operators have deliveries loaded again whose rows could not be used.

use domain::run::{STAGE_CALL_PRODUCT_API, STAGE_COPY_CRM_CSV, STAGE_COPY_EVENTS};
use warehouse_core::{Delivered, Fence, RequestedReplay};

use super::quarantine::{everything, four_deliveries, load_export, readable, torn};
use crate::{
    engine::EngineUnderTest,
    event_scene::{EventRun, file, has_event_file},
    scene::{at, day, days, export, hold_run_of, records, usage_day},
    usage_scene::{fetching_run, refusal, strict},
};

/// Each delivery waits to be loaded again until it is, or until it is refused.
pub async fn a_replay_is_answered_by_the_next_load(warehouse: EngineUnderTest) {
    four_deliveries(&warehouse).await;
    let exports = [export(day(0), "1"), export(day(1), "1")];
    let events = file("2026/a.ndjson", "1");
    let requested = warehouse.request_replay(&everything(), at(3)).await.unwrap();
    let replay = |stage: &str, origin: &str, offset: Option<i64>, rows| RequestedReplay {
        stage: stage.to_owned(),
        origin: origin.to_owned(),
        business_date: offset.map(day),
        rows,
        was_loaded: true,
    };
    assert_eq!(
        requested,
        [
            replay(STAGE_CALL_PRODUCT_API, &usage_day(day(0)).landing_path.unwrap(), Some(0), 2),
            replay(STAGE_COPY_EVENTS, &events.path, None, 2),
            replay(STAGE_COPY_CRM_CSV, &exports[0].path, Some(0), 1),
            replay(STAGE_COPY_CRM_CSV, &exports[1].path, Some(1), 1),
        ]
    );
    assert_eq!(warehouse.crm_replays().await.unwrap(), exports);
    assert_eq!(warehouse.usage_replays().await.unwrap(), [day(0)]);
    assert_eq!(warehouse.event_replays().await.unwrap(), ["2026/a.ndjson"]);
    assert_eq!(warehouse.new_crm_exports(&exports).await.unwrap(), [0, 1]);
    assert!(!has_event_file(&warehouse, &events).await);
    // Asking again asks for the same.
    assert_eq!(warehouse.request_replay(&everything(), at(4)).await.unwrap(), requested);

    let run = hold_run_of(&warehouse, "pl_again", days(0, 3), at(5)).await;
    load_export(&run, &warehouse, &exports[0], vec![readable(2, "acme")]).await.unwrap();
    let refused = vec![readable(2, "acme"), torn(3, "a"), torn(4, "b"), torn(5, "c")];
    refusal(load_export(&run, &warehouse, &exports[1], refused).await);
    let fence = run.begin(STAGE_CALL_PRODUCT_API).await;
    run.load_usage(&fence, day(0), records(day(0), &[("acme", 1, 1)])).await.unwrap();
    let reading = EventRun::begin(&warehouse, 6).await;
    reading.accept("2026/a.ndjson", "1", &[("acme", 0, "a", 1)]).await;
    assert_eq!(warehouse.crm_replays().await.unwrap(), []);
    assert_eq!(warehouse.usage_replays().await.unwrap(), []);
    assert_eq!(warehouse.event_replays().await.unwrap(), [""; 0]);
    assert_eq!(warehouse.new_crm_exports(&exports).await.unwrap(), [0; 0]);
    assert!(has_event_file(&warehouse, &events).await);
}

/// A load that began before the request does not answer it, and what was never loaded
/// needs none.
pub async fn a_replay_waits_for_a_load_that_begins_after_it(warehouse: EngineUnderTest) {
    let (run, fence) = fetching_run(&warehouse, 1).await;
    let rows = || [records(day(0), &[("acme", 1, 1)]), vec![torn(2, "?")]].concat();
    run.load_usage(&fence, day(0), rows()).await.unwrap();
    let missing = [records(day(1), &[("acme", 1, 1)]), (2..6).map(|line| torn(line, "?")).collect()].concat();
    refusal(run.load_usage_within(&fence, day(1), strict(), missing).await);
    let requested = warehouse.request_replay(&everything(), at(2)).await.unwrap();
    let loaded: Vec<_> = requested.iter().map(|asked| (asked.business_date, asked.was_loaded)).collect();
    assert_eq!(loaded, [(Some(day(1)), false), (Some(day(0)), true)]);
    run.load_usage(&fence, day(0), rows()).await.unwrap();
    assert_eq!(warehouse.usage_replays().await.unwrap(), [day(0)]);
}

/// A stage that refuses a delivery before a load could judge it says so; what is asked for
/// later stays, and a stage that is not the one under way says nothing.
pub async fn a_replay_is_answered_without_a_load(warehouse: EngineUnderTest) {
    four_deliveries(&warehouse).await;
    warehouse.request_replay(&everything(), at(3)).await.unwrap();
    let run = hold_run_of(&warehouse, "pl_again", days(0, 3), at(5)).await;
    let fence = run.begin(STAGE_CALL_PRODUCT_API).await;
    let path = export(day(0), "1").path;
    let all = [Delivered::Day(day(0)), Delivered::EventFile("2026/a.ndjson"), Delivered::Export(&path)];
    let stale = Fence { attempt: fence.attempt + 1, ..fence.clone() };
    for delivered in all {
        warehouse.answer_replay(&stale, delivered, at(4)).await.unwrap_err();
        warehouse.answer_replay(&fence, delivered, at(2)).await.unwrap();
    }
    assert_eq!(warehouse.crm_replays().await.unwrap().len(), 2);
    assert_eq!(warehouse.event_replays().await.unwrap().len(), 1);
    for delivered in all {
        warehouse.answer_replay(&fence, delivered, at(4)).await.unwrap();
    }
    assert_eq!(warehouse.crm_replays().await.unwrap(), [export(day(1), "1")]);
    assert_eq!(warehouse.usage_replays().await.unwrap(), []);
    assert_eq!(warehouse.event_replays().await.unwrap(), [""; 0]);
}
