//! The words of explanations.

mod changes;
mod rebuilds;

use chrono::{DateTime, Days, NaiveDate, Utc};

use super::*;
use crate::{
    checksum::Checksum,
    company::{CompanyAttributes, CompanyId, UnreadableFields},
    provenance::{
        CrmSnapshot, CrmVersion, DayPublication, ExportOrigin, Fetch, ReplacedRow, Unread, window_of,
    },
    usage::UsageNumbers,
};

const DAY: NaiveDate = NaiveDate::from_ymd_opt(2026, 2, 12).unwrap();

fn back(days: u64) -> NaiveDate {
    DAY - Days::new(days)
}

/// The `hour`th hour of the day after.
fn at(hour: u32) -> DateTime<Utc> {
    (DAY + Days::new(1)).and_hms_opt(hour, 0, 0).unwrap().and_utc()
}

fn key(day: NaiveDate) -> FactKey {
    FactKey { company_id: CompanyId::parse("acme").unwrap(), activity_date: day }
}

fn numbers(active_users: i32, events: i64) -> UsageNumbers {
    UsageNumbers { active_users, events }
}

/// A row of a company without CRM data, whose day alone has usage.
fn row(day: NaiveDate, numbers: UsageNumbers, hour: u32) -> FactRow {
    let UsageNumbers { active_users, events } = numbers;
    #[expect(clippy::cast_precision_loss, reason = "small numbers")]
    let events_per_user = (active_users != 0).then(|| events as f64 / f64::from(active_users));
    FactRow {
        active_users,
        events,
        active_users_7d: active_users.into(),
        is_churn_risk: events == 0,
        events_per_user,
        loaded_at: at(hour),
        ..FactRow::blank(key(day))
    }
}

fn publication(day: NaiveDate, hour: u32) -> DayPublication {
    DayPublication {
        day,
        published_at: at(hour),
        run_id: format!("run{hour}"),
        row_count: Some(1),
        is_rebuilt: false,
    }
}

fn ledger(day: NaiveDate, hour: u32) -> Publication {
    Publication {
        activity_date: day,
        run_id: format!("run{hour}"),
        published_at: at(hour),
        row_count: 1,
        checksum: Ok(Checksum::default()),
    }
}

/// A company that no source ever named, on a day that is not published.
fn nothing() -> Provenance {
    Provenance {
        key: key(DAY),
        is_known: false,
        is_waiting: false,
        published_range: None,
        history_since: None,
        ledger: vec![],
        publications: vec![],
        rows: vec![],
        replaced: vec![],
        usage: window_of(DAY).days().map(|day| UsageProvenance { day, record: None, fetch: None }).collect(),
        crm: CrmProvenance::default(),
    }
}

/// A record of today, published by run 2.
fn published(today: UsageNumbers) -> Provenance {
    let mut provenance = Provenance {
        is_known: true,
        published_range: Some((back(20), DAY)),
        ledger: window_of(DAY).days().map(|day| ledger(day, 2)).collect(),
        publications: window_of(DAY).days().map(|day| publication(day, 2)).collect(),
        rows: vec![row(DAY, today, 2)],
        ..nothing()
    };
    stage(&mut provenance, DAY, today);
    provenance
}

fn stage(provenance: &mut Provenance, on: NaiveDate, numbers: UsageNumbers) {
    let fetch = Fetch {
        run_id: "run2".to_owned(),
        fetched_at: at(1),
        landing_path: Some("usage.json".to_owned()),
        bytes: 1,
        etag: None,
        page_ends: vec![],
        quarantined: 0,
    };
    let day = provenance.usage.iter_mut().find(|usage| usage.day == on).unwrap();
    (day.record, day.fetch) = (Some(numbers), Some(fetch));
}

fn export(path: &str) -> ExportOrigin {
    let archive_path = Some(format!("crm/archive/{path}/e1.csv"));
    ExportOrigin { path: path.to_owned(), archive_path, loaded: Some(("run1".to_owned(), at(0))) }
}

fn described(attributes: CompanyAttributes) -> CrmProvenance {
    let version = CrmVersion {
        from: back(2),
        to: None,
        attributes,
        export: export("companies_2026-02-10.csv"),
        unread: Unread::default(),
    };
    let snapshot = CrmSnapshot { on: back(2), export: version.export.clone(), unread: Unread::default() };
    CrmProvenance { snapshot: Some(snapshot), version: Some(version) }
}

fn reasons(change: &Change) -> Vec<(ReasonKind, &str)> {
    change.reasons.iter().map(|reason| (reason.kind, reason.statement.as_str())).collect()
}

#[test]
fn what_is_published_says_since_when_and_by_whom() {
    let explanation = Explanation::of(&published(numbers(4, 10)));
    assert_eq!(explanation.statements, ["It says this since 2026-02-13T02:00:00Z, by run run2."]);
    assert_eq!(explanation.agreement, Some(Agreement::Equal));
    let mut later = published(numbers(4, 10));
    later.ledger = vec![ledger(DAY, 5)];
    assert_eq!(
        Explanation::of(&later).statements,
        ["It says this since 2026-02-13T02:00:00Z, by run run2. The day was last published at \
             2026-02-13T05:00:00Z, by run run5."]
    );
    // Nothing is left of the log: the ledger still knows the newest publish.
    let unlogged = Provenance { publications: vec![], ..published(numbers(4, 10)) };
    assert_eq!(Explanation::of(&unlogged).written_by.as_deref(), Some("run2"));
}

#[test]
fn each_cell_has_its_rule_and_its_reckoning() {
    let mut provenance = published(numbers(4, 10));
    stage(&mut provenance, back(6), numbers(3, 0));
    stage(&mut provenance, back(7), numbers(100, 0));
    let contact = "2026-02-05T23:30:00Z".parse().ok();
    provenance.crm = described(CompanyAttributes {
        name: Some("Acme".to_owned()),
        last_contact_at: contact,
        ..CompanyAttributes::default()
    });
    provenance.rows = vec![FactRow {
        active_users_7d: 7,
        company_name: Some("Acme".to_owned()),
        last_contact_at: contact,
        days_since_last_contact: Some(7),
        ..row(DAY, numbers(4, 10), 2)
    }];
    let explanation = Explanation::of(&provenance);
    let told: Vec<String> = explanation
        .cells
        .iter()
        .map(|cell| format!("{}: {} [{}]", cell.column, cell.rule, cell.reckoning))
        .collect();
    assert_eq!(
        told,
        [
            "company_id: as CRM and product API both spell it []",
            "activity_date: a UTC calendar day []",
            "company_name: the name in the CRM's version of 2026-02-10 []",
            "country: the country in the CRM's version of 2026-02-10 []",
            "industry_tag: the industry in the CRM's version of 2026-02-10 []",
            "last_contact_at: the last contact in the CRM's version of 2026-02-10 []",
            "active_users: of the day's record []",
            "events: of the day's record []",
            "7d_active_users: active_users of the 7 days up to 2026-02-12, summed [3 + – + – + – + – + – + 4 = 7]",
            "is_churn_risk: true if none of the 14 days up to 2026-02-12 has an event [2026-02-12 has 10 events, so false]",
            "events_per_user: events / active_users of the day; NULL without active users [10 / 4 = 2.5]",
            "days_since_last_contact: calendar days in UTC from the last contact to 2026-02-12 \
             [from 2026-02-05 to 2026-02-12: 7 days]",
            "loaded_at: when run run2 published these values []",
        ]
    );
    assert!(explanation.cells.iter().all(|cell| !cell.differs));
    let silent = Explanation::of(&published(numbers(0, 0)));
    let reckoning =
        |column: &str| silent.cells.iter().find(|cell| cell.column == column).unwrap().reckoning.clone();
    assert_eq!(reckoning("is_churn_risk"), "none has, so true");
    assert_eq!(reckoning("events_per_user"), "no active users, so NULL");
    assert_eq!(reckoning("days_since_last_contact"), "no contact is known, so NULL");
}

#[test]
fn what_waits_is_told_from_what_something_else_has_changed() {
    let mut provenance = published(numbers(4, 10));
    stage(&mut provenance, back(1), numbers(5, 0));
    let said = |provenance: &Provenance| {
        let explanation = Explanation::of(provenance);
        let differing: Vec<_> =
            explanation.cells.iter().filter(|cell| cell.differs).map(|cell| cell.column).collect();
        assert_eq!(differing, ["7d_active_users"]);
        (explanation.agreement, explanation.statements[1].clone())
    };
    let (agreement, statement) = said(&provenance);
    assert_eq!(agreement, Some(Agreement::Unexplained));
    assert!(
        statement.starts_with("What is published is not what is staged, and no change waits"),
        "{statement}"
    );
    provenance.is_waiting = true;
    let (agreement, statement) = said(&provenance);
    assert_eq!(agreement, Some(Agreement::Waiting));
    assert!(statement.starts_with("What is staged differs, and waits to be published"), "{statement}");
}

#[test]
fn a_company_day_without_a_row_has_a_plain_answer() {
    let first = |provenance: &Provenance| {
        let explanation = Explanation::of(provenance);
        assert!(explanation.published.is_none());
        (explanation.standing, explanation.statements.join(" "))
    };
    let unknown = " No source ever named acme: check the spelling, which has to be exact, upper and lower case included.";
    let not_published =
        |text: &str| (Standing::DayNotPublished, format!("2026-02-12 is not published{text}"));
    assert_eq!(first(&nothing()), not_published(&format!(", and no other day is.{unknown}")));
    let known = Provenance { is_known: true, ..nothing() };
    let among = |first, last| Provenance { published_range: Some((first, last)), ..known.clone() };
    assert_eq!(
        first(&among(back(20), back(3))),
        not_published(": the published days are 2026-01-23 to 2026-02-09.")
    );
    assert_eq!(
        first(&among(back(20), DAY + Days::new(3))),
        not_published(", although days before and after it are: a run over it has not succeeded.")
    );
    let taken_back = DayPublication { row_count: None, ..publication(DAY, 3) };
    assert_eq!(
        first(&Provenance { publications: vec![publication(DAY, 2), taken_back], ..known.clone() }),
        not_published(": run run3 took it back at 2026-02-13T03:00:00Z.")
    );
    // A publish that is in the log and not in the ledger was not taken back by its run.
    assert_eq!(
        first(&Provenance { publications: vec![publication(DAY, 2)], ..known }),
        not_published(", and no other day is.")
    );
    let mut unreadable = nothing();
    stage(&mut unreadable, DAY, numbers(0, 0));
    unreadable
        .usage
        .iter_mut()
        .filter_map(|usage| usage.fetch.as_mut())
        .for_each(|fetch| fetch.quarantined = 1);
    assert!(first(&unreadable).1.contains("No source ever named acme in a record that could be read"));
    let no_row = Provenance { rows: vec![], usage: nothing().usage, ..published(numbers(1, 1)) };
    assert_eq!(
        first(&no_row),
        (
            Standing::NoRow,
            "2026-02-12 is published without a row of acme: there is no CRM export, and the product API reported \
             no record of it on the 14 days 2026-01-30 to 2026-02-12."
                .to_owned()
        )
    );
}
