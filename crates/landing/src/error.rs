//! What can go wrong in object storage.

use std::{error::Error as StdError, io};

use domain::FailureKind;
use object_store::client::{HttpError, HttpErrorKind};

type Source = Box<dyn StdError + Send + Sync>;

/// What can go wrong in object storage.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// A storage URL that is not of a supported kind.
    #[error("the storage URL {url} cannot be used: {problem}")]
    Url {
        /// The URL, without user name, password and query.
        url: String,
        /// What is wrong with the URL, and how it should look.
        problem: String,
    },
    /// The environment does not say how to reach the store.
    #[error("the storage {root} is not configured: {problem}")]
    Configuration {
        /// The storage.
        root: String,
        /// What is missing or wrong.
        problem: String,
    },
    /// A path that cannot name a file.
    #[error("{path:?} is no path of a file: {problem}")]
    Path {
        /// The path.
        path: String,
        /// What is wrong with the path.
        problem: String,
    },
    /// A file in the store has a name that cannot be represented.
    #[error("{root} holds a file whose name cannot be used, rename it: {problem}")]
    FileName {
        /// The storage.
        root: String,
        /// Which name, and what is wrong with it.
        problem: String,
    },
    /// A file was replaced, changed or removed since it was looked up.
    /// Transient: look it up again.
    #[error("{path} in {root} was replaced or removed while it was in use; try again")]
    Changed {
        /// The storage.
        root: String,
        /// The file.
        path: String,
    },
    /// The container or the file does not exist.
    #[error("{root} does not have {path}: {source}")]
    NotFound {
        /// The storage.
        root: String,
        /// The requested path.
        path: String,
        /// What the store said.
        source: Source,
    },
    /// The store refused our credentials, or the file system our user.
    #[error("{root} refuses access to {path}: {source}")]
    Denied {
        /// The storage.
        root: String,
        /// The requested path.
        path: String,
        /// What the store said.
        source: Source,
    },
    /// The store does not understand our request.
    #[error("{root} does not accept the request for {path}: {source}")]
    NotAccepted {
        /// The storage.
        root: String,
        /// The requested path.
        path: String,
        /// What the store said.
        source: Source,
    },
    /// The store has no room left. Transient.
    #[error("{root} is full, cannot write {path}: {source}")]
    Full {
        /// The storage.
        root: String,
        /// What was to be written.
        path: String,
        /// What the store said.
        source: Source,
    },
    /// The store did not answer in time. Transient.
    #[error("{root} did not answer in time for {path}: {source}")]
    TimedOut {
        /// The storage.
        root: String,
        /// The requested path.
        path: String,
        /// What happened.
        source: Source,
    },
    /// The store is unreachable or failing. Transient.
    #[error("{root} is unavailable for {path}: {source}")]
    Unavailable {
        /// The storage.
        root: String,
        /// The requested path.
        path: String,
        /// What happened.
        source: Source,
    },
    /// The local file system failed.
    #[error("{root} failed for {path}: {source}")]
    FileSystem {
        /// The storage.
        root: String,
        /// The requested path.
        path: String,
        /// What happened.
        source: Source,
    },
}

impl Error {
    /// The kind of failure, for retries and status codes.
    #[must_use]
    pub const fn kind(&self) -> FailureKind {
        match self {
            Self::Url { .. } | Self::Path { .. } => FailureKind::InvalidArgument,
            Self::FileName { .. } => FailureKind::InvalidInput,
            Self::Configuration { .. } | Self::NotAccepted { .. } => FailureKind::FailedPrecondition,
            Self::Changed { .. } => FailureKind::Conflict,
            Self::NotFound { .. } => FailureKind::NotFound,
            Self::Denied { .. } => FailureKind::Unauthenticated,
            Self::Full { .. } => FailureKind::Exhausted,
            Self::TimedOut { .. } => FailureKind::TimedOut,
            Self::Unavailable { .. } => FailureKind::Unavailable,
            Self::FileSystem { .. } => FailureKind::Internal,
        }
    }

    /// Converts a store's error, met while working on `path` below `root`.
    pub(crate) fn from_store(root: &str, path: &str, error: object_store::Error) -> Self {
        let (root, path) = (root.to_owned(), path.to_owned());
        let cause = Cause::of(&error);
        match error {
            object_store::Error::NotFound { source, .. } => Self::NotFound { root, path, source },
            object_store::Error::PermissionDenied { source, .. }
            | object_store::Error::Unauthenticated { source, .. } => Self::Denied { root, path, source },
            object_store::Error::InvalidPath { source } => Self::Path { path, problem: source.to_string() },
            object_store::Error::Precondition { .. } | object_store::Error::AlreadyExists { .. } => {
                Self::Changed { root, path }
            }
            other => {
                let source = other.into();
                match cause {
                    Cause::Missing => Self::NotFound { root, path, source },
                    Cause::AccessDenied => Self::Denied { root, path, source },
                    Cause::NotAccepted => Self::NotAccepted { root, path, source },
                    Cause::NoSpace => Self::Full { root, path, source },
                    Cause::Timeout => Self::TimedOut { root, path, source },
                    Cause::FileSystem => Self::FileSystem { root, path, source },
                    Cause::Network => Self::Unavailable { root, path, source },
                }
            }
        }
    }
}

/// The root cause of an error that the store does not classify.
enum Cause {
    Missing,
    AccessDenied,
    NotAccepted,
    NoSpace,
    Timeout,
    FileSystem,
    Network,
}

impl Cause {
    fn of(error: &(dyn StdError + 'static)) -> Self {
        // Outermost first, so that the I/O error inside a failed request does not count
        // as one of the file system.
        let mut next = Some(error);
        while let Some(error) = next {
            if let Some(error) = error.downcast_ref::<HttpError>() {
                return if error.kind() == HttpErrorKind::Timeout { Self::Timeout } else { Self::Network };
            }
            if let Some(error) = error.downcast_ref::<io::Error>() {
                return match error.kind() {
                    io::ErrorKind::PermissionDenied => Self::AccessDenied,
                    io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => Self::NoSpace,
                    _ => Self::FileSystem,
                };
            }
            if let Some(status) = http_status(error) {
                return match status {
                    404 => Self::Missing,
                    401 | 403 => Self::AccessDenied,
                    // The request was too slow, or there were too many.
                    408 | 429 => Self::Network,
                    400..=499 => Self::NotAccepted,
                    _ => Self::Network,
                };
            }
            next = error.source();
        }
        Self::Network
    }
}

/// The status of a failed response. `object_store` maps it in most places, but not in
/// listings, and its type with the status is private.
fn http_status(error: &(dyn StdError + 'static)) -> Option<u16> {
    error.to_string().strip_prefix("Server returned non-2xx status code: ")?.get(..3)?.parse().ok()
}

#[cfg(test)]
mod tests {
    use tokio::{
        io::{AsyncReadExt, AsyncWriteExt},
        net::TcpListener,
    };

    use super::*;
    use crate::storage::Storage;

    fn generic(source: impl StdError + Send + Sync + 'static) -> object_store::Error {
        object_store::Error::Generic { store: "test", source: Box::new(source) }
    }

    fn kind_of(error: object_store::Error) -> FailureKind {
        Error::from_store("az://raw", "a.csv", error).kind()
    }

    #[test]
    fn trouble_of_the_store_is_transient_and_refusals_are_not() {
        let io_error = |kind| generic(io::Error::from(kind));
        let http_error = |kind| generic(HttpError::new(kind, io::Error::from(io::ErrorKind::TimedOut)));
        for (error, expected) in [
            (io_error(io::ErrorKind::PermissionDenied), FailureKind::Unauthenticated),
            (io_error(io::ErrorKind::StorageFull), FailureKind::Exhausted),
            (io_error(io::ErrorKind::InvalidData), FailureKind::Internal),
            (http_error(HttpErrorKind::Timeout), FailureKind::TimedOut),
            (http_error(HttpErrorKind::Connect), FailureKind::Unavailable),
            (generic(std::fmt::Error), FailureKind::Unavailable),
        ] {
            assert_eq!(kind_of(error), expected);
        }
    }

    #[test]
    fn answers_of_the_store_keep_their_meaning() {
        let source = || Box::new(std::fmt::Error);
        let path = || "a.csv".to_owned();
        for (error, expected) in [
            (object_store::Error::NotFound { path: path(), source: source() }, FailureKind::NotFound),
            (
                object_store::Error::PermissionDenied { path: path(), source: source() },
                FailureKind::Unauthenticated,
            ),
            (
                object_store::Error::Unauthenticated { path: path(), source: source() },
                FailureKind::Unauthenticated,
            ),
            (object_store::Error::Precondition { path: path(), source: source() }, FailureKind::Conflict),
        ] {
            assert_eq!(kind_of(error), expected);
        }
    }

    /// A store that answers every request with `status`.
    async fn store_that_answers(status: &'static str) -> Storage {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let endpoint = format!("http://{}/dev", listener.local_addr().unwrap());
        tokio::spawn(async move {
            loop {
                let (mut connection, _) = listener.accept().await.unwrap();
                let _ = connection.read(&mut [0; 4096]).await.unwrap();
                let answer = format!("HTTP/1.1 {status}\r\nconnection: close\r\ncontent-length: 0\r\n\r\n");
                connection.write_all(answer.as_bytes()).await.unwrap();
            }
        });
        Storage::on_azure(&format!("AccountName=dev;AccountKey=a2V5;BlobEndpoint={endpoint}"), "raw")
    }

    #[tokio::test]
    async fn a_failed_answer_means_the_same_wherever_it_comes() {
        for (status, expected) in [
            ("404 Not Found", FailureKind::NotFound),
            ("403 Forbidden", FailureKind::Unauthenticated),
            ("400 Bad Request", FailureKind::FailedPrecondition),
            ("429 Too Many Requests", FailureKind::Unavailable),
        ] {
            let storage = store_that_answers(status).await;
            assert_eq!(storage.list(".csv").await.unwrap_err().kind(), expected, "list: {status}");
            let written = storage.write("a.csv").finish().await;
            assert_eq!(written.unwrap_err().kind(), expected, "write: {status}");
        }
    }

    #[test]
    fn what_the_operator_must_correct_is_not_transient() {
        let url = Error::Url { url: "ftp://x".into(), problem: "?".into() };
        let configuration = Error::Configuration { root: "az://raw".into(), problem: "?".into() };
        assert_eq!(url.kind(), FailureKind::InvalidArgument);
        assert_eq!(configuration.kind(), FailureKind::FailedPrecondition);
    }
}
