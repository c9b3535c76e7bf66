//! Operators find the rows that could not be used, and accept them.

use std::cmp::Reverse;

use domain::{
    Concerns, CrmCompany, Rejection, RejectionKind, RejectionReason, SourceRow, UsageRecord,
    run::{STAGE_CALL_PRODUCT_API, STAGE_COPY_CRM_CSV, STAGE_COPY_EVENTS},
};
use futures::{StreamExt, stream};
use warehouse_core::{
    Acceptance, CrmExport, LoadOutcome, Origin, QuarantineCount, QuarantineCursor, QuarantineFilter,
    QuarantineGrouping, QuarantinedRow, Result, SharedWarehouse, SnapshotLimits, UsageDay, UsageLimits,
};

use crate::{
    engine::EngineUnderTest,
    event_scene::{EventRun, file, has_event_file, lines},
    observed::observe,
    scene::{
        HeldRun, at, company, day, days, export, few_rejections, has_crm_export, hold_run, records, rejected,
        usage_day,
    },
    usage_scene::{accepted_silence, fetching_run, refusal, strict},
};

/// More rows than any behaviour leaves behind.
const ALL: u32 = 1_000;

pub(super) fn everything() -> QuarantineFilter {
    QuarantineFilter::default()
}

fn from(path: &str) -> QuarantineFilter {
    QuarantineFilter { origin: Some(Origin::File(path.to_owned())), ..everything() }
}

fn acceptance(hour: i64) -> Acceptance {
    Acceptance { at: at(hour), by: "token:alice".to_owned(), why: "a test account".to_owned() }
}

/// A row that cannot be read and concerns no company.
pub(super) fn torn<T>(line: u64, raw: &str) -> SourceRow<T> {
    let reason = RejectionReason::Malformed("torn".to_owned());
    SourceRow::Rejected(Rejection::new(line, reason, raw).concerning(Concerns::NoOne))
}

pub(super) fn readable(line: u64, name: &str) -> SourceRow<CrmCompany> {
    SourceRow::Accepted { line, row: company(name, name) }
}

async fn listed(warehouse: &EngineUnderTest, filter: &QuarantineFilter) -> Vec<(String, u64)> {
    let rows = warehouse.list_quarantine(filter, None, ALL).await.unwrap();
    rows.into_iter().map(|row| (row.origin, row.line)).collect()
}

/// Whether somebody has accepted each row, in order.
async fn accepted(warehouse: &EngineUnderTest) -> Vec<bool> {
    let rows = warehouse.list_quarantine(&everything(), None, ALL).await.unwrap();
    rows.iter().map(|row| row.accepted.is_some()).collect()
}

pub(super) async fn load_export(
    run: &HeldRun,
    warehouse: &SharedWarehouse,
    export: &CrmExport,
    rows: Vec<SourceRow<CrmCompany>>,
) -> Result<LoadOutcome> {
    let fence = run.begin(STAGE_COPY_CRM_CSV).await;
    let limits = SnapshotLimits { rejections: few_rejections(), ..SnapshotLimits::NONE };
    let rows = stream::iter(rows.into_iter().map(Ok)).boxed();
    let loaded = warehouse.load_crm_export(&fence, export, limits, rows, run.now).await;
    // As the stage would be, so that the next load may begin it again.
    run.fail(&fence, true).await;
    loaded
}

/// Two exports, a day of usage and an event file, each with rejected rows.
pub(super) async fn four_deliveries(warehouse: &EngineUnderTest) {
    let (run, fence) = fetching_run(warehouse, 1).await;
    let negative = RejectionReason::NegativeCount { field: "events", value: -1 };
    let negative = SourceRow::Rejected(Rejection::new(3, negative, "{}"));
    let rows = [records(day(0), &[("acme", 1, 1)]), vec![torn(2, "?"), negative]].concat();
    run.load_usage(&fence, day(0), rows).await.unwrap();
    for offset in [0, 1] {
        let rows = vec![readable(2, "acme"), readable(3, "acme2"), torn(4, "a,b"), readable(5, "bolt")];
        load_export(&run, warehouse, &export(day(offset), "1"), rows).await.unwrap();
    }
    let events = EventRun::begin(warehouse, 2).await;
    let rows =
        [lines(&[("acme", 0, "a", 1), ("acme", 0, "a", 2)]), vec![rejected(3, "no date", "x")]].concat();
    events.load(&file("2026/a.ndjson", "1"), rows).await.unwrap();
}

/// By file, kind, day, stage, line and acceptance, in pages that miss nothing.
pub async fn rows_are_listed_by_what_is_asked(warehouse: EngineUnderTest) {
    four_deliveries(&warehouse).await;
    let usage = usage_day(day(0)).landing_path.unwrap();
    let (first, second) = (export(day(0), "1").path, export(day(1), "1").path);
    let row = |origin: &str, line| (origin.to_owned(), line);
    let expected = [
        row("2026/a.ndjson", 1),
        row("2026/a.ndjson", 3),
        row(&first, 4),
        row(&second, 4),
        row(&usage, 2),
        row(&usage, 3),
    ];
    assert_eq!(listed(&warehouse, &everything()).await, expected);
    for (filter, rows) in [
        (from(&usage), &expected[4..]),
        (from("companies"), &[][..]),
        (
            QuarantineFilter { origin: Some(Origin::Below("companies".into())), ..everything() },
            &expected[2..4],
        ),
        (QuarantineFilter { kind: Some(RejectionKind::NegativeCount), ..everything() }, &expected[5..]),
        (QuarantineFilter { kind: Some(RejectionKind::Superseded), ..everything() }, &expected[..1]),
        (QuarantineFilter { days: Some(days(1, 9)), ..everything() }, &expected[3..4]),
        (QuarantineFilter { stage: Some(STAGE_COPY_EVENTS.into()), ..everything() }, &expected[..2]),
        (QuarantineFilter { line: Some(2), ..everything() }, &expected[4..5]),
        (QuarantineFilter { accepted: Some(false), ..everything() }, &expected[..]),
        (QuarantineFilter { accepted: Some(true), ..everything() }, &[]),
    ] {
        assert_eq!(listed(&warehouse, &filter).await, rows, "{filter:?}");
    }

    let all = warehouse.list_quarantine(&everything(), None, ALL).await.unwrap();
    let mut paged: Vec<QuarantinedRow> = Vec::new();
    loop {
        let after = paged.last().map(|row| QuarantineCursor { origin: row.origin.clone(), line: row.line });
        let page = warehouse.list_quarantine(&everything(), after.as_ref(), 4).await.unwrap();
        if page.is_empty() {
            break;
        }
        paged.extend(page);
    }
    assert_eq!(paged, all);
    assert_eq!(warehouse.rows_of_origin(&usage, ALL).await.unwrap(), all[4..]);
    assert_eq!(warehouse.rows_of_origin(&usage, 1).await.unwrap(), all[4..5]);
}

/// The greatest group first, each with what its rows have in common.
pub async fn rows_are_counted_by_what_is_asked(warehouse: EngineUnderTest) {
    four_deliveries(&warehouse).await;
    let group = |stage: &str, kind, origin: Option<&str>, offset: Option<i64>, rows| QuarantineCount {
        stage: stage.to_owned(),
        kind,
        origin: origin.map(str::to_owned),
        business_date: offset.map(day),
        rows,
    };
    let count = async |by, limit| warehouse.count_quarantine(&everything(), by, limit).await.unwrap();
    assert_eq!(
        count(QuarantineGrouping::Kind, ALL).await,
        [
            group(STAGE_COPY_CRM_CSV, Some(RejectionKind::Malformed), None, None, 2),
            group(STAGE_CALL_PRODUCT_API, Some(RejectionKind::Malformed), None, None, 1),
            group(STAGE_CALL_PRODUCT_API, Some(RejectionKind::NegativeCount), None, None, 1),
            group(STAGE_COPY_EVENTS, Some(RejectionKind::Malformed), None, None, 1),
            group(STAGE_COPY_EVENTS, Some(RejectionKind::Superseded), None, None, 1),
        ]
    );
    let mut open = warehouse.count_open_quarantine().await.unwrap();
    open.sort_by_key(|group| {
        (Reverse(group.rows), group.stage.clone(), group.kind.map(RejectionKind::as_str))
    });
    assert_eq!(open, count(QuarantineGrouping::Kind, ALL).await);
    let mut by_day = count(QuarantineGrouping::Day, ALL).await;
    by_day.sort_by_key(|group| (group.stage.clone(), group.business_date));
    assert_eq!(
        by_day,
        [
            group(STAGE_CALL_PRODUCT_API, None, None, Some(0), 2),
            group(STAGE_COPY_CRM_CSV, None, None, Some(0), 1),
            group(STAGE_COPY_CRM_CSV, None, None, Some(1), 1),
            group(STAGE_COPY_EVENTS, None, None, None, 2),
        ]
    );
    let usage = usage_day(day(0)).landing_path.unwrap();
    assert_eq!(
        count(QuarantineGrouping::Origin, 2).await,
        [
            group(STAGE_CALL_PRODUCT_API, None, Some(&usage), Some(0), 2),
            group(STAGE_COPY_EVENTS, None, Some("2026/a.ndjson"), None, 2),
        ]
    );
    let of_day = QuarantineFilter { days: Some(days(1, 1)), ..everything() };
    let found = warehouse.count_quarantine(&of_day, QuarantineGrouping::Kind, ALL).await.unwrap();
    assert_eq!(found, [group(STAGE_COPY_CRM_CSV, Some(RejectionKind::Malformed), None, None, 1)]);
}

/// It says who, when and why, and nothing else changes.
pub async fn accepting_changes_nothing_but_the_row(warehouse: EngineUnderTest) {
    four_deliveries(&warehouse).await;
    let before = observe(&warehouse).await;
    let one = QuarantineFilter { line: Some(4), days: Some(days(0, 0)), ..everything() };
    // Nobody has looked at two.
    let refused = warehouse.accept_quarantined(&one, &acceptance(3), Some(2)).await.unwrap_err();
    assert_eq!(refused.to_string(), "1 rows are meant by now, not 2; none was accepted: list them again");
    assert_eq!(observe(&warehouse).await, before);
    assert_eq!(warehouse.accept_quarantined(&one, &acceptance(3), Some(1)).await.unwrap(), 1);
    let is_meant = |row: &QuarantinedRow| row.line == 4 && row.business_date == Some(day(0));
    let mut expected = before.clone();
    for row in expected.quarantine.iter_mut().filter(|row| is_meant(row)) {
        row.accepted = Some(acceptance(3));
    }
    assert_eq!(observe(&warehouse).await, expected);
    // Only rows that nobody has accepted are left to accept.
    assert_eq!(warehouse.accept_quarantined(&one, &acceptance(4), None).await.unwrap(), 0);
    assert_eq!(warehouse.accept_quarantined(&everything(), &acceptance(5), None).await.unwrap(), 5);
    let open = QuarantineFilter { accepted: Some(false), ..everything() };
    assert_eq!(warehouse.count_quarantine(&open, QuarantineGrouping::Kind, ALL).await.unwrap(), []);
    assert_eq!(warehouse.count_open_quarantine().await.unwrap(), []);
    assert_eq!(observe(&warehouse).await.quarantine.len(), before.quarantine.len());
}

/// A load that finds the same words keeps it, on whatever line; other words end it.
pub async fn an_acceptance_holds_as_long_as_the_words(warehouse: EngineUnderTest) {
    let (run, fence) = fetching_run(&warehouse, 1).await;
    let load = async |rows: Vec<SourceRow<UsageRecord>>| run.load_usage(&fence, day(0), rows).await.unwrap();
    load([records(day(0), &[("acme", 1, 1)]), vec![torn(2, "?"), torn(3, "!")]].concat()).await;
    let of_line = QuarantineFilter { line: Some(2), ..everything() };
    warehouse.accept_quarantined(&of_line, &acceptance(2), None).await.unwrap();
    let kept = warehouse.list_quarantine(&everything(), None, ALL).await.unwrap();
    assert_eq!(kept.iter().map(|row| row.accepted.clone()).collect::<Vec<_>>(), [Some(acceptance(2)), None]);

    load([records(day(0), &[("acme", 9, 9)]), vec![torn(2, "?"), torn(3, "!")]].concat()).await;
    assert_eq!(warehouse.list_quarantine(&everything(), None, ALL).await.unwrap(), kept);
    // A record came late, before the others.
    load([records(day(0), &[("a", 1, 1), ("acme", 9, 9)]), vec![torn(3, "?"), torn(4, "!")]].concat()).await;
    assert_eq!(accepted(&warehouse).await, [true, false]);
    load([records(day(0), &[("acme", 9, 9)]), vec![torn(3, "?!"), torn(4, "!")]].concat()).await;
    assert_eq!(accepted(&warehouse).await, [false, false]);
    // It does not come back with the words.
    load([records(day(0), &[("acme", 9, 9)]), vec![torn(3, "?"), torn(4, "!")]].concat()).await;
    assert_eq!(accepted(&warehouse).await, [false, false]);

    warehouse.accept_quarantined(&everything(), &acceptance(3), None).await.unwrap();
    load(records(day(0), &[("acme", 9, 9)])).await;
    assert_eq!(accepted(&warehouse).await, [true; 0]);
}

/// A record that came late moves the superseded one, and the one that supersedes it.
pub async fn an_acceptance_moves_with_a_superseded_row(warehouse: EngineUnderTest) {
    let (run, fence) = fetching_run(&warehouse, 1).await;
    let load = async |named: &[(&str, i32, i64)]| {
        run.load_usage(&fence, day(0), records(day(0), named)).await.unwrap();
    };
    load(&[("acme", 1, 1), ("acme", 2, 2)]).await;
    assert_eq!(warehouse.accept_quarantined(&everything(), &acceptance(2), None).await.unwrap(), 1);
    load(&[("a", 1, 1), ("acme", 1, 1), ("acme", 2, 2)]).await;
    assert_eq!(accepted(&warehouse).await, [true]);
    // Other values are other words.
    load(&[("acme", 3, 3), ("acme", 2, 2)]).await;
    assert_eq!(accepted(&warehouse).await, [false]);
}

/// More rows with the same words than somebody has looked at are open.
pub async fn an_acceptance_covers_as_many_rows_as_were_accepted(warehouse: EngineUnderTest) {
    let (run, fence) = fetching_run(&warehouse, 1).await;
    let rows = |last| [records(day(0), &[("acme", 1, 1)]), (2..=last).map(|line| torn(line, "{}")).collect()];
    run.load_usage(&fence, day(0), rows(4).concat()).await.unwrap();
    assert_eq!(warehouse.accept_quarantined(&everything(), &acceptance(2), None).await.unwrap(), 3);
    run.load_usage_within(&fence, day(0), strict(), rows(4).concat()).await.unwrap();
    assert_eq!(accepted(&warehouse).await, [true; 3]);
    let more = rows(9).concat();
    let mut preview = warehouse.begin_preview(&[days(0, 0)]).await.unwrap();
    let previewed = stream::iter(more.clone().into_iter().map(Ok)).boxed();
    refusal(preview.add_usage_day(day(0), strict(), previewed).await);
    drop(preview);
    refusal(run.load_usage_within(&fence, day(0), strict(), more).await);
    assert_eq!(accepted(&warehouse).await, [true, true, true, false, false, false, false, false]);
}

/// Accepting an export's rejected rows is the way out of its refusal.
pub async fn accepted_rows_of_an_export_do_not_count_towards_the_limit(warehouse: EngineUnderTest) {
    let file = export(day(0), "1");
    let rows = |last: &str| {
        vec![
            readable(2, "acme"),
            readable(3, "bolt"),
            torn(4, "x"),
            torn(5, "y"),
            torn(6, "z"),
            torn(7, last),
        ]
    };
    let run = hold_run(&warehouse, days(0, 0), at(1)).await;
    let refused = refusal(load_export(&run, &warehouse, &file, rows("last")).await);
    for part in
        [&*file.path, "4 of 6 rows", "activityctl quarantine list --origin", "activityctl quarantine accept"]
    {
        assert!(refused.contains(part), "{part:?} is not in {refused}");
    }
    warehouse.accept_quarantined(&from(&file.path), &acceptance(2), None).await.unwrap();
    // Other words are not what was accepted, but so few are never too many.
    load_export(&run, &warehouse, &file, rows("other")).await.unwrap();
    assert!(has_crm_export(&warehouse, &file).await);
    assert_eq!(accepted(&warehouse).await, [true, true, true, false]);
}

/// Accepting a day's rejected records is the way out of its refusal.
pub async fn accepted_records_of_a_day_do_not_count_towards_the_limit(warehouse: EngineUnderTest) {
    let (run, fence) = fetching_run(&warehouse, 1).await;
    let rows = || [records(day(0), &[("acme", 1, 1)]), (2..6).map(|line| torn(line, "?")).collect()].concat();
    let refused = refusal(run.load_usage_within(&fence, day(0), strict(), rows()).await);
    for part in ["4 of 5 rows", "activityctl quarantine list --stage act_call_product_api --date 2026-01-01"]
    {
        assert!(refused.contains(part), "{part:?} is not in {refused}");
    }
    warehouse.accept_quarantined(&everything(), &acceptance(2), None).await.unwrap();
    run.load_usage_within(&fence, day(0), strict(), rows()).await.unwrap();
    assert_eq!(accepted(&warehouse).await, [true; 4]);
}

/// A preview counts as a load does what somebody has accepted.
pub async fn a_preview_believes_what_is_accepted(warehouse: EngineUnderTest) {
    let (run, fence) = fetching_run(&warehouse, 1).await;
    let rows = || [records(day(0), &[("acme", 1, 1)]), (2..6).map(|line| torn(line, "?")).collect()].concat();
    refusal(run.load_usage_within(&fence, day(0), strict(), rows()).await);
    let preview = async || {
        let mut preview = warehouse.begin_preview(&[days(0, 0)]).await.unwrap();
        let rows = stream::iter(rows().into_iter().map(Ok)).boxed();
        preview.add_usage_day(day(0), strict(), rows).await
    };
    refusal(preview().await);
    warehouse.accept_quarantined(&everything(), &acceptance(2), None).await.unwrap();
    preview().await.unwrap();
}

/// Too many rejected records refuse an event file, unless they are accepted.
pub async fn an_event_file_of_which_too_much_is_rejected_is_refused(warehouse: EngineUnderTest) {
    let run = EventRun::begin(&warehouse, 1).await;
    let delivered = file("a.ndjson", "1");
    let rows = || [lines(&[("acme", 0, "a", 1)]), (2..6).map(|line| torn(line, "?")).collect()].concat();
    let refused = refusal(run.load_within(&delivered, few_rejections(), rows()).await);
    for part in ["a.ndjson: 4 of 5 rows", "quarantine list --origin a.ndjson", "--events-max-rejected-share"]
    {
        assert!(refused.contains(part), "{part:?} is not in {refused}");
    }
    assert!(!has_event_file(&warehouse, &delivered).await);
    assert_eq!(accepted(&warehouse).await, [false; 4]);
    warehouse.accept_quarantined(&from("a.ndjson"), &acceptance(2), None).await.unwrap();
    run.load_within(&delivered, few_rejections(), rows()).await.unwrap();
    assert!(has_event_file(&warehouse, &delivered).await);
    assert_eq!(accepted(&warehouse).await, [true; 4]);
}

/// An empty answer has no file that would replace the rows of the answer before.
pub async fn a_day_without_records_has_none_in_quarantine(warehouse: EngineUnderTest) {
    let (run, fence) = fetching_run(&warehouse, 1).await;
    for offset in [0, 1] {
        let rows = [records(day(offset), &[("acme", 1, 1)]), vec![torn(2, "?")]].concat();
        run.load_usage(&fence, day(offset), rows).await.unwrap();
    }
    let empty = UsageDay { landing_path: None, bytes: 0, etag: None, ..usage_day(day(0)) };
    let limits: UsageLimits = accepted_silence();
    warehouse.load_usage_day(&fence, &empty, limits, stream::empty().boxed(), run.now).await.unwrap();
    let left = listed(&warehouse, &everything()).await;
    assert_eq!(left, [(usage_day(day(1)).landing_path.unwrap(), 2)]);
}
