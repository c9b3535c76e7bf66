//! The folder in which a standalone process keeps everything.

use std::{
    fs::{self, File, TryLockError},
    path::{Path, PathBuf},
};

use anyhow::Context as _;
use clap::Args;
use url::Url;

const LOCK_FILE: &str = "standalone.lock";

/// Where the data folder is.
#[derive(Debug, Clone, Args)]
#[group(skip)]
pub struct DataFolderArgs {
    /// The folder in which `activityctl standalone` keeps everything that has no other place
    #[arg(long, env = "DATA_DIR", value_name = "DIR")]
    pub data_dir: Option<PathBuf>,
}

/// A data folder, held exclusively by this process while the value lives.
#[derive(Debug)]
pub struct DataFolder {
    root: PathBuf,
    /// The operating system releases the lock with the file, even after a crash.
    _lock: File,
}

impl DataFolder {
    /// Creates the folder as needed and locks it.
    ///
    /// # Errors
    /// If it cannot be created, or another process holds it.
    pub fn open(path: &Path) -> anyhow::Result<Self> {
        let shown = path.display();
        fs::create_dir_all(path).with_context(|| format!("cannot create the data folder {shown}"))?;
        let root = path.canonicalize().with_context(|| format!("cannot open the data folder {shown}"))?;
        let lock = File::create(root.join(LOCK_FILE))
            .with_context(|| format!("cannot write to the data folder {shown}"))?;
        match lock.try_lock() {
            Ok(()) => Ok(Self { root, _lock: lock }),
            Err(TryLockError::WouldBlock) => anyhow::bail!(
                "the data folder {shown} is in use by another process: stop that one, or choose another folder with --data-dir"
            ),
            Err(TryLockError::Error(error)) => {
                Err(error).with_context(|| format!("cannot lock the data folder {shown}"))
            }
        }
    }

    /// The folder itself, absolute.
    #[must_use]
    pub fn root(&self) -> &Path {
        &self.root
    }

    /// The URL of the embedded warehouse.
    ///
    /// # Errors
    /// Never in practice: the root is absolute.
    pub fn warehouse_url(&self) -> anyhow::Result<String> {
        // `from_file_path` escapes the path as the engine expects it.
        let file = Url::from_file_path(self.root.join("warehouse.sqlite"));
        Ok(format!("sqlite://{}", file.map_err(|()| self.no_url())?.path()))
    }

    /// The URL of a subfolder.
    ///
    /// # Errors
    /// Never in practice: the root is absolute.
    pub fn folder_url(&self, folder: &str) -> anyhow::Result<String> {
        Ok(Url::from_directory_path(self.root.join(folder)).map_err(|()| self.no_url())?.to_string())
    }

    fn no_url(&self) -> anyhow::Error {
        anyhow::anyhow!("the data folder {} has no URL", self.root.display())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_folder_belongs_to_one_process_at_a_time() {
        let parent = tempfile::tempdir().unwrap();
        let path = parent.path().join("new/data");
        let first = DataFolder::open(&path).unwrap();
        let message = DataFolder::open(&path).unwrap_err().to_string();
        assert!(message.contains("in use by another process"), "{message}");
        drop(first);
        DataFolder::open(&path).unwrap();
    }

    #[test]
    fn urls_escape_what_a_path_may_hold() {
        let parent = tempfile::tempdir().unwrap();
        let folder = DataFolder::open(&parent.path().join("my data?")).unwrap();
        let landing = folder.folder_url("landing").unwrap();
        assert!(landing.starts_with("file:///") && landing.ends_with("/my%20data%3F/landing/"), "{landing}");
        let warehouse = folder.warehouse_url().unwrap();
        assert!(warehouse.starts_with("sqlite:///"), "{warehouse}");
        assert!(warehouse.ends_with("/my%20data%3F/warehouse.sqlite"), "{warehouse}");
    }
}
