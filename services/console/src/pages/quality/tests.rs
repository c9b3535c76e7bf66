use prost_types::Timestamp;
use proto::{
    monitoring::v1::Reconciliation,
    pipeline::v1::{ListRunsResponse, RunStage, StageState},
    quarantine::v1::{
        Acceptance, CountQuarantinedRowsResponse, QuarantineFilter, QuarantineState, QuarantinedRow,
    },
    reconciliation::v1::{DifferenceCount, DifferenceKind, ReconciliationSummary},
    stage::v1::DateWindow,
};

use super::*;
use crate::scripted::Script;

const NOW: &str = "2026-03-01T06:00:00Z";

fn counts() -> CountQuarantinedRowsResponse {
    let count = QuarantineCount {
        stage: "act_copy_crm_csv".into(),
        kind: "FIELD".into(),
        origin: "crm/<b>.csv".into(),
        business_date: "2026-02-28".into(),
        rows: 1_234,
    };
    CountQuarantinedRowsResponse { groups: vec![count] }
}

fn rows() -> ListQuarantinedRowsResponse {
    let row = QuarantinedRow {
        origin: "crm/companies.csv".into(),
        line: 17,
        kind: "FIELD".into(),
        reason: "country: too long".into(),
        raw: "acme,<script>alert(1)</script>,\"x\"".into(),
        run_id: "r1".into(),
        ..QuarantinedRow::default()
    };
    let acceptance = Acceptance { accepted_by: "ann".into(), why: "a test".into(), accept_time: None };
    let accepted = QuarantinedRow { acceptance: Some(acceptance), ..row.clone() };
    ListQuarantinedRowsResponse { rows: vec![row, accepted], next_page_token: "q2".into() }
}

/// A run of one day whose stage took this long.
fn run(day: u32, seconds: i64) -> Run {
    let at = |seconds| Some(Timestamp { seconds, nanos: 0 });
    let date = format!("2026-02-{day:02}");
    Run {
        run_id: format!("run-{day}"),
        window: Some(DateWindow { start_date: date.clone(), end_date: date }),
        stages: vec![RunStage {
            stage: "act_call_product_api".into(),
            state: StageState::Succeeded.into(),
            start_time: at(0),
            end_time: at(seconds),
            ..RunStage::default()
        }],
        ..Run::default()
    }
}

fn script() -> Script {
    let summary = ReconciliationSummary {
        compared: 200,
        mismatches: 3,
        by_kind: vec![DifferenceCount { kind: DifferenceKind::LateAtSource.into(), count: 3 }],
        ..ReconciliationSummary::default()
    };
    let comparison = Reconciliation {
        window: Some(DateWindow { start_date: "2026-02-27".into(), end_date: "2026-02-28".into() }),
        sample_size: 200,
        requested_by: "bob".into(),
        summary: Some(summary),
        ..Reconciliation::default()
    };
    let runs = (1..=20).rev().map(|day| run(day, 6 + 4 * (i64::from(day) - 10).max(0))).collect();
    Script::new()
        .answers("CountQuarantinedRows", &counts())
        .answers("ListQuarantinedRows", &rows())
        .answers("ListRuns", &ListRunsResponse { runs, next_page_token: String::new() })
        .answers(
            "ListReconciliations",
            &ListReconciliationsResponse { reconciliations: vec![comparison], next_page_token: "c2".into() },
        )
}

#[tokio::test]
async fn quality_shows_rows_trends_and_comparisons() {
    let site = script().site(NOW);
    let page = site.get("/quality?origin=crm%2Fcompanies.csv&state=all&page=q1").await;
    assert_eq!(page.status, 200, "{}", page.text);
    for shown in [
        "acme,&lt;script&gt;alert(1)&lt;/script&gt;",
        "crm/&lt;b&gt;.csv",
        "1,234",
        ">open<",
        "by ann",
        "quarantine replay --origin crm/companies.csv --state all --wait",
        "page=q2",
        "First page",
        ">grows</span> faster than its data since 2026-02-11",
        r#"href="/runs/run-10""#,
        "a sample of 200 a day",
        "late at source",
        ">differs<",
        "Unreadable records",
        "comparisons=c2",
    ] {
        assert!(page.text.contains(shown), "{shown}: {}", page.text);
    }
    assert!(!page.text.contains("<script>alert"));
    let asked = site.asked::<ListQuarantinedRowsRequest>("ListQuarantinedRows").remove(0);
    let expected = QuarantineFilter { origin: "crm/companies.csv".into(), ..QuarantineFilter::default() };
    assert_eq!((asked.filter, asked.page_token.as_str()), (Some(expected), "q1"));
    let by: Vec<QuarantineGrouping> = site
        .asked::<CountQuarantinedRowsRequest>("CountQuarantinedRows")
        .iter()
        .map(CountQuarantinedRowsRequest::by)
        .collect();
    assert_eq!(by.len(), 3);
    assert!(
        [QuarantineGrouping::Kind, QuarantineGrouping::Origin, QuarantineGrouping::Day]
            .iter()
            .all(|it| by.contains(it))
    );
}

#[tokio::test]
async fn open_rows_are_shown_unless_others_are_asked_for_and_none_says_so() {
    let site = Script::new()
        .answers("CountQuarantinedRows", &CountQuarantinedRowsResponse::default())
        .answers("ListQuarantinedRows", &ListQuarantinedRowsResponse::default())
        .fails("ListRuns", Status::unavailable("the coordinator is away"))
        .answers("ListReconciliations", &ListReconciliationsResponse::default())
        .site(NOW);
    let page = site.get("/quality").await;
    for shown in ["No such row is in quarantine.", "the coordinator is away", "No comparison is on record."] {
        assert!(page.text.contains(shown), "{shown}: {}", page.text);
    }
    let asked = site.asked::<ListQuarantinedRowsRequest>("ListQuarantinedRows").remove(0);
    assert_eq!(asked.filter.unwrap().state(), QuarantineState::Open);
    assert_eq!(site.get("/quality?date=2026-02-30").await.status, 400);
}

#[tokio::test]
async fn more_groups_than_are_shown_are_said() {
    let mut many = counts();
    many.groups = vec![many.groups[0].clone(); GROUPS + 1];
    let site = Script::new()
        .answers("CountQuarantinedRows", &many)
        .answers("ListQuarantinedRows", &rows())
        .answers("ListRuns", &ListRunsResponse::default())
        .answers("ListReconciliations", &ListReconciliationsResponse::default())
        .site(NOW);
    let page = site.get("/quality?kind=FIELD&state=accepted").await.text;
    assert!(page.contains("There are more: a condition above leaves fewer."), "{page}");
    assert_eq!(
        page.matches("?kind=FIELD&amp;state=accepted&amp;stage=act_copy_crm_csv&amp;origin").count(),
        GROUPS
    );
    assert!(page.contains("They are accepted already."), "{page}");
    assert!(page.contains("quarantine replay --reason FIELD --state accepted --wait"), "{page}");
}

#[tokio::test]
async fn a_reader_is_told_which_role_opens_the_rows() {
    let site = script().for_readers().site(NOW);
    let shown = site.get("/quality").await.text;
    assert!(shown.contains("The role operator of the access policy opens them."), "{shown}");
    assert!(shown.contains("late at source"), "{shown}");
    assert!(!shown.contains("activityctl quarantine"), "{shown}");
    assert_eq!(site.asked::<ListQuarantinedRowsRequest>("ListQuarantinedRows"), []);
}
