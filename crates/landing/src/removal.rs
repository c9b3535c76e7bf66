//! Removes files, and what killed writes left behind.
//!
//! In a local folder, a killed write leaves its temporary, `name#1`, which listings do
//! not show. In Azure it leaves uncommitted blocks, which vanish by themselves after a
//! week.

use std::{
    fs, io,
    path::{Path, PathBuf},
};

use chrono::{DateTime, Utc};
use object_store::ObjectStoreExt;

use crate::{
    error::Error,
    file_info::{FileInfo, parse_path},
    operation::Operation,
    storage::Storage,
};

/// The remains of a write that was killed or is still running.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Temporary {
    /// The path of the intended file.
    pub path: String,
    /// Its size in bytes.
    pub size: u64,
    /// When it was last written to.
    pub modified: DateTime<Utc>,
    location: PathBuf,
}

impl Storage {
    /// Removes a file that was looked up before, and returns whether it was removed: a
    /// file replaced since then stays.
    ///
    /// No store that we know has a conditional removal, so the file is looked up again
    /// just before. A writer that replaces it between the two gets [`Error::Changed`]
    /// and has to write it again.
    ///
    /// # Errors
    /// If the store cannot be reached, or does not remove it.
    pub async fn remove(&self, file: &FileInfo) -> Result<bool, Error> {
        let operation = Operation::begin("delete", self.root().url(), Some(&file.path));
        let removed = async {
            if self.root().look_up(&file.path).await?.as_ref().is_none_or(|now| now.etag != file.etag) {
                return Ok(false);
            }
            match self.root().store().delete(&parse_path(&file.path)?).await {
                Ok(()) => Ok(true),
                Err(object_store::Error::NotFound { .. }) => Ok(false),
                Err(error) => Err(self.root().error(&file.path, error)),
            }
        };
        operation.observe(removed).await
    }

    /// Temporaries below a folder, with the paths of the intended files. None for a
    /// store that cleans up by itself.
    ///
    /// # Errors
    /// If the folder cannot be read.
    pub async fn temporaries(&self, folder: &str) -> Result<Vec<Temporary>, Error> {
        let Some(root) = self.root().folder().map(Path::to_owned) else { return Ok(vec![]) };
        let below = root.join(parse_path(folder.trim_end_matches('/'))?.as_ref());
        let found = blocking(move || {
            let mut found = Vec::new();
            collect(&root, &below, &mut found)?;
            Ok(found)
        });
        let mut found = found.await.map_err(|error| self.file_error(folder, error))?;
        found.sort_unstable_by(|a, b| a.location.cmp(&b.location));
        Ok(found)
    }

    /// Removes a temporary, and returns whether it was removed: one written to since
    /// then stays.
    ///
    /// # Errors
    /// If it cannot be removed.
    pub async fn remove_temporary(&self, temporary: &Temporary) -> Result<bool, Error> {
        let known = temporary.clone();
        let removed = blocking(move || {
            let now = fs::metadata(&known.location)?;
            let modified: DateTime<Utc> = now.modified()?.into();
            let is_known = (now.len(), modified) == (known.size, known.modified);
            if is_known {
                fs::remove_file(&known.location)?;
            }
            Ok(is_known)
        });
        match removed.await {
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(false),
            removed => removed.map_err(|error| self.file_error(&temporary.path, error)),
        }
    }

    fn file_error(&self, path: &str, error: io::Error) -> Error {
        self.root().error(path, object_store::Error::Generic { store: "folder", source: error.into() })
    }
}

async fn blocking<T: Send + 'static>(work: impl FnOnce() -> io::Result<T> + Send + 'static) -> io::Result<T> {
    tokio::task::spawn_blocking(work).await.map_err(io::Error::other)?
}

fn collect(root: &Path, folder: &Path, found: &mut Vec<Temporary>) -> io::Result<()> {
    let entries = match fs::read_dir(folder) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        entries => entries?,
    };
    for entry in entries {
        let entry = entry?;
        let (location, kind) = (entry.path(), entry.file_type()?);
        if kind.is_dir() {
            collect(root, &location, found)?;
        } else if kind.is_file()
            && let Some(path) = intended(root, &location)
        {
            // Its writer may just have finished.
            match entry.metadata() {
                Ok(meta) => {
                    let modified = meta.modified()?.into();
                    found.push(Temporary { path, size: meta.len(), modified, location });
                }
                Err(error) if error.kind() == io::ErrorKind::NotFound => {}
                Err(error) => return Err(error),
            }
        }
    }
    Ok(())
}

/// The path of the file that a temporary was meant for; `None` if it is not a
/// temporary. The number that `object_store` appends identifies ours.
fn intended(root: &Path, location: &Path) -> Option<String> {
    let (path, number) = location.strip_prefix(root).ok()?.to_str()?.rsplit_once('#')?;
    let is_number = !number.is_empty() && number.bytes().all(|byte| byte.is_ascii_digit());
    is_number.then(|| path.to_owned())
}
