//! Pages that are asked for before their turn.

use std::sync::{
    Arc,
    atomic::{AtomicUsize, Ordering},
};

use axum::{
    body::{Body, Bytes},
    response::{IntoResponse, Response},
};
use futures::stream;
use tokio::sync::Barrier;

use super::{
    scripted_api::{Asked, ScriptedApi, json, page_of, some_records, status, throttled},
    setup::{DAY, fetch, records},
};

/// An answer with this page, once `until` has ended.
fn page_after(
    until: impl Future<Output = ()> + Send + 'static,
    records: &[String],
    asked: &Asked,
) -> Response {
    let page = records.chunks(asked.page_size).nth(asked.page - 1).unwrap_or_default().join(",");
    let body = async move {
        until.await;
        Ok::<_, std::io::Error>(Bytes::from(format!("{{\"data\":[{page}]}}")))
    };
    Body::from_stream(stream::once(body)).into_response()
}

#[tokio::test]
async fn a_long_day_has_as_many_requests_under_way_as_configured() {
    let held = some_records(DAY, 32);
    let script = held.clone();
    let all_are_asked = Arc::new(Barrier::new(8));
    let server = ScriptedApi::start(move |asked| {
        let all_are_asked = Arc::clone(&all_are_asked);
        let waits = (9..=16).contains(&asked.page);
        let until = async move {
            if waits {
                all_are_asked.wait().await;
            }
        };
        page_after(until, &script, asked)
    })
    .await;
    let pages = fetch(&server.url, &["--page-size=2", "--product-api-page-concurrency=8"]).await.unwrap();
    assert_eq!(records(&pages), held);
}

#[tokio::test]
async fn the_pages_come_in_order_and_few_are_asked_for_in_vain() {
    for length in 0..=23 {
        let held = some_records(DAY, length);
        let script = held.clone();
        let server = ScriptedApi::start(move |asked| page_of(&script, asked)).await;
        fetch(&server.url, &["--page-size=2", "--product-api-page-concurrency=1"]).await.unwrap();
        let needed = server.pages().len();
        let pages = fetch(&server.url, &["--page-size=2", "--product-api-page-concurrency=4"]).await.unwrap();
        assert_eq!(records(&pages), held);
        let last = server.pages().into_iter().max().unwrap();
        assert!(last <= needed + 3, "{length} records: asked for page {last}");
        assert!(last < 2 * needed, "{length} records: asked for page {last}");
    }
}

#[tokio::test]
async fn no_page_is_asked_for_past_an_end_that_is_announced() {
    for sign in [r#""total":18"#, r#""total_pages":9"#] {
        let server = ScriptedApi::start(move |asked| {
            let held = some_records(DAY, 18);
            let page = held.chunks(2).nth(asked.page - 1).unwrap_or_default().join(",");
            json(&format!(r#"{{"data":[{page}],{sign}}}"#))
        })
        .await;
        let pages = fetch(&server.url, &["--page-size=2"]).await.unwrap();
        assert_eq!(records(&pages), some_records(DAY, 18));
        let mut asked = server.pages();
        asked.sort_unstable();
        assert_eq!(asked, (1..=9).collect::<Vec<_>>(), "{sign}");
    }
}

#[tokio::test]
async fn what_happens_past_the_end_is_no_failure() {
    for code in [400, 401, 500] {
        let server = ScriptedApi::start(move |asked| {
            if asked.page > 5 { status(code) } else { page_of(&some_records(DAY, 8), asked) }
        })
        .await;
        let pages = fetch(&server.url, &["--page-size=2"]).await.unwrap();
        assert_eq!(records(&pages), some_records(DAY, 8), "{code}");
    }
}

#[tokio::test]
async fn a_failure_of_a_page_fails_the_day_in_its_turn() {
    let server = ScriptedApi::start(|asked| {
        if asked.page == 3 { status(400) } else { page_of(&some_records(DAY, 20), asked) }
    })
    .await;
    let error = fetch(&server.url, &["--page-size=2"]).await.unwrap_err();
    assert!(error.to_string().starts_with("2026-01-05 page 3: "), "{error}");
}

/// A request under way at the server.
struct UnderWay(Arc<AtomicUsize>);

impl Drop for UnderWay {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::SeqCst);
    }
}

#[tokio::test]
async fn a_server_that_answers_only_two_at_a_time_gives_every_record_after_few_refusals() {
    let held = some_records(DAY, 400);
    let script = held.clone();
    let under_way = Arc::new(AtomicUsize::new(0));
    let server = ScriptedApi::start(move |asked| {
        let request = UnderWay(Arc::clone(&under_way));
        if under_way.fetch_add(1, Ordering::SeqCst) >= 2 {
            return throttled("1");
        }
        let until = async move {
            let _request = request;
            tokio::task::yield_now().await;
        };
        page_after(until, &script, asked)
    })
    .await;
    let flags = ["--page-size=2", "--product-api-max-attempts=50"];
    let pages = fetch(&server.url, &flags).await.unwrap();
    assert_eq!(records(&pages), held);
    let requests = server.pages().len();
    assert!(requests < 400, "{requests} requests for 201 pages");
}
