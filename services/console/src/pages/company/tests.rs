use prost_types::Timestamp;
use proto::{
    activity::v1::{
        GetFreshnessResponse, ListCompanyActivityResponse, Publication, RollUpCompanyActivityResponse,
    },
    pipeline::v1::ExplainResponse,
    provenance::v1::CompanyVersion,
    reconciliation::v1::{
        Agreement, ChangeKind, ChangeReason, DayFetch, ExplainedCell, ExplainedChange, ExplainedDay,
        ExplainedVersion, LandedFileState, LandedLine, LandedLineUse, ReasonKind, UsageNumbers,
    },
};

use super::*;
use crate::scripted::Script;

const NOW: &str = "2026-03-01T06:00:00Z";
const NAME: &str = "<script>alert(1)</script>";

fn row(day: &str, events: i64) -> CompanyActivity {
    CompanyActivity {
        company_id: "a/b".into(),
        activity_date: day.into(),
        company_name: Some(NAME.into()),
        events,
        active_users: 3,
        active_users_7d: 1_021,
        events_per_user: Some(4.125),
        is_churn_risk: events == 0,
        ..CompanyActivity::default()
    }
}

fn freshness() -> GetFreshnessResponse {
    GetFreshnessResponse {
        newest: Some(Publication { activity_date: "2026-02-28".into(), ..Publication::default() }),
        ..GetFreshnessResponse::default()
    }
}

fn version(from: &str, country: &str) -> CompanyVersion {
    CompanyVersion {
        effective_from: from.into(),
        company_name: Some(NAME.into()),
        country: Some(country.into()),
        export_path: "companies.csv".into(),
        unreadable_columns: vec!["industry_tag".into()],
        ..CompanyVersion::default()
    }
}

fn script() -> Script {
    let newest = GetCompanyActivityResponse { activity: Some(row("2026-02-28", 12_345)), publication: None };
    let days = ListCompanyActivityResponse {
        activities: vec![row("2026-02-27", 0), row("2026-02-28", 12_345)],
        ..ListCompanyActivityResponse::default()
    };
    let versions = ListCompanyVersionsResponse {
        versions: vec![version("2026-02-01", "FR"), version("2026-01-01", "DE")],
        next_page_token: "v2".into(),
    };
    Script::new()
        .answers("GetFreshness", &freshness())
        .answers("GetCompanyActivity", &newest)
        .answers("ListCompanyActivity", &days)
        .answers("ListCompanyVersions", &versions)
}

fn explanation() -> ExplainResponse {
    let time = Some(Timestamp { seconds: 1_772_000_000, nanos: 0 });
    let explanation = Explanation {
        company_id: "a/b".into(),
        activity_date: "2026-02-28".into(),
        statements: vec!["A staged change waits <b>".into()],
        published: Some(row("2026-02-28", 12_345)),
        staged: Some(row("2026-02-28", 12_400)),
        agreement: Agreement::Waiting.into(),
        cells: vec![ExplainedCell {
            column: "events".into(),
            rule: "the record's events".into(),
            reckoning: "12400".into(),
            differs: true,
            ..ExplainedCell::default()
        }],
        days: vec![ExplainedDay {
            date: "2026-02-28".into(),
            record: Some(UsageNumbers { active_users: 3, events: 12_400 }),
            fetch: Some(DayFetch {
                run_id: "r7".into(),
                fetch_time: time,
                landing_path: "usage/a.json".into(),
                quarantined_records: 2,
            }),
            file_state: LandedFileState::Present.into(),
            lines: vec![LandedLine {
                line: 7,
                page: Some(2),
                r#use: LandedLineUse::Counts.into(),
                numbers: Some(UsageNumbers { active_users: 3, events: 12_400 }),
                reason: String::new(),
            }],
            statement: "stands in usage/a.json".into(),
        }],
        crm_version: Some(ExplainedVersion {
            export_path: "crm.csv".into(),
            archive_paths: vec!["archive/crm.csv".into()],
            ..ExplainedVersion::default()
        }),
        changes: vec![ExplainedChange {
            publish_time: time,
            run_id: "r6".into(),
            kind: ChangeKind::Changed.into(),
            before: Some(row("2026-02-28", 12_000)),
            after: Some(row("2026-02-28", 12_345)),
            columns: vec!["events".into()],
            reasons: vec![ChangeReason {
                kind: ReasonKind::LateRecord.into(),
                statement: "a late record".into(),
                ..ChangeReason::default()
            }],
        }],
        ..Explanation::default()
    };
    ExplainResponse { explanation: Some(explanation) }
}

#[tokio::test]
async fn a_company_is_shown_with_its_days_and_versions() {
    let site = script().site(NOW);
    let page = site.get("/companies/a%2Fb?to=2026-02-28").await;
    assert_eq!(page.status, 200, "{}", page.text);
    for shown in [
        "&lt;script&gt;alert(1)&lt;/script&gt;",
        "12,345 events, 3 users, 1,021 users of 7 days",
        r#"href="/companies/a%2Fb?to=2026-02-28&amp;explain=2026-02-27#cell-events""#,
        "at risk from 2026-02-27 to 2026-02-27",
        "4.12",
        r#"href="/companies/a%2Fb?to=2026-02-28&amp;explain=2026-02-28#cell-country""#,
        r#"href="/companies/a%2Fb?to=2026-02-28&amp;explain=2026-02-27#cell-loaded_at""#,
        "before the last of these is on the next page",
        "Earlier",
        "<mark>FR</mark>",
        "could not be read: industry_tag",
        "page=v2",
    ] {
        assert!(page.text.contains(shown), "{shown}: {}", page.text);
    }
    assert!(!page.text.contains("<script>alert"));
    let asked = site.asked::<ListCompanyActivityRequest>("ListCompanyActivity").remove(0);
    assert_eq!((asked.company_id.as_str(), asked.start_date.as_str()), ("a/b", "2025-12-01"));
    assert_eq!(site.asked::<ExplainRequest>("Explain"), []);
    assert_eq!(site.asked::<GetFreshnessRequest>("GetFreshness"), [], "the last day was given");
    assert!(!page.text.contains(">Later<"), "{}", page.text);
    assert!(script().site(NOW).get("/companies/acme?to=2026-02-27").await.text.contains(">Later<"));
}

#[tokio::test]
async fn a_cell_is_explained_from_its_rule_to_its_past() {
    let site = script().answers("Explain", &explanation()).site(NOW);
    let page = site.get("/companies/a%2Fb?explain=2026-02-28").await;
    for shown in [
        r#"id="explained""#,
        "A staged change waits &lt;b&gt;",
        r#"<tr id="cell-events">"#,
        "12400 – differs",
        "the record's events",
        "line 7 of page 2: counts, 3 users and 12,400 events",
        "usage/a.json",
        r#"href="/quality?origin=usage%2Fa.json&amp;state=all""#,
        "archive/crm.csv",
        "12000 → 12345",
        "late record",
        r#"<a href="/companies/a%2Fb">Close the explanation</a>"#,
    ] {
        assert!(page.text.contains(shown), "{shown}: {}", page.text);
    }
}

#[tokio::test]
async fn an_explanation_that_fails_leaves_the_page() {
    let site = script().fails("Explain", Status::invalid_argument("2026-02-30 is no day")).site(NOW);
    let page = site.get("/companies/a%2Fb?explain=2026-02-30").await;
    assert_eq!(page.status, 200);
    assert!(page.text.contains("2026-02-30 is no day") && page.text.contains("12,345"), "{}", page.text);
}

#[tokio::test]
async fn days_are_ordered_by_their_heads() {
    let page = script().site(NOW).get("/companies/a%2Fb?sort=events&direction=ascending").await.text;
    assert!(
        page.contains(
            r#"aria-sort="ascending"><a href="/companies/a%2Fb?sort=events&amp;direction=descending">"#
        ),
        "{page}"
    );
    let rows = page.split_once("<caption>Days of a/b</caption>").unwrap().1;
    assert!(rows.find("/days/2026-02-27").unwrap() < rows.find("/days/2026-02-28").unwrap(), "{rows}");
}

#[tokio::test]
async fn weeks_are_rolled_up() {
    let week = CompanyActivityRollUp {
        period_start: "2026-02-23".into(),
        days: 6,
        events: 88_000,
        is_churn_risk_at_end: true,
        ..CompanyActivityRollUp::default()
    };
    let answer = RollUpCompanyActivityResponse { roll_ups: vec![week], publication: None };
    let site = script().answers("RollUpCompanyActivity", &answer).site(NOW);
    let page = site.get("/companies/acme?period=week").await;
    for shown in ["By week, the newest first", "88,000", r#"<option value="week" selected>"#] {
        assert!(page.text.contains(shown), "{shown}: {}", page.text);
    }
    let asked = site.asked::<RollUpCompanyActivityRequest>("RollUpCompanyActivity").remove(0);
    assert_eq!(asked.period(), RollUpPeriod::Week);
}

#[tokio::test]
async fn a_company_that_nobody_knows_is_not_found() {
    let nobody = || {
        Script::new()
            .answers("GetFreshness", &freshness())
            .fails("GetCompanyActivity", Status::not_found("no such row"))
            .answers("ListCompanyActivity", &ListCompanyActivityResponse::default())
    };
    let site = nobody().fails("ListCompanyVersions", Status::not_found("never in the CRM")).site(NOW);
    let page = site.get("/companies/%3Cscript%3E").await;
    assert_eq!(page.status, 404);
    assert!(page.text.contains("There is no company &lt;script&gt;"), "{}", page.text);
    assert!(page.text.contains("Search for it under Companies."));
    // Where a service cannot say, nobody knows that it does not exist.
    let away = nobody().fails("ListCompanyVersions", Status::unavailable("away")).site(NOW);
    assert_eq!(away.get("/companies/acme").await.status, 200);
}

#[tokio::test]
async fn before_anything_is_published_a_company_of_the_crm_is_shown() {
    let versions = ListCompanyVersionsResponse {
        versions: vec![version("2026-02-01", "FR")],
        ..ListCompanyVersionsResponse::default()
    };
    let site = Script::new()
        .answers("GetFreshness", &GetFreshnessResponse::default())
        .fails("GetCompanyActivity", Status::not_found("nothing is published"))
        .answers("ListCompanyVersions", &versions)
        .site(NOW);
    let page = site.get("/companies/~..").await;
    assert_eq!(page.status, 200, "{}", page.text);
    assert!(page.text.contains("Nothing is published yet: what is known"), "{}", page.text);
    let asked = site.asked::<ListCompanyVersionsRequest>("ListCompanyVersions").remove(0);
    assert_eq!(asked.company_id, "..");
}

#[tokio::test]
async fn a_range_that_makes_no_sense_is_refused() {
    assert_eq!(script().site(NOW).get("/companies/acme?from=yesterday").await.status, 400);
    assert_eq!(script().site(NOW).get("/companies/acme?from=2020-01-01&to=2026-01-01").await.status, 400);
}
