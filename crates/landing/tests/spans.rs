//! What traces record of object storage.
#![cfg(test)]

use std::fs;

use futures::TryStreamExt;
use landing::{Error, FileInfo, Storage};
use tempfile::TempDir;
use test_telemetry::{Recorder, Span};

/// More than one part of a multipart upload.
const LARGE: usize = 6 * 1024 * 1024;

fn storage() -> (TempDir, Storage) {
    let folder = tempfile::tempdir().unwrap();
    let storage = Storage::open(&format!("file://{}/", folder.path().display())).unwrap();
    (folder, storage)
}

async fn write(storage: &Storage, path: &str, parts: &[&[u8]]) -> Result<FileInfo, Error> {
    let mut writer = storage.write(path);
    for part in parts {
        writer.write(part).await?;
    }
    writer.finish().await
}

async fn read(storage: &Storage, file: &FileInfo) -> Result<Vec<bytes::Bytes>, Error> {
    storage.read(file).await?.try_collect().await
}

fn attribute<'a>(span: &'a Span, name: &str) -> &'a str {
    span.attributes.get(name).unwrap_or_else(|| panic!("{name} is not in {:?}", span.attributes))
}

#[tokio::test]
async fn every_operation_is_a_span_with_where_and_how_much() {
    let (_folder, storage) = storage();
    let content = vec![b'x'; LARGE];
    let recorder = Recorder::start().unwrap();
    let ((), trace) = recorder
        .trace(async {
            let file = write(&storage, "a/b.csv", &[&content, b"end"]).await.unwrap();
            assert_eq!(storage.list(".csv").await.unwrap(), std::slice::from_ref(&file));
            assert_eq!(storage.info("a/b.csv").await.unwrap().unwrap(), file);
            assert_eq!(storage.info("missing.csv").await.unwrap(), None);
            read(&storage, &file).await.unwrap();
        })
        .await;

    let [test] = trace.roots()[..] else { panic!("several roots:\n{trace}") };
    let spans = trace.children(test);
    let names: Vec<&str> = spans.iter().map(|span| span.name.as_str()).collect();
    assert_eq!(
        names,
        ["put", "list", "head", "head", "get"],
        "what one of them does inside is no span:\n{trace}"
    );
    let size = (LARGE + 3).to_string();
    for span in &spans {
        assert_eq!((span.kind.as_str(), &span.error), ("client", &None), "{trace}");
        assert_eq!(attribute(span, "url.scheme"), "file");
        assert_eq!(attribute(span, "pipeline.storage"), storage.to_string());
    }
    for moved in ["put", "get"] {
        let span = trace.named(moved).remove(0);
        assert_eq!(attribute(span, "file.path"), "a/b.csv");
        assert_eq!((attribute(span, "file.size"), attribute(span, "pipeline.bytes")), (&*size, &*size));
    }
    assert_eq!(attribute(trace.named("list").remove(0), "pipeline.files"), "1");
    assert_eq!(attribute(spans[2], "file.size"), size);
}

#[tokio::test]
async fn outside_of_a_trace_there_is_no_span() {
    let (_folder, storage) = storage();
    let recorder = Recorder::start().unwrap();
    let file = write(&storage, "a.csv", &[b"x"]).await.unwrap();
    read(&storage, &file).await.unwrap();
    storage.list("").await.unwrap();
    storage.info("a.csv").await.unwrap();
    let (root, recorded) = (storage.to_string(), recorder.spans());
    assert!(
        recorded.iter().all(|span| span.attributes.get("pipeline.storage") != Some(&root)),
        "{recorded:?}"
    );
}

#[tokio::test]
async fn a_failure_is_the_spans_status_with_its_cause() {
    let (folder, storage) = storage();
    let file = write(&storage, "a.csv", &[&[b'a'; 3]]).await.unwrap();
    let large = write(&storage, "large.csv", &[&vec![b'a'; LARGE]]).await.unwrap();
    let recorder = Recorder::start().unwrap();
    let ((), trace) = recorder
        .trace(async {
            fs::remove_file(folder.path().join("a.csv")).unwrap();
            read(&storage, &file).await.unwrap_err();
            let mut chunks = storage.read(&large).await.unwrap();
            chunks.try_next().await.unwrap();
            fs::remove_file(folder.path().join("large.csv")).unwrap();
            chunks.try_collect::<Vec<_>>().await.unwrap_err();
            write(&storage, "../out.csv", &[b"x"]).await.unwrap_err();
            storage.info("").await.unwrap_err();
        })
        .await;
    for (name, count, kind) in
        [("get", 2, "Conflict"), ("put", 1, "InvalidArgument"), ("head", 1, "InvalidArgument")]
    {
        let spans = trace.named(name);
        assert_eq!(spans.len(), count, "{trace}");
        for span in spans {
            assert_eq!(attribute(span, "error.type"), kind);
            assert_eq!(span.causes, [span.error.clone().unwrap()], "{trace}");
        }
    }
}

#[tokio::test]
async fn a_writer_that_is_dropped_does_not_pass_for_a_file() {
    let (_folder, storage) = storage();
    let recorder = Recorder::start().unwrap();
    let ((), trace) = recorder
        .trace(async {
            storage.write("begun.csv").write(b"half").await.unwrap();
            drop(storage.write("untouched.csv"));
        })
        .await;
    let [put] = trace.named("put")[..] else { panic!("{trace}") };
    assert_eq!((attribute(put, "file.path"), attribute(put, "pipeline.bytes")), ("begun.csv", "4"));
    assert_eq!(attribute(put, "error.type"), "abandoned");
    assert!(put.error.is_some() && !put.attributes.contains_key("file.size"), "{trace}");
}
