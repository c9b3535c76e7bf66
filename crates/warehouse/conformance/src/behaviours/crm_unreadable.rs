//! Unreadable parts of an export remove nothing that is known.

use domain::{
    Concerns, Counters, CrmCompany, Rejection, RejectionReason, SourceRow, UnreadableFields,
    run::STAGE_COPY_CRM_CSV,
};
use futures::{StreamExt, stream};
use warehouse_core::{CrmDays, CrmExport, Error, Result, SnapshotLimits, UndatedExport};

use crate::engine::EngineUnderTest;
use crate::scene::{
    HeldRun, at, company, contacted, day, days, export, has_crm_export, hold_run, id, offset_of, publish_run,
    published_of,
};

fn accepted(line: u64, company_id: &str, name: &str) -> SourceRow<CrmCompany> {
    SourceRow::Accepted { line, row: contacted(company(company_id, name), at(0)) }
}

fn rejection(line: u64, concerns: Concerns) -> Rejection {
    let reason = RejectionReason::Malformed("torn".to_owned());
    Rejection::new(line, reason, "torn").concerning(concerns)
}

/// A company whose last contact is unreadable.
fn without_contact(line: u64, company_id: &str, name: &str) -> SourceRow<CrmCompany> {
    SourceRow::Partial {
        row: CrmCompany {
            unreadable: UnreadableFields { last_contact_at: true, ..UnreadableFields::default() },
            ..company(company_id, name)
        },
        rejection: rejection(line, Concerns::Company(id(company_id))),
    }
}

fn rejected(line: u64, company_id: &str) -> SourceRow<CrmCompany> {
    SourceRow::Rejected(rejection(line, Concerns::Company(id(company_id))))
}

/// Loads exports, publishes the days up to the twelfth and returns the exports' outcomes.
async fn publish(
    warehouse: &EngineUnderTest,
    hour: i64,
    exports: Vec<(CrmExport, Vec<SourceRow<CrmCompany>>)>,
) -> Vec<Counters> {
    let run = hold_run(warehouse, days(0, 12), at(hour)).await;
    let crm = run.begin(STAGE_COPY_CRM_CSV).await;
    let mut counted = vec![];
    for (export, rows) in exports {
        counted.push(run.load_crm_rows(&crm, &export, rows).await.unwrap().counters);
    }
    run.complete(&crm).await;
    let api = run.begin(domain::run::STAGE_CALL_PRODUCT_API).await;
    run.complete(&api).await;
    run.build().await;
    run.publish().await;
    counted
}

/// The days on which a company has a row, with its name and whether its last contact is known.
async fn reported(warehouse: &EngineUnderTest, company_id: &str) -> Vec<(i64, String, bool)> {
    let rows = published_of(warehouse, company_id, days(0, 12)).await;
    rows.iter()
        .map(|row| {
            (offset_of(row), row.company_name.clone().unwrap_or_default(), row.last_contact_at.is_some())
        })
        .collect()
}

fn on(days: impl Iterator<Item = i64>, name: &str, has_contact: bool) -> Vec<(i64, String, bool)> {
    days.map(|day| (day, name.to_owned(), has_contact)).collect()
}

/// Readable fields count, the others are as in the previous snapshot; a company missing
/// there has no value for them.
pub async fn a_field_that_cannot_be_read_stays_as_it_was(warehouse: EngineUnderTest) {
    let first = vec![accepted(2, "acme", "Acme")];
    let second = vec![without_contact(2, "acme", "ACME"), without_contact(3, "bolt", "Bolt")];
    let counted =
        publish(&warehouse, 1, vec![(export(day(0), "1"), first), (export(day(5), "1"), second)]).await;
    let expected = Counters { rows_read: 2, rows_rejected: 2, bytes_read: 100, ..Counters::default() };
    assert_eq!(counted.last(), Some(&expected));
    assert_eq!(
        reported(&warehouse, "acme").await,
        [on(0..5, "Acme", true), on(5..=12, "ACME", true)].concat()
    );
    assert_eq!(reported(&warehouse, "bolt").await, on(5..=12, "Bolt", false));
    let quarantine = warehouse.staging.quarantined_rows(None, 10).await.unwrap();
    assert_eq!(quarantine.iter().map(|row| row.line).collect::<Vec<_>>(), [2, 3]);
}

/// A company whose row is wholly unreadable stays as it was; one that was not in the
/// CRM before does not appear.
pub async fn a_rejected_row_does_not_remove_its_company(warehouse: EngineUnderTest) {
    let first = vec![accepted(2, "acme", "Acme"), accepted(3, "bolt", "Bolt"), accepted(4, "gone", "Gone")];
    let second = vec![rejected(2, "acme"), accepted(3, "bolt", "Bolt"), rejected(4, "unheard of")];
    let counted =
        publish(&warehouse, 1, vec![(export(day(0), "1"), first), (export(day(5), "1"), second)]).await;
    let expected = Counters {
        rows_read: 3,
        rows_rejected: 2,
        rows_unchanged: 1,
        rows_removed: 1,
        bytes_read: 100,
        ..Counters::default()
    };
    assert_eq!(counted.last(), Some(&expected));
    assert_eq!(reported(&warehouse, "acme").await, on(0..=12, "Acme", true));
    assert_eq!(reported(&warehouse, "gone").await, on(0..5, "Gone", true));
    assert_eq!(reported(&warehouse, "unheard of").await, []);
}

/// A row that may concern anyone keeps every company that the export does not name; one
/// that concerns no company, like a footer, keeps none.
pub async fn a_row_that_may_be_anyones_removes_nobody(warehouse: EngineUnderTest) {
    let all = || vec![accepted(2, "acme", "Acme"), accepted(3, "bolt", "Bolt")];
    let torn = vec![accepted(2, "acme", "ACME"), SourceRow::Rejected(rejection(3, Concerns::Anyone))];
    let footer = vec![accepted(2, "acme", "ACME"), SourceRow::Rejected(rejection(3, Concerns::NoOne))];
    publish(
        &warehouse,
        1,
        vec![(export(day(0), "1"), all()), (export(day(4), "1"), torn), (export(day(8), "1"), footer)],
    )
    .await;
    assert_eq!(
        reported(&warehouse, "acme").await,
        [on(0..4, "Acme", true), on(4..=12, "ACME", true)].concat()
    );
    assert_eq!(reported(&warehouse, "bolt").await, on(0..8, "Bolt", true));
}

/// The previous snapshot may arrive later, or change: unreadable data follows it,
/// across several snapshots.
pub async fn what_cannot_be_read_follows_the_export_before(warehouse: EngineUnderTest) {
    let torn = || SourceRow::Rejected(rejection(9, Concerns::Anyone));
    let last = (export(day(8), "1"), vec![accepted(2, "zed", "Zed"), torn()]);
    let middle = (export(day(4), "1"), vec![without_contact(2, "acme", "ACME"), accepted(3, "zed", "Zed")]);
    publish(&warehouse, 1, vec![last, middle]).await;
    assert_eq!(reported(&warehouse, "acme").await, on(0..=12, "ACME", false));

    let first = vec![accepted(2, "acme", "Acme"), accepted(3, "zed", "Zed")];
    publish(&warehouse, 2, vec![(export(day(0), "1"), first)]).await;
    assert_eq!(
        reported(&warehouse, "acme").await,
        [on(0..4, "Acme", true), on(4..=12, "ACME", true)].concat(),
        "the contact is known by now"
    );

    let replaced = vec![accepted(2, "zed", "Zed"), accepted(3, "bolt", "Bolt")];
    publish(&warehouse, 3, vec![(export(day(4), "2"), replaced)]).await;
    assert_eq!(reported(&warehouse, "acme").await, on(0..4, "Acme", true));
    assert_eq!(reported(&warehouse, "bolt").await, on(4..=12, "Bolt", true));
}

/// The last informative row counts; each row is counted once.
pub async fn an_unreadable_row_beside_another_of_its_company_is_counted_once(warehouse: EngineUnderTest) {
    let rows = vec![
        rejected(2, "acme"),
        accepted(3, "acme", "Acme"),
        rejected(4, "acme"),
        accepted(5, "bolt", "Bolt"),
        without_contact(6, "bolt", "BOLT"),
        without_contact(7, "core", "Core"),
        accepted(8, "core", "Core"),
    ];
    let counted = publish(&warehouse, 1, vec![(export(day(0), "1"), rows)]).await;
    // Four unreadable ones, and the row of bolt that a later one contradicts.
    let expected =
        Counters { rows_read: 7, rows_written: 2, rows_rejected: 5, bytes_read: 100, ..Counters::default() };
    assert_eq!(counted, [expected]);
    assert_eq!(reported(&warehouse, "acme").await, on(0..=12, "Acme", true));
    assert_eq!(reported(&warehouse, "bolt").await, on(0..=12, "BOLT", false));
    assert_eq!(reported(&warehouse, "core").await, on(0..=12, "Core", true));
}

async fn load_within(
    warehouse: &EngineUnderTest,
    run: &HeldRun,
    file: &CrmExport,
    rows: Vec<SourceRow<CrmCompany>>,
    limits: SnapshotLimits,
) -> Result<Counters> {
    let fence = run.begin(STAGE_COPY_CRM_CSV).await;
    let rows = stream::iter(rows.into_iter().map(Ok)).boxed();
    let outcome = warehouse.load_crm_export(&fence, file, limits, rows, run.now).await;
    run.fail(&fence, true).await;
    outcome.map(|loaded| loaded.counters)
}

/// Nothing of it is loaded; its rejected rows are in quarantine, and the first ones are
/// named.
pub async fn an_export_of_which_too_much_is_rejected_is_refused(warehouse: EngineUnderTest) {
    let good = (2..).zip(["acme", "bolt", "core"]).map(|(line, name)| accepted(line, name, name));
    publish(&warehouse, 1, vec![(export(day(0), "1"), good.clone().collect())]).await;
    let run = hold_run(&warehouse, days(0, 12), at(2)).await;
    let limits = SnapshotLimits { rejections: crate::scene::few_rejections(), ..SnapshotLimits::NONE };
    let torn = (10..14).map(|line| SourceRow::Rejected(rejection(line, Concerns::Anyone)));
    let file = export(day(5), "1");
    let refused = load_within(&warehouse, &run, &file, good.take(1).chain(torn).collect(), limits).await;
    let Err(Error::Refused(message)) = refused else { panic!("{refused:?}") };
    for part in [file.path.as_str(), "4 of 5 rows", "80", "line 10: torn; line 11: torn; line 12: torn"] {
        assert!(message.contains(part), "{part:?} is not in {message}");
    }
    assert!(!message.contains("line 13"), "{message}");
    assert!(!has_crm_export(&warehouse, &file).await);
    let quarantine = warehouse.staging.quarantined_rows(Some(run.run.run_id), 10).await.unwrap();
    assert_eq!(quarantine.iter().map(|row| row.line).collect::<Vec<_>>(), [10, 11, 12, 13]);
    // The file's next content replaces the quarantined rows, too.
    load_within(&warehouse, &run, &export(day(5), "2"), vec![accepted(2, "acme", "ACME")], limits)
        .await
        .unwrap();
    assert_eq!(warehouse.staging.quarantined_rows(Some(run.run.run_id), 10).await.unwrap(), []);
}

/// An export is compared with the one it replaces, whatever came before.
pub async fn a_replaced_export_is_compared_with_what_it_replaces(warehouse: EngineUnderTest) {
    let rows = |count: u64| (2..2 + count).map(|line| accepted(line, &format!("c{line}"), "C")).collect();
    publish(&warehouse, 1, vec![(export(day(0), "1"), rows(2)), (export(day(5), "1"), rows(8))]).await;
    let run = hold_run(&warehouse, days(0, 12), at(2)).await;
    let limits = SnapshotLimits { max_shrink_share: 0.5, ..SnapshotLimits::NONE };
    let refused = load_within(&warehouse, &run, &export(day(5), "2"), rows(3), limits).await;
    let Err(Error::Refused(message)) = refused else { panic!("{refused:?}") };
    assert!(
        message.contains("3 companies, 62 % fewer than the 8 of the export that it replaces, of 2026-01-06"),
        "{message}"
    );
    load_within(&warehouse, &run, &export(day(5), "2"), rows(4), limits).await.unwrap();
}

/// The content of an undated export is identified by path and entity tag, and only a
/// path's newest content counts.
pub async fn the_day_of_an_undated_export_is_kept_with_its_content(warehouse: EngineUnderTest) {
    let undated = |etag: &str| UndatedExport { path: "companies.csv".to_owned(), etag: etag.to_owned() };
    let asked = [undated("1"), undated("2"), UndatedExport { path: "other.csv".to_owned(), ..undated("1") }];
    let nothing = CrmDays { decided: vec![None; 3], ..CrmDays::default() };
    assert_eq!(warehouse.crm_days(&asked, day(40)).await.unwrap(), nothing);

    let file = |etag: &str, on| CrmExport {
        path: "companies.csv".to_owned(),
        etag: etag.to_owned(),
        ..export(day(on), etag)
    };
    publish_run(&warehouse, days(0, 3), at(1), &[(file("1", 3), vec![company("acme", "Acme")])], &[]).await;
    let known = warehouse.crm_days(&asked, day(40)).await.unwrap();
    let expected = CrmDays {
        decided: vec![Some(day(3)), None, None],
        first_snapshot: Some(day(3)),
        newest: Some(day(3)),
    };
    assert_eq!(known, expected);

    publish_run(&warehouse, days(4, 9), at(2), &[(file("2", 9), vec![company("acme", "ACME")])], &[]).await;
    let dated = [(export(day(35), "1"), vec![company("acme", "later")])];
    publish_run(&warehouse, days(9, 9), at(3), &dated, &[]).await;
    let known = warehouse.crm_days(&asked, day(20)).await.unwrap();
    let expected = CrmDays {
        decided: vec![None, Some(day(9)), None],
        first_snapshot: Some(day(3)),
        // What takes effect in the future does not count yet.
        newest: Some(day(9)),
    };
    assert_eq!(known, expected);
    assert_eq!(warehouse.crm_days(&[], day(35)).await.unwrap().newest, Some(day(35)));
}
