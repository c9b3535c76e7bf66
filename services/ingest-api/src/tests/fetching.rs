//! Pages, credentials and retries.

use std::sync::Arc;

use domain::FailureKind;

use super::{
    scripted_api::{Asked, ScriptedApi, cut_off, endless, json, page_of, some_records, status, throttled},
    setup::{DAY, TOKEN, api, clock, fetch, options, records},
};
use crate::{api::ProductApi, error::Error};

#[tokio::test]
async fn a_request_carries_what_the_contract_asks_for() {
    let server = ScriptedApi::start(|_| json(r#"{"data":[]}"#)).await;
    fetch(&server.url, &[]).await.unwrap();
    let expected = Asked {
        start_date: DAY.to_owned(),
        end_date: DAY.to_owned(),
        page: 1,
        page_size: 100,
        authorization: Some(format!("Bearer {TOKEN}")),
        user_agent: Some(concat!("company-activity/", env!("CARGO_PKG_VERSION")).to_owned()),
        attempt: 1,
    };
    assert_eq!(server.requests(), [expected]);
}

#[tokio::test]
async fn every_record_comes_exactly_once_also_for_an_exact_multiple_of_the_page_size() {
    for (count, expected_pages) in [(0, 1), (3, 2), (5, 2), (7, 2), (10, 3), (12, 3)] {
        let held = some_records(DAY, count);
        let script = held.clone();
        let server = ScriptedApi::start(move |asked| page_of(&script, asked)).await;
        let flags = ["--page-size=5", "--product-api-page-concurrency=1"];
        let pages = fetch(&server.url, &flags).await.unwrap();
        assert_eq!(records(&pages), held);
        assert_eq!(server.pages().len(), expected_pages, "{count} records");
    }
}

#[tokio::test]
async fn a_server_that_caps_the_page_size_still_gives_every_record() {
    let held = some_records(DAY, 8);
    let script = held.clone();
    let server =
        ScriptedApi::start(move |asked| page_of(&script, &Asked { page_size: 3, ..asked.clone() })).await;
    let pages = fetch(&server.url, &["--product-api-page-concurrency=1"]).await.unwrap();
    assert_eq!(records(&pages), held);
    assert_eq!(server.pages(), [1, 2, 3]);
}

#[tokio::test]
async fn a_server_that_ignores_the_page_is_an_error_rather_than_a_day_of_duplicates() {
    let held = some_records(DAY, 3);
    let server = ScriptedApi::start(move |asked| page_of(&held, &Asked { page: 1, ..asked.clone() })).await;
    let error = fetch(&server.url, &[]).await.unwrap_err();
    assert!(matches!(error, Error::RepeatedPage { at } if at.page == 2), "{error}");
}

type Failure = fn() -> axum::response::Response;

#[tokio::test]
async fn a_failure_that_passes_costs_nothing_but_attempts() {
    let failures: [(&str, Failure); 8] = [
        ("throttled", || throttled("7")),
        ("throttled until a date", || throttled("Tue, 06 Jan 2026 07:00:00 GMT")),
        ("throttled without a wait", || throttled("0")),
        ("server error", || status(500)),
        ("away", || status(503)),
        ("request timeout", || status(408)),
        ("connection lost", cut_off),
        ("body cut off", || json(r#"{"data":[{"company_id":"#)),
    ];
    for (name, failure) in failures {
        let held = some_records(DAY, 4);
        let script = held.clone();
        let server = ScriptedApi::start(move |asked| match (asked.page, asked.attempt) {
            (2, 1 | 2) => failure(),
            _ => page_of(&script, asked),
        })
        .await;
        let pages = fetch(&server.url, &["--page-size=3"]).await.unwrap();
        assert_eq!(records(&pages), held, "{name}");
        assert_eq!(server.pages(), [1, 2, 2, 2], "{name}");
    }
}

#[tokio::test]
async fn attempts_run_out_with_the_last_failure_and_the_servers_wish() {
    let server = ScriptedApi::start(|_| throttled("3600")).await;
    let error = fetch(&server.url, &["--product-api-max-attempts=3"]).await.unwrap_err();
    assert_eq!(server.pages(), [1, 1, 1]);
    assert_eq!(error.kind(), FailureKind::Exhausted);
    assert_eq!(error.retry_after().map(|wait| wait.as_secs()), Some(3600));
    let text = error.to_string();
    assert!(text.starts_with("2026-01-05 page 1: ") && text.contains("3 attempts"), "{text}");
}

#[tokio::test]
async fn an_answer_that_never_ends_is_a_timeout() {
    let server = ScriptedApi::start(|_| endless()).await;
    let flags = ["--product-api-timeout=100ms", "--product-api-max-attempts=2"];
    let error = fetch(&server.url, &flags).await.unwrap_err();
    assert_eq!(server.pages(), [1, 1]);
    assert_eq!(error.kind(), FailureKind::TimedOut);
    assert!(error.to_string().contains("within 100ms"), "{error}");
}

#[tokio::test]
async fn a_server_that_is_away_is_unavailable() {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}/", listener.local_addr().unwrap());
    drop(listener);
    let error = fetch(&url, &["--product-api-max-attempts=2"]).await.unwrap_err();
    assert_eq!(error.kind(), FailureKind::Unavailable);
    assert!(error.to_string().contains("Connection refused"), "{error}");
}

#[tokio::test]
async fn a_refusal_is_not_tried_again() {
    for (code, kind) in [
        (401, FailureKind::Unauthenticated),
        (403, FailureKind::Unauthenticated),
        (400, FailureKind::FailedPrecondition),
        (404, FailureKind::FailedPrecondition),
        (302, FailureKind::FailedPrecondition),
    ] {
        let server = ScriptedApi::start(move |_| status(code)).await;
        let error = fetch(&server.url, &[]).await.unwrap_err();
        assert_eq!(error.kind(), kind, "{error}");
        assert_eq!(server.pages(), [1], "{error}");
    }
}

#[tokio::test]
async fn a_rotated_token_counts_from_the_next_session_on() {
    let server = ScriptedApi::start(|_| json(r#"{"data":[]}"#)).await;
    let file = tempfile::NamedTempFile::new().unwrap();
    let mut options = options(&server.url, &["--product-api-token-file", file.path().to_str().unwrap()]);
    options.product_api_token = None;
    let api = api(&options);
    for token in ["first", "second"] {
        std::fs::write(file.path(), format!("{token}\n")).unwrap();
        let at = crate::PageRef { day: super::setup::day(DAY), page: 1 };
        let session = api.session().unwrap();
        session.page(at, &session.requests_for(at.day)).await.unwrap();
    }
    let sent: Vec<String> = server.requests().into_iter().filter_map(|asked| asked.authorization).collect();
    assert_eq!(sent, ["Bearer first", "Bearer second"]);
}

#[test]
fn options_that_no_request_could_meet_are_refused_by_name() {
    for (url, flags, expected) in [
        ("api.example.com", &[][..], "--product-api-url"),
        ("ftp://api.example.com/usage", &[], "--product-api-url"),
        ("http://api.example.com/usage", &["--product-api-timeout=0s"], "--product-api-timeout"),
        ("http://169.254.169.254/usage", &["--product-api-allow-http"], "--product-api-url"),
        ("http://127.0.0.1/usage", &["--product-api-allow-private=false"], "--product-api-url"),
        ("http://8.8.8.8/usage", &[], "--product-api-url"),
    ] {
        let options = options(url, flags);
        let error = ProductApi::new(&options, Arc::new(clock())).err().unwrap();
        assert!(error.to_string().starts_with(expected), "{error}");
    }
}

#[tokio::test]
async fn a_name_whose_address_is_not_allowed_is_not_asked_and_the_option_is_named() {
    let server = ScriptedApi::start(|_| json(r#"{"data":[]}"#)).await;
    let url = server.url.replace("127.0.0.1", "localhost");
    assert!(fetch(&url, &[]).await.is_ok());
    let asked = server.requests().len();
    let flags = ["--product-api-allow-private=false", "--product-api-allow-http"];
    let error = fetch(&url, &flags).await.unwrap_err();
    assert_eq!(error.kind(), FailureKind::FailedPrecondition, "{error}");
    let message = error.to_string();
    assert!(
        message.contains("a loopback address; if that is right, set --product-api-allow-private"),
        "{message}"
    );
    assert_eq!(server.requests().len(), asked);
}
