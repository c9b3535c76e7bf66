//! Pages of a list that a publish comes in between of, on both engines.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::time::Duration;

use proto::activity::v1::{
    ListChurnRisksRequest, ListCompanyActivityRequest,
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
        let request = ListCompanyActivityRequest {
            start_date: day(NEWEST - 1).to_string(),
            end_date: day(NEWEST).to_string(),
            page_size: 2,
            page_token: page_token.to_owned(),
            ..Default::default()
        };
        let page = self.client.clone().list_company_activity(request).await?.into_inner();
        Ok((page.activities.into_iter().map(|row| row.company_id).collect(), page.next_page_token))
    }

    /// As [`rows`](Self::rows), of churn risks.
    async fn risks(&self, page_token: &str) -> Result<(Vec<String>, String), Status> {
        let request = ListChurnRisksRequest {
            activity_date: day(NEWEST).to_string(),
            page_size: 1,
            page_token: page_token.to_owned(),
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

async fn hold_on(warehouse_url: &str) {
    let suite = Suite::over(warehouse_url).await;
    go_on_over_other_days_and_equal_rows(&suite).await;
    risks_end_where_an_earlier_day_was_published_anew(&suite).await;
    end_where_rows_were_published_anew(&suite).await;
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
