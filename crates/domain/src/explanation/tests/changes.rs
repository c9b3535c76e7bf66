//! The words of changes.

use super::*;

#[test]
fn a_change_names_the_day_and_what_became_of_its_record() {
    for (before, after, kind, statement) in [
        (
            numbers(0, 0),
            numbers(3, 12),
            ReasonKind::LateRecord,
            "late record: 2026-02-10 had no activity on record, and now has active_users 3, events 12",
        ),
        (
            numbers(3, 12),
            numbers(4, 12),
            ReasonKind::Correction,
            "correction: 2026-02-10 had active_users 3, events 12, and now has active_users 4, events 12",
        ),
        (
            numbers(3, 12),
            numbers(0, 0),
            ReasonKind::RecordGone,
            "record gone: 2026-02-10 had active_users 3, events 12, and now has no activity on record",
        ),
    ] {
        let mut provenance = published(numbers(1, 1));
        let sum = |numbers: UsageNumbers, hour| FactRow {
            active_users_7d: 1 + i64::from(numbers.active_users),
            ..row(DAY, self::numbers(1, 1), hour)
        };
        provenance.rows = vec![row(back(2), after, 4), sum(after, 4)];
        provenance.replaced = [row(back(2), before, 2), sum(before, 2)]
            .map(|row| ReplacedRow { row, replaced_at: at(4) })
            .to_vec();
        provenance.publications.extend([publication(back(2), 4), publication(DAY, 4)]);
        if after != numbers(0, 0) {
            stage(&mut provenance, back(2), after);
        }
        let changes = Explanation::of(&provenance).changes;
        let [newest, first] = changes.as_slice() else { panic!("{changes:#?}") };
        assert_eq!((first.kind, first.run_id.as_deref()), (ChangeKind::FirstPublished, Some("run2")));
        assert_eq!((newest.kind, newest.run_id.as_deref()), (ChangeKind::Changed, Some("run4")));
        assert_eq!(newest.columns, ["7d_active_users"]);
        assert_eq!(reasons(newest), [(kind, statement)]);
        assert_eq!(newest.reasons[0].days, [back(2)]);
    }
}

#[test]
fn what_changed_on_days_that_are_not_published_is_told_by_the_sums() {
    let mut provenance = published(numbers(1, 1));
    // Only the day itself and the one before were ever published.
    provenance.ledger.retain(|entry| entry.activity_date >= back(1));
    provenance.publications.retain(|entry| entry.day >= back(1));
    let sum = |users, hour| FactRow { active_users_7d: users, ..row(DAY, numbers(1, 1), hour) };
    provenance.rows = vec![sum(9, 4)];
    provenance.replaced = vec![ReplacedRow { row: sum(3, 2), replaced_at: at(4) }];
    provenance.publications.push(publication(DAY, 4));
    let changes = Explanation::of(&provenance).changes;
    assert_eq!(
        reasons(&changes[0]),
        [(
            ReasonKind::UnpublishedDays,
            "records changed of the days 2026-02-06 to 2026-02-10, not all of which were published, from 2 to 8 \
             active users in all"
        )]
    );
}

#[test]
fn a_crm_change_names_the_values_and_the_export() {
    let mut provenance = published(numbers(1, 1));
    let named =
        |name: &str, hour| FactRow { company_name: Some(name.to_owned()), ..row(DAY, numbers(1, 1), hour) };
    provenance.crm =
        described(CompanyAttributes { name: Some("Acme".to_owned()), ..CompanyAttributes::default() });
    provenance.rows = vec![named("Acme", 4)];
    provenance.replaced = vec![ReplacedRow { row: named("Akme", 2), replaced_at: at(4) }];
    provenance.publications.push(publication(DAY, 4));
    let explanation = Explanation::of(&provenance);
    let statement = "CRM change: company_name was \"Akme\", is \"Acme\", by export companies_2026-02-10.csv of 2026-02-10";
    assert_eq!(reasons(&explanation.changes[0]), [(ReasonKind::CrmChange, statement)]);
    assert_eq!(
        explanation.crm_statements,
        ["The CRM's version of 2026-02-10 describes the company, and is also that of all snapshots since: \
             companies_2026-02-10.csv, kept as crm/archive/companies_2026-02-10.csv/e1.csv, loaded by run run1 at \
             2026-02-13T00:00:00Z."]
    );
}

#[test]
fn what_could_not_be_read_in_an_export_is_told() {
    let mut provenance = published(numbers(1, 1));
    provenance.crm = described(CompanyAttributes::default());
    let fields = UnreadableFields { name: true, last_contact_at: true, ..UnreadableFields::default() };
    let version = provenance.crm.version.as_mut().unwrap();
    version.unread = Unread { fields, all: false };
    version.to = Some(back(2));
    let snapshot = provenance.crm.snapshot.as_mut().unwrap();
    (snapshot.on, snapshot.export) = (back(1), export("companies_2026-02-11.csv"));
    let statements = Explanation::of(&provenance).crm_statements;
    assert_eq!(
        statements[1],
        "In the export of 2026-02-10 name, last contact could not be read, and stayed as they were."
    );
    assert!(
        statements[2].starts_with(
            "The CRM: the snapshot of 2026-02-11 counts on 2026-02-12, and does not have the company: "
        ),
        "{statements:?}"
    );
}

#[test]
fn a_rebuilt_day_is_no_correction() {
    let mut provenance = published(numbers(1, 1));
    provenance.rows = vec![row(DAY, numbers(1, 1), 4)];
    provenance.replaced = vec![ReplacedRow { row: row(DAY, numbers(1, 99), 2), replaced_at: at(4) }];
    provenance.publications.push(DayPublication { is_rebuilt: true, ..publication(DAY, 4) });
    let changes = Explanation::of(&provenance).changes;
    assert_eq!(changes[0].columns, ["events", "events_per_user"]);
    let [(ReasonKind::Rebuild, statement)] = reasons(&changes[0])[..] else { panic!("{changes:#?}") };
    assert!(
        statement.starts_with("rebuild: 2026-02-12 was computed anew from what is staged"),
        "{statement}"
    );
}

#[test]
fn where_history_begins_nothing_is_claimed_of_before() {
    let mut provenance = published(numbers(1, 1));
    provenance.history_since = Some(at(2));
    let changes = Explanation::of(&provenance).changes;
    assert_eq!(changes[0].kind, ChangeKind::OldestOnRecord);
    // What was published before is on record again from then on.
    provenance.rows = vec![row(DAY, numbers(2, 1), 4)];
    provenance.replaced = vec![ReplacedRow { row: row(DAY, numbers(1, 1), 2), replaced_at: at(4) }];
    let kinds: Vec<_> = Explanation::of(&provenance).changes.iter().map(|change| change.kind).collect();
    assert_eq!(kinds, [ChangeKind::Changed, ChangeKind::OldestOnRecord]);
}

#[test]
fn a_day_that_was_taken_back_is_compared_with_what_it_said_before() {
    let mut provenance = published(numbers(2, 5));
    provenance.rows = vec![row(DAY, numbers(2, 5), 5)];
    provenance.replaced = vec![ReplacedRow { row: row(DAY, numbers(1, 5), 2), replaced_at: at(3) }];
    provenance
        .publications
        .extend([DayPublication { row_count: None, ..publication(DAY, 3) }, publication(DAY, 5)]);
    let changes = Explanation::of(&provenance).changes;
    let kinds: Vec<_> = changes.iter().map(|change| change.kind).collect();
    assert_eq!(kinds, [ChangeKind::PublishedAgain, ChangeKind::TakenBack, ChangeKind::FirstPublished]);
    assert_eq!(changes[0].columns, ["active_users", "7d_active_users", "events_per_user"]);
    assert_eq!(changes[0].reasons[0].kind, ReasonKind::Correction);
    assert_eq!(changes[1].reasons, []);
}
