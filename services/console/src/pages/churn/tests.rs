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
        "1,300 of 2,000 companies are at risk",
        "At risk 1,300",
        "Newly at risk 40",
        "Still at risk 1,260",
        "Recovered 25",
        r#"href="/churn?change=still&amp;date=2026-02-28&amp;country=DE+%26+%3Cb%3E""#,
        "366 days or more",
        r#"href="/churn.csv?change=still&amp;country=%28none%29&amp;date=2026-02-28""#,
        r#"href="/companies/acme""#,
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
async fn without_the_day_before_nobody_counts_changes() {
    let alone = GetChurnSummaryResponse { is_previous_day_published: false, ..summary() };
    let site = Script::new()
        .answers("GetChurnSummary", &alone)
        .fails("ListChurnRisks", Status::failed_precondition("2026-02-27 is not published"))
        .site(NOW);
    let shown = site.get("/churn?change=new").await;
    for expected in ["Newly at risk –", "nobody can tell what has changed", "2026-02-27 is not published"] {
        assert!(shown.text.contains(expected), "{expected}: {}", shown.text);
    }
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
    assert!(unpublished.get("/churn").await.text.contains("The day is not published."));
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
