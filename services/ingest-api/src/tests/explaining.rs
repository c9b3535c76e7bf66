//! Explanations over gRPC, of days that were really landed.

use std::fs;

use domain::DateWindow;
use proto::reconciliation::v1::{
    Agreement, ChangeKind, ExplainRequest, ExplainedDay, Explanation, LandedFileState, LandedLine,
    LandedLineUse, ReasonKind, Standing, UsageNumbers,
};
use tonic::{Code, Status};

use super::{
    pipeline::Pipeline,
    scripted_api::{ScriptedApi, record},
    setup::DAY,
};

/// A pipeline that has published [`DAY`] with these records, two to a page.
async fn published(records: &[String]) -> (Pipeline, ScriptedApi) {
    let pipeline = Pipeline::new().await;
    let server = publish(&pipeline, records).await;
    (pipeline, server)
}

async fn publish(pipeline: &Pipeline, records: &[String]) -> ScriptedApi {
    let records: Vec<&str> = records.iter().map(String::as_str).collect();
    let server = ScriptedApi::holding(&[(DAY, &records)]).await;
    pipeline.ingest(&server, DateWindow::parse(DAY, DAY).unwrap()).await.unwrap();
    server
}

async fn explain(
    (pipeline, server): &(Pipeline, ScriptedApi),
    company_id: &str,
    day: &str,
) -> Result<Explanation, Status> {
    let (mut client, _serving) = pipeline.reconciliation(server);
    let request = ExplainRequest { company_id: company_id.to_owned(), activity_date: day.to_owned() };
    Ok(client.explain(request).await?.into_inner().explanation.unwrap())
}

fn of_day(explanation: &Explanation) -> &ExplainedDay {
    explanation.days.iter().find(|day| day.date == DAY).unwrap()
}

fn numbers(active_users: i32, events: i64) -> Option<UsageNumbers> {
    Some(UsageNumbers { active_users, events })
}

fn records() -> Vec<String> {
    vec![record("acme", DAY, 1, 1), record("bolt", DAY, 2, 2), record("acme", DAY, 3, 4), "17".to_owned()]
}

#[tokio::test]
async fn a_record_is_traced_to_its_line_and_page() {
    let suite = published(&records()).await;
    let explanation = explain(&suite, "acme", DAY).await.unwrap();
    assert_eq!(explanation.standing(), Standing::Published);
    assert_eq!(explanation.agreement(), Agreement::Equal);
    assert_eq!((explanation.days.len(), explanation.cells.len()), (14, 13));
    let day = of_day(&explanation);
    let line = |line, page, usage: LandedLineUse, says| LandedLine {
        line,
        page: Some(page),
        r#use: usage.into(),
        numbers: says,
        reason: String::new(),
    };
    assert_eq!(
        day.lines,
        [
            line(1, 1, LandedLineUse::Superseded, numbers(1, 1)),
            line(3, 2, LandedLineUse::Counts, numbers(3, 4)),
        ]
    );
    let path = "product_usage/2026-01-05/usage_2026-01-05.json";
    assert_eq!(
        day.statement,
        format!(
            "{path} line 3, page 2 (line 1, page 1 says active_users 1, events 1, and a later line counts)"
        )
    );
    let landed = fs::read_to_string(suite.0.landed_path("2026-01-05")).unwrap();
    assert_eq!(landed.lines().nth(2), Some(record("acme", DAY, 3, 4).as_str()));
    let fetch = day.fetch.as_ref().unwrap();
    // The line that is no record, and the one that another supersedes.
    assert_eq!((fetch.landing_path.as_str(), fetch.quarantined_records), (path, 2));
    assert_eq!(fetch.run_id, explanation.written_by);
    let [first] = explanation.changes.as_slice() else { panic!("{:?}", explanation.changes) };
    assert_eq!((first.kind(), first.run_id.as_str()), (ChangeKind::FirstPublished, fetch.run_id.as_str()));
}

#[tokio::test]
async fn a_correction_at_the_source_is_told_with_its_run() {
    let (pipeline, _) = published(&records()).await;
    let server = publish(&pipeline, &[record("acme", DAY, 3, 9), record("bolt", DAY, 2, 2)]).await;
    let explanation = explain(&(pipeline, server), "acme", DAY).await.unwrap();
    let newest = &explanation.changes[0];
    assert_eq!((newest.kind(), &newest.run_id), (ChangeKind::Changed, &explanation.written_by));
    assert_eq!(newest.columns, ["events", "events_per_user"]);
    let [reason] = newest.reasons.as_slice() else { panic!("{newest:?}") };
    assert_eq!((reason.kind(), reason.dates.as_slice()), (ReasonKind::Correction, &[DAY.to_owned()][..]));
    assert_eq!(of_day(&explanation).lines[0].line, 1);
}

#[tokio::test]
async fn a_landed_file_that_is_gone_or_another_is_told() {
    let suite = published(&records()).await;
    let path = suite.0.landed_path("2026-01-05");
    fs::write(&path, record("acme", DAY, 3, 5)).unwrap();
    let explanation = explain(&suite, "acme", DAY).await.unwrap();
    let day = of_day(&explanation);
    assert_eq!(day.file_state(), LandedFileState::Replaced);
    assert_eq!((day.record, day.lines[0].numbers, day.lines[0].page), (numbers(3, 4), numbers(3, 5), None));
    // Another line of the file was corrected, and the load refused: its length tells nothing.
    let loaded = records().join("\n") + "\n";
    fs::write(&path, loaded.replace(&records()[1], &record("bolt", DAY, 2, 3))).unwrap();
    let explanation = explain(&suite, "acme", DAY).await.unwrap();
    assert_eq!(of_day(&explanation).file_state(), LandedFileState::Replaced);
    fs::remove_file(&path).unwrap();
    let explanation = explain(&suite, "acme", DAY).await.unwrap();
    assert_eq!(of_day(&explanation).file_state(), LandedFileState::Gone);
    assert_eq!(explanation.agreement(), Agreement::Equal);
}

#[tokio::test]
async fn what_has_no_row_is_explained_and_what_is_no_company_day_refused() {
    let suite = published(&records()).await;
    let unknown = explain(&suite, "Acme", DAY).await.unwrap();
    assert_eq!(unknown.standing(), Standing::NoRow);
    assert!(unknown.statements[1].starts_with("No source ever named Acme"), "{:?}", unknown.statements);
    let unread = "product_usage/2026-01-05/usage_2026-01-05.json was not read";
    // The day has records in quarantine, so its file was looked into.
    assert!(of_day(&unknown).statement.starts_with("no line of "), "{}", of_day(&unknown).statement);
    let clean = published(&[record("acme", DAY, 1, 1)]).await;
    let unknown = explain(&clean, "Acme", DAY).await.unwrap();
    assert!(of_day(&unknown).statement.starts_with(unread), "{}", of_day(&unknown).statement);
    let torn = r#"{"company_id":"torn","date":"2026-01-05","active_users":"many","events":3}"#.to_owned();
    let torn = published(&[record("acme", DAY, 1, 1), torn]).await;
    let torn = explain(&torn, "torn", DAY).await.unwrap();
    assert!(torn.statements[1].contains("in a record that could be read"), "{:?}", torn.statements);
    assert_eq!(of_day(&torn).lines[0].reason, "FIELD active_users");
    let later = explain(&suite, "acme", "2026-01-06").await.unwrap();
    assert_eq!((later.standing(), later.agreement()), (Standing::DayNotPublished, Agreement::Unspecified));
    let refused = explain(&suite, "", "2026-1-6").await.unwrap_err();
    assert_eq!(refused.code(), Code::InvalidArgument);
}
