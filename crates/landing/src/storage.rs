//! A root in an object store: list, look up, read.

use std::fmt;

use bytes::Bytes;
use futures::{StreamExt, TryStreamExt, future, stream, stream::BoxStream};
use object_store::{GetOptions, path::Path};

use crate::{
    atomic_writer::AtomicWriter,
    error::Error,
    file_info::{FileInfo, parse_path, unquoted},
    location::{self, Location},
    operation::Operation,
    reading::Reading,
    root::Root,
};

/// A root in an object store: a local folder, or a container and a prefix.
///
/// Paths are relative to it. Prints as its URL, never with credentials.
#[derive(Clone)]
pub struct Storage {
    root: Root,
}

impl Storage {
    /// Opens the storage that `url` names: `file:///folder/`, created if it is
    /// missing, or `az://container/folder/`. Does not connect yet.
    ///
    /// # Errors
    /// If the URL does not name a store, or the environment does not say how to reach it.
    pub fn open(url: &str) -> Result<Self, Error> {
        let Location { store, root, folder } = location::open(url)?;
        Ok(Self { root: Root::new(store, root, folder) })
    }

    /// All files below the root whose name ends in `suffix`, ignoring case, sorted by
    /// path. Files still being written are left out.
    ///
    /// # Errors
    /// If the store cannot be listed.
    pub async fn list(&self, suffix: &str) -> Result<Vec<FileInfo>, Error> {
        self.list_where(None, suffix).await
    }

    /// [`list`](Self::list) for the files below one folder; empty if the folder does not
    /// exist.
    ///
    /// # Errors
    /// If the store cannot be listed.
    pub async fn list_in(&self, folder: &str) -> Result<Vec<FileInfo>, Error> {
        self.list_where(Some(&parse_path(folder.trim_end_matches('/'))?), "").await
    }

    async fn list_where(&self, folder: Option<&Path>, suffix: &str) -> Result<Vec<FileInfo>, Error> {
        let operation = Operation::begin("list", self.root.url(), folder.map(AsRef::as_ref));
        let listed = async {
            self.root
                .store()
                .list(folder)
                .try_filter(|meta| future::ready(has_suffix(meta.location.as_ref(), suffix)))
                .map_ok(FileInfo::from)
                .try_collect()
                .await
                .map_err(|error| self.list_error(error))
        };
        let mut files: Vec<FileInfo> = operation.observe(listed).await?;
        operation.report_files(files.len());
        files.sort_unstable_by(|a, b| a.path.cmp(&b.path));
        Ok(files)
    }

    /// Looks one file up; `None` if it does not exist.
    ///
    /// # Errors
    /// If the store cannot be reached.
    pub async fn info(&self, path: &str) -> Result<Option<FileInfo>, Error> {
        let operation = Operation::begin("head", self.root.url(), Some(path));
        let found = operation.observe(self.root.look_up(path)).await?;
        if let Some(file) = &found {
            operation.report_size(file.size);
        }
        Ok(found)
    }

    /// Reads a file that was looked up before, in chunks on demand.
    ///
    /// # Errors
    /// [`Error::Changed`], at once or as the stream's last item, if the file has
    /// changed since the look-up; distrust the chunks before it.
    pub async fn read(&self, file: &FileInfo) -> Result<BoxStream<'static, Result<Bytes, Error>>, Error> {
        let operation = Operation::begin("get", self.root.url(), Some(&file.path));
        operation.report_size(file.size);
        let chunks = operation.observe(self.open_unchanged(file)).await?;
        Ok(Reading::new(chunks, operation).boxed())
    }

    async fn open_unchanged(
        &self,
        file: &FileInfo,
    ) -> Result<BoxStream<'static, Result<Bytes, Error>>, Error> {
        let path = parse_path(&file.path)?;
        let found = match self.root.store().get_opts(&path, GetOptions::default()).await {
            Ok(found) => found,
            Err(object_store::Error::NotFound { .. }) => return Err(self.root.changed(&file.path)),
            Err(error) => return Err(self.root.error(&file.path, error)),
        };
        // The etag comes with the content. Comparing it here is as strict as a
        // conditional request, and stores disagree about the quoting there.
        if unquoted(found.meta.e_tag.as_deref()) != file.etag {
            return Err(self.root.changed(&file.path));
        }
        let (storage, file) = (self.clone(), file.clone());
        let chunks = {
            let (root, file) = (storage.root.clone(), file.clone());
            found.into_stream().map_err(move |error| root.error(&file.path, error))
        };
        let verdict = stream::once(async move { storage.check_unchanged(&file).await })
            .filter_map(|verdict| future::ready(verdict.err().map(Err)));
        Ok(chunks.chain(verdict).boxed())
    }

    /// Starts writing a file, replacing an existing one. Nothing of it is visible
    /// before [`AtomicWriter::finish`].
    #[must_use]
    pub fn write(&self, path: &str) -> AtomicWriter {
        AtomicWriter::new(self.root.clone(), path.to_owned())
    }

    #[cfg(test)]
    pub(crate) fn on_azure(connection_string: &str, container: &str) -> Self {
        let builder = object_store::azure::MicrosoftAzureBuilder::new();
        let root = format!("az://{container}/");
        let store = crate::azure::build(builder, Some(connection_string), container, &root).unwrap();
        Self { root: Root::new(std::sync::Arc::new(store), root, None) }
    }

    /// A local file may be rewritten in place while it is read, which a check at the
    /// start cannot detect.
    async fn check_unchanged(&self, file: &FileInfo) -> Result<(), Error> {
        match self.root.look_up(&file.path).await? {
            Some(now) if now.etag == file.etag => Ok(()),
            _ => Err(self.root.changed(&file.path)),
        }
    }

    /// Skipping a file with an impossible name might lose an export, so someone has to
    /// rename it.
    fn list_error(&self, error: object_store::Error) -> Error {
        match error {
            object_store::Error::InvalidPath { source } => Error::FileName {
                root: self.root.url().to_owned(),
                problem: source.to_string().escape_debug().to_string(),
            },
            error => self.root.error("the files below it", error),
        }
    }

    pub(crate) const fn root(&self) -> &Root {
        &self.root
    }
}

impl fmt::Display for Storage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.root.url())
    }
}

impl fmt::Debug for Storage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Storage").field(&self.root.url()).finish()
    }
}

fn has_suffix(path: &str, suffix: &str) -> bool {
    path.len()
        .checked_sub(suffix.len())
        .and_then(|at| path.get(at..))
        .is_some_and(|end| end.eq_ignore_ascii_case(suffix))
}
