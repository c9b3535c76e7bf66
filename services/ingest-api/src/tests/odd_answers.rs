//! Answers of real-world APIs, at and beyond the contract's limits.

use axum::{
    http::{StatusCode, header},
    response::{IntoResponse, Response},
};
use domain::{DateWindow, FailureKind};

use super::{
    pipeline::Pipeline,
    scripted_api::{Asked, ScriptedApi, json, page_of, record, some_records, status},
    setup::{DAY, api, day, fetch, options, records},
};
use crate::error::Error;

/// Two full pages of two records.
fn held() -> Vec<String> {
    some_records(DAY, 4)
}

/// One page after the other, so that each request has its reason.
const PAGES_OF_TWO: &[&str] = &["--page-size=2", "--product-api-page-concurrency=1"];

fn encoded(encoding: &'static str, body: Vec<u8>) -> Response {
    ([(header::CONTENT_ENCODING, encoding)], body).into_response()
}

fn with_link(link: &'static str, answer: Response) -> Response {
    ([(header::LINK, link)], answer).into_response()
}

#[tokio::test]
async fn whatever_an_api_answers_past_its_last_page_ends_the_day() {
    type PastTheEnd = fn(&Asked) -> Response;
    let answers: [(&str, PastTheEnd, usize); 7] = [
        ("an empty list", |_| json(r#"{"data":[]}"#), 3),
        ("null", |_| json(r#"{"data":null}"#), 3),
        ("204", |_| status(204), 3),
        ("404", |_| (StatusCode::NOT_FOUND, r#"{"detail":"Invalid page."}"#).into_response(), 3),
        ("416", |_| status(416), 3),
        ("an empty list with a total", |_| json(r#"{"data":[],"total":4}"#), 3),
        // One more request distinguishes it from a stuck server.
        ("the last page again", |asked| page_of(&held(), &Asked { page: 2, ..asked.clone() }), 4),
    ];
    for (name, past_the_end, requests) in answers {
        let server =
            ScriptedApi::start(
                move |asked| {
                    if asked.page > 2 { past_the_end(asked) } else { page_of(&held(), asked) }
                },
            )
            .await;
        let pages = fetch(&server.url, PAGES_OF_TWO).await.unwrap_or_else(|error| panic!("{name}: {error}"));
        assert_eq!(records(&pages), held(), "{name}");
        assert_eq!(server.pages().len(), requests, "{name}");
    }
}

#[tokio::test]
async fn a_first_page_that_is_not_there_is_no_empty_day() {
    for code in [404, 410, 416, 400] {
        let server = ScriptedApi::start(move |_| status(code)).await;
        let error = fetch(&server.url, &[]).await.unwrap_err();
        assert_eq!(error.kind(), FailureKind::FailedPrecondition, "{error}");
        assert!(error.to_string().contains("--history-start"), "{error}");
    }
}

#[tokio::test]
async fn an_answer_that_names_its_end_is_asked_for_no_further() {
    type Answer = fn(&Asked) -> Response;
    let answers: [(&str, Answer); 3] = [
        ("has_more", |asked| page_saying(asked, &format!(r#""has_more":{}"#, asked.page < 2))),
        ("total", |asked| page_saying(asked, r#""meta":{"total":4}"#)),
        ("total_pages", |asked| page_saying(asked, r#""total_pages":2"#)),
    ];
    for (name, answer) in answers {
        let server = ScriptedApi::start(answer).await;
        assert_eq!(records(&fetch(&server.url, PAGES_OF_TWO).await.unwrap()), held(), "{name}");
        assert_eq!(server.pages(), [1, 2], "{name}");
    }
}

fn page_saying(asked: &Asked, signs: &str) -> Response {
    let records = held();
    let page = records.chunks(2).nth(asked.page - 1).unwrap_or_default().join(",");
    json(&format!(r#"{{"data":[{page}],{signs}}}"#))
}

#[tokio::test]
async fn a_link_to_the_next_page_is_followed_past_a_short_one() {
    let server = ScriptedApi::start(|asked| {
        let records = some_records(DAY, 5);
        let page = match asked.page {
            1 => &records[0..2],
            2 => &records[2..3],
            _ => &records[3..5],
        };
        let answer = json(&format!(r#"{{"data":[{}]}}"#, page.join(",")));
        if asked.page < 3 { with_link(r#"<https://x/?page=9>; rel="next""#, answer) } else { answer }
    })
    .await;
    let pages = fetch(&server.url, &["--page-size=2", "--product-api-fields=total="]).await.unwrap();
    assert_eq!(records(&pages), some_records(DAY, 5));
}

#[tokio::test]
async fn a_list_that_ends_before_its_total_is_refused_and_a_wrong_total_can_be_ignored() {
    let server =
        ScriptedApi::start(
            |asked| {
                if asked.page > 1 { status(404) } else { page_saying(asked, r#""total":7"#) }
            },
        )
        .await;
    let error = fetch(&server.url, PAGES_OF_TWO).await.unwrap_err();
    assert!(matches!(error, Error::FewerThanSaid { came: 2, .. }), "{error}");
    let ignoring = ["--page-size=2", "--product-api-fields=total="];
    assert_eq!(fetch(&server.url, &ignoring).await.unwrap().len(), 2);
}

#[tokio::test]
async fn an_answer_that_says_it_failed_is_tried_again_and_never_an_empty_day() {
    let server =
        ScriptedApi::start(|_| json(r#"{"data":[],"errors":[{"message":"shard 3 is away"}]}"#)).await;
    let error = fetch(&server.url, &["--product-api-max-attempts=2"]).await.unwrap_err();
    assert_eq!(error.kind(), FailureKind::InvalidInput);
    assert!(error.to_string().contains(r#"says that it failed: [{"message":"shard 3 is away"}]"#), "{error}");
    assert_eq!(server.pages(), [1, 1]);
}

#[tokio::test]
async fn a_body_is_read_compressed_or_behind_a_byte_order_mark() {
    let body = format!(r#"{{"data":[{}]}}"#, held().join(","));
    let gzip = compressed(&body, flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast()));
    let server = ScriptedApi::start(move |asked| match asked.page_size {
        10 => encoded("gzip", gzip.clone()),
        11 => encoded("identity", body.clone().into_bytes()),
        _ => ["\u{feff}", &body].concat().into_response(),
    })
    .await;
    for page_size in ["--page-size=10", "--page-size=11", "--page-size=12"] {
        let pages = fetch(&server.url, &[page_size, "--product-api-unpaged"]).await.unwrap();
        assert_eq!(records(&pages), held(), "{page_size}");
    }
}

fn compressed(text: &str, mut encoder: flate2::write::GzEncoder<Vec<u8>>) -> Vec<u8> {
    std::io::Write::write_all(&mut encoder, text.as_bytes()).unwrap();
    encoder.finish().unwrap()
}

#[tokio::test]
async fn an_encoding_that_cannot_be_undone_is_named() {
    type Answer = fn(&Asked) -> Response;
    let answers: [(Answer, &str); 4] = [
        (|_| encoded("br", vec![11, 2, 128]), "encoded as br"),
        (|_| encoded("zstd", vec![0x28, 0xb5, 0x2f, 0xfd]), "encoded as zstd"),
        (|_| vec![0x1f_u8, 0x8b, 8, 0, 0].into_response(), "encoded as gzip without the header"),
        (|_| vec![0xff_u8, 0xfe, b'{', 0].into_response(), "encoded as UTF-16"),
    ];
    for (answer, expected) in answers {
        let server = ScriptedApi::start(answer).await;
        let error = fetch(&server.url, &[]).await.unwrap_err().to_string();
        assert!(error.contains(expected) && error.contains("must be UTF-8 JSON"), "{error}");
    }
}

#[tokio::test]
async fn a_token_that_is_rotated_while_days_are_fetched_is_read_again() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("token");
    std::fs::write(&file, "t1").unwrap();
    let rotated = file.clone();
    let server = ScriptedApi::start(move |asked| {
        // From the second page on only the new token works, which the file holds by then.
        std::fs::write(&rotated, "t2").unwrap();
        let expected = if asked.page < 2 { "Bearer t1" } else { "Bearer t2" };
        if asked.authorization.as_deref() == Some(expected) { page_of(&held(), asked) } else { status(401) }
    })
    .await;
    let mut options = options(&server.url, PAGES_OF_TWO);
    options.product_api_token = None;
    options.product_api_token_file = Some(file);
    let session = api(&options).session().unwrap();
    let pages = crate::paging::pages(&session, day(DAY));
    let pages: Vec<_> = futures::TryStreamExt::try_collect(pages).await.unwrap();
    assert_eq!(pages.len(), 3);
    assert_eq!(server.pages(), [1, 2, 2, 3]);
}

#[tokio::test]
async fn a_token_that_stays_refused_is_asked_for_once() {
    let server = ScriptedApi::start(|_| status(401)).await;
    let error = fetch(&server.url, &[]).await.unwrap_err();
    assert_eq!(error.kind(), FailureKind::Unauthenticated);
    assert_eq!(server.pages(), [1]);
}

#[tokio::test]
async fn days_before_the_window_that_the_api_does_not_know_are_optional_and_reported_once() {
    for code in [400, 404, 410, 416] {
        let server = ScriptedApi::start(move |asked| {
            if asked.start_date.as_str() < "2026-01-03" {
                return status(code);
            }
            page_of(&some_records(&asked.start_date, 2), asked)
        })
        .await;
        let pipeline = Pipeline::new().await;
        let window = DateWindow::parse(DAY, DAY).unwrap();
        let outcome = pipeline.ingest(&server, window).await.unwrap();
        let reported: Vec<_> =
            outcome.remarks.iter().filter(|remark| remark.contains("knows nothing")).collect();
        assert_eq!(reported.len(), 1, "{:?}", outcome.remarks);
        assert!(reported[0].starts_with("2025-12-23..2026-01-02: "), "{reported:?}");
        assert!(reported[0].contains("11 days") && reported[0].contains(&code.to_string()), "{reported:?}");
        let known = DateWindow::parse("2025-12-01", "2026-01-31").unwrap();
        let staged = pipeline.staged(known).await;
        assert_eq!(staged.len(), 3, "what is unknown is not taken for zero: {staged:?}");
        // The next run requests it again.
        let asked_before = server.pages().len();
        pipeline.ingest(&server, window).await.unwrap();
        assert!(server.requests()[asked_before..].iter().any(|asked| asked.start_date == "2026-01-02"));
    }
}

#[tokio::test]
async fn a_day_of_the_window_that_the_api_does_not_know_fails_the_stage() {
    let server =
        ScriptedApi::start(|asked| if asked.start_date == DAY { status(404) } else { page_of(&[], asked) })
            .await;
    let pipeline = Pipeline::new().await;
    let error = pipeline.ingest(&server, DateWindow::parse(DAY, DAY).unwrap()).await.unwrap_err();
    assert!(error.message.starts_with("2026-01-05 page 1: "), "{}", error.message);
}

#[tokio::test]
async fn the_next_attempt_goes_on_after_the_days_that_are_loaded() {
    // A quota of six requests per attempt; the fourteen days need one page each, ended by a sign.
    let quota = std::sync::Arc::new(std::sync::atomic::AtomicUsize::new(6));
    let left = std::sync::Arc::clone(&quota);
    let server = ScriptedApi::start(move |asked| {
        use std::sync::atomic::Ordering::SeqCst;
        if left.fetch_update(SeqCst, SeqCst, |left| left.checked_sub(1)).is_err() {
            return super::scripted_api::throttled("600");
        }
        let record = record("a", &asked.start_date, 1, 2);
        json(&format!(r#"{{"data":[{record}],"total":1}}"#))
    })
    .await;
    let pipeline = Pipeline::new().await;
    let window = DateWindow::parse(DAY, DAY).unwrap();
    let fence = pipeline.begin(window).await;
    let stage = pipeline.stage(&server, &["--product-api-max-attempts=1", "--product-api-concurrency=1"]);
    for attempt in 1..=2 {
        let error = pipeline.execute(&stage, &fence, window).await.unwrap_err();
        assert_eq!(error.kind, FailureKind::Exhausted, "attempt {attempt}: {}", error.message);
        assert_eq!(error.retry_after, Some(std::time::Duration::from_secs(600)));
        quota.store(6, std::sync::atomic::Ordering::SeqCst);
    }
    let outcome = pipeline.execute(&stage, &fence, window).await.unwrap();
    assert_eq!(outcome.counters.rows_written, 2, "{outcome:?}");
    assert_eq!(
        outcome.remarks,
        ["12 of 14 days were loaded by an earlier attempt and are not fetched again"]
    );
    let loaded = server.requests().iter().filter(|asked| asked.attempt == 1).count();
    assert_eq!(loaded, 14);
}
