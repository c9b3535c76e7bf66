//! Immutable copies of CRM exports. The CRM overwrites its files, so without
//! copies nobody could later see what was loaded, or load it again.

use anyhow::ensure;
use bytes::Bytes;
use futures::{Stream, TryStreamExt};
use landing::{Error, FileInfo, Storage};
use sha2::{Digest, Sha256};
use warehouse::SourceError;

/// The folder of copies, relative to the archive's root.
pub const ARCHIVE_FOLDER: &str = "crm/archive/";

/// Bytes of the hash that names a copy.
const NAME_BYTES: usize = 16;

/// Keeps a copy of every export, named by its path and content.
#[derive(Debug)]
pub(crate) struct Archive {
    storage: Storage,
}

impl Archive {
    /// An archive in `storage`, of exports in `sources`.
    ///
    /// # Errors
    /// If its copies would count as exports.
    pub(crate) fn new(storage: Storage, sources: &Storage) -> anyhow::Result<Self> {
        let copies = format!("{}{ARCHIVE_FOLDER}", folder(&storage));
        ensure!(
            !copies.starts_with(&folder(sources)),
            "the copies in {copies} would be read as exports, because they are below {sources}: \
             name another place, or a narrower --crm-url"
        );
        Ok(Self { storage })
    }

    /// Copies a file, read as `chunks`, unless this content already has a copy.
    /// The copy appears whole or not at all, and is never overwritten.
    ///
    /// # Errors
    /// If the file changed since it was listed, cannot be read to its end, or
    /// the copy cannot be written.
    pub(crate) async fn keep(
        &self,
        file: &FileInfo,
        mut chunks: impl Stream<Item = Result<Bytes, Error>> + Unpin,
    ) -> Result<FileInfo, Error> {
        let path = copy_path(file);
        if let Some(copy) = self.storage.info(&path).await? {
            return Ok(copy);
        }
        let mut copy = self.storage.write(&path);
        while let Some(chunk) = chunks.try_next().await? {
            copy.write(&chunk).await?;
        }
        copy.finish_if_absent().await
    }

    /// A copy from an earlier run; `None` if it is missing.
    ///
    /// # Errors
    /// If the storage fails.
    pub(crate) async fn find(&self, path: &str) -> Result<Option<FileInfo>, Error> {
        self.storage.info(path).await
    }

    /// Reads a copy in chunks, on demand.
    ///
    /// # Errors
    /// If the storage fails.
    pub(crate) async fn read(
        &self,
        copy: &FileInfo,
    ) -> Result<futures::stream::BoxStream<'static, Result<Bytes, Error>>, Error> {
        self.storage.read(copy).await
    }
}

/// A different entity tag means different content, but it may hold any
/// characters; its hash is a valid name in every store.
fn copy_path(file: &FileInfo) -> String {
    let content = hex::encode(&Sha256::digest(&file.etag)[..NAME_BYTES]);
    format!("{ARCHIVE_FOLDER}{}/{content}.csv", file.path)
}

/// Whether a file in the archive's storage is a copy of an export.
#[must_use]
pub fn is_archived_copy(path: &str) -> bool {
    original_path(path).is_some()
}

/// The path of the export that a file in the archive's storage is a copy of; `None` if it
/// is none.
pub(crate) fn original_path(path: &str) -> Option<&str> {
    let name = path.strip_prefix(ARCHIVE_FOLDER)?.strip_suffix(".csv")?;
    let (file, content) = name.rsplit_once('/')?;
    let is_hash = |byte: u8| matches!(byte, b'0'..=b'9' | b'a'..=b'f');
    let is_copy = !file.is_empty() && content.len() == 2 * NAME_BYTES && content.bytes().all(is_hash);
    is_copy.then_some(file)
}

/// A failure of the storage as one of the source.
pub(crate) fn source_failed(error: Error) -> warehouse::Error {
    SourceError { kind: error.kind(), message: error.to_string() }.into()
}

fn folder(storage: &Storage) -> String {
    format!("{}/", storage.to_string().trim_end_matches('/'))
}

#[cfg(test)]
mod tests {
    use std::fs;

    use domain::FailureKind;
    use futures::stream;
    use tempfile::TempDir;

    use super::*;

    fn storage(folder: &TempDir, name: &str) -> Storage {
        Storage::open(&format!("file://{}/{name}", folder.path().display())).unwrap()
    }

    fn archive() -> (TempDir, Archive) {
        let folder = tempfile::tempdir().unwrap();
        let archive = Archive::new(storage(&folder, "landing"), &storage(&folder, "crm/daily/")).unwrap();
        (folder, archive)
    }

    fn file(etag: &str) -> FileInfo {
        FileInfo {
            path: "2026/companies.csv".to_owned(),
            etag: etag.to_owned(),
            size: 3,
            modified: chrono::DateTime::UNIX_EPOCH,
        }
    }

    async fn kept(archive: &Archive, etag: &str, chunks: &[&'static str]) -> Result<FileInfo, Error> {
        let chunks = chunks.iter().map(|text| Ok(Bytes::from_static(text.as_bytes())));
        archive.keep(&file(etag), stream::iter(chunks)).await
    }

    #[tokio::test]
    async fn a_copy_is_named_after_path_and_content() {
        let (folder, archive) = archive();
        let first = kept(&archive, "0x8D", &["on", "e"]).await.unwrap();
        let second = kept(&archive, "\"W/odd\" ..\\", &["two"]).await.unwrap();
        assert_ne!(first.path, second.path);
        for (copy, content) in [(first, "one"), (second, "two")] {
            assert!(is_archived_copy(&copy.path), "{}", copy.path);
            assert_eq!(original_path(&copy.path), Some("2026/companies.csv"));
            let path = folder.path().join("landing").join(copy.path);
            assert_eq!(fs::read_to_string(path).unwrap(), content);
        }
    }

    #[test]
    fn other_files_are_no_copies() {
        let hash = "0123456789abcdef0123456789abcdef";
        assert!(is_archived_copy(&format!("crm/archive/a.csv/{hash}.csv")));
        for other in [
            format!("crm/daily/a.csv/{hash}.csv"),
            format!("crm/archive/{hash}.csv"),
            "crm/archive/companies_2026-01-01.csv".to_owned(),
            format!("crm/archive/a.csv/{hash}"),
            format!("crm/archive/a.csv/{}.csv", hash.to_uppercase()),
        ] {
            assert!(!is_archived_copy(&other), "{other}");
        }
    }

    #[tokio::test]
    async fn a_copy_is_never_overwritten() {
        let (_folder, archive) = archive();
        let first = kept(&archive, "1", &["one"]).await.unwrap();
        assert_eq!(kept(&archive, "1", &["other"]).await.unwrap(), first);
        let content: Vec<Bytes> = archive.read(&first).await.unwrap().try_collect().await.unwrap();
        assert_eq!(content.concat(), b"one");
    }

    #[tokio::test]
    async fn a_file_that_is_replaced_while_it_is_copied_leaves_no_copy() {
        let (_folder, archive) = archive();
        let changed = || Error::Changed { root: "file:///crm/".into(), path: "companies.csv".into() };
        // More than one part, so that something was sent before.
        let part = Bytes::from(vec![b'x'; 6 * 1024 * 1024]);
        let broken = stream::iter([Ok(part), Err(changed())]);
        let error = archive.keep(&file("1"), broken).await.unwrap_err();
        assert_eq!(error.kind(), FailureKind::Conflict);
        assert_eq!(archive.storage.list("").await.unwrap(), []);
        assert_eq!(kept(&archive, "1", &["one"]).await.unwrap().size, 3);
    }

    #[test]
    fn an_archive_within_the_exports_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        for (archive, sources) in [("data/", ""), ("data", "data/crm/"), ("data", "data/crm/archive")] {
            let refused = Archive::new(storage(&folder, archive), &storage(&folder, sources)).unwrap_err();
            assert!(refused.to_string().contains("would be read as exports"), "{refused}");
        }
        for (archive, sources) in [("data/", "data/crm/daily/"), ("data", "data/crm/arch"), ("a", "b")] {
            Archive::new(storage(&folder, archive), &storage(&folder, sources)).unwrap();
        }
    }
}
