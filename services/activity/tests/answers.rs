//! What callers receive, over real gRPC and a real warehouse.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::{collections::BTreeSet, sync::Arc, time::Duration};

use chrono::{NaiveDate, TimeDelta};
use futures::TryStreamExt;
use proto::activity::v1::{
    CompanyActivity, CompanyActivityRollUp, ExportCompanyActivityRequest, ExportCompanyActivityResponse,
    GetCompanyActivityRequest, GetFreshnessRequest, ListChurnRisksRequest, ListCompanyActivityRequest,
    RollUpCompanyActivityRequest, RollUpPeriod,
    company_activity_service_client::CompanyActivityServiceClient,
};
use runtime::Channel;
use runtime::{Context, StoppedClock};
use tempfile::TempDir;
use tonic::{Code, Status};
use tonic_types::StatusExt;
use warehouse::SharedWarehouse;
use warehouse_conformance::scene::{at, company, day, days, export, publish_run};

/// The newest day that `Suite::published` publishes, counted from 2026-01-01.
const NEWEST: i64 = 20;

const OPTIONS: activity::Options = activity::Options { export_stall_timeout: Duration::from_secs(60) };

/// A day, and the users and events of the companies that were active on it.
type UsageOfDay = (NaiveDate, Vec<(&'static str, i32, i64)>);

/// The service over its own warehouse.
struct Suite {
    client: CompanyActivityServiceClient<Channel>,
    warehouse: SharedWarehouse,
    _folder: TempDir,
}

impl Suite {
    /// Nothing is published.
    async fn empty() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let url = format!("sqlite://{}/warehouse.sqlite", folder.path().display());
        let warehouse = warehouse::open(&url).await.unwrap();
        let now = day(NEWEST + 4).and_hms_opt(6, 0, 0).unwrap().and_utc();
        let mut context = Context::new();
        context.clock = Arc::new(StoppedClock(now));
        let mut service = activity::assemble(&OPTIONS, warehouse.clone(), &context);
        let routes = service.grpc.remove(0).routes;
        let (channel, server) = runtime::channel::in_process("activity", routes, context.shutdown).unwrap();
        tokio::spawn(server.run);
        Self { client: CompanyActivityServiceClient::new(channel), warehouse, _folder: folder }
    }

    /// Days 0 to `NEWEST` are published: `acme` is busy every day, `globex` was
    /// until day 3, `initech` never was, and `shadow`, which the CRM never had,
    /// only on day 5.
    async fn published() -> Self {
        let suite = Self::empty().await;
        let crm = vec![company("acme", "Acme"), company("globex", "Globex"), company("initech", "Initech")];
        let usage: Vec<UsageOfDay> = (0..=NEWEST)
            .map(|offset| {
                let mut records = vec![("acme", 2, 5)];
                records.extend((offset <= 3).then_some(("globex", 1, 3)));
                records.extend((offset == 5).then_some(("shadow", 1, 1)));
                (day(offset), records)
            })
            .collect();
        let exports = [(export(day(0), "1"), crm)];
        publish_run(&suite.warehouse, days(0, NEWEST), at(0), &exports, &usage).await;
        suite
    }

    async fn list(&self, request: ListCompanyActivityRequest) -> Result<Vec<CompanyActivity>, Status> {
        let mut rows = Vec::new();
        let mut request = request;
        loop {
            let page = self.client.clone().list_company_activity(request.clone()).await?.into_inner();
            rows.extend(page.activities);
            if page.next_page_token.is_empty() {
                return Ok(rows);
            }
            request.page_token = page.next_page_token;
        }
    }

    async fn export(&self, request: ExportCompanyActivityRequest) -> Vec<ExportCompanyActivityResponse> {
        let messages = self.client.clone().export_company_activity(request).await.unwrap().into_inner();
        messages.try_collect().await.unwrap()
    }
}

fn text(offset: i64) -> String {
    day(offset).to_string()
}

fn keys(rows: &[CompanyActivity]) -> Vec<(String, String)> {
    rows.iter().map(|row| (row.company_id.clone(), row.activity_date.clone())).collect()
}

fn fields(status: &Status) -> BTreeSet<String> {
    assert_eq!(status.code(), Code::InvalidArgument, "{status}");
    let details = status.get_error_details();
    details.bad_request().unwrap().field_violations.iter().map(|violation| violation.field.clone()).collect()
}

fn all_days(page_size: i32) -> ListCompanyActivityRequest {
    ListCompanyActivityRequest {
        start_date: text(0),
        end_date: text(NEWEST),
        page_size,
        ..ListCompanyActivityRequest::default()
    }
}

#[tokio::test]
async fn pages_and_export_hold_the_same_rows_by_company_then_day() {
    let suite = Suite::published().await;
    let every_day = 0..=NEWEST;
    // Unknown to the CRM, `shadow` appears with its usage and fades out once no
    // day's window includes it.
    let expected: Vec<(String, String)> = [
        ("acme", every_day.clone()),
        ("globex", every_day.clone()),
        ("initech", every_day),
        ("shadow", 5..=18),
    ]
    .into_iter()
    .flat_map(|(company, days)| days.map(move |offset| (company.to_owned(), text(offset))))
    .collect();

    let exported = suite
        .export(ExportCompanyActivityRequest {
            start_date: text(0),
            end_date: text(NEWEST),
            ..ExportCompanyActivityRequest::default()
        })
        .await;
    let publication = exported[0].publication.clone().unwrap();
    let exported: Vec<CompanyActivity> =
        exported.into_iter().flat_map(|message| message.activities).collect();

    assert_eq!(keys(&exported), expected);
    assert_eq!(publication.activity_date, text(NEWEST));
    for page_size in [1, 7, expected.len().try_into().unwrap(), 0] {
        assert_eq!(suite.list(all_days(page_size)).await.unwrap(), exported, "page_size {page_size}");
    }
}

#[tokio::test]
async fn a_row_comes_with_its_columns_and_its_publication() {
    let suite = Suite::published().await;
    let request = GetCompanyActivityRequest { company_id: "acme".to_owned(), activity_date: text(6) };
    let answer = suite.client.clone().get_company_activity(request).await.unwrap().into_inner();

    let row = answer.activity.unwrap();
    assert_eq!(row.company_name.as_deref(), Some("Acme"));
    assert_eq!((row.active_users, row.events, row.active_users_7d), (2, 5, 14));
    assert_eq!((row.events_per_user, row.is_churn_risk), (Some(2.5), false));
    assert_eq!((row.last_contact_at, row.days_since_last_contact), (None, None));
    let publication = answer.publication.unwrap();
    assert_eq!((publication.activity_date, publication.row_count), (text(6), 4));
    assert_eq!(publication.publish_time, row.loaded_at);
}

#[tokio::test]
async fn an_empty_day_is_the_newest_published_one() {
    let suite = Suite::published().await;
    let request = GetCompanyActivityRequest { company_id: "globex".to_owned(), activity_date: String::new() };
    let answer = suite.client.clone().get_company_activity(request).await.unwrap().into_inner();
    assert_eq!(answer.activity.unwrap().activity_date, text(NEWEST));

    let newest = suite.list(ListCompanyActivityRequest::default()).await.unwrap();
    assert_eq!(
        keys(&newest),
        ["acme", "globex", "initech"].map(|company| (company.to_owned(), text(NEWEST)))
    );
}

#[tokio::test]
async fn what_is_not_published_is_not_found() {
    let suite = Suite::published().await;
    for (company, offset) in [("acme", NEWEST + 1), ("acme", -1), ("nobody", 3), ("shadow", 4)] {
        let request =
            GetCompanyActivityRequest { company_id: company.to_owned(), activity_date: text(offset) };
        let status = suite.client.clone().get_company_activity(request).await.unwrap_err();
        assert_eq!(status.code(), Code::NotFound, "{company} on day {offset}");
        assert!(status.message().contains(&text(offset)), "{status}");
    }
}

#[tokio::test]
async fn before_the_first_publish_there_is_nothing_but_no_error() {
    let suite = Suite::empty().await;
    let mut client = suite.client.clone();

    assert!(suite.list(ListCompanyActivityRequest::default()).await.unwrap().is_empty());
    assert!(suite.list(all_days(0)).await.unwrap().is_empty());
    let exported = suite.export(ExportCompanyActivityRequest::default()).await;
    assert_eq!(exported, [ExportCompanyActivityResponse::default()]);
    let risks = client.list_churn_risks(ListChurnRisksRequest::default()).await.unwrap().into_inner();
    assert!(risks.churn_risks.is_empty() && risks.publication.is_none());
    let freshness = client.get_freshness(GetFreshnessRequest {}).await.unwrap().into_inner();
    assert!(freshness.newest.is_none());

    let request = GetCompanyActivityRequest { company_id: "acme".to_owned(), ..Default::default() };
    let status = client.get_company_activity(request).await.unwrap_err();
    assert_eq!(status.code(), Code::NotFound);
    assert!(status.message().starts_with("nothing is published yet"), "{status}");
}

#[tokio::test]
async fn a_token_is_refused_with_other_fields() {
    let suite = Suite::published().await;
    let first = suite.client.clone().list_company_activity(all_days(5)).await.unwrap().into_inner();
    let next = ListCompanyActivityRequest { page_token: first.next_page_token, ..all_days(5) };

    for other in [
        ListCompanyActivityRequest { company_id: "acme".to_owned(), ..next.clone() },
        ListCompanyActivityRequest { end_date: text(NEWEST - 1), ..next.clone() },
        ListCompanyActivityRequest { page_token: format!("{}A", next.page_token), ..next.clone() },
    ] {
        let status = suite.client.clone().list_company_activity(other).await.unwrap_err();
        assert_eq!(fields(&status), BTreeSet::from(["page_token".to_owned()]));
    }
    let risks = ListChurnRisksRequest { page_token: next.page_token, ..ListChurnRisksRequest::default() };
    let status = suite.client.clone().list_churn_risks(risks).await.unwrap_err();
    assert_eq!(fields(&status), BTreeSet::from(["page_token".to_owned()]));
}

#[tokio::test]
async fn a_publish_between_two_pages_does_not_move_them_to_another_day() {
    let suite = Suite::published().await;
    let newest = ListCompanyActivityRequest { page_size: 1, ..ListCompanyActivityRequest::default() };
    let first = suite.client.clone().list_company_activity(newest.clone()).await.unwrap().into_inner();

    let next_day = (day(NEWEST + 1), vec![("acme", 1, 1)]);
    publish_run(&suite.warehouse, days(NEWEST + 1, NEWEST + 1), at(1), &[], &[next_day]).await;

    let rest = ListCompanyActivityRequest { page_token: first.next_page_token, ..newest.clone() };
    let rest = suite.list(rest).await.unwrap();
    assert_eq!(keys(&rest), ["globex", "initech"].map(|company| (company.to_owned(), text(NEWEST))));
    let fresh = suite.list(newest).await.unwrap();
    assert!(fresh.iter().all(|row| row.activity_date == text(NEWEST + 1)));
}

#[tokio::test]
async fn churn_risks_come_most_recently_active_first_in_pages() {
    let suite = Suite::published().await;
    let mut client = suite.client.clone();
    let request = ListChurnRisksRequest { page_size: 1, ..ListChurnRisksRequest::default() };

    let first = client.list_churn_risks(request.clone()).await.unwrap().into_inner();
    let next = ListChurnRisksRequest { page_token: first.next_page_token, ..request };
    let second = client.list_churn_risks(next).await.unwrap().into_inner();

    let risks: Vec<(String, String)> = [first.churn_risks, second.churn_risks]
        .concat()
        .into_iter()
        .map(|risk| (risk.activity.unwrap().company_id, risk.last_event_date))
        .collect();
    assert_eq!(risks, [("globex".to_owned(), text(3)), ("initech".to_owned(), String::new())]);
    assert_eq!(second.next_page_token, "");
    assert_eq!(second.publication.unwrap().activity_date, text(NEWEST));
}

#[tokio::test]
async fn a_roll_up_sums_what_lies_in_the_asked_days() {
    let suite = Suite::published().await;
    let request = RollUpCompanyActivityRequest {
        company_id: "globex".to_owned(),
        start_date: text(1),
        end_date: text(NEWEST + 40),
        period: RollUpPeriod::Month.into(),
    };
    let answer = suite.client.clone().roll_up_company_activity(request).await.unwrap().into_inner();
    let january = CompanyActivityRollUp {
        period_start: text(0),
        days: 20,
        user_days: 3,
        events: 9,
        active_days: 3,
        is_churn_risk_at_end: true,
    };
    assert_eq!(answer.roll_ups, [january]);
    assert_eq!(answer.publication.unwrap().activity_date, text(NEWEST));
}

#[tokio::test]
async fn freshness_counts_the_days_since_the_newest_on_the_given_clock() {
    let suite = Suite::published().await;
    let answer = suite.client.clone().get_freshness(GetFreshnessRequest {}).await.unwrap().into_inner();
    assert_eq!(answer.newest.unwrap().activity_date, text(NEWEST));
    assert_eq!((answer.oldest_date, answer.published_days), (text(0), NEWEST + 1));
    // The clock says day 24, so day 23 is the newest complete day.
    assert_eq!(answer.days_behind, 3);
}

#[tokio::test]
async fn a_senseless_request_is_refused_field_by_field() {
    let suite = Suite::published().await;
    let request = ListCompanyActivityRequest {
        start_date: (day(0) + TimeDelta::days(3)).to_string(),
        end_date: text(2),
        page_size: -1,
        ..ListCompanyActivityRequest::default()
    };
    let status = suite.list(request).await.unwrap_err();
    assert_eq!(fields(&status), BTreeSet::from(["end_date".to_owned(), "page_size".to_owned()]));
}

#[tokio::test]
async fn an_answer_names_the_publications_of_its_days_and_the_run_that_left_them() {
    let suite = Suite::published().await;
    let mut client = suite.client.clone();
    let first = client.list_company_activity(all_days(5)).await.unwrap().into_inner();
    // Corrects days from 18 on.
    let correction = (day(18), vec![("acme", 9, 9)]);
    publish_run(&suite.warehouse, days(NEWEST + 1, NEWEST + 1), at(1), &[], &[correction]).await;

    let page = client.list_company_activity(all_days(5)).await.unwrap().into_inner();
    let named: Vec<_> = page.publications.iter().map(|entry| entry.activity_date.clone()).collect();
    assert_eq!(named, (0..5).map(text).collect::<Vec<_>>(), "the days of the page, and no others");
    assert!(page.publications.iter().all(|entry| entry.run_id == first.as_of_run_id));
    assert_ne!(page.as_of_run_id, first.as_of_run_id);

    let window = |as_of: &str| ExportCompanyActivityRequest {
        start_date: text(17),
        as_of_run_id: as_of.to_owned(),
        ..ExportCompanyActivityRequest::default()
    };
    let messages = suite.export(window("")).await;
    let named: Vec<_> = messages[0]
        .publications
        .iter()
        .map(|entry| (entry.activity_date.clone(), entry.run_id == first.as_of_run_id))
        .collect();
    let expected = [(17, true), (18, false), (19, false), (20, false), (21, false)];
    assert_eq!(named, expected.map(|(offset, is_first)| (text(offset), is_first)));
    assert!(messages.iter().skip(1).all(|message| message.publications.is_empty()));
    assert_eq!(messages[0].as_of_run_id, page.as_of_run_id);

    // As of the first run there was no day 21, so it is not the newest.
    let messages = suite.export(window(&first.as_of_run_id)).await;
    let named: Vec<_> = messages[0].publications.iter().map(|entry| entry.activity_date.clone()).collect();
    assert_eq!(named, (17..=NEWEST).map(text).collect::<Vec<_>>());
}

#[tokio::test]
async fn a_run_that_left_nothing_to_read_is_refused_with_the_way_out() {
    let suite = Suite::published().await;
    let mut client = suite.client.clone();
    let request = |as_of: &str| ListCompanyActivityRequest { as_of_run_id: as_of.to_owned(), ..all_days(5) };
    let status = client.list_company_activity(request("yesterday's")).await.unwrap_err();
    assert_eq!(fields(&status), BTreeSet::from(["as_of_run_id".to_owned()]));

    let unknown = "019e8e6d-36a5-7cbd-8c5c-9d3f3c1f9a10";
    let status = client.list_company_activity(request(unknown)).await.unwrap_err();
    assert_eq!(status.code(), Code::NotFound, "{status}");
    assert!(status.message().contains(unknown) && status.message().contains("name a run"), "{status}");
    let export = ExportCompanyActivityRequest { as_of_run_id: unknown.to_owned(), ..Default::default() };
    let status = client.export_company_activity(export).await.unwrap_err();
    assert_eq!(status.code(), Code::NotFound, "{status}");

    let first = client.list_company_activity(all_days(5)).await.unwrap().into_inner().as_of_run_id;
    publish_run(&suite.warehouse, days(0, NEWEST), at(2), &[], &[(day(0), vec![("acme", 9, 9)])]).await;
    publish_run(&suite.warehouse, days(0, NEWEST), at(4), &[], &[(day(1), vec![("acme", 8, 8)])]).await;
    client.list_company_activity(request(&first)).await.unwrap();
    suite.warehouse.forget_history_before(at(3), false).await.unwrap();
    let status = client.list_company_activity(request(&first)).await.unwrap_err();
    assert_eq!(status.code(), Code::FailedPrecondition, "{status}");
    assert!(status.message().contains("history is kept since 2026-06-01 03:00:00 UTC"), "{status}");
}
