//! Secrets that cannot be printed.

use std::{fmt, fs, path::Path, str::FromStr};

use secrecy::{ExposeSecret, SecretString};

/// Printed in place of a secret.
const HIDDEN: &str = "[secret]";

/// A value that contains a secret. `Debug` shows that it exists, never what it is.
#[derive(Clone)]
pub struct Hidden<T>(T);

impl<T> Hidden<T> {
    /// Hides a value.
    #[must_use]
    pub const fn new(value: T) -> Self {
        Self(value)
    }

    /// The value itself, for the one place that must use it.
    #[must_use]
    pub const fn expose(&self) -> &T {
        &self.0
    }
}

impl<T> fmt::Debug for Hidden<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(HIDDEN)
    }
}

/// A secret: a token, or a URL that grants access. `Debug` and `Display` show that it
/// exists, never what it is.
#[derive(Clone)]
pub struct Secret(SecretString);

/// Why a secret could not be read.
#[derive(Debug, thiserror::Error)]
pub enum SecretError {
    /// The file cannot be read.
    #[error("cannot read the secret file {path}: {source}")]
    File {
        /// The file.
        path: String,
        /// The I/O error.
        source: std::io::Error,
    },
    /// The secret is empty.
    #[error("the secret {0} is empty")]
    Empty(String),
}

impl Secret {
    /// The secret itself, for the one place that must send it.
    #[must_use]
    pub fn expose(&self) -> &str {
        self.0.expose_secret()
    }
}

impl FromStr for Secret {
    type Err = SecretError;

    fn from_str(text: &str) -> Result<Self, SecretError> {
        let text = text.trim();
        if text.is_empty() { Err(SecretError::Empty("value".to_owned())) } else { Ok(Self(text.into())) }
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(HIDDEN)
    }
}

impl fmt::Display for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(HIDDEN)
    }
}

/// Reads a secret given directly, or else from a file, where Kubernetes mounts it;
/// surrounding white space is dropped.
///
/// # Errors
/// If the file cannot be read or is empty.
pub fn read_secret(direct: Option<&Secret>, file: Option<&Path>) -> Result<Option<Secret>, SecretError> {
    match (direct, file) {
        (Some(secret), _) => Ok(Some(secret.clone())),
        (None, Some(file)) => {
            let path = file.display().to_string();
            let text = fs::read_to_string(file)
                .map_err(|source| SecretError::File { path: path.clone(), source })?;
            text.parse().map(Some).map_err(|_| SecretError::Empty(path))
        }
        (None, None) => Ok(None),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_secret_never_prints_itself() {
        let secret: Secret = "hunter2".parse().unwrap();
        assert_eq!(format!("{secret} {secret:?}"), "[secret] [secret]");
        assert_eq!(secret.expose(), "hunter2");
        assert_eq!(format!("{:?}", Hidden::new("hunter2")), "[secret]");
    }
}
