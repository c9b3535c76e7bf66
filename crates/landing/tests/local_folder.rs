//! What storage guarantees, on a local folder.
#![cfg(test)]

use std::{ffi::OsStr, fs, os::unix::ffi::OsStrExt, path::Path, time::Duration};

use domain::FailureKind;
use futures::TryStreamExt;
use landing::{Error, FileInfo, Storage};
use tempfile::TempDir;

/// More than one part of a multipart upload.
const LARGE: usize = 6 * 1024 * 1024;

fn storage() -> (TempDir, Storage) {
    let folder = tempfile::tempdir().unwrap();
    let storage = Storage::open(&format!("file://{}/", folder.path().display())).unwrap();
    (folder, storage)
}

async fn write(storage: &Storage, path: &str, bytes: &[u8]) -> FileInfo {
    let mut writer = storage.write(path);
    writer.write(bytes).await.unwrap();
    writer.finish().await.unwrap()
}

async fn read(storage: &Storage, file: &FileInfo) -> Result<Vec<u8>, Error> {
    let chunks: Vec<_> = storage.read(file).await?.try_collect().await?;
    Ok(chunks.concat())
}

fn names_in(folder: &Path) -> Vec<String> {
    fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect()
}

#[tokio::test]
async fn a_finished_file_is_read_back_as_it_was_written() {
    let (_folder, storage) = storage();
    for size in [0, 1, LARGE] {
        let content: Vec<u8> = (0..=250).cycle().take(size).collect();
        let written = write(&storage, "product_usage/2026-01-01/usage.ndjson", &content).await;
        assert_eq!(written.size, size as u64);
        assert_eq!(storage.info(&written.path).await.unwrap(), Some(written.clone()));
        assert_eq!(storage.list("").await.unwrap(), std::slice::from_ref(&written));
        assert!(read(&storage, &written).await.unwrap() == content);
    }
}

#[tokio::test]
async fn an_unfinished_file_is_invisible_and_leaves_nothing_when_dropped() {
    let (folder, storage) = storage();
    let mut writer = storage.write("usage.ndjson");
    writer.write(&vec![b'x'; LARGE]).await.unwrap();
    assert_eq!(names_in(folder.path()).len(), 1, "the first part is on disk");
    assert_eq!(storage.list("").await.unwrap(), []);
    assert_eq!(storage.info("usage.ndjson").await.unwrap(), None);
    drop(writer);
    let emptied = async {
        while !names_in(folder.path()).is_empty() {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(10), emptied).await.expect("no litter");
}

#[tokio::test]
async fn a_dropped_writer_leaves_the_file_before_as_it_was() {
    let (_folder, storage) = storage();
    let before = write(&storage, "usage.ndjson", b"before").await;
    let mut writer = storage.write("usage.ndjson");
    writer.write(b"after").await.unwrap();
    drop(writer);
    assert_eq!(read(&storage, &before).await.unwrap(), b"before");
}

#[tokio::test]
async fn a_file_that_must_not_be_replaced_stays_as_it_was() {
    for size in [1, LARGE] {
        let (folder, storage) = storage();
        let finish = async |byte: u8| {
            let mut writer = storage.write("copy.csv");
            writer.write(&vec![byte; size]).await.unwrap();
            writer.finish_if_absent().await.unwrap()
        };
        let first = finish(b'1').await;
        assert_eq!(first.size, size as u64);
        assert_eq!(finish(b'2').await, first);
        assert!(read(&storage, &first).await.unwrap() == vec![b'1'; size]);
        assert_eq!(storage.list("").await.unwrap(), [first]);
        // Abandoned writes are cleaned up in the background.
        let tidy = async {
            while names_in(folder.path()).len() > 1 {
                tokio::time::sleep(Duration::from_millis(1)).await;
            }
        };
        tokio::time::timeout(Duration::from_secs(10), tidy).await.expect("no litter");
    }
}

#[tokio::test]
async fn a_file_that_was_replaced_or_removed_since_is_not_read() {
    let (folder, storage) = storage();
    let before = write(&storage, "a.csv", b"same length 1").await;
    let after = write(&storage, "a.csv", b"same length 2").await;
    assert_ne!(before.etag, after.etag);
    let error = read(&storage, &before).await.unwrap_err();
    assert_eq!(error.kind(), FailureKind::Conflict, "{error}");
    fs::remove_file(folder.path().join("a.csv")).unwrap();
    assert!(matches!(read(&storage, &after).await, Err(Error::Changed { .. })));
}

#[tokio::test]
async fn a_file_that_is_rewritten_in_place_while_it_is_read_is_noticed() {
    let (folder, storage) = storage();
    let file = write(&storage, "a.csv", &vec![b'a'; LARGE]).await;
    let mut chunks = storage.read(&file).await.unwrap();
    assert!(chunks.try_next().await.unwrap().is_some());
    fs::write(folder.path().join("a.csv"), vec![b'b'; LARGE]).unwrap();
    let outcome = chunks.try_collect::<Vec<_>>().await;
    assert!(matches!(outcome, Err(Error::Changed { .. })), "{:?}", outcome.map(|chunks| chunks.len()));
}

#[tokio::test]
async fn files_are_listed_by_path_with_their_suffix_in_any_case() {
    let (folder, storage) = storage();
    for path in ["b.CSV", "a/z.csv", "a/b/c.Csv", "a.txt", "csv"] {
        let path = folder.path().join(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, "x").unwrap();
    }
    let paths: Vec<String> = storage.list(".csv").await.unwrap().into_iter().map(|file| file.path).collect();
    assert_eq!(paths, ["a/b/c.Csv", "a/z.csv", "b.CSV"]);
}

#[tokio::test]
async fn odd_names_are_names_like_any_other() {
    let (folder, storage) = storage();
    let odd = ["a b.csv", "ä%20b.csv", "q?x#1.csv", "日本.csv", "{x}~[y].csv", "back\\slash.csv"];
    for name in odd {
        fs::write(folder.path().join(name), name).unwrap();
    }
    let listed = storage.list(".csv").await.unwrap();
    assert_eq!(listed.len(), odd.len());
    for file in listed {
        assert_eq!(read(&storage, &file).await.unwrap(), file.path.as_bytes());
        let copy = format!("copies/{}", file.path);
        assert_eq!(write(&storage, &copy, b"").await.path, copy);
    }
}

#[tokio::test]
async fn no_path_leads_out_of_the_root() {
    let (_folder, storage) = storage();
    for path in ["../outside.csv", "a/../../outside.csv", "", "/", "a//b"] {
        assert!(matches!(storage.info(path).await, Err(Error::Path { .. })), "{path:?}");
        let writer = storage.write(path);
        assert_eq!(writer.finish().await.unwrap_err().kind(), FailureKind::InvalidArgument, "{path:?}");
    }
}

#[tokio::test]
async fn a_missing_folder_is_created() {
    let parent = tempfile::tempdir().unwrap();
    let url = format!("file://{}/not/yet/there", parent.path().display());
    let storage = Storage::open(&url).unwrap();
    assert_eq!(storage.list(".csv").await.unwrap(), []);
    assert_eq!(storage.to_string(), url);
}

#[tokio::test]
async fn a_file_whose_name_cannot_be_used_is_reported_instead_of_skipped() {
    for name in [&b"a\xff.csv"[..], b"a\nb.csv"] {
        let (folder, storage) = storage();
        fs::write(folder.path().join(OsStr::from_bytes(name)), "").unwrap();
        let error = storage.list(".csv").await.unwrap_err();
        assert_eq!(error.kind(), FailureKind::InvalidInput);
        let message = error.to_string();
        assert!(message.contains("rename it") && message.contains(".csv"), "{message}");
        assert!(!message.contains('\n'), "{message:?}");
    }
}
