//! Pages of a list that a publish comes in between of, on both engines.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::time::Duration;

use futures::TryStreamExt;
use proto::activity::v1::{
    CompanyActivity, ExportCompanyActivityRequest, ListChurnRisksRequest, ListCompanyActivityRequest,
    company_activity_service_client::CompanyActivityServiceClient,
};
use runtime::{Channel, Context};
use test_postgres::Database;
use tonic::{Code, Status};
use warehouse::SharedWarehouse;
use warehouse_conformance::scene::{at, company, day, days, export, publish_run};

const OPTIONS: activity::Options = activity::Options { export_stall_timeout: Duration::from_secs(60) };

/// The newest published day.
const NEWEST: i64 = 20;

struct Suite {
    client: CompanyActivityServiceClient<Channel>,
    warehouse: SharedWarehouse,
}

impl Suite {
    /// Three companies that never had an event, so that all are at risk.
    async fn over(warehouse_url: &str) -> Self {
        let warehouse = warehouse::open(warehouse_url).await.unwrap();
        let crm = ["acme", "bolt", "globex"].map(|name| company(name, name)).to_vec();
        publish_run(&warehouse, days(0, NEWEST), at(0), &[(export(day(0), "1"), crm)], &[]).await;
        let context = Context::new();
        let mut service = activity::assemble(&OPTIONS, warehouse.clone(), &context);
        let routes = service.grpc.remove(0).routes;
        let (channel, server) = runtime::channel::in_process("activity", routes, context.shutdown).unwrap();
        tokio::spawn(server.run);
        Self { client: CompanyActivityServiceClient::new(channel), warehouse }
    }

    /// The companies of a page, and the token of the next one.
    async fn rows(&self, page_token: &str) -> Result<(Vec<String>, String), Status> {
        let page = self.client.clone().list_company_activity(two_days(page_token, "")).await?.into_inner();
        Ok((page.activities.into_iter().map(|row| row.company_id).collect(), page.next_page_token))
    }

    /// As [`rows`](Self::rows), of churn risks.
    async fn risks(&self, page_token: &str) -> Result<(Vec<String>, String), Status> {
        let request = ListChurnRisksRequest {
            activity_date: day(NEWEST).to_string(),
            page_size: 1,
            page_token: page_token.to_owned(),
            ..ListChurnRisksRequest::default()
        };
        let page = self.client.clone().list_churn_risks(request).await?.into_inner();
        let companies = page.churn_risks.into_iter().filter_map(|risk| risk.activity);
        Ok((companies.map(|row| row.company_id).collect(), page.next_page_token))
    }

    /// Publishes a window, with events of a company on a day.
    async fn publish(&self, window: (i64, i64), hour: i64, usage: &[(i64, &'static str)]) {
        let usage: Vec<_> = usage.iter().map(|(on, company)| (day(*on), vec![(*company, 1, 1)])).collect();
        publish_run(&self.warehouse, days(window.0, window.1), at(hour), &[], &usage).await;
    }
}

/// A page of the two newest days, as of a run if it is not empty.
fn two_days(page_token: &str, as_of: &str) -> ListCompanyActivityRequest {
    ListCompanyActivityRequest {
        start_date: day(NEWEST - 1).to_string(),
        end_date: day(NEWEST).to_string(),
        page_size: 2,
        page_token: page_token.to_owned(),
        as_of_run_id: as_of.to_owned(),
        ..Default::default()
    }
}

fn published_anew(answer: Result<(Vec<String>, String), Status>) {
    let status = answer.unwrap_err();
    assert_eq!(status.code(), Code::Aborted, "{status}");
    assert!(status.message().contains("start again without page_token"), "{status}");
}

async fn go_on_over_other_days_and_equal_rows(suite: &Suite) {
    let ((first, rows), (risk, risks)) = (suite.rows("").await.unwrap(), suite.risks("").await.unwrap());
    assert_eq!((first, risk), (vec!["acme".to_owned(); 2], vec!["acme".to_owned()]));
    suite.publish((NEWEST + 1, NEWEST + 1), 1, &[(NEWEST + 1, "acme")]).await;
    suite.publish((0, NEWEST), 2, &[]).await;
    assert_eq!(suite.rows(&rows).await.unwrap().0, ["bolt", "bolt"]);
    assert_eq!(suite.risks(&risks).await.unwrap().0, ["bolt"]);
}

async fn end_where_rows_were_published_anew(suite: &Suite) {
    let ((_, rows), (_, risks)) = (suite.rows("").await.unwrap(), suite.risks("").await.unwrap());
    // Bolt drops out of the risks, and globex would be the second instead of the third.
    suite.publish((0, NEWEST), 3, &[(NEWEST, "bolt")]).await;
    published_anew(suite.rows(&rows).await);
    published_anew(suite.risks(&risks).await);
    let (_, rows) = suite.rows("").await.unwrap();
    assert_eq!(suite.rows(&rows).await.unwrap().0, ["bolt", "bolt"]);
}

async fn risks_end_where_an_earlier_day_was_published_anew(suite: &Suite) {
    let ((_, rows), (_, risks)) = (suite.rows("").await.unwrap(), suite.risks("").await.unwrap());
    // Fourteen days and more before, so that only the last event's date changes, and with
    // it the order of the risks.
    suite.publish((0, NEWEST), 4, &[(2, "globex")]).await;
    suite.rows(&rows).await.unwrap();
    published_anew(suite.risks(&risks).await);
    assert_eq!(suite.risks("").await.unwrap().0, ["globex"]);
}

/// Both pages of a list, and the export, as of a run.
async fn all_as_of(suite: &Suite, as_of: &str) -> (Vec<CompanyActivity>, Vec<CompanyActivity>) {
    let (mut listed, mut page_token) = (Vec::new(), String::new());
    let mut client = suite.client.clone();
    loop {
        let page = client.list_company_activity(two_days(&page_token, as_of)).await.unwrap().into_inner();
        assert_eq!(page.as_of_run_id, as_of);
        listed.extend(page.activities);
        page_token = page.next_page_token;
        if page_token.is_empty() {
            break;
        }
    }
    let ListCompanyActivityRequest { start_date, end_date, .. } = two_days("", "");
    let as_of_run_id = as_of.to_owned();
    let request = ExportCompanyActivityRequest { start_date, end_date, as_of_run_id, ..Default::default() };
    let messages = client.export_company_activity(request).await.unwrap().into_inner();
    let messages: Vec<_> = messages.try_collect().await.unwrap();
    assert_eq!(messages[0].as_of_run_id, as_of);
    (listed, messages.into_iter().flat_map(|message| message.activities).collect())
}

async fn pages_as_of_a_run_go_on_whatever_is_published(suite: &Suite) {
    let mut client = suite.client.clone();
    let first = client.list_company_activity(two_days("", "")).await.unwrap().into_inner();
    let run_id = first.as_of_run_id;
    let before = all_as_of(suite, &run_id).await;
    assert_eq!((before.0.len(), &before.0), (6, &before.1));
    let pinned = client.list_company_activity(two_days("", &run_id)).await.unwrap().into_inner();
    assert_eq!(pinned.activities, first.activities);

    suite.publish((0, NEWEST), 9, &[(NEWEST - 1, "acme")]).await;
    published_anew(suite.rows(&first.next_page_token).await);
    let rest = two_days(&pinned.next_page_token, &run_id);
    let rest = client.list_company_activity(rest).await.unwrap().into_inner();
    assert_eq!(rest.activities, before.0[2..4]);
    assert_eq!(all_as_of(suite, &run_id).await, before);
    let now = client.list_company_activity(two_days("", "")).await.unwrap().into_inner();
    assert_ne!(now.as_of_run_id, run_id);
    assert_ne!(now.activities, first.activities);

    // The token belongs to the run that it was given for.
    for as_of in ["", &now.as_of_run_id] {
        let other = two_days(&pinned.next_page_token, as_of);
        let status = client.list_company_activity(other).await.unwrap_err();
        assert_eq!(status.code(), Code::InvalidArgument, "{status}");
    }
}

async fn hold_on(warehouse_url: &str) {
    let suite = Suite::over(warehouse_url).await;
    go_on_over_other_days_and_equal_rows(&suite).await;
    risks_end_where_an_earlier_day_was_published_anew(&suite).await;
    end_where_rows_were_published_anew(&suite).await;
    pages_as_of_a_run_go_on_whatever_is_published(&suite).await;
}

#[tokio::test]
async fn pages_are_parts_of_one_state_or_end_on_sqlite() {
    let folder = tempfile::tempdir().unwrap();
    hold_on(&format!("sqlite://{}/warehouse.sqlite", folder.path().display())).await;
}

#[tokio::test]
async fn pages_are_parts_of_one_state_or_end_on_postgres() {
    let database = Database::create().await.unwrap();
    hold_on(&database.url()).await;
}
