//! What is seen at a glance, over real gRPC and on both engines.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::time::Duration;

use domain::{CompanyAttributes, CrmCompany};
use proto::activity::v1::{
    ChurnChange, ChurnCounts, CompanyOrder, DayTotals, GetChurnSummaryRequest, ListChurnRisksRequest,
    ListPublicationsRequest, ListPublishedDaysRequest, SearchCompaniesRequest, SearchCompaniesResponse,
    company_activity_service_client::CompanyActivityServiceClient,
};
use runtime::{Channel, Context};
use test_postgres::Database;
use tonic::{Code, Status};
use warehouse::SharedWarehouse;
use warehouse_conformance::scene::{at, day, days, export, id, publish_run};

const OPTIONS: activity::Options = activity::Options { export_stall_timeout: Duration::from_secs(60) };

/// The newest published day.
const NEWEST: i64 = 20;

struct Suite {
    client: CompanyActivityServiceClient<Channel>,
    warehouse: SharedWarehouse,
}

fn company(company_id: &str, country: Option<&str>, contacted: Option<i64>) -> CrmCompany {
    let attributes = CompanyAttributes {
        name: Some(format!("{company_id} <b>Ltd</b>")),
        country: country.map(str::to_owned),
        industry_tag: None,
        last_contact_at: contacted.map(|offset| day(offset).and_hms_opt(9, 0, 0).unwrap().and_utc()),
    };
    CrmCompany::read_in_full(id(company_id), attributes)
}

impl Suite {
    async fn empty(warehouse_url: &str) -> Self {
        let warehouse = warehouse::open(warehouse_url).await.unwrap();
        let context = Context::new();
        let mut service = activity::assemble(&OPTIONS, warehouse.clone(), &context);
        let routes = service.grpc.remove(0).routes;
        let (channel, server) = runtime::channel::in_process("activity", routes, context.shutdown).unwrap();
        tokio::spawn(server.run);
        Self { client: CompanyActivityServiceClient::new(channel), warehouse }
    }

    /// `acme` is busy on the newest day alone, `bolt` was until fourteen days before it, `globex`
    /// never was, and `zed` always is.
    async fn publish(&self) {
        let crm = vec![
            company("acme", Some("DE"), Some(NEWEST)),
            company("bolt", Some("DE"), Some(NEWEST - 31)),
            company("globex", None, Some(NEWEST - 400)),
            company("zed", Some("SG"), None),
        ];
        let usage: Vec<_> = (0..=NEWEST)
            .map(|on| {
                let mut records = vec![("zed", 2, 5)];
                records.extend((on <= NEWEST - 14).then_some(("bolt", 1, 1)));
                records.extend((on == NEWEST).then_some(("acme", 3, 9)));
                (day(on), records)
            })
            .collect();
        publish_run(&self.warehouse, days(0, NEWEST), at(0), &[(export(day(0), "1"), crm)], &usage).await;
    }

    async fn search(&self, request: SearchCompaniesRequest) -> Result<SearchCompaniesResponse, Status> {
        Ok(self.client.clone().search_companies(request).await?.into_inner())
    }

    /// The companies whose risk has changed so on a day.
    async fn changed(
        &self,
        on: i64,
        change: ChurnChange,
        country: Option<&str>,
    ) -> Result<Vec<String>, Status> {
        let request = ListChurnRisksRequest {
            activity_date: day(on).to_string(),
            change: change.into(),
            country: country.map(str::to_owned),
            ..ListChurnRisksRequest::default()
        };
        let page = self.client.clone().list_churn_risks(request).await?.into_inner();
        Ok(page.churn_risks.into_iter().filter_map(|risk| Some(risk.activity?.company_id)).collect())
    }
}

fn ids(page: &SearchCompaniesResponse) -> Vec<&str> {
    page.activities.iter().map(|row| row.company_id.as_str()).collect()
}

async fn nothing_is_published_yet(suite: &Suite) {
    let mut client = suite.client.clone();
    assert_eq!(
        suite.search(SearchCompaniesRequest::default()).await.unwrap(),
        SearchCompaniesResponse::default()
    );
    let summary = client.get_churn_summary(GetChurnSummaryRequest::default()).await.unwrap().into_inner();
    assert_eq!(summary, proto::activity::v1::GetChurnSummaryResponse::default());
    let listed = client.list_published_days(ListPublishedDaysRequest::default()).await.unwrap().into_inner();
    assert_eq!(listed.days, []);
}

async fn companies_are_searched_in_pages(suite: &Suite) {
    let all = SearchCompaniesRequest {
        order: CompanyOrder::Events.into(),
        descending: true,
        page_size: 2,
        ..SearchCompaniesRequest::default()
    };
    let first = suite.search(all.clone()).await.unwrap();
    assert_eq!((ids(&first), first.total_companies), (vec!["acme", "zed"], 4));
    assert_eq!(first.publication.as_ref().unwrap().activity_date, day(NEWEST).to_string());
    let next = SearchCompaniesRequest { page_token: first.next_page_token, ..all };
    let second = suite.search(next).await.unwrap();
    assert_eq!((ids(&second), second.total_companies), (vec!["bolt", "globex"], 4));
    assert_eq!(second.next_page_token, "");
    let found = suite
        .search(SearchCompaniesRequest {
            text: " LTD o\t<B> ".to_owned(),
            ..SearchCompaniesRequest::default()
        })
        .await
        .unwrap();
    assert_eq!(ids(&found), ["bolt", "globex"]);
    let without =
        SearchCompaniesRequest { country: Some(String::new()), ..SearchCompaniesRequest::default() };
    assert_eq!(ids(&suite.search(without).await.unwrap()), ["globex"]);
}

async fn churn_is_counted_by_how_it_changed(suite: &Suite) {
    let mut client = suite.client.clone();
    let summary = client.get_churn_summary(GetChurnSummaryRequest::default()).await.unwrap().into_inner();
    let counts =
        |companies, at_risk, new, recovered| Some(ChurnCounts { companies, at_risk, new, recovered });
    assert!(summary.is_previous_day_published);
    assert_eq!(summary.total, counts(4, 2, 1, 1));
    let countries: Vec<_> =
        summary.by_country.iter().map(|group| (group.value.as_str(), group.counts)).collect();
    let expected = [("DE", counts(2, 1, 1, 1)), ("", counts(1, 1, 0, 0)), ("SG", counts(1, 0, 0, 0))];
    assert_eq!(countries, expected);
    assert_eq!(summary.by_industry.len(), 1);
    let contacts: Vec<_> = summary
        .by_last_contact
        .iter()
        .map(|group| (group.min_days, group.max_days, group.never, group.counts.unwrap().companies))
        .collect();
    let expected = [
        (0, Some(30), false, 1),
        (31, Some(90), false, 1),
        (91, Some(180), false, 0),
        (181, Some(365), false, 0),
        (366, None, false, 1),
        (0, None, true, 1),
    ];
    assert_eq!(contacts, expected);

    assert_eq!(suite.changed(NEWEST, ChurnChange::New, None).await.unwrap(), ["bolt"]);
    assert_eq!(suite.changed(NEWEST, ChurnChange::Still, None).await.unwrap(), ["globex"]);
    assert_eq!(suite.changed(NEWEST, ChurnChange::Recovered, None).await.unwrap(), ["acme"]);
    assert!(suite.changed(NEWEST, ChurnChange::Recovered, Some("SG")).await.unwrap().is_empty());
    let refused = suite.changed(0, ChurnChange::New, None).await.unwrap_err();
    assert_eq!(refused.code(), Code::FailedPrecondition, "{refused}");
    assert!(refused.message().contains("leave out the change"), "{refused}");
    let oldest = GetChurnSummaryRequest { activity_date: day(0).to_string() };
    let summary = client.get_churn_summary(oldest).await.unwrap().into_inner();
    assert!(!summary.is_previous_day_published);
    assert_eq!(summary.total.unwrap(), ChurnCounts { companies: 4, at_risk: 2, new: 0, recovered: 0 });
}

async fn days_are_listed_with_totals(suite: &Suite) {
    let mut client = suite.client.clone();
    let request = ListPublishedDaysRequest { start_date: day(NEWEST - 1).to_string(), ..Default::default() };
    let listed = client.list_published_days(request).await.unwrap().into_inner().days;
    let totals: Vec<_> = listed.iter().map(|day| day.totals.unwrap()).collect();
    let expected = [
        DayTotals { active_users: 2, events: 5, churn_risks: 2, active_companies: 1 },
        DayTotals { active_users: 5, events: 14, churn_risks: 2, active_companies: 2 },
    ];
    assert_eq!(totals, expected);
    let ledger = suite.warehouse.published_days(days(NEWEST - 1, NEWEST)).await.unwrap();
    let checksums: Vec<_> = ledger.iter().map(|entry| entry.checksum.unwrap().to_string()).collect();
    assert_eq!(listed.iter().map(|day| day.checksum.as_str()).collect::<Vec<_>>(), checksums);
}

async fn what_is_published_anew_ends_a_search_and_is_in_the_history(suite: &Suite) {
    let mut client = suite.client.clone();
    let all = SearchCompaniesRequest { page_size: 1, ..SearchCompaniesRequest::default() };
    let first = suite.search(all.clone()).await.unwrap();
    let usage = [(day(NEWEST), vec![("zed", 2, 5), ("acme", 3, 10)])];
    publish_run(&suite.warehouse, days(0, NEWEST), at(5), &[], &usage).await;
    let next = SearchCompaniesRequest { page_token: first.next_page_token, ..all };
    let refused = suite.search(next).await.unwrap_err();
    assert_eq!(refused.code(), Code::Aborted, "{refused}");

    let history = |page_token| ListPublicationsRequest {
        activity_date: day(NEWEST).to_string(),
        page_size: 1,
        page_token,
    };
    let newest = client.list_publications(history(String::new())).await.unwrap().into_inner();
    let entry = &newest.publications[0];
    assert_eq!((entry.row_count, entry.replaced_rows, entry.is_taken_back), (4, 1, false));
    let oldest = client.list_publications(history(newest.next_page_token)).await.unwrap().into_inner();
    let before = &oldest.publications[0];
    assert_eq!((before.row_count, before.replaced_rows, oldest.next_page_token.as_str()), (4, 0, ""));
    assert!(before.checksum != entry.checksum && before.run_id != entry.run_id);
    assert_eq!(newest.history_since, None);
}

async fn hold_on(warehouse_url: &str) {
    let suite = Suite::empty(warehouse_url).await;
    nothing_is_published_yet(&suite).await;
    suite.publish().await;
    companies_are_searched_in_pages(&suite).await;
    churn_is_counted_by_how_it_changed(&suite).await;
    days_are_listed_with_totals(&suite).await;
    what_is_published_anew_ends_a_search_and_is_in_the_history(&suite).await;
}

#[tokio::test]
async fn everything_is_seen_at_a_glance_on_sqlite() {
    let folder = tempfile::tempdir().unwrap();
    hold_on(&format!("sqlite://{}/warehouse.sqlite", folder.path().display())).await;
}

#[tokio::test]
async fn everything_is_seen_at_a_glance_on_postgres() {
    let database = Database::create().await.unwrap();
    hold_on(&database.url()).await;
}
