//! Which deliveries staged data comes from.

use domain::{
    CompanyAttributes,
    provenance::{DaySnapshot, ExportOrigin},
    run::{STAGE_CALL_PRODUCT_API, STAGE_COPY_CRM_CSV},
};

use crate::{
    engine::EngineUnderTest,
    event_scene::EventRun,
    scene::{at, company, day, days, export, hold_run, id, publish_run, records, rejected, usage_day},
};

/// A day names its newest fetch and the snapshot that counts on it, with what is in quarantine.
pub async fn a_day_names_what_it_is_made_of(warehouse: EngineUnderTest) {
    let none = warehouse.day_sources(day(0)).await.unwrap();
    assert_eq!((none.usage, none.crm, none.events), (None, None, vec![]));
    let run = hold_run(&warehouse, days(0, 1), at(1)).await;
    let crm = run.begin(STAGE_COPY_CRM_CSV).await;
    let loaded = export(day(1), "1");
    run.load_crm(&crm, &loaded, &[company("acme", "Acme")]).await.unwrap();
    run.complete(&crm).await;
    let api = run.begin(STAGE_CALL_PRODUCT_API).await;
    let mut rows = records(day(0), &[("acme", 1, 2), ("bolt", 3, 4)]);
    rows.push(rejected(3, "no number", "x"));
    run.load_usage(&api, day(0), rows).await.unwrap();
    let sources = warehouse.day_sources(day(0)).await.unwrap();
    let usage = sources.usage.unwrap();
    let landed = usage_day(day(0));
    assert_eq!((usage.run_id, usage.fetched_at), (run.run.run_id.to_string(), at(1)));
    assert_eq!((usage.landing_path, usage.bytes, usage.pages), (landed.landing_path, landed.bytes, 2));
    assert_eq!((usage.staged, usage.quarantined), (2, 1));
    // Before the first snapshot, the first one counts.
    let snapshot = DaySnapshot {
        on: day(1),
        export: ExportOrigin {
            path: loaded.path.clone(),
            archive_path: loaded.archive_path.clone(),
            loaded: Some((run.run.run_id.to_string(), at(1))),
        },
        quarantined: 0,
    };
    assert_eq!(sources.crm, Some(snapshot.clone()));
    let next = warehouse.day_sources(day(2)).await.unwrap();
    assert_eq!((next.usage, next.crm), (None, Some(snapshot)));
}

/// A day names the files that its events come from, and no file whose events another one replaced.
pub async fn a_day_names_its_event_files(warehouse: EngineUnderTest) {
    let run = EventRun::begin(&warehouse, 1).await;
    run.accept("a.ndjson", "1", &[("acme", 0, "e1", 1), ("acme", 1, "e2", 1)]).await;
    run.accept("b.ndjson", "1", &[("bolt", 0, "e3", 1), ("acme", 1, "e2", 2)]).await;
    let files = async |offset| {
        let events = warehouse.day_sources(day(offset)).await.unwrap().events;
        let loaded = (run.held.run.run_id.to_string(), at(1));
        assert!(events.iter().all(|source| source.loaded.as_ref() == Some(&loaded)), "{events:?}");
        events.into_iter().map(|source| source.path).collect::<Vec<_>>()
    };
    assert_eq!(files(0).await, ["a.ndjson", "b.ndjson"]);
    assert_eq!(files(1).await, ["b.ndjson"]);
    assert!(files(2).await.is_empty());
}

/// A company's versions are listed newest first, in pages.
pub async fn versions_are_listed_newest_first(warehouse: EngineUnderTest) {
    let exports = [(0, "Acme"), (2, "Acme"), (4, "Acme Ltd"), (6, "Acme plc")];
    let exports = exports.map(|(offset, name)| (export(day(offset), "1"), vec![company("acme", name)]));
    publish_run(&warehouse, days(0, 0), at(1), &exports, &[]).await;
    let list = async |before, limit| {
        let versions = warehouse.company_versions(&id("acme"), before, limit).await.unwrap();
        versions.into_iter().map(|it| (it.from, it.to, it.attributes.name.unwrap())).collect::<Vec<_>>()
    };
    let version = |from, to: Option<i64>, name: &str| (day(from), to.map(day), name.to_owned());
    let all = [version(6, None, "Acme plc"), version(4, Some(4), "Acme Ltd"), version(0, Some(2), "Acme")];
    assert_eq!(list(None, 10).await, all);
    assert_eq!(list(None, 2).await, all[..2]);
    assert_eq!(list(Some(day(4)), 2).await, all[2..]);
    assert_eq!(list(Some(day(0)), 2).await, []);
    let newest = warehouse.company_versions(&id("acme"), None, 1).await.unwrap().swap_remove(0);
    assert_eq!(newest.export.path, exports[3].0.path);
    assert_eq!(newest.attributes, CompanyAttributes { ..company("acme", "Acme plc").attributes });
    assert_eq!(warehouse.company_versions(&id("bolt"), None, 1).await.unwrap(), []);
}
