//! Files by path, and what a store knows of them.

use chrono::{DateTime, Utc};
use object_store::{ObjectMeta, path::Path};

use crate::error::Error;

/// A file as it was when looked up.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FileInfo {
    /// Relative to the storage's root, separated by `/`.
    pub path: String,
    /// The entity tag, without quotes: a different tag means different content.
    pub etag: String,
    /// The size in bytes.
    pub size: u64,
    /// When it was last written.
    pub modified: DateTime<Utc>,
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
