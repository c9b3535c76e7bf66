//! The product-usage API as its clients see it.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::time::Duration;

use axum::{
    body::{Body, to_bytes},
    http::{Request, Response, StatusCode, header},
};
use chrono::NaiveDate;
use proptest::prelude::*;
use sample_sources::{
    ApiOptions, Fault, Faults, PRODUCT_USAGE_PATH, RequestLog, UsageBook, router, serve_api,
};
use serde_json::{Value, value::RawValue};
use tokio::{net::TcpListener, task::JoinHandle};
use tokio_util::sync::CancellationToken;
use tower::ServiceExt as _;

fn day(text: &str) -> NaiveDate {
    domain::date_window::parse_day(text).unwrap()
}

fn record(company: usize, date: &str) -> String {
    format!(r#"{{"company_id": "c{company:03}", "date": "{date}", "active_users": 1, "events": {company}}}"#)
}

fn book_of(days: &[(&str, usize)]) -> UsageBook {
    let book = UsageBook::new();
    for (date, records) in days {
        let records = (0..*records).map(|company| record(company, date));
        book.replace_day(day(date), records).unwrap();
    }
    book
}

async fn call(book: &UsageBook, options: &ApiOptions, query: &str, token: Option<&str>) -> Response<Body> {
    let mut request = Request::get(format!("{PRODUCT_USAGE_PATH}?{query}"));
    if let Some(token) = token {
        request = request.header(header::AUTHORIZATION, format!("Bearer {token}"));
    }
    let request = request.body(Body::empty()).unwrap();
    router(book.clone(), options.clone()).oneshot(request).await.unwrap()
}

async fn body(response: Response<Body>) -> Vec<u8> {
    let announced = response.headers().get(header::CONTENT_LENGTH).cloned();
    let body = to_bytes(response.into_body(), usize::MAX).await.unwrap().to_vec();
    assert_eq!(announced, Some(header::HeaderValue::from(body.len())));
    body
}

/// The texts of the records in a response.
fn data(body: &[u8]) -> Vec<String> {
    #[derive(serde::Deserialize)]
    struct Answer {
        data: Vec<Box<RawValue>>,
    }
    let answer: Answer = serde_json::from_slice(body).unwrap();
    answer.data.into_iter().map(|raw| raw.get().to_owned()).collect()
}

async fn page(book: &UsageBook, options: &ApiOptions, query: &str) -> Vec<String> {
    let response = call(book, options, query, None).await;
    assert_eq!(response.status(), StatusCode::OK);
    data(&body(response).await)
}

async fn error(book: &UsageBook, options: &ApiOptions, query: &str) -> (StatusCode, String) {
    let response = call(book, options, query, None).await;
    let status = response.status();
    let answer: Value = serde_json::from_slice(&body(response).await).unwrap();
    (status, answer["error"]["message"].as_str().unwrap().to_owned())
}

/// All pages, requested as the pipeline does: until one is shorter than the page size.
async fn all_pages(book: &UsageBook, window: &str, page_size: usize) -> Vec<String> {
    let mut records = Vec::new();
    for number in 1.. {
        let query = format!("{window}&page={number}&page_size={page_size}");
        let page = page(book, &ApiOptions::default(), &query).await;
        let is_last = page.len() < page_size;
        records.extend(page);
        if is_last {
            break;
        }
    }
    records
}

fn block_on<T>(future: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(future)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn the_pages_of_any_size_are_the_full_set(sizes in prop::collection::vec(0..12_usize, 4), page_size in 1..30_usize) {
        let dates = ["2026-01-01", "2026-01-02", "2026-01-03", "2026-01-04"];
        let days: Vec<(&str, usize)> = dates.into_iter().zip(sizes).collect();
        let book = book_of(&days);
        // The last day lies outside the window.
        let expected: Vec<String> = days[..3]
            .iter()
            .flat_map(|(date, records)| (0..*records).map(|company| record(company, date)))
            .collect();
        let got = block_on(all_pages(&book, "start_date=2026-01-01&end_date=2026-01-03", page_size));
        prop_assert_eq!(got, expected);
    }
}

#[tokio::test]
async fn pages_default_to_the_first_hundred_and_end_empty() {
    let book = book_of(&[("2026-01-01", 130)]);
    let options = ApiOptions::default();
    let query = "start_date=2026-01-01&end_date=2026-01-01";
    assert_eq!(page(&book, &options, query).await.len(), 100);
    assert_eq!(page(&book, &options, &format!("{query}&page=2")).await.len(), 30);
    assert_eq!(page(&book, &options, &format!("{query}&page=3")).await.len(), 0);
    let far = format!("{query}&page={}&page_size={}", usize::MAX, usize::MAX);
    assert_eq!(page(&book, &options, &far).await.len(), 0);
}

#[tokio::test]
async fn a_page_size_above_the_maximum_is_silently_cut() {
    let book = book_of(&[("2026-01-01", 5)]);
    let options = ApiOptions { max_page_size: Some(2), ..ApiOptions::default() };
    let query = "start_date=2026-01-01&end_date=2026-01-01&page_size=1000";
    assert_eq!(page(&book, &options, query).await.len(), 2);
    let last = page(&book, &options, &format!("{query}&page=3")).await;
    assert_eq!(last, [record(4, "2026-01-01")]);
}

#[tokio::test]
async fn bad_parameters_are_reported_by_name() {
    let book = UsageBook::new();
    for (query, message) in [
        ("end_date=2026-01-01", "start_date is required"),
        ("start_date=2026-01-01", "end_date is required"),
        ("start_date=today&end_date=2026-01-01", "start_date \"today\" is not a calendar day"),
        ("start_date=2026-01-02&end_date=2026-01-01", "the window ends on 2026-01-01"),
        ("start_date=2026-01-01&end_date=2026-01-01&page=0", "page \"0\" is not a whole number"),
        ("start_date=2026-01-01&end_date=2026-01-01&page_size=-1", "page_size \"-1\" is not"),
        ("start_date=2026-01-01&start_date=2026-01-02", "Failed to deserialize query string"),
    ] {
        let (status, text) = error(&book, &ApiOptions::default(), query).await;
        assert_eq!(status, StatusCode::BAD_REQUEST, "{query}");
        assert!(text.starts_with(message), "{text}");
    }
}

#[tokio::test]
async fn only_the_right_token_is_let_in() {
    let book = book_of(&[("2026-01-01", 1)]);
    let requests = RequestLog::new();
    let options =
        ApiOptions { token: Some("secret".into()), requests: requests.clone(), ..ApiOptions::default() };
    let query = "start_date=2026-01-01&end_date=2026-01-01";
    for token in [None, Some("wrong"), Some("")] {
        let response = call(&book, &options, query, token).await;
        assert_eq!(response.status(), StatusCode::UNAUTHORIZED);
        assert_eq!(response.headers()[header::WWW_AUTHENTICATE], "Bearer");
        let answer: Value = serde_json::from_slice(&body(response).await).unwrap();
        assert_eq!(answer["error"]["code"], "unauthenticated");
    }
    assert_eq!(requests.total(), 0);
    assert_eq!(call(&book, &options, query, Some("secret")).await.status(), StatusCode::OK);
    assert_eq!(requests.requests(day("2026-01-01")), 1);
    assert!(!format!("{options:?}").contains("secret"));
}

#[tokio::test]
async fn a_record_is_served_for_the_day_it_was_filed_under() {
    let book = UsageBook::new();
    book.replace_day(day("2026-01-02"), [record(0, "1970-01-01")]).unwrap();
    let records = page(&book, &ApiOptions::default(), "start_date=2026-01-02&end_date=2026-01-02").await;
    assert_eq!(records, [record(0, "1970-01-01")]);
}

#[tokio::test]
async fn an_ndjson_file_is_served_back_line_by_line() {
    for case in ["gaps", "snapshots"] {
        let path = format!("{}/../../tests/vectors/{case}/usage.ndjson", env!("CARGO_MANIFEST_DIR"));
        let text = std::fs::read_to_string(path).unwrap();
        let book = UsageBook::from_ndjson(text.as_bytes()).unwrap();
        let mut served = Vec::new();
        for day in book.days() {
            served.extend(all_pages(&book, &format!("start_date={day}&end_date={day}"), 2).await);
        }
        let mut lines: Vec<&str> = text.lines().collect();
        assert_eq!(served.len(), lines.len());
        served.sort_unstable();
        lines.sort_unstable();
        assert_eq!(served, lines);
        let (first, last) = (book.days()[0], book.days()[book.days().len() - 1]);
        let mut range = all_pages(&book, &format!("start_date={first}&end_date={last}"), 3).await;
        range.sort_unstable();
        assert_eq!(range, lines);
    }
}

#[tokio::test]
async fn an_unknown_path_is_answered_in_json() {
    let request = Request::get("/v2/product-usage").body(Body::empty()).unwrap();
    let response = router(UsageBook::new(), ApiOptions::default()).oneshot(request).await.unwrap();
    assert_eq!(response.status(), StatusCode::NOT_FOUND);
    let answer: Value = serde_json::from_slice(&body(response).await).unwrap();
    assert_eq!(answer["error"]["code"], "not_found");
}

/// An API on a real socket, with one record on 2026-01-01.
struct Served {
    url: String,
    faults: Faults,
    requests: RequestLog,
    shutdown: CancellationToken,
    task: JoinHandle<anyhow::Result<()>>,
}

impl Served {
    async fn start() -> Self {
        let listener = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
        let url = format!(
            "http://{}{PRODUCT_USAGE_PATH}?start_date=2026-01-01&end_date=2026-01-01",
            listener.local_addr().unwrap()
        );
        let (faults, requests) = (Faults::new(), RequestLog::new());
        let options =
            ApiOptions { faults: faults.clone(), requests: requests.clone(), ..ApiOptions::default() };
        let shutdown = CancellationToken::new();
        let task =
            tokio::spawn(serve_api(listener, book_of(&[("2026-01-01", 1)]), options, shutdown.clone()));
        Self { url, faults, requests, shutdown, task }
    }

    async fn get(&self, client: &reqwest::Client) -> reqwest::Result<reqwest::Response> {
        client.get(&self.url).send().await
    }
}

fn client(timeout: Duration) -> reqwest::Client {
    reqwest::Client::builder().no_proxy().timeout(timeout).build().unwrap()
}

const PATIENT: Duration = Duration::from_secs(30);

#[tokio::test]
async fn scripted_statuses_come_once_each_and_carry_retry_after() {
    let api = Served::start().await;
    api.faults.fail_next(1, Fault::status(401));
    api.faults.fail_next(1, Fault::too_many_requests(7));
    api.faults.fail_next(1, Fault::status(500));
    let client = client(PATIENT);
    let mut met = Vec::new();
    for _ in 0..4 {
        let response = api.get(&client).await.unwrap();
        let retry_after =
            response.headers().get("retry-after").map(|value| value.to_str().unwrap().to_owned());
        met.push((response.status().as_u16(), retry_after));
    }
    assert_eq!(met, [(401, None), (429, Some("7".to_owned())), (500, None), (200, None)]);
    assert_eq!(api.requests.requests(day("2026-01-01")), 4);
}

#[tokio::test]
async fn a_garbage_body_is_no_json() {
    let api = Served::start().await;
    api.faults.fail_next(1, Fault::GarbageBody);
    let response = api.get(&client(PATIENT)).await.unwrap();
    assert_eq!(response.status().as_u16(), 200);
    assert!(response.json::<Value>().await.unwrap_err().is_decode());
}

#[tokio::test]
async fn a_cut_body_breaks_off_inside_the_answer() {
    let api = Served::start().await;
    api.faults.fail_next(1, Fault::CutBody);
    let client = client(PATIENT);
    let mut response = api.get(&client).await.unwrap();
    assert_eq!(response.status().as_u16(), 200);
    let first = response.chunk().await.unwrap().unwrap();
    assert!(br#"{"data":["#.starts_with(&first[..9]), "the right answer starts");
    assert!(response.chunk().await.is_err());
    assert_eq!(data(&api.get(&client).await.unwrap().bytes().await.unwrap()).len(), 1);
}

#[tokio::test]
async fn a_slow_first_byte_outlasts_an_impatient_client() {
    let api = Served::start().await;
    api.faults.fail_next(1, Fault::SlowFirstByte(Duration::from_secs(3600)));
    assert!(api.get(&client(Duration::from_millis(200))).await.unwrap_err().is_timeout());
    api.faults.fail_next(1, Fault::SlowFirstByte(Duration::from_millis(1)));
    let response = api.get(&client(PATIENT)).await.unwrap();
    assert_eq!(data(&response.bytes().await.unwrap()).len(), 1);
}

#[tokio::test]
async fn shutdown_ends_the_server_without_error() {
    let api = Served::start().await;
    let client = client(PATIENT);
    api.get(&client).await.unwrap();
    api.shutdown.cancel();
    tokio::time::timeout(PATIENT, api.task).await.unwrap().unwrap().unwrap();
}
