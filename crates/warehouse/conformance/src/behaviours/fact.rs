//! Builds of the fact: the content of its rows, and which of them a change affects.

use std::sync::{Arc, Mutex};

use chrono::TimeDelta;
use domain::{
    Counters, FactKey, FactRow, Progress, Publication, StageState,
    audit::{DayMeasurements, Measurements},
    run::{STAGE_BUILD_FACT, STAGE_CALL_PRODUCT_API, STAGE_COPY_CRM_CSV, STAGE_VALIDATE},
};

use crate::{
    engine::EngineUnderTest,
    observed::observe,
    scene::{
        UsageOfDay, at, checksum_of, company, contacted, day, days, export, hold_run, id, offset_of,
        publish_run, published, published_of,
    },
};

/// A silent company in the CRM alongside another, published until day 40.
async fn publish_silence(warehouse: &EngineUnderTest) {
    let companies = vec![company("acme", "Acme"), company("bolt", "Bolt")];
    let usage: Vec<UsageOfDay<'_>> = vec![(day(10), vec![("acme", 1, 0), ("bolt", 1, 0)])];
    publish_run(warehouse, days(0, 40), at(1), &[(export(day(0), "1"), companies)], &usage).await;
}

/// The days on which a company's rows were published at that hour.
async fn days_published_at(warehouse: &EngineUnderTest, company_id: &str, hour: i64) -> Vec<i64> {
    let rows = published_of(warehouse, company_id, days(-30, 60)).await;
    rows.iter().filter(|row| row.loaded_at == at(hour)).map(offset_of).collect()
}

/// Every column, on the days on which it changes.
pub async fn every_column_follows_its_definition(warehouse: EngineUnderTest) {
    let contact = day(2).and_hms_opt(23, 30, 0).unwrap().and_utc();
    let mut acme = contacted(company("acme", "Acme"), contact);
    acme.attributes.industry_tag = Some("tools".to_owned());
    let usage: Vec<UsageOfDay<'_>> = vec![
        (day(0), vec![("acme", 3, 10)]),
        (day(1), vec![("ghost", 1, 0)]),
        (day(2), vec![("acme", 0, 5)]),
    ];
    publish_run(&warehouse, days(0, 16), at(1), &[(export(day(0), "1"), vec![acme])], &usage).await;

    let row = |on: i64| FactRow {
        company_name: Some("Acme".to_owned()),
        country: Some("SG".to_owned()),
        industry_tag: Some("tools".to_owned()),
        last_contact_at: Some(contact),
        active_users_7d: if on <= 6 { 3 } else { 0 },
        is_churn_risk: on > 15,
        days_since_last_contact: Some(i32::try_from(on - 2).unwrap()),
        loaded_at: at(1),
        ..FactRow::blank(FactKey { company_id: id("acme"), activity_date: day(on) })
    };
    let expected = (0..=16).map(|on| match on {
        0 => FactRow { active_users: 3, events: 10, events_per_user: Some(10.0 / 3.0), ..row(0) },
        2 => FactRow { events: 5, ..row(2) },
        on => row(on),
    });
    assert_eq!(published_of(&warehouse, "acme", days(0, 16)).await, expected.collect::<Vec<_>>());

    let ghost = published_of(&warehouse, "ghost", days(0, 16)).await;
    assert_eq!(ghost.iter().map(offset_of).collect::<Vec<_>>(), (1..=14).collect::<Vec<_>>());
    for row in ghost {
        assert_eq!((row.company_name, row.country, row.days_since_last_contact), (None, None, None));
        assert!(row.is_churn_risk);
    }
}

/// The largest accepted counts can be built and published.
pub async fn the_largest_counts_are_published(warehouse: EngineUnderTest) {
    let most = vec![("acme", i32::MAX, i64::MAX)];
    let usage: Vec<UsageOfDay<'_>> = vec![(day(0), most.clone()), (day(1), most)];
    publish_run(&warehouse, days(0, 1), at(1), &[], &usage).await;
    let last = published(&warehouse, days(1, 1)).await.swap_remove(0);
    assert_eq!((last.active_users, last.events), (i32::MAX, i64::MAX));
    assert_eq!(last.active_users_7d, 2 * i64::from(i32::MAX));
    assert!(!last.is_churn_risk);
}

/// A correction affects the days that read it, for that company, and nothing else: not
/// even the publication of other days.
pub async fn a_correction_reaches_exactly_the_days_that_read_it(warehouse: EngineUnderTest) {
    publish_silence(&warehouse).await;
    let run = hold_run(&warehouse, days(40, 40), at(2)).await;
    run.ingest(&[], &[(day(10), vec![("acme", 2, 5), ("bolt", 1, 0)])]).await;
    let computed = Counters { rows_read: 14, rows_written: 14, ..Counters::default() };
    assert_eq!(run.build().await, computed);
    let outcome = run.publish().await;
    assert_eq!((outcome.counters, outcome.new_days), (computed, 0));

    assert_eq!(days_published_at(&warehouse, "acme", 2).await, (10..=23).collect::<Vec<_>>());
    assert!(days_published_at(&warehouse, "bolt", 2).await.is_empty());
    for on in [9, 24] {
        assert_eq!(publication_of(&warehouse, on).await.published_at, at(1), "day {on}");
    }
    for on in [10, 23] {
        let expected = Publication {
            activity_date: day(on),
            run_id: run.run.run_id.to_string(),
            published_at: at(2),
            row_count: 2,
            checksum: Ok(checksum_of(&warehouse, day(on)).await),
        };
        assert_eq!(publication_of(&warehouse, on).await, expected);
    }
}

async fn publication_of(warehouse: &EngineUnderTest, on: i64) -> Publication {
    let key = FactKey { company_id: id("acme"), activity_date: day(on) };
    warehouse.fact_row(&key).await.unwrap().unwrap().1
}

/// A correction close to the end affects the last published day, and days published
/// later.
pub async fn a_correction_near_the_end_reaches_later_days_too(warehouse: EngineUnderTest) {
    publish_silence(&warehouse).await;
    publish_run(&warehouse, days(40, 40), at(2), &[], &[(day(35), vec![("acme", 1, 1)])]).await;
    assert_eq!(days_published_at(&warehouse, "acme", 2).await, (35..=40).collect::<Vec<_>>());
    publish_run(&warehouse, days(41, 50), at(3), &[], &[]).await;
    let rows = published_of(&warehouse, "acme", days(41, 50)).await;
    let safe: Vec<i64> = rows.iter().filter(|row| !row.is_churn_risk).map(offset_of).collect();
    assert_eq!(safe, (41..=48).collect::<Vec<_>>());
}

/// A change that was reverted was never visible to a reader.
pub async fn publishing_equal_values_leaves_loaded_at_alone(warehouse: EngineUnderTest) {
    publish_silence(&warehouse).await;
    let before = observe(&warehouse).await;
    let run = hold_run(&warehouse, days(40, 40), at(2)).await;
    let corrected = vec![("acme", 2, 5), ("bolt", 1, 0)];
    let reverted = vec![("acme", 1, 0), ("bolt", 1, 0)];
    run.ingest(&[], &[(day(10), corrected), (day(10), reverted)]).await;
    let counters = Counters { rows_read: 14, rows_unchanged: 14, ..Counters::default() };
    assert_eq!(run.build().await, counters);
    assert_eq!(run.publish().await.counters, counters);
    let after = observe(&warehouse).await;
    assert_eq!((after.rows, after.freshness), (before.rows, before.freshness));
    assert_eq!(publication_of(&warehouse, 10).await.published_at, at(1));
}

/// Dirty days stay dirty until they are published, and no longer.
pub async fn dirty_days_survive_a_run_that_fails(warehouse: EngineUnderTest) {
    publish_silence(&warehouse).await;
    let loaded = hold_run(&warehouse, days(40, 40), at(2)).await;
    loaded.ingest(&[], &[(day(10), vec![("acme", 2, 5), ("bolt", 1, 0)])]).await;
    loaded.cancel().await;
    let failed = hold_run(&warehouse, days(40, 40), at(3)).await;
    failed.ingest(&[], &[]).await;
    assert_eq!(failed.build().await.rows_written, 14);
    failed.fail_at(STAGE_VALIDATE).await;
    assert!(days_published_at(&warehouse, "acme", 3).await.is_empty());

    let outcome = publish_run(&warehouse, days(40, 40), at(4), &[], &[]).await;
    assert_eq!(outcome.counters.rows_written, 14);
    assert_eq!(days_published_at(&warehouse, "acme", 4).await, (10..=23).collect::<Vec<_>>());
    let again = publish_run(&warehouse, days(40, 40), at(5), &[], &[]).await;
    assert_eq!(again.counters, Counters::default());
}

/// Usage from before the first published day counts in the days after it.
pub async fn a_day_before_the_first_publish_changes_later_days(warehouse: EngineUnderTest) {
    publish_run(&warehouse, days(0, 10), at(1), &[], &[(day(0), vec![("bolt", 1, 1)])]).await;
    let outcome = publish_run(&warehouse, days(10, 10), at(2), &[], &[(day(-5), vec![("acme", 7, 3)])]).await;
    assert_eq!((outcome.counters.rows_written, outcome.new_days), (9, 0));
    let rows = published_of(&warehouse, "acme", days(-10, 10)).await;
    assert_eq!(rows.iter().map(offset_of).collect::<Vec<_>>(), (0..=8).collect::<Vec<_>>());
    let rolling: Vec<i64> = rows.iter().map(|row| row.active_users_7d).collect();
    assert_eq!(rolling, [7, 7, 0, 0, 0, 0, 0, 0, 0]);
    assert!(rows.iter().all(|row| !row.is_churn_risk && row.events == 0));
}

/// Skipped days are published later, with all changes since, and affect nothing around
/// them.
pub async fn a_gap_is_published_later(warehouse: EngineUnderTest) {
    publish_run(&warehouse, days(0, 2), at(1), &[], &[(day(1), vec![("acme", 1, 1)])]).await;
    publish_run(&warehouse, days(6, 8), at(2), &[], &[]).await;
    publish_run(&warehouse, days(8, 8), at(3), &[], &[(day(2), vec![("acme", 2, 2)])]).await;
    assert_eq!(days_published_at(&warehouse, "acme", 1).await, [1]);
    assert_eq!(days_published_at(&warehouse, "acme", 3).await, [2, 6, 7, 8]);
    let outcome = publish_run(&warehouse, days(2, 7), at(4), &[], &[]).await;
    assert_eq!((outcome.counters.rows_written, outcome.new_days), (3, 3));
    let rows = published_of(&warehouse, "acme", days(0, 8)).await;
    let rolling: Vec<_> = rows.iter().map(|row| (offset_of(row), row.active_users_7d)).collect();
    assert_eq!(rolling, [(1, 1), (2, 3), (3, 3), (4, 3), (5, 3), (6, 3), (7, 3), (8, 2)]);
    assert_eq!(days_published_at(&warehouse, "acme", 4).await, [3, 4, 5]);
}

/// A build's progress ends at what it returns.
pub async fn a_build_reports_how_far_it_is(warehouse: EngineUnderTest) {
    let run = hold_run(&warehouse, days(0, 2), at(1)).await;
    run.ingest(&[], &[(day(0), vec![("acme", 1, 1), ("bolt", 1, 1)])]).await;
    let reported = Arc::new(Mutex::new(Vec::<Progress>::new()));
    let progress = Arc::clone(&reported);
    let fence = run.begin(STAGE_BUILD_FACT).await;
    let sink = Arc::new(move |news| progress.lock().unwrap().push(news));
    let counters = warehouse.build_fact(&fence, days(0, 2), at(2), sink).await.unwrap();
    assert_eq!(counters, Counters { rows_read: 6, rows_written: 6, ..Counters::default() });
    let last = reported.lock().unwrap().last().cloned().unwrap();
    assert_eq!(last.counters, counters);
    assert!(last.units_total > 0 && last.units_done == last.units_total, "{last:?}");
    let stage = run.reload().await.stages.swap_remove(2);
    assert_eq!((stage.state, stage.counters), (StageState::Succeeded, counters));
    assert!(stage.ended_at.is_some_and(|ended| ended >= at(2)), "{stage:?}");
}

/// Days with a change and new days, as they would be; the median of what was published
/// before them; the stages so far.
pub async fn measurements_count_what_would_be_published(warehouse: EngineUnderTest) {
    let nine = || ["c0", "c1", "c2", "c3", "c4", "c5", "c6", "c7", "c8"].map(|name| (name, 1, 1)).to_vec();
    let crm = (export(day(0), "1"), vec![company("silent", "Silent")]);
    let day_1 = vec![("c0", 1, 1), ("c1", 1, 1), ("c2", 1, 1), ("once", 1, 1)];
    let usage: Vec<UsageOfDay<'_>> =
        vec![(day(0), vec![("c0", 1, 1), ("c1", 1, 1)]), (day(1), day_1), (day(2), nine())];
    publish_run(&warehouse, days(0, 2), at(1), &[crm], &usage).await;

    let run = hold_run(&warehouse, days(3, 4), at(2)).await;
    let corrected = vec![("c0", 1, 1), ("c1", 1, 1), ("c2", 1, 1), ("late", 1, 1)];
    let five = nine().into_iter().take(5).collect();
    run.ingest(&[], &[(day(1), corrected), (day(3), five)]).await;
    let built = run.build().await;
    let fence = run.begin(STAGE_VALIDATE).await;
    let measured = warehouse.measure_candidates(&fence, days(3, 4)).await.unwrap();

    let would_have = |on, rows, source_rows, median| DayMeasurements {
        day: day(on),
        rows,
        expected_rows: rows,
        source_rows,
        recent_median_source_rows: Some(median),
    };
    let expected = Measurements {
        null_company_ids: 0,
        duplicate_keys: 0,
        negative_counts: 0,
        days: vec![
            would_have(1, 5, 4, 2.0),
            would_have(2, 11, 9, 3.0),
            would_have(3, 11, 5, 4.0),
            would_have(4, 11, 0, 4.0),
        ],
        stages: vec![
            (STAGE_COPY_CRM_CSV.to_owned(), Counters::default()),
            (STAGE_CALL_PRODUCT_API.to_owned(), Counters::default()),
            (STAGE_BUILD_FACT.to_owned(), built),
        ],
    };
    assert_eq!(measured, expected);
    // once left two days, late joined two: both were computed; 22 rows are on new days.
    assert_eq!(built, Counters { rows_read: 26, rows_written: 26, ..Counters::default() });

    let outcome = warehouse.publish_fact(&fence, days(3, 4), &[], at(2)).await.unwrap();
    let counters = Counters { rows_read: 24, rows_written: 24, rows_removed: 2, ..Counters::default() };
    assert_eq!((outcome.counters, outcome.new_days), (counters, 2));
    for on in 1..=4 {
        let rows = published(&warehouse, days(on, on)).await.len();
        let measured = measured.days.iter().find(|measured| measured.day == day(on)).unwrap();
        assert_eq!(u64::try_from(rows).unwrap(), measured.rows, "day {on}");
    }
}

/// Only published days count for the median, and only the 28 before.
pub async fn the_median_looks_four_weeks_back(warehouse: EngineUnderTest) {
    let run = hold_run(&warehouse, days(0, 0), at(1)).await;
    run.ingest(&[], &[(day(-1), vec![("acme", 1, 1)]), (day(0), vec![("acme", 1, 1)])]).await;
    run.build().await;
    let fence = run.begin(STAGE_VALIDATE).await;
    let measured = warehouse.measure_candidates(&fence, days(0, 0)).await.unwrap();
    assert_eq!(measured.days.first().unwrap().recent_median_source_rows, None);
    warehouse.publish_fact(&fence, days(0, 0), &[], at(1)).await.unwrap();
    run.finish().await.unwrap();

    let run = hold_run(&warehouse, days(28, 29), at(2)).await;
    run.ingest(&[], &[]).await;
    run.build().await;
    let fence = run.begin(STAGE_VALIDATE).await;
    let measured = warehouse.measure_candidates(&fence, days(28, 29)).await.unwrap();
    let medians: Vec<_> =
        measured.days.iter().map(|measured| (measured.day, measured.recent_median_source_rows)).collect();
    assert_eq!(medians, [(day(28), Some(1.0)), (day(28) + TimeDelta::days(1), None)]);
}
