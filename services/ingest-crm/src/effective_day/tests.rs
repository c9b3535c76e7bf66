use super::*;

fn day(text: &str) -> NaiveDate {
    domain::date_window::parse_day(text).unwrap()
}

#[test]
fn a_date_in_any_usual_spelling_is_found_anywhere_in_the_path() {
    for path in [
        "companies_2026-02-01.csv",
        "companies-20260201.csv",
        "companies2026-02-01T06:00:00Z.csv",
        "2026-02-01/companies.csv",
        "dt=2026-02-01/part-00000-c000.csv",
        "crm/date=20260201/part-0.csv",
        "snapshot_date=2026-02-01/hour=06/part-0.csv",
        "2026/02/01/companies.csv",
        "eu/2026/2/1/companies.csv",
        "2026/02/01.csv",
        "year=2026/month=02/day=01/part-0.csv",
        "Year=2026/Month=2/region=eu/Day=1/part-0.csv",
        "load_year=2026/load_month=02/load_day=01/x.csv",
        "crm_20260201060000.csv",
        "crm_202602010600.csv",
        "crm_20260201060000123.csv",
        "20260201T060000Z.csv",
        "20260201T060000Z/companies.csv",
        "crm_20260201_060000.csv",
        "crm_2026_02_01.csv",
        "crm_2026.02.01.csv",
        "2026.02.01_06.00.00.csv",
        "2026-02-01_06-00-00/companies.csv",
        "crm%2320260201.csv",
        "Übersicht 2026-02-01.csv",
        "2026-02-01 (1).csv",
        "2026-02-30/companies_2026-02-01.csv",
    ] {
        assert_eq!(day_in_path(path), Ok(Some(day("2026-02-01"))), "{path}");
    }
}

#[test]
fn the_last_date_wins() {
    for path in [
        "from_2026-01-01_to_2026-02-01.csv",
        "20260101-20260201.csv",
        "2026-01-01/companies_2026-02-01.csv",
        "2026/01/01/companies_20260201.csv",
        "year=2026/month=01/day=01/2026-02-01.csv",
        "2026-01-01/year=2026/month=02/day=01/companies.csv",
        "archive_2025-12-31/2026/02/01/companies.csv",
    ] {
        assert_eq!(day_in_path(path), Ok(Some(day("2026-02-01"))), "{path}");
    }
}

#[test]
fn what_is_no_date_or_can_be_read_in_two_ways_is_none() {
    for path in [
        "companies.csv",
        "export_120260201.csv",
        "export_202602011.csv",
        "companies_01-02-2026.csv",
        "companies_01022026.csv",
        "companies_31.12.2026.csv",
        "companies_2026-2-1.csv",
        "companies_2026-01-3.csv",
        "companies_26-02-01.csv",
        "2026-02/companies.csv",
        "2026/02/companies.csv",
        "2026/02/01_companies.csv",
        "companies_1770000000.csv",
        "companies_1770000000000.csv",
        "companies_20261345.csv",
        "companies_20260201999999.csv",
        "2026_02-01.csv",
        "part-0001-02-03.csv",
        "part-00000-0a1b2c3d-4026-4c0e-9d02-012345678901-c000.csv",
        "month=02/day=01/companies.csv",
        "v3/45/67/companies.csv",
    ] {
        assert_eq!(day_in_path(path), Ok(None), "{path}");
    }
}

#[test]
fn a_day_that_there_is_not_is_refused_by_its_name() {
    for (path, text) in [
        ("companies_2026-02-30.csv", "2026-02-30"),
        ("companies_2026_13_01.csv", "2026_13_01"),
        ("companies_20260431.csv", "20260431"),
        ("2026/02/30/companies.csv", "2026/02/30"),
        ("year=2026/month=2/day=30/companies.csv", "year=2026/month=2/day=30"),
        ("companies_2062-00-01.csv", "2062-00-01"),
        ("companies_2926-02-01.csv", "2926-02-01"),
    ] {
        assert_eq!(day_in_path(path), Err(NoSuchDay { text: text.to_owned() }), "{path}");
    }
}

#[test]
fn a_pattern_says_where_the_date_is_and_nothing_else_counts() {
    let source = |pattern| DaySource::Pattern(DatePattern::parse(pattern).unwrap());
    let european = source(r"(?<day>\d\d)-(?<month>\d\d)-(?<year>\d{4})");
    let of = |source: &DaySource, path: &str| source.day_of(path, DateTime::UNIX_EPOCH, 0);
    let dated = |text| Ok(EffectiveDay::Dated(day(text)));
    assert_eq!(of(&european, "companies_01-02-2026.csv"), dated("2026-02-01"));
    assert_eq!(of(&european, "31-01-2026/companies_01-02-2026.csv"), dated("2026-02-01"));
    assert_eq!(of(&european, "companies_2026-02-01.csv"), Ok(EffectiveDay::Undated));
    assert_eq!(of(&european, "companies_30-02-2026.csv"), Err(NoSuchDay { text: "30-02-2026".to_owned() }));
    for (pattern, problem) in [
        (r"(?<year>\d+)-(?<day>\d+)", "there is no group (?<month>...)"),
        (r"(?<year>\d+", "regex parse error"),
    ] {
        let error = DatePattern::parse(pattern).unwrap_err().to_string();
        assert!(error.contains(problem), "{error}");
    }
}

#[test]
fn the_offset_moves_whatever_has_a_day() {
    let modified = "2026-03-01T23:59:59Z".parse().unwrap();
    let of = |source: DaySource, path: &str| source.day_of(path, modified, -1);
    assert_eq!(of(DaySource::Path, "c_2026-03-01.csv"), Ok(EffectiveDay::Dated(day("2026-02-28"))));
    assert_eq!(of(DaySource::Modified, "c_2020-01-01.csv"), Ok(EffectiveDay::Dated(day("2026-02-28"))));
    assert_eq!(of(DaySource::Path, "c.csv"), Ok(EffectiveDay::Undated));
    DaySource::Path.day_of("c_2026-03-01.csv", modified, i32::MAX).unwrap_err();
}

#[test]
fn what_is_first_seen_speaks_from_the_newest_day_on() {
    let business_date = day("2026-02-05");
    for (newest, expected) in
        [(None, "2026-02-05"), (Some("2026-02-01"), "2026-02-05"), (Some("2026-02-10"), "2026-02-10")]
    {
        assert_eq!(first_seen_day(business_date, newest.map(day)), day(expected));
    }
}
