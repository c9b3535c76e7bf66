use domain::{
    FactRow,
    company::{MAX_COMPANY_ID_CHARS, MAX_COMPANY_TEXT_BYTES},
};
use prost::Message;
use proto::activity::v1::ListChurnRisksResponse;
use warehouse::ChurnRisk;

use domain::date_window::parse_day;

use super::*;
use crate::{convert, request_fields::MAX_PAGE_SIZE};

fn day(text: &str) -> NaiveDate {
    parse_day(text).unwrap()
}

fn fields(violations: &FieldViolations) -> Vec<&'static str> {
    violations.iter().map(|(field, _)| field).collect()
}

fn listing(start_date: &str, end_date: &str) -> ListCompanyActivityRequest {
    ListCompanyActivityRequest {
        start_date: start_date.to_owned(),
        end_date: end_date.to_owned(),
        ..ListCompanyActivityRequest::default()
    }
}

fn days(start_date: &str, end_date: &str) -> AskedDays {
    RowsRequest::try_from(listing(start_date, end_date)).unwrap().days
}

#[test]
fn an_empty_day_is_the_newest_published_one() {
    let newest = day("2026-02-10");
    for (start, end, expected) in [
        ("", "", "2026-02-10"),
        ("2026-02-08", "", "2026-02-08..2026-02-10"),
        ("", "2026-02-12", "2026-02-10..2026-02-12"),
        ("2026-01-01", "2026-01-02", "2026-01-01..2026-01-02"),
    ] {
        assert_eq!(days(start, end).resolve(newest).unwrap().to_string(), expected);
    }
}

#[test]
fn an_open_end_on_the_wrong_side_of_the_newest_day_names_its_field() {
    let newest = day("2026-02-10");
    for (asked, field) in [(days("2026-02-11", ""), "start_date"), (days("", "2026-02-09"), "end_date")] {
        let violations = asked.resolve(newest).unwrap_err();
        assert_eq!(fields(&violations), [field]);
        assert!(violations.to_string().contains("2026-02-10 is the newest published day"), "{violations}");
    }
}

#[test]
fn a_range_that_ends_before_it_starts_is_refused() {
    let violations = RowsRequest::try_from(listing("2026-02-02", "2026-02-01")).unwrap_err();
    assert_eq!(fields(&violations), ["end_date"]);
}

#[test]
fn an_absurd_range_is_refused() {
    let violations = RowsRequest::try_from(listing("0206-02-02", "2026-02-01")).unwrap_err();
    assert_eq!(fields(&violations), ["end_date"]);
}

#[test]
fn everything_wrong_is_reported_at_once() {
    let request = ListCompanyActivityRequest {
        company_id: "a\u{0}b".to_owned(),
        page_size: -1,
        page_token: "nonsense".to_owned(),
        ..listing("01.02.2026", "2026-2-1")
    };
    let violations = RowsRequest::try_from(request).unwrap_err();
    assert_eq!(fields(&violations), ["company_id", "start_date", "end_date", "page_size", "page_token"]);
}

#[test]
fn page_sizes_are_defaulted_and_coerced() {
    for (asked, granted) in [(0, 100), (1, 1), (1_000, 1_000), (1_001, 1_000), (i32::MAX, 1_000)] {
        assert_eq!(checked_page_size(asked), Ok(granted));
    }
    assert!(checked_page_size(-1).is_err());
}

#[test]
fn a_token_brings_its_days_back_and_only_page_size_may_change() {
    let first = listing("2026-02-01", "");
    let tokens = RowsRequest::try_from(first.clone()).unwrap().tokens;
    let position = RowPosition {
        window: DateWindow::parse("2026-02-01", "2026-02-10").unwrap(),
        after: FactKey { company_id: CompanyId::parse("acme").unwrap(), activity_date: day("2026-02-03") },
        rows: Some(RowsVersion { days: 10, checksums: 7 }),
    };
    let next =
        ListCompanyActivityRequest { page_token: tokens.seal(&position), page_size: 7, ..first.clone() };

    let continued = RowsRequest::try_from(next.clone()).unwrap();
    assert_eq!(continued.days, AskedDays::Exactly(position.window));
    assert_eq!(continued.after, Some(position.after));
    assert_eq!(continued.rows, position.rows);

    for other in [
        ListCompanyActivityRequest { company_id: "acme".to_owned(), ..next.clone() },
        ListCompanyActivityRequest { start_date: "2026-02-02".to_owned(), ..next.clone() },
        ListCompanyActivityRequest { end_date: "2026-02-10".to_owned(), ..next },
    ] {
        assert_eq!(fields(&RowsRequest::try_from(other).unwrap_err()), ["page_token"]);
    }
}

#[test]
fn a_churn_token_belongs_to_its_day() {
    let first = ListChurnRisksRequest::default();
    let tokens = ChurnRequest::try_from(first.clone()).unwrap().tokens;
    let after = ChurnCursor { last_event_date: None, company_id: CompanyId::parse("acme").unwrap() };
    let token = tokens.seal(&ChurnPosition { day: day("2026-02-01"), after: after.clone(), rows: None });
    let continued =
        ChurnRequest::try_from(ListChurnRisksRequest { page_token: token.clone(), ..first }).unwrap();
    assert_eq!((continued.day, continued.after), (Some(day("2026-02-01")), Some(after)));

    let other = ListChurnRisksRequest {
        activity_date: "2026-02-01".to_owned(),
        page_token: token,
        ..ListChurnRisksRequest::default()
    };
    assert_eq!(fields(&ChurnRequest::try_from(other).unwrap_err()), ["page_token"]);
}

#[test]
fn a_churn_token_belongs_to_what_was_asked_for() {
    let position = ChurnPosition {
        day: day("2026-02-01"),
        after: ChurnCursor { last_event_date: None, company_id: CompanyId::parse("acme").unwrap() },
        rows: None,
    };
    let text = |text: &str| Some(text.to_owned());
    let asked = |change, country, industry_tag| ListChurnRisksRequest {
        change,
        country,
        industry_tag,
        ..ListChurnRisksRequest::default()
    };
    let all = [
        asked(0, None, None),
        asked(1, None, None),
        asked(2, None, None),
        asked(0, text(""), None),
        asked(0, None, text("")),
        asked(0, text("DE"), None),
        asked(0, None, text("DE")),
        asked(1, text("DE"), None),
    ];
    for (number, one) in all.iter().enumerate() {
        let page_token = ChurnRequest::try_from(one.clone()).unwrap().tokens.seal(&position);
        for (other_number, other) in all.iter().enumerate() {
            let next = ListChurnRisksRequest { page_token: page_token.clone(), ..other.clone() };
            assert_eq!(ChurnRequest::try_from(next).is_ok(), number == other_number, "{one:?} {other:?}");
        }
    }
    let unknown = ChurnRequest::try_from(asked(9, text("\0"), None)).unwrap_err();
    assert_eq!(fields(&unknown), ["change", "country"]);
}

#[test]
fn a_single_row_needs_a_company() {
    let violations = RowRequest::try_from(GetCompanyActivityRequest::default()).unwrap_err();
    assert_eq!(fields(&violations), ["company_id"]);
    let violations = ChurnRequest::try_from(ListChurnRisksRequest {
        activity_date: "tomorrow".to_owned(),
        ..ListChurnRisksRequest::default()
    })
    .unwrap_err();
    assert_eq!(fields(&violations), ["activity_date"]);
}

#[test]
fn a_roll_up_needs_all_its_fields() {
    let violations = RollUpRequest::try_from(RollUpCompanyActivityRequest::default()).unwrap_err();
    assert_eq!(fields(&violations), ["company_id", "start_date", "end_date", "period"]);
    let request = RollUpCompanyActivityRequest {
        company_id: " 007 ".to_owned(),
        start_date: "2026-02-01".to_owned(),
        end_date: "2026-02-28".to_owned(),
        period: RollUpPeriod::Month.into(),
    };
    let checked = RollUpRequest::try_from(request.clone()).unwrap();
    assert_eq!((checked.company_id.as_str(), checked.period), ("007", Period::Month));
    let unknown = RollUpCompanyActivityRequest { period: 99, ..request };
    assert_eq!(fields(&RollUpRequest::try_from(unknown).unwrap_err()), ["period"]);
}

#[test]
fn an_export_is_checked_like_a_listing() {
    let request = ExportCompanyActivityRequest {
        company_id: " ".to_owned(),
        start_date: "2026-02-02".to_owned(),
        end_date: "2026-02-01".to_owned(),
        ..ExportCompanyActivityRequest::default()
    };
    assert_eq!(fields(&ExportRequest::try_from(request).unwrap_err()), ["company_id", "end_date"]);
}

#[test]
fn the_largest_page_of_the_widest_rows_fits_a_message() {
    let wide = || Some("x".repeat(MAX_COMPANY_TEXT_BYTES));
    let at = chrono::DateTime::from_timestamp(4_102_444_800, 999_999_000).unwrap();
    let row = FactRow {
        key: FactKey {
            company_id: CompanyId::parse(&"🦀".repeat(MAX_COMPANY_ID_CHARS)).unwrap(),
            activity_date: day("2026-02-10"),
        },
        company_name: wide(),
        country: wide(),
        industry_tag: wide(),
        last_contact_at: Some(at),
        active_users: i32::MAX,
        events: i64::MAX,
        active_users_7d: i64::MAX,
        is_churn_risk: true,
        events_per_user: Some(0.1),
        days_since_last_contact: Some(i32::MIN),
        loaded_at: at,
    };
    let risk = convert::churn_risk(ChurnRisk { row, last_event_date: Some(day("2026-01-01")) });
    let page = ListChurnRisksResponse {
        churn_risks: vec![risk; usize::try_from(MAX_PAGE_SIZE).unwrap()],
        ..ListChurnRisksResponse::default()
    };
    let limit = 4 * 1024 * 1024;
    let room_for_token_and_publication = 4 * 1024;
    assert!(page.encoded_len() + room_for_token_and_publication < limit, "{}", page.encoded_len());
}
