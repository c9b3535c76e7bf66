//! Answers that break the contract, and what errors may reveal of them.

use axum::{http::StatusCode, response::IntoResponse};
use domain::FailureKind;

use super::{
    scripted_api::{Asked, Script, ScriptedApi, cut_off, json, page_of, some_records, status, throttled},
    setup::{DAY, TOKEN, fetch},
};

#[tokio::test]
async fn garbage_is_reported_with_its_place_and_not_tried_again() {
    for (body, problem, place) in [
        ("<html>Sign in</html>", "expected value", "line 1 column 1: \"<html>Sign in</html>\""),
        ("{\"data\":\n[{} oops]}", "expected `,` or `]`", "line 2 column 5"),
        ("{\"items\":[]}", "missing field `data` among items", "line 1 column 1: \"{\\\"items\\\":[]}\""),
        ("{\"data\":7}", "`data` is no list", "line 1 column 1"),
        ("{\"data\":[]} trailing", "trailing characters", "line 1 column 13"),
    ] {
        let server = ScriptedApi::start(move |_| json(body)).await;
        let error = fetch(&server.url, &[]).await.unwrap_err();
        assert_eq!(error.kind(), FailureKind::InvalidInput);
        let text = error.to_string();
        assert!(text.starts_with("2026-01-05 page 1: "), "{text}");
        assert!(text.contains(problem) && text.contains(place), "{text}");
        assert_eq!(server.pages(), [1], "{text}");
    }
}

#[tokio::test]
async fn a_page_beyond_the_size_limit_is_refused() {
    let held = some_records(DAY, 100);
    let server = ScriptedApi::start(move |asked| page_of(&held, asked)).await;
    let error = fetch(&server.url, &["--product-api-max-page-bytes=1000"]).await.unwrap_err();
    assert_eq!(error.kind(), FailureKind::InvalidInput);
    assert!(error.to_string().contains("larger than 1000 bytes"), "{error}");
}

#[tokio::test]
async fn no_error_holds_the_token_or_the_url() {
    let echo = |asked: &Asked| asked.authorization.clone().unwrap_or_default();
    let long = "x".repeat(60);
    let scripts: Vec<Script> = vec![
        Box::new(move |asked| (StatusCode::UNAUTHORIZED, echo(asked)).into_response()),
        Box::new(move |asked| (StatusCode::BAD_REQUEST, echo(asked)).into_response()),
        Box::new(move |asked| (StatusCode::BAD_GATEWAY, echo(asked)).into_response()),
        Box::new(move |asked| json(&echo(asked))),
        Box::new(move |asked| json(&format!("{{\"data\":\"{long}{}\"}}", echo(asked)))),
        Box::new(move |asked| json(&format!("{{\"data\":[{}]}}", echo(asked)))),
        Box::new(|_| throttled("1")),
        Box::new(|_| status(302)),
        Box::new(|_| cut_off()),
    ];
    for script in scripts {
        let server = ScriptedApi::start(script).await;
        let url = format!("{}?code=hidden-code", server.url);
        let error = fetch(&url, &["--product-api-max-attempts=2"]).await.unwrap_err();
        let reported = format!("{error} {error:?}");
        for secret in [TOKEN, "t0ken", "hidden-code", "127.0.0.1"] {
            assert!(!reported.contains(secret), "{reported}");
        }
    }
}
