//! What a trace shows of exports.

use test_telemetry::{Recorder, Span};

use super::*;

fn attribute<'a>(span: &'a Span, name: &str) -> &'a str {
    span.attributes.get(name).unwrap_or_else(|| panic!("{name} is not in {:?}", span.attributes))
}

#[tokio::test]
async fn every_new_export_is_a_span_and_a_refused_one_says_why() {
    let scene = Scene::new().await;
    scene.write("2026/companies_2026-01-31.csv", GOOD);
    scene.execute("2026-02-03").await.unwrap();
    scene.write("2026/companies_2026-02-01.csv", GOOD);
    scene.write("companies_2026-02-02.csv", "no header");
    scene.write("large_2026-02-03.csv", "x".repeat(10_001));

    let run = scene.hold("2026-02-03").await;
    let recorder = Recorder::start().unwrap();
    let (outcome, trace) = recorder.trace(scene.execute_in(&run, Arc::new(|_| ()))).await;
    assert_eq!(outcome.unwrap_err().kind, FailureKind::InvalidInput);

    let copies: Vec<&Span> = trace.spans().iter().filter(|span| span.name.starts_with("copy ")).collect();
    let names: Vec<&str> = copies.iter().map(|span| span.name.as_str()).collect();
    assert_eq!(
        names,
        ["copy companies_2026-02-01.csv", "copy companies_2026-02-02.csv", "copy large_2026-02-03.csv"]
    );
    let [good, bad, large] = copies[..] else { panic!("{trace}") };
    assert_eq!(attribute(good, "file.path"), "2026/companies_2026-02-01.csv");
    assert_eq!((attribute(good, "pipeline.rows_read"), &good.error), ("2", &None));
    let size = GOOD.len().to_string();
    assert_eq!((attribute(good, "file.size"), attribute(good, "pipeline.bytes_read")), (&*size, &*size));
    let below: Vec<&str> = trace.children(good).iter().map(|span| span.name.as_str()).collect();
    for operation in ["get", "put", "load_crm_export"] {
        assert!(below.contains(&operation), "{operation} is missing:\n{trace}");
    }
    for (refused, cause) in [(bad, "company_id"), (large, "--crm-max-file-bytes")] {
        assert_eq!(attribute(refused, "error.type"), "InvalidInput");
        assert!(refused.causes[0].contains(cause), "{refused:?}");
        assert_eq!(refused.error.as_ref(), refused.causes.first());
    }
}
