//! A root in an object store: list, look up, read.

use std::{
    fmt,
    path::{Path as FilePath, PathBuf},
    sync::Arc,
};

use bytes::Bytes;
use chrono::{DateTime, Utc};
use futures::{StreamExt, TryStreamExt, future, stream, stream::BoxStream};
use object_store::{GetOptions, ObjectMeta, ObjectStore, ObjectStoreExt, path::Path};

use crate::{
    AtomicWriter, Error,
    location::{self, Location},
    operation::Operation,
    reading::Reading,
};

/// A root in an object store: a local folder, or a container and a prefix.
///
/// Paths are relative to it. Prints as its URL, never with credentials.
#[derive(Clone)]
pub struct Storage {
    store: Arc<dyn ObjectStore>,
    root: Arc<str>,
    folder: Option<Arc<PathBuf>>,
}

/// A file as it was when it was looked up.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FileInfo {
    /// Relative to the storage's root, separated by `/`.
    pub path: String,
    /// The entity tag, without quotes: another one means other content.
    pub etag: String,
    /// The size in bytes.
    pub size: u64,
    /// When it was last written.
    pub modified: DateTime<Utc>,
}

impl Storage {
    /// Opens the storage that `url` names: `file:///folder/`, created if it is
    /// missing, or `az://container/folder/`. Does not connect yet.
    ///
    /// # Errors
    /// If the URL names no store, or the environment does not say how to reach it.
    pub fn open(url: &str) -> Result<Self, Error> {
        let Location { store, root, folder } = location::open(url)?;
        Ok(Self { store, root: root.into(), folder: folder.map(Arc::new) })
    }

    /// All files below the root whose name ends in `suffix`, in whichever case,
    /// sorted by path. Files that are still being written are not among them.
    ///
    /// # Errors
    /// If the store cannot be listed.
    pub async fn list(&self, suffix: &str) -> Result<Vec<FileInfo>, Error> {
        self.list_where(None, suffix).await
    }

    /// [`list`](Self::list) of the files below one folder; none if there is no such folder.
    ///
    /// # Errors
    /// If the store cannot be listed.
    pub async fn list_in(&self, folder: &str) -> Result<Vec<FileInfo>, Error> {
        self.list_where(Some(&parse_path(folder.trim_end_matches('/'))?), "").await
    }

    async fn list_where(&self, folder: Option<&Path>, suffix: &str) -> Result<Vec<FileInfo>, Error> {
        let operation = Operation::begin("list", &self.root, folder.map(AsRef::as_ref));
        let listed = async {
            self.store
                .list(folder)
                .try_filter(|meta| future::ready(has_suffix(meta.location.as_ref(), suffix)))
                .map_ok(FileInfo::from)
                .try_collect()
                .await
                .map_err(|error| self.list_error(error))
        };
        let mut files: Vec<FileInfo> = operation.observe(listed).await?;
        operation.tell_files(files.len());
        files.sort_unstable_by(|a, b| a.path.cmp(&b.path));
        Ok(files)
    }

    /// Looks one file up; `None` if there is none.
    ///
    /// # Errors
    /// If the store cannot be asked.
    pub async fn info(&self, path: &str) -> Result<Option<FileInfo>, Error> {
        let operation = Operation::begin("head", &self.root, Some(path));
        let found = operation.observe(self.look_up(path)).await?;
        if let Some(file) = &found {
            operation.tell_size(file.size);
        }
        Ok(found)
    }

    /// [`info`](Self::info) as a part of another operation.
    pub(crate) async fn look_up(&self, path: &str) -> Result<Option<FileInfo>, Error> {
        match self.store.head(&parse_path(path)?).await {
            Ok(meta) => Ok(Some(meta.into())),
            Err(object_store::Error::NotFound { .. }) => Ok(None),
            Err(error) => Err(self.error(path, error)),
        }
    }

    /// Reads a file that was looked up before, in chunks as they are asked for.
    ///
    /// # Errors
    /// [`Error::Changed`], at once or as the stream's last item, if the file is
    /// no longer the one that was looked up; do not believe what came before.
    pub async fn read(&self, file: &FileInfo) -> Result<BoxStream<'static, Result<Bytes, Error>>, Error> {
        let operation = Operation::begin("get", &self.root, Some(&file.path));
        operation.tell_size(file.size);
        let chunks = operation.observe(self.open_unchanged(file)).await?;
        Ok(Reading::new(chunks, operation).boxed())
    }

    async fn open_unchanged(
        &self,
        file: &FileInfo,
    ) -> Result<BoxStream<'static, Result<Bytes, Error>>, Error> {
        let path = parse_path(&file.path)?;
        let found = match self.store.get_opts(&path, GetOptions::default()).await {
            Ok(found) => found,
            Err(object_store::Error::NotFound { .. }) => return Err(self.changed(&file.path)),
            Err(error) => return Err(self.error(&file.path, error)),
        };
        // The etag comes with the content. Comparing it here is as strict as a
        // conditional request, whose quoting the stores do not agree on.
        if unquoted(found.meta.e_tag.as_deref()) != file.etag {
            return Err(self.changed(&file.path));
        }
        let (storage, file) = (self.clone(), file.clone());
        let chunks = {
            let (storage, file) = (storage.clone(), file.clone());
            found.into_stream().map_err(move |error| storage.error(&file.path, error))
        };
        let verdict = stream::once(async move { storage.check_unchanged(&file).await })
            .filter_map(|verdict| future::ready(verdict.err().map(Err)));
        Ok(chunks.chain(verdict).boxed())
    }

    /// Begins to write a file, replacing the one that is there. Nobody sees any
    /// of it before [`AtomicWriter::finish`].
    #[must_use]
    pub fn write(&self, path: &str) -> AtomicWriter {
        AtomicWriter::new(self.clone(), path.to_owned())
    }

    #[cfg(test)]
    pub(crate) fn on_azure(connection_string: &str, container: &str) -> Self {
        let builder = object_store::azure::MicrosoftAzureBuilder::new();
        let root = format!("az://{container}/");
        let store = crate::azure::build(builder, Some(connection_string), container, &root).unwrap();
        Self { store: Arc::new(store), root: root.into(), folder: None }
    }

    /// A local file may be rewritten in place while it is read, which no check
    /// at the beginning can notice.
    async fn check_unchanged(&self, file: &FileInfo) -> Result<(), Error> {
        match self.look_up(&file.path).await? {
            Some(now) if now.etag == file.etag => Ok(()),
            _ => Err(self.changed(&file.path)),
        }
    }

    /// Skipping a file whose name no path can have might lose an export, so that
    /// somebody has to rename it.
    fn list_error(&self, error: object_store::Error) -> Error {
        match error {
            object_store::Error::InvalidPath { source } => Error::FileName {
                root: self.root.to_string(),
                problem: source.to_string().escape_debug().to_string(),
            },
            error => self.error("the files below it", error),
        }
    }

    pub(crate) fn store(&self) -> &dyn ObjectStore {
        &*self.store
    }

    /// The folder of this machine that it is, if it is one.
    pub(crate) fn folder(&self) -> Option<&FilePath> {
        self.folder.as_deref().map(PathBuf::as_path)
    }

    pub(crate) fn root(&self) -> &str {
        &self.root
    }

    pub(crate) fn error(&self, path: &str, error: object_store::Error) -> Error {
        Error::from_store(&self.root, path, error)
    }

    pub(crate) fn changed(&self, path: &str) -> Error {
        Error::Changed { root: self.root.to_string(), path: path.to_owned() }
    }
}

impl fmt::Display for Storage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.root)
    }
}

impl fmt::Debug for Storage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // The store's own Debug prints its credentials.
        f.debug_tuple("Storage").field(&self.root).finish()
    }
}

impl From<ObjectMeta> for FileInfo {
    fn from(meta: ObjectMeta) -> Self {
        Self {
            path: meta.location.to_string(),
            etag: unquoted(meta.e_tag.as_deref()).to_owned(),
            size: meta.size,
            modified: meta.last_modified,
        }
    }
}

pub(crate) fn parse_path(path: &str) -> Result<Path, Error> {
    let problem = |problem: String| Error::Path { path: path.to_owned(), problem };
    let parsed = Path::parse(path).map_err(|error| problem(error.to_string()))?;
    if parsed.as_ref().is_empty() { Err(problem("it is empty".to_owned())) } else { Ok(parsed) }
}

/// Azure quotes entity tags in headers, but not in listings.
pub(crate) fn unquoted(etag: Option<&str>) -> &str {
    etag.unwrap_or_default().trim_matches('"')
}

fn has_suffix(path: &str, suffix: &str) -> bool {
    path.len()
        .checked_sub(suffix.len())
        .and_then(|at| path.get(at..))
        .is_some_and(|end| end.eq_ignore_ascii_case(suffix))
}
