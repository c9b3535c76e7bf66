//! What a trace shows of event files.

use test_telemetry::Recorder;

use super::*;

#[tokio::test]
async fn every_new_file_is_a_span_with_its_rows_and_bytes() {
    let scene = Scene::new().await;
    let line = event("2026-01-01", "a", 1);
    scene.write("2026/01.ndjson", &[&line, &line, "{}"]);
    let recorder = Recorder::start().unwrap();
    let (outcome, trace) = recorder.trace(scene.execute()).await;
    let Counters { bytes_read, .. } = outcome.unwrap().counters;

    let [copy] = trace.named("copy 01.ndjson")[..] else { panic!("{trace}") };
    for (name, value) in [
        ("file.path", "2026/01.ndjson"),
        ("file.size", &*bytes_read.to_string()),
        ("pipeline.bytes_read", &bytes_read.to_string()),
        ("pipeline.rows_read", "3"),
        ("pipeline.rows_duplicate", "1"),
        ("pipeline.rows_rejected", "1"),
    ] {
        assert_eq!(copy.attributes.get(name).map(String::as_str), Some(value), "{name}");
    }
    let (again, trace) = recorder.trace(scene.execute()).await;
    again.unwrap();
    assert!(trace.named("copy 01.ndjson").is_empty(), "it was not copied again:\n{trace}");
}
