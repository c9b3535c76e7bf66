//! What a trace shows of calls to the product API.

use domain::DateWindow;
use test_telemetry::{Metrics, Recorder, Span, Trace};

use super::{
    pipeline::Pipeline,
    scripted_api::{ScriptedApi, json, page_of, some_records, status, throttled},
    setup::{DAY, day, fetch},
};
use crate::{
    day_spans::{DaySpans, MAX_DAY_SPANS},
    request_spans::MAX_REQUEST_SPANS,
};

const REQUEST: &str = "GET product usage";
const FURTHER: &str = "GET product usage (further pages)";

fn attribute<'a>(span: &'a Span, name: &str) -> &'a str {
    span.attributes.get(name).unwrap_or_else(|| panic!("{name} is not in {:?}", span.attributes))
}

fn one<'a>(trace: &'a Trace, name: &str) -> &'a Span {
    let [span] = trace.named(name)[..] else { panic!("not one {name}:\n{trace}") };
    span
}

#[tokio::test]
async fn a_stage_is_days_and_their_requests_and_files() {
    let server = ScriptedApi::start(|asked| match asked.start_date.as_str() {
        DAY => page_of(&some_records(DAY, 3), asked),
        _ => json(r#"{"data":[]}"#),
    })
    .await;
    let (pipeline, window) = (Pipeline::new().await, DateWindow::day(day(DAY)));
    let fence = pipeline.begin(window).await;
    let stage = pipeline.stage(&server, &["--page-size=2"]);
    let recorder = Recorder::start().unwrap();
    let (outcome, trace) = recorder.trace(pipeline.execute(&stage, &fence, window)).await;
    outcome.unwrap();

    let (land, load) = (one(&trace, "land 2026-01-05"), one(&trace, "load 2026-01-05"));
    let below = |span| trace.children(span).iter().map(|span| span.name.clone()).collect::<Vec<_>>();
    let mut landed = below(land);
    landed.sort();
    assert_eq!(landed, [REQUEST, REQUEST, "put"], "{trace}");
    assert_eq!(below(load), ["get", "load_usage_day"], "{trace}");
    for span in [land, load] {
        assert_eq!((attribute(span, "pipeline.day"), attribute(span, "pipeline.rows_read")), (DAY, "3"));
    }
    assert_eq!(attribute(load, "pipeline.rows_written"), "3");
    let request = trace.children(land)[0];
    let port = server.url.split([':', '/']).nth(4).unwrap();
    assert_eq!(request.kind, "client");
    for (name, value) in [
        ("http.request.method", "GET"),
        ("http.response.status_code", "200"),
        ("server.address", "127.0.0.1"),
        ("server.port", port),
        ("pipeline.day", DAY),
        ("pipeline.page", "1"),
    ] {
        assert_eq!(attribute(request, name), value);
    }
    assert!(!request.attributes.contains_key("http.request.resend_count"));
    let shown = format!("{:?}", trace.spans());
    assert!(!shown.contains("product-usage") && !shown.contains(super::setup::TOKEN), "{shown}");
}

#[tokio::test]
async fn every_attempt_reports_its_outcome_in_trace_and_metrics() {
    // A status that no other test in this process receives.
    let metrics = Metrics::install().unwrap();
    let server = ScriptedApi::start(|asked| match asked.attempt {
        1 => throttled("0"),
        2 => json(r#"{"data":["#),
        _ => status(451),
    })
    .await;
    let recorder = Recorder::start().unwrap();
    let (outcome, trace) = recorder.trace(fetch(&server.url, &[])).await;
    let error = outcome.unwrap_err().to_string();

    let reported: Vec<_> = trace
        .named(REQUEST)
        .iter()
        .map(|span| {
            assert_eq!(span.causes, [span.error.clone().unwrap()]);
            (
                span.attributes.get("http.request.resend_count").map_or("", String::as_str),
                attribute(span, "http.response.status_code"),
                attribute(span, "error.type"),
            )
        })
        .collect();
    assert_eq!(reported, [("", "429", "429"), ("1", "200", "Unavailable"), ("2", "451", "451")]);
    assert_eq!(trace.named(REQUEST)[2].error.as_deref(), Some(&*error));
    let labels =
        [("http_request_method", "GET"), ("peer", "product-api"), ("http_response_status_code", "451")];
    assert_eq!(metrics.count("http_client_request_duration_seconds", &labels), 1);

    let vacant = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let (_, trace) =
        recorder.trace(fetch(&format!("http://{vacant}/"), &["--product-api-max-attempts=1"])).await;
    let request = one(&trace, REQUEST);
    assert_eq!(attribute(request, "error.type"), "Unavailable");
    assert!(!request.attributes.contains_key("http.response.status_code"));
    assert!(metrics.count("http_client_request_duration_seconds", &labels[..2]) > 0);
}

#[tokio::test]
async fn a_thousand_pages_are_a_hundred_spans_and_their_sum() {
    let server = ScriptedApi::start(|asked| match (asked.page, asked.attempt) {
        (500 | 600, 1) => status(503),
        _ => page_of(&some_records(DAY, 999), asked),
    })
    .await;
    let recorder = Recorder::start().unwrap();
    // Pages asked for past the end would be counted as well.
    let flags = ["--page-size=1", "--product-api-page-concurrency=1"];
    let (outcome, trace) = recorder.trace(fetch(&server.url, &flags)).await;
    assert_eq!(outcome.unwrap().len(), 1_000);

    assert_eq!(trace.named(REQUEST).len(), MAX_REQUEST_SPANS as usize);
    assert_eq!(trace.spans().len(), MAX_REQUEST_SPANS as usize + 2, "{trace}");
    let further = one(&trace, FURTHER);
    assert_eq!((further.kind.as_str(), &further.error), ("client", &None));
    for (name, value) in [
        ("pipeline.day", DAY),
        ("pipeline.pages", "900"),
        ("pipeline.requests", "902"),
        ("pipeline.retries", "2"),
    ] {
        assert_eq!(attribute(further, name), value);
    }
    let seconds = |name| attribute(further, name).parse::<f64>().unwrap();
    assert!(seconds("pipeline.request_seconds") > seconds("pipeline.slowest_page_seconds"));
    assert!(attribute(further, "pipeline.slowest_page").starts_with("2026-01-05 page "));
}

#[tokio::test]
async fn a_page_that_cannot_be_had_fails_the_sum_and_its_day() {
    let server = ScriptedApi::start(|asked| match (asked.start_date.as_str(), asked.page) {
        (DAY, 150) => status(500),
        (DAY, _) => page_of(&some_records(DAY, 300), asked),
        _ => json(r#"{"data":[]}"#),
    })
    .await;
    let (pipeline, window) = (Pipeline::new().await, DateWindow::day(day(DAY)));
    let fence = pipeline.begin(window).await;
    let stage = pipeline.stage(&server, &["--page-size=1", "--product-api-max-attempts=2"]);
    let recorder = Recorder::start().unwrap();
    let (outcome, trace) = recorder.trace(pipeline.execute(&stage, &fence, window)).await;
    let message = outcome.unwrap_err().message;

    assert_eq!(trace.named(REQUEST).len(), MAX_REQUEST_SPANS as usize);
    let land = one(&trace, "land 2026-01-05");
    for failed in [one(&trace, FURTHER), land] {
        assert_eq!(failed.error.as_ref(), Some(&message), "{trace}");
        assert_eq!(attribute(failed, "error.type"), "Unavailable");
        assert!(failed.causes.contains(&message));
    }
    let put = one(&trace, "put");
    assert_eq!((attribute(put, "error.type"), put.parent_id == land.span_id), ("abandoned", true));
    assert!(trace.named("load 2026-01-05").is_empty());
}

#[tokio::test]
async fn more_days_than_a_trace_can_show_share_a_span() {
    let recorder = Recorder::start().unwrap();
    let days = MAX_DAY_SPANS + 600;
    let ((), trace) = recorder
        .trace(async {
            let spans = DaySpans::new("land");
            day(DAY).iter_days().take(days as usize).for_each(|day| drop(spans.of(day)));
        })
        .await;
    assert_eq!(trace.spans().len(), MAX_DAY_SPANS as usize + 2);
    let further = one(&trace, "land further days");
    assert_eq!(attribute(further, "pipeline.days"), "600");
}
