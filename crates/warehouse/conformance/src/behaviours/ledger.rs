//! The ledger: which days are published, by which run, and their checksums.

use chrono::DateTime;
use domain::{Checksum, CompanyAttributes, CrmCompany, FactRow, Publication};
use warehouse_core::{Run, RunQuery};

use crate::{
    engine::EngineUnderTest,
    observed::{ledger_of_rows, observe},
    scene::{at, checksum_of, company, day, days, export, hold_run, id, publish_run, published},
};

/// One entry per published day of the window, in order: by which run, when, and what.
pub async fn the_ledger_reports_every_published_day_in_order(warehouse: EngineUnderTest) {
    assert_eq!(warehouse.published_days(days(-30, 30)).await.unwrap(), []);
    let companies = ["acme", "bolt"].map(|name| company(name, name)).to_vec();
    let first_usage = [(day(1), vec![("ghost", 1, 1)])];
    publish_run(&warehouse, days(0, 3), at(1), &[(export(day(0), "1"), companies)], &first_usage).await;
    publish_run(&warehouse, days(-4, -3), at(2), &[], &[(day(2), vec![("new", 1, 1)])]).await;
    let runs = warehouse.runs(&RunQuery::default(), 2).await.unwrap();
    let entry = async |on: i64, run: &Run, published_at, row_count| Publication {
        activity_date: day(on),
        run_id: run.run_id.to_string(),
        published_at,
        row_count,
        checksum: Ok(checksum_of(&warehouse, day(on)).await),
    };
    let (later, first) = (&runs[0], &runs[1]);
    // The later run fills days before the first ones, and corrects days from 2 on.
    let expected = [
        entry(-4, later, at(2), 2).await,
        entry(-3, later, at(2), 2).await,
        entry(0, first, at(1), 2).await,
        entry(1, first, at(1), 3).await,
        entry(2, later, at(2), 4).await,
        entry(3, later, at(2), 4).await,
    ];
    assert_eq!(warehouse.published_days(days(-30, 30)).await.unwrap(), expected);
    assert_eq!(warehouse.published_days(days(-3, 0)).await.unwrap(), expected[1..3]);
    assert_eq!(warehouse.published_days(days(2, 2)).await.unwrap(), expected[4..5]);
    assert_eq!(warehouse.published_days(days(-2, -1)).await.unwrap(), []);
}

async fn assert_ledger_fits(warehouse: &EngineUnderTest) {
    let ledger = warehouse.published_days(days(-400, 400)).await.unwrap();
    let reported: Vec<_> =
        ledger.iter().map(|entry| (entry.activity_date, entry.row_count, entry.checksum.unwrap())).collect();
    assert_eq!(reported, ledger_of_rows(warehouse, days(-400, 400)).await);
}

/// Every engine hashes any possible row in the same way.
pub async fn a_checksum_covers_every_value_a_row_may_hold(warehouse: EngineUnderTest) {
    let full = |company_id: &str, name: &str, micros: i64| {
        let attributes = CompanyAttributes {
            name: Some(name.to_owned()),
            country: Some(String::new()),
            industry_tag: Some("it, 'quoted' \\ \"twice\"\n".to_owned()),
            last_contact_at: DateTime::from_timestamp_micros(micros),
        };
        CrmCompany::read_in_full(id(company_id), attributes)
    };
    let empty = CrmCompany::read_in_full(id("empty"), CompanyAttributes::default());
    let companies = vec![
        full("007", "Zoë 🦀 e\u{301}", 1_767_225_600_123_456),
        full("Ünïcode", "before 1970", -1),
        full("far", "long ago", -62_135_596_800_000_000),
        full("epoch", "N", 0),
        empty,
    ];
    let usage = [
        (day(0), vec![("007", i32::MAX, i64::MAX), ("far", 0, 0)]),
        (day(1), vec![("007", i32::MAX, 1), ("ghost", 3, 10)]),
    ];
    publish_run(&warehouse, days(0, 20), at(1), &[(export(day(0), "1"), companies)], &usage).await;
    assert_eq!(published(&warehouse, days(0, 1)).await.len(), 11);
    assert_ledger_fits(&warehouse).await;
}

/// The checksums change on the days that a correction affects, and revert with the
/// values.
pub async fn a_correction_changes_the_checksums_of_its_days_alone(warehouse: EngineUnderTest) {
    let companies = ["acme", "bolt"].map(|name| company(name, name)).to_vec();
    let before = [(day(5), vec![("acme", 1, 1), ("bolt", 2, 2)])];
    publish_run(&warehouse, days(0, 30), at(1), &[(export(day(0), "1"), companies)], &before).await;
    let first = checksums(&warehouse).await;
    publish_run(&warehouse, days(30, 30), at(2), &[], &[(day(5), vec![("acme", 1, 1), ("bolt", 3, 2)])])
        .await;
    let corrected = checksums(&warehouse).await;
    let changed = |one: &[Checksum], other: &[Checksum]| -> Vec<usize> {
        (0..31).filter(|on| one[*on] != other[*on]).collect()
    };
    assert_eq!(changed(&first, &corrected), (5..=11).collect::<Vec<_>>());
    assert_ledger_fits(&warehouse).await;
    publish_run(&warehouse, days(30, 30), at(3), &[], &before).await;
    assert_eq!(checksums(&warehouse).await, first);
}

async fn checksums(warehouse: &EngineUnderTest) -> Vec<Checksum> {
    let ledger = warehouse.published_days(days(0, 30)).await.unwrap();
    ledger.iter().map(|entry| entry.checksum.unwrap()).collect()
}

/// A removed row leaves the checksum, down to a day without rows.
pub async fn rows_that_go_leave_the_checksum(warehouse: EngineUnderTest) {
    let usage = |users: &[(&'static str, i32, i64)]| [(day(3), users.to_vec())];
    let both = usage(&[("acme", 1, 1), ("bolt", 1, 1)]);
    publish_run(&warehouse, days(0, 9), at(1), &[], &both).await;
    let rows = published(&warehouse, days(4, 4)).await;
    publish_run(&warehouse, days(9, 9), at(2), &[], &usage(&[("acme", 1, 1)])).await;
    let left: Vec<&FactRow> = rows.iter().filter(|row| row.key.company_id.as_str() == "acme").collect();
    let entry = warehouse.published_days(days(4, 4)).await.unwrap().swap_remove(0);
    assert_eq!((entry.row_count, entry.checksum), (1, Ok(left.into_iter().collect())));
    let entry = warehouse.published_days(days(0, 0)).await.unwrap().swap_remove(0);
    assert_eq!((entry.row_count, entry.checksum), (0, Ok(Checksum::default())));
    assert_ledger_fits(&warehouse).await;
}

/// Publishing equal values changes no entry: neither run, nor time, nor checksum.
pub async fn publishing_equal_values_leaves_the_ledger_alone(warehouse: EngineUnderTest) {
    let exports = || [(export(day(0), "1"), vec![company("acme", "Acme")])];
    let usage = [(day(2), vec![("acme", 1, 5)])];
    publish_run(&warehouse, days(0, 9), at(1), &exports(), &usage).await;
    let before = observe(&warehouse).await.ledger;
    let run = hold_run(&warehouse, days(0, 9), at(2)).await;
    // Marks days dirty twice, and leaves them as they were.
    run.ingest(&[], &[(day(2), vec![("acme", 9, 9)]), usage[0].clone()]).await;
    assert_eq!(run.build().await.rows_unchanged, 8);
    run.publish().await;
    assert_eq!(observe(&warehouse).await.ledger, before);
    assert_ledger_fits(&warehouse).await;
}
