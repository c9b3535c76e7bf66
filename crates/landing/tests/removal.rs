//! Removing files and leftovers, on a local folder.
#![cfg(test)]

use std::{
    fs::{self, File},
    path::Path,
    time::SystemTime,
};

use landing::{FileInfo, Storage};
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

fn place(folder: &Path, path: &str) {
    let path = folder.join(path);
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    fs::write(path, "x").unwrap();
}

#[tokio::test]
async fn a_file_is_removed_once_and_its_empty_folder_with_it() {
    let (folder, storage) = storage();
    let file = write(&storage, "usage/2026-01-01/usage.json", b"1").await;
    write(&storage, "usage/2026-01-02/usage.json", b"2").await;
    assert!(storage.remove(&file).await.unwrap());
    assert!(!storage.remove(&file).await.unwrap());
    assert_eq!(storage.info(&file.path).await.unwrap(), None);
    assert!(!folder.path().join("usage/2026-01-01").exists());
    assert_eq!(storage.list("").await.unwrap().len(), 1);
    write(&storage, "usage/2026-01-01/usage.json", b"1").await;
}

#[tokio::test]
async fn a_file_that_was_replaced_since_stays() {
    let (_folder, storage) = storage();
    let listed = write(&storage, "usage.json", b"before").await;
    let now = write(&storage, "usage.json", b"after").await;
    assert!(!storage.remove(&listed).await.unwrap());
    assert_eq!(storage.info("usage.json").await.unwrap(), Some(now));
}

#[tokio::test]
async fn the_files_of_one_folder_are_listed_alone() {
    let (folder, storage) = storage();
    for path in ["usage/a/1.json", "usage/2.json", "usage_3.json", "crm/4.csv"] {
        place(folder.path(), path);
    }
    let paths: Vec<String> =
        storage.list_in("usage/").await.unwrap().into_iter().map(|file| file.path).collect();
    assert_eq!(paths, ["usage/2.json", "usage/a/1.json"]);
    assert_eq!(storage.list_in("missing").await.unwrap(), []);
}

#[tokio::test]
async fn what_a_killed_write_leaves_is_found_and_removed() {
    let (folder, storage) = storage();
    let mut writer = storage.write("usage/day.json");
    writer.write(&vec![b'x'; LARGE]).await.unwrap();
    // Like a killed process: nothing cleans up.
    std::mem::forget(writer);
    for path in ["usage/day.json", "usage/odd#name.json", "usage/#", "elsewhere/a.csv#1"] {
        place(folder.path(), path);
    }
    let found = storage.temporaries("usage").await.unwrap();
    let [temporary] = &found[..] else { panic!("{found:?}") };
    assert_eq!(temporary.path, "usage/day.json");
    assert!(temporary.size > 0);
    assert!(storage.list("").await.unwrap().iter().all(|file| !file.path.ends_with("#1")));
    assert!(storage.remove_temporary(temporary).await.unwrap());
    assert!(!storage.remove_temporary(temporary).await.unwrap());
    assert_eq!(storage.temporaries("usage").await.unwrap(), []);
    assert!(folder.path().join("usage/day.json").exists());
    assert_eq!(storage.temporaries("missing").await.unwrap(), []);
}

#[tokio::test]
async fn a_temporary_that_is_still_written_to_stays() {
    let (folder, storage) = storage();
    place(folder.path(), "usage/day.json#2");
    let found = storage.temporaries("usage").await.unwrap().swap_remove(0);
    let file = File::options().write(true).open(folder.path().join("usage/day.json#2")).unwrap();
    file.set_modified(SystemTime::UNIX_EPOCH).unwrap();
    assert!(!storage.remove_temporary(&found).await.unwrap());
    assert_eq!(storage.temporaries("usage").await.unwrap().len(), 1);
}
