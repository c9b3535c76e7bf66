use axum::http::header;
use presentation::csv::CsvChurnRisks;
use proto::activity::v1::{ChurnByContact, ChurnGroup, CompanyActivity, Publication};
use tonic::Status;

use super::*;
use crate::scripted::Script;

const NOW: &str = "2026-03-01T06:00:00Z";

fn listed(company_id: &str, last_event_date: &str) -> ChurnRisk {
    let row = CompanyActivity {
        company_id: company_id.into(),
        activity_date: "2026-02-28".into(),
        company_name: Some("<script>alert(1)</script>, \"Sons\"".into()),
        is_churn_risk: true,
        ..CompanyActivity::default()
    };
    ChurnRisk { activity: Some(row), last_event_date: last_event_date.into() }
}

fn page(company_ids: &[&str], next_page_token: &str) -> ListChurnRisksResponse {
    ListChurnRisksResponse {
        churn_risks: company_ids.iter().map(|company_id| listed(company_id, "2026-01-10")).collect(),
        next_page_token: next_page_token.into(),
        publication: Some(Publication { activity_date: "2026-02-28".into(), ..Publication::default() }),
    }
}

fn summary() -> GetChurnSummaryResponse {
    let counts = ChurnCounts { companies: 100, at_risk: 30, new: 4, recovered: 2 };
    let group = |value: &str| ChurnGroup { value: value.into(), counts: Some(counts) };
    GetChurnSummaryResponse {
        publication: page(&[], "").publication,
        is_previous_day_published: true,
        total: Some(ChurnCounts { companies: 2_000, at_risk: 1_300, new: 40, recovered: 25 }),
        by_country: vec![group("DE & <b>"), group("")],
        by_industry: (0..20).map(|number| group(&format!("industry {number}"))).collect(),
        by_last_contact: vec![ChurnByContact {
            min_days: 366,
            counts: Some(counts),
            ..ChurnByContact::default()
        }],
    }
}

#[tokio::test]
async fn tabs_count_and_groups_filter() {
    let site = Script::new()
        .answers("GetChurnSummary", &summary())
        .answers("ListChurnRisks", &page(&["acme"], "next"))
        .site(NOW);
    let shown = site.get("/churn?change=still&country=%28none%29&date=2026-02-28").await;
    assert_eq!(shown.status, 200, "{}", shown.text);
    for expected in [
        "30 of 100 companies of country (none) are at risk",
        "At risk 30",
        "Newly at risk 4",
        "Still at risk 26",
        "Recovered 2",
        "count all companies of the day",
        r#"href="/companies?country=%28none%29&amp;risk=yes&amp;sort=contact&amp;direction=descending""#,
        r#"href="/churn?change=still&amp;date=2026-02-28&amp;country=DE+%26+%3Cb%3E""#,
        "366 days or more",
        r#"href="/churn.csv?change=still&amp;country=%28none%29&amp;date=2026-02-28""#,
        r#"href="/companies/acme""#,
        r#"href="/companies/acme?explain=2026-02-28#cell-is_churn_risk""#,
        "2026-01-10",
        "All 20",
        "Show all of them",
        "page=next",
    ] {
        assert!(shown.text.contains(expected), "{expected}: {}", shown.text);
    }
    assert!(!shown.text.contains("<script>"));
    let asked = site.asked::<ListChurnRisksRequest>("ListChurnRisks").remove(0);
    assert_eq!(asked.change(), ChurnChange::Still);
    assert_eq!((asked.country.as_deref(), asked.industry_tag), (Some(""), None));
    assert_eq!(asked.activity_date, "2026-02-28");
}

#[tokio::test]
async fn tabs_count_all_unless_services_count_what_the_list_shows() {
    for (query, expected) in [
        ("", "1,300 of 2,000 companies are at risk on"),
        ("?industry=industry+3", "30 of 100 companies of industry industry 3 are at risk on"),
        ("?country=Atlantis", "0 of 0 companies of country Atlantis are at risk on"),
        (
            "?country=%28none%29&industry=x",
            "1,300 of 2,000 companies of all countries and industries are at risk on",
        ),
    ] {
        let site = Script::new()
            .answers("GetChurnSummary", &summary())
            .answers("ListChurnRisks", &page(&["acme"], ""))
            .site(NOW);
        let shown = site.get(&format!("/churn{query}")).await.text;
        assert!(shown.contains(expected), "{expected}: {shown}");
    }
}

#[tokio::test]
async fn the_groups_with_most_of_what_the_tab_counts_come_first() {
    let counts = |at_risk, recovered| ChurnCounts { companies: 100, at_risk, new: 0, recovered };
    let mut summary = summary();
    // The services put the one with the most at risk first.
    summary.by_industry = (0..20)
        .map(|number| ChurnGroup {
            value: format!("industry {number}"),
            counts: Some(counts(90 - number, number)),
        })
        .collect();
    let site = Script::new()
        .answers("GetChurnSummary", &summary)
        .answers("ListChurnRisks", &page(&["acme"], ""))
        .site(NOW);
    let shown = site.get("/churn?change=recovered").await.text;
    let row = |number: i32| shown.find(&format!(">industry {number}</a>"));
    assert!(row(19).unwrap() < row(5).unwrap(), "{shown}");
    assert_eq!(row(4), None, "fifteen are shown");
}

#[tokio::test]
async fn a_change_that_there_is_not_is_refused() {
    let site = Script::new()
        .answers("GetChurnSummary", &summary())
        .answers("ListChurnRisks", &page(&["acme"], ""))
        .site(NOW);
    for address in ["/churn?change=lost", "/churn.csv?change=lost"] {
        let shown = site.get(address).await;
        assert_eq!(shown.status, 400, "{address}");
        assert!(shown.text.contains("new, still and recovered"), "{}", shown.text);
    }
}

#[tokio::test]
async fn without_the_day_before_nobody_counts_changes() {
    let alone = GetChurnSummaryResponse { is_previous_day_published: false, ..summary() };
    let site = Script::new()
        .answers("GetChurnSummary", &alone)
        .fails("ListChurnRisks", Status::failed_precondition("2026-02-27 is not published"))
        .site(NOW);
    let shown = site.get("/churn?change=new").await;
    for expected in [
        "Newly at risk –",
        "nobody can tell what has changed",
        "2026-02-27 is not published",
        "Publish the day before, or choose another day.",
        r#"href="/runs?start=yes&amp;from=2026-02-27&amp;to=2026-02-27""#,
    ] {
        assert!(shown.text.contains(expected), "{expected}: {}", shown.text);
    }
    assert!(!shown.text.contains("change=recovered"), "{}", shown.text);
}

#[tokio::test]
async fn nobody_at_risk_says_what_to_do() {
    let site = Script::new()
        .fails("GetChurnSummary", Status::unavailable("counts are away"))
        .answers("ListChurnRisks", &page(&[], ""))
        .site(NOW);
    let shown = site.get("/churn").await;
    for expected in ["No company is on this list.", "counts are away"] {
        assert!(shown.text.contains(expected), "{expected}: {}", shown.text);
    }
    let unpublished = Script::new()
        .answers("GetChurnSummary", &GetChurnSummaryResponse::default())
        .answers("ListChurnRisks", &ListChurnRisksResponse::default())
        .site(NOW);
    let shown = unpublished.get("/churn").await.text;
    assert!(shown.contains("The day is not published."), "{shown}");
    assert!(!shown.contains("At risk 0") && !shown.contains("By country"), "{shown}");
}

#[tokio::test]
async fn the_download_is_the_one_writers_whole_list() {
    let (first, second) = (page(&["acme", "initech"], "p2"), page(&["umbrella"], ""));
    let site = Script::new().answers("ListChurnRisks", &first).answers("ListChurnRisks", &second).site(NOW);
    let file = site.get("/churn.csv?change=new&industry=x&page=ignored").await;
    let mut expected = Vec::new();
    let mut csv = CsvChurnRisks::new(&mut expected).unwrap();
    for risk in first.churn_risks.iter().chain(&second.churn_risks) {
        csv.write(risk).unwrap();
    }
    csv.flush().unwrap();
    drop(csv);
    assert_eq!(file.text.as_bytes(), expected);
    assert!(file.is_whole);
    assert_eq!(file.headers[header::CONTENT_TYPE], "text/csv; charset=utf-8");
    assert_eq!(file.headers[header::CONTENT_DISPOSITION], "attachment; filename=\"churn-2026-02-28.csv\"");
    let asked = site.asked::<ListChurnRisksRequest>("ListChurnRisks");
    let tokens: Vec<&str> = asked.iter().map(|request| request.page_token.as_str()).collect();
    assert_eq!(tokens, ["", "p2"]);
    assert!(
        asked.iter().all(|it| it.change() == ChurnChange::New && it.industry_tag.as_deref() == Some("x"))
    );
}

#[tokio::test]
async fn a_download_of_what_is_published_anew_breaks_off() {
    let site = Script::new()
        .answers("ListChurnRisks", &page(&["acme"], "p2"))
        .fails("ListChurnRisks", Status::aborted("published anew"))
        .site(NOW);
    assert!(!site.get("/churn.csv").await.is_whole);
    let refused = Script::new().fails("ListChurnRisks", Status::invalid_argument("no such day")).site(NOW);
    let page = refused.get("/churn.csv?date=x").await;
    assert_eq!(page.status, 400);
    assert!(page.text.contains("no such day"));
}
