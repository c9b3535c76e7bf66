//! Where staged data comes from, over gRPC.

use domain::DateWindow;
use proto::provenance::v1::{GetDaySourcesRequest, ListCompanyVersionsRequest};
use tonic::Code;

use super::{
    pipeline::Pipeline,
    scripted_api::{ScriptedApi, record},
    setup::DAY,
};

#[tokio::test]
async fn a_day_names_the_delivery_that_it_was_staged_from() {
    let pipeline = Pipeline::new().await;
    let records = [record("acme", DAY, 1, 1), record("bolt", DAY, 2, 2), "17".to_owned()];
    let records: Vec<&str> = records.iter().map(String::as_str).collect();
    let server = ScriptedApi::holding(&[(DAY, &records)]).await;
    pipeline.ingest(&server, DateWindow::parse(DAY, DAY).unwrap()).await.unwrap();
    let (mut client, _serving) = pipeline.provenance(&server);
    let mut sources = async |day: &str| {
        let asked = GetDaySourcesRequest { activity_date: day.to_owned() };
        client.get_day_sources(asked).await.map(tonic::Response::into_inner)
    };
    let day = sources(DAY).await.unwrap();
    let usage = day.usage.unwrap();
    assert_eq!(usage.landing_path, format!("product_usage/{DAY}/usage_{DAY}.json"));
    assert_eq!((usage.pages, usage.staged_records, usage.quarantined_records), (2, 2, 1));
    assert!(usage.bytes > 0 && usage.fetch_time.is_some() && !usage.run_id.is_empty());
    assert_eq!((day.crm, day.events.len()), (None, 0));
    let other = sources("2020-01-01").await.unwrap();
    assert_eq!(other.usage, None);
    assert_eq!(sources("soon").await.unwrap_err().code(), Code::InvalidArgument);
}

#[tokio::test]
async fn a_company_without_versions_was_never_in_the_crm() {
    let pipeline = Pipeline::new().await;
    let server = ScriptedApi::holding(&[]).await;
    let (mut client, _serving) = pipeline.provenance(&server);
    for (company_id, page_token, code) in [
        ("acme", "", Code::NotFound),
        ("acme", "2026-01-05", Code::Ok),
        ("acme", "next", Code::InvalidArgument),
        ("", "", Code::InvalidArgument),
    ] {
        let asked = ListCompanyVersionsRequest {
            company_id: company_id.to_owned(),
            page_token: page_token.to_owned(),
            ..ListCompanyVersionsRequest::default()
        };
        let answered =
            client.list_company_versions(asked).await.map_or_else(|status| status.code(), |_| Code::Ok);
        assert_eq!(answered, code, "{company_id} {page_token}");
    }
}
