//! CRM exports: full states, whatever their order of arrival.

use domain::{Counters, CrmCompany, RejectionReason, SourceRow, run::STAGE_COPY_CRM_CSV};
use futures::{StreamExt, stream};
use warehouse_core::{CrmExport, Error, LoadOutcome, Result, SnapshotLimits};

use crate::{
    engine::EngineUnderTest,
    observed::{Observed, observe},
    scene::{
        HeldRun, at, company, contacted, day, days, export, has_crm_export, hold_run, offset_of, publish_run,
        published, published_of, rejected,
    },
};

/// Companies named after themselves.
fn companies(ids: &[&str]) -> Vec<CrmCompany> {
    ids.iter().map(|company_id| company(company_id, company_id)).collect()
}

fn accepted(line: u64, row: CrmCompany) -> SourceRow<CrmCompany> {
    SourceRow::Accepted { line, row }
}

/// The counters of loading an export of 100 bytes.
fn loaded(written: u64, unchanged: u64, removed: u64) -> LoadOutcome {
    LoadOutcome {
        counters: Counters {
            rows_read: written + unchanged,
            rows_written: written,
            rows_unchanged: unchanged,
            rows_removed: removed,
            bytes_read: 100,
            ..Counters::default()
        },
    }
}

/// A company's name by day; days without a row are missing.
async fn names(warehouse: &EngineUnderTest, company_id: &str, from: i64, to: i64) -> Vec<(i64, String)> {
    let rows = published_of(warehouse, company_id, days(from, to)).await;
    rows.iter().map(|row| (offset_of(row), row.company_name.clone().unwrap_or_default())).collect()
}

fn named(name: &str, days: impl Iterator<Item = i64>) -> Vec<(i64, String)> {
    days.map(|day| (day, name.to_owned())).collect()
}

async fn load_within(
    warehouse: &EngineUnderTest,
    run: &HeldRun,
    file: &CrmExport,
    companies: &[CrmCompany],
    max_shrink_share: f64,
) -> Result<LoadOutcome> {
    let fence = run.begin(STAGE_COPY_CRM_CSV).await;
    let rows = (2..).zip(companies).map(|(line, row)| Ok(accepted(line, row.clone())));
    let rows = stream::iter(rows).boxed();
    let limits = SnapshotLimits { max_shrink_share, ..SnapshotLimits::NONE };
    let outcome = warehouse.load_crm_export(&fence, file, limits, rows, run.now).await;
    run.fail(&fence, true).await;
    outcome
}

/// A different path, content or effective day makes a different export; loading the
/// same one again changes nothing.
pub async fn an_export_is_known_by_path_content_and_day(warehouse: EngineUnderTest) {
    let file = export(day(0), "1");
    assert!(!has_crm_export(&warehouse, &file).await);
    let run = hold_run(&warehouse, days(0, 0), at(1)).await;
    let crm = run.begin(STAGE_COPY_CRM_CSV).await;
    let delivered = companies(&["acme", "bolt"]);
    assert_eq!(run.load_crm(&crm, &file, &delivered).await.unwrap(), loaded(2, 0, 0));
    assert!(has_crm_export(&warehouse, &file).await);
    for other in [
        CrmExport { path: "other.csv".to_owned(), ..file.clone() },
        CrmExport { etag: "2".to_owned(), ..file.clone() },
        CrmExport { effective_on: day(1), ..file.clone() },
    ] {
        assert!(!has_crm_export(&warehouse, &other).await, "{other:?}");
        let several = [other.clone(), file.clone(), other];
        assert_eq!(warehouse.new_crm_exports(&several).await.unwrap(), [0, 2]);
    }
    assert_eq!(warehouse.new_crm_exports(&[]).await.unwrap(), []);
    assert_eq!(run.load_crm(&crm, &file, &delivered).await.unwrap(), loaded(0, 2, 0));
}

/// Columns and membership follow the file's newest content, on exactly the days that it
/// covers.
pub async fn a_replaced_export_replaces_what_it_said(warehouse: EngineUnderTest) {
    let before = (export(day(0), "1"), companies(&["acme", "bolt", "zed"]));
    let first = (export(day(5), "1"), vec![company("acme", "Acme"), company("bolt", "bolt")]);
    let later = (export(day(8), "1"), companies(&["acme", "bolt"]));
    publish_run(&warehouse, days(0, 9), at(1), &[before, first.clone(), later], &[]).await;
    assert_eq!(names(&warehouse, "zed", 0, 9).await, named("zed", 0..5));

    let replaced = export(day(5), "2");
    let run = hold_run(&warehouse, days(9, 9), at(2)).await;
    let crm = run.begin(STAGE_COPY_CRM_CSV).await;
    let delivered = vec![company("acme", "ACME"), company("zed", "Zed")];
    assert_eq!(run.load_crm(&crm, &replaced, &delivered).await.unwrap(), loaded(2, 0, 1));
    assert!(has_crm_export(&warehouse, &replaced).await);
    assert!(!has_crm_export(&warehouse, &first.0).await);
    run.complete(&crm).await;
    let api = run.begin(domain::run::STAGE_CALL_PRODUCT_API).await;
    run.complete(&api).await;
    run.build().await;
    // Two companies on the three days until the next export.
    assert_eq!(run.publish().await.counters.rows_written, 6);

    let acme = [named("acme", 0..5), named("ACME", 5..8), named("acme", 8..10)].concat();
    assert_eq!(names(&warehouse, "acme", 0, 9).await, acme);
    assert_eq!(names(&warehouse, "bolt", 0, 9).await, named("bolt", (0..5).chain(8..10)));
    let zed = [named("zed", 0..5), named("Zed", 5..8)].concat();
    assert_eq!(names(&warehouse, "zed", 0, 9).await, zed);
    let touched = published(&warehouse, days(0, 9)).await;
    assert!(touched.iter().all(|row| (row.loaded_at == at(2)) == (5..8).contains(&offset_of(row))));
}

/// The copies of the previous export can be found, to compare an export with it.
pub async fn the_copies_of_the_export_before_are_found(warehouse: EngineUnderTest) {
    let run = hold_run(&warehouse, days(0, 7), at(1)).await;
    let crm = run.begin(STAGE_COPY_CRM_CSV).await;
    let uncopied = CrmExport { archive_path: None, ..export(day(5), "3") };
    for file in [export(day(0), "1"), export(day(3), "2"), uncopied] {
        run.load_crm(&crm, &file, &companies(&["acme"])).await.unwrap();
    }
    let before = async |offset| warehouse.crm_archive_before(day(offset)).await.unwrap();
    assert_eq!(before(0).await, None);
    assert_eq!(before(1).await, export(day(0), "1").archive_path);
    assert_eq!(before(3).await, export(day(0), "1").archive_path);
    assert_eq!(before(5).await, export(day(3), "2").archive_path);
    assert_eq!(before(6).await, None);
}

/// The path decides, not the order of arrival.
pub async fn of_two_exports_for_a_day_the_last_path_counts(warehouse: EngineUnderTest) {
    let file = |name: &str, offset, etag: &str| CrmExport {
        path: format!("{name}.csv"),
        etag: etag.to_owned(),
        effective_on: day(offset),
        bytes: 100,
        archive_path: None,
    };
    let run = hold_run(&warehouse, days(0, 7), at(1)).await;
    let crm = run.begin(STAGE_COPY_CRM_CSV).await;
    let (early, late) = (vec![company("acme", "early"), company("bolt", "early")], companies(&["acme"]));
    for (name, offset, delivered, expected) in [
        ("b", 0, &late, loaded(1, 0, 0)),
        ("a", 0, &early, loaded(0, 2, 0)),
        ("a", 4, &early, loaded(2, 0, 0)),
        ("b", 4, &late, loaded(1, 0, 1)),
    ] {
        let outcome = run.load_crm(&crm, &file(name, offset, "1"), delivered).await.unwrap();
        assert_eq!(outcome, expected, "{name} on day {offset}");
    }
    let replaced = file("a", 4, "2");
    assert_eq!(run.load_crm(&crm, &replaced, &early).await.unwrap(), loaded(0, 2, 0));
    assert!(has_crm_export(&warehouse, &replaced).await);
    run.complete(&crm).await;
    let api = run.begin(domain::run::STAGE_CALL_PRODUCT_API).await;
    run.complete(&api).await;
    run.build().await;
    run.publish().await;
    assert_eq!(names(&warehouse, "acme", 0, 7).await, named("acme", 0..8));
    assert_eq!(names(&warehouse, "bolt", 0, 7).await, []);
}

/// A CRM without companies is not a valid state. The rejected rows are recorded all the
/// same.
pub async fn an_export_without_companies_is_refused_and_its_rows_are_quarantined(warehouse: EngineUnderTest) {
    let run = hold_run(&warehouse, days(0, 0), at(1)).await;
    let crm = run.begin(STAGE_COPY_CRM_CSV).await;
    let before = observe(&warehouse).await;
    for rows in [vec![], vec![rejected(2, "bad", ";;"), rejected(3, "worse", ";")]] {
        let reasons =
            if rows.is_empty() { "nothing of it was loaded" } else { ": line 2: bad; line 3: worse" };
        let lines: Vec<u64> = rows.iter().filter_map(|row| Some(row.rejection()?.line)).collect();
        let refused = run.load_crm_rows(&crm, &export(day(0), "1"), rows).await;
        let Err(Error::Refused(message)) = refused else { panic!("{refused:?}") };
        assert!(message.ends_with(reasons), "{message}");
        let after = observe(&warehouse).await;
        assert_eq!(after.quarantine.iter().map(|row| row.line).collect::<Vec<_>>(), lines);
        assert_eq!(Observed { quarantine: vec![], ..after }, before);
    }
    assert!(!has_crm_export(&warehouse, &export(day(0), "1")).await);
}

/// The limit itself is allowed. The previous export is the previous one in time, not in
/// arrival; nothing of a refused one is loaded.
pub async fn an_export_that_shrank_too_far_is_refused_whole(warehouse: EngineUnderTest) {
    let four = companies(&["acme", "bolt", "core", "zed"]);
    let one = vec![company("acme", "shrunk")];
    publish_run(&warehouse, days(0, 9), at(1), &[(export(day(0), "1"), four)], &[]).await;
    let run = hold_run(&warehouse, days(9, 9), at(2)).await;
    let half = companies(&["acme", "bolt"]);
    load_within(&warehouse, &run, &export(day(8), "1"), &half, 0.5).await.unwrap();

    let refused = load_within(&warehouse, &run, &export(day(5), "1"), &one, 0.5).await;
    assert!(matches!(refused, Err(Error::Refused(_))), "{refused:?}");
    assert!(!has_crm_export(&warehouse, &export(day(5), "1")).await);
    load_within(&warehouse, &run, &export(day(9), "1"), &companies(&["acme"]), 0.5).await.unwrap();
    // The first one in time has no predecessor.
    load_within(&warehouse, &run, &export(day(-3), "1"), &companies(&["acme"]), 0.0).await.unwrap();

    run.ingest(&[], &[]).await;
    run.build().await;
    run.publish().await;
    assert_eq!(names(&warehouse, "acme", 0, 9).await, named("acme", 0..10));
    assert_eq!(names(&warehouse, "bolt", 0, 9).await, named("bolt", 0..9));
    assert_eq!(names(&warehouse, "zed", 0, 9).await, named("zed", 0..8));
}

/// Of several rows for a company the last one counts; equal ones are duplicates,
/// contradicting ones go into quarantine, where the file's next load replaces them.
pub async fn contradicting_rows_go_into_quarantine_but_the_last(warehouse: EngineUnderTest) {
    let run = hold_run(&warehouse, days(0, 0), at(1)).await;
    let crm = run.begin(STAGE_COPY_CRM_CSV).await;
    let rows = vec![
        accepted(2, company("acme", "old")),
        accepted(3, company("bolt", "bolt")),
        accepted(4, company("acme", "new")),
        rejected(5, "company_id is empty", ",x"),
        accepted(6, company("acme", "new")),
    ];
    let counters = run.load_crm_rows(&crm, &export(day(0), "1"), rows).await.unwrap().counters;
    let expected = Counters {
        rows_read: 5,
        rows_written: 2,
        rows_duplicate: 1,
        rows_rejected: 2,
        bytes_read: 100,
        ..Counters::default()
    };
    assert_eq!(counters, expected);

    let quarantine = warehouse.staging.quarantined_rows(Some(run.run.run_id), 10).await.unwrap();
    let superseded = RejectionReason::Superseded { by_line: 6 }.to_string();
    let reported: Vec<_> = quarantine.iter().map(|row| (row.line, row.reason.as_str())).collect();
    assert_eq!(reported, [(2, superseded.as_str()), (5, "company_id is empty")]);
    let contradicting = quarantine.first().unwrap();
    assert_eq!(contradicting.origin, export(day(0), "1").path);
    assert_eq!((contradicting.stage.as_str(), contradicting.quarantined_at), (STAGE_COPY_CRM_CSV, at(1)));
    assert!(contradicting.raw.contains("acme") && contradicting.raw.contains("old"), "{contradicting:?}");

    run.load_crm(&crm, &export(day(0), "2"), &companies(&["acme"])).await.unwrap();
    assert_eq!(warehouse.staging.quarantined_rows(None, 10).await.unwrap(), []);
}

/// Finer digits are truncated, not rounded to the next day; so they change nothing.
pub async fn a_contact_is_kept_to_the_microsecond(warehouse: EngineUnderTest) {
    let instant = |nanos| day(1).and_hms_nano_opt(23, 59, 59, nanos).unwrap().and_utc();
    let contacted = |nanos| contacted(company("acme", "Acme"), instant(nanos));
    let run = hold_run(&warehouse, days(1, 1), at(1)).await;
    let crm = run.begin(STAGE_COPY_CRM_CSV).await;
    run.load_crm(&crm, &export(day(0), "1"), &[contacted(999_999_999)]).await.unwrap();
    let again = run.load_crm(&crm, &export(day(0), "2"), &[contacted(999_999_001)]).await.unwrap();
    assert_eq!(again, loaded(0, 1, 0));
    run.complete(&crm).await;
    let api = run.begin(domain::run::STAGE_CALL_PRODUCT_API).await;
    run.complete(&api).await;
    run.build().await;
    run.publish().await;
    let row = published_of(&warehouse, "acme", days(1, 1)).await.swap_remove(0);
    assert_eq!((row.last_contact_at, row.days_since_last_contact), (Some(instant(999_999_000)), Some(0)));
}
