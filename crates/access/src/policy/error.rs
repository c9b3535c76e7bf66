//! What is wrong with a policy, and where.

use std::{fmt, path::Path};

/// Why a policy, or a file that it names, cannot be used.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PolicyError {
    file: String,
    /// Line and column, from 1.
    place: Option<(u64, u64)>,
    message: String,
}

impl PolicyError {
    pub(crate) fn new(file: &Path, message: impl Into<String>) -> Self {
        Self { file: file.display().to_string(), place: None, message: message.into() }
    }

    pub(crate) fn at(file: &Path, line: u64, column: u64, message: impl Into<String>) -> Self {
        Self { place: Some((line, column)), ..Self::new(file, message) }
    }
}

impl fmt::Display for PolicyError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.file)?;
        if let Some((line, column)) = self.place {
            write!(f, ":{line}:{column}")?;
        }
        write!(f, ": {}", self.message)
    }
}

impl std::error::Error for PolicyError {}
