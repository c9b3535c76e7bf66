//! The root of a storage: its store, and how it fails.

use std::{
    fmt,
    path::{Path, PathBuf},
    sync::Arc,
};

use object_store::{ObjectStore, ObjectStoreExt};

use crate::{
    error::Error,
    file_info::{FileInfo, parse_path},
};

/// A store, rooted where a URL points.
#[derive(Clone)]
pub(crate) struct Root {
    store: Arc<dyn ObjectStore>,
    url: Arc<str>,
    folder: Option<Arc<PathBuf>>,
}

impl Root {
    pub(crate) fn new(store: Arc<dyn ObjectStore>, url: String, folder: Option<PathBuf>) -> Self {
        Self { store, url: url.into(), folder: folder.map(Arc::new) }
    }

    /// Looks a file up; `None` if it does not exist.
    pub(crate) async fn look_up(&self, path: &str) -> Result<Option<FileInfo>, Error> {
        match self.store.head(&parse_path(path)?).await {
            Ok(meta) => Ok(Some(meta.into())),
            Err(object_store::Error::NotFound { .. }) => Ok(None),
            Err(error) => Err(self.error(path, error)),
        }
    }

    pub(crate) fn store(&self) -> &dyn ObjectStore {
        &*self.store
    }

    /// Its folder, if it is on this machine.
    pub(crate) fn folder(&self) -> Option<&Path> {
        self.folder.as_deref().map(PathBuf::as_path)
    }

    /// Its name for people.
    pub(crate) fn url(&self) -> &str {
        &self.url
    }

    pub(crate) fn error(&self, path: &str, error: object_store::Error) -> Error {
        Error::from_store(&self.url, path, error)
    }

    pub(crate) fn changed(&self, path: &str) -> Error {
        Error::Changed { root: self.url.to_string(), path: path.to_owned() }
    }
}

impl fmt::Debug for Root {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // The store's own Debug prints its credentials.
        f.debug_tuple("Root").field(&self.url).finish()
    }
}
