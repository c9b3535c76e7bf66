//! Why the stage failed.

use std::fmt;

use domain::FailureKind;
use runtime::stage::StageError;

use crate::loader::Refused;

/// How many refused files are named: the message travels in gRPC trailers, which are
/// small.
const NAMED_FILES: usize = 10;

/// Why the stage failed.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// Some files were refused; all others are loaded.
    #[error("{0}")]
    Refused(RefusedFiles),
    /// The storage with the files failed.
    #[error(transparent)]
    Storage(#[from] landing::Error),
    /// The warehouse failed.
    #[error(transparent)]
    Warehouse(#[from] warehouse_core::Error),
}

/// Files that were refused, each as a whole.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RefusedFiles {
    /// The plural of what people call such files.
    pub plural: &'static str,
    /// The files and their problems.
    pub refused: Vec<Refused>,
    /// Total number of files.
    pub files: usize,
}

impl fmt::Display for RefusedFiles {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { plural, refused, files } = self;
        let count: usize = refused.iter().map(|refused| refused.files).sum();
        write!(f, "{count} of {files} {plural} refused, the others are loaded")?;
        for Refused { problem, .. } in refused.iter().take(NAMED_FILES) {
            write!(f, "; {problem}")?;
        }
        match refused.len().checked_sub(NAMED_FILES) {
            None | Some(0) => Ok(()),
            Some(more) => write!(f, "; and {more} more"),
        }
    }
}

impl Error {
    /// The kind of failure, for retries and status codes.
    #[must_use]
    pub const fn kind(&self) -> FailureKind {
        match self {
            Self::Refused(_) => FailureKind::InvalidInput,
            Self::Storage(error) => error.kind(),
            Self::Warehouse(error) => error.kind(),
        }
    }
}

impl From<Error> for StageError {
    fn from(error: Error) -> Self {
        Self { kind: error.kind(), message: error.to_string(), retry_after: None }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refused(count: usize) -> Error {
        let refused = (1..=count)
            .map(|number| Refused { files: 1, problem: format!("{number}.csv, line 1: bad") })
            .collect();
        Error::Refused(RefusedFiles { plural: "CRM exports", refused, files: 20 })
    }

    #[test]
    fn every_failure_reaches_the_coordinator_as_its_kind() {
        let changed = landing::Error::Changed { root: "file:///crm/".into(), path: "a.csv".into() };
        for (error, kind) in [
            (refused(1), FailureKind::InvalidInput),
            (Error::Storage(changed), FailureKind::Conflict),
            (
                Error::Warehouse(warehouse_core::Error::Precondition("x".into())),
                FailureKind::FailedPrecondition,
            ),
        ] {
            let message = error.to_string();
            assert_eq!(StageError::from(error), StageError { kind, message, retry_after: None });
        }
    }

    #[test]
    fn refused_files_are_named_up_to_a_number_that_fits_a_message() {
        assert_eq!(
            refused(2).to_string(),
            "2 of 20 CRM exports refused, the others are loaded; 1.csv, line 1: bad; 2.csv, line 1: bad"
        );
        assert!(refused(12).to_string().ends_with("10.csv, line 1: bad; and 2 more"));
    }
}
