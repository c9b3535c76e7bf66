//! The credential that a client of ours sends.

use std::{
    fmt, fs,
    path::{Path, PathBuf},
    sync::{Arc, Mutex, PoisonError},
    task::{Context, Poll},
};

use http::{
    HeaderValue, Request,
    header::{AUTHORIZATION, InvalidHeaderValue},
};
use tower::{Layer, Service};
use tracing::warn;

/// A token in a file, for the `authorization` header. Tokens of pods are renewed in
/// place, so the file is read for every call; while it cannot be read, the last token
/// goes on. It cannot be printed.
#[derive(Clone)]
pub struct BearerToken(Arc<Source>);

struct Source {
    file: PathBuf,
    last: Mutex<Last>,
}

struct Last {
    header: HeaderValue,
    /// Whether it has been logged that the file cannot be read.
    is_reported: bool,
}

/// Why a file holds no token.
#[derive(Debug, thiserror::Error)]
pub enum BearerTokenError {
    /// It cannot be read.
    #[error("cannot read the token file {file}: {source}")]
    File {
        /// The file.
        file: String,
        /// The I/O error.
        source: std::io::Error,
    },
    /// It is empty.
    #[error("the token file {0} is empty")]
    Empty(String),
    /// It holds something that no header can carry.
    #[error("the token file {file} does not hold one token on one line")]
    NoToken {
        /// The file.
        file: String,
        /// Why it does not fit a header.
        source: InvalidHeaderValue,
    },
}

impl BearerToken {
    /// Reads a token for the first time.
    ///
    /// # Errors
    /// If the file cannot be read or holds no token.
    pub fn from_file(file: impl Into<PathBuf>) -> Result<Self, BearerTokenError> {
        let file = file.into();
        let last = Mutex::new(Last { header: read(&file)?, is_reported: false });
        Ok(Self(Arc::new(Source { file, last })))
    }

    /// The value of the `authorization` header now; it is marked as sensitive.
    #[must_use]
    pub fn header(&self) -> HeaderValue {
        let mut last = self.0.last.lock().unwrap_or_else(PoisonError::into_inner);
        match read(&self.0.file) {
            Ok(header) => *last = Last { header, is_reported: false },
            Err(error) if !last.is_reported => {
                warn!(%error, "the token cannot be renewed: sending the last one");
                last.is_reported = true;
            }
            Err(_) => {}
        }
        last.header.clone()
    }

    /// A layer for a client that sends the token with every call.
    #[must_use]
    pub const fn layer(self) -> BearerTokenLayer {
        BearerTokenLayer(self)
    }
}

fn read(file: &Path) -> Result<HeaderValue, BearerTokenError> {
    let name = || file.display().to_string();
    let text = fs::read_to_string(file).map_err(|source| BearerTokenError::File { file: name(), source })?;
    let token = text.trim();
    if token.is_empty() {
        return Err(BearerTokenError::Empty(name()));
    }
    let mut header = HeaderValue::try_from(format!("Bearer {token}"))
        .map_err(|source| BearerTokenError::NoToken { file: name(), source })?;
    header.set_sensitive(true);
    Ok(header)
}

impl fmt::Debug for BearerToken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("BearerToken").field("file", &self.0.file).finish_non_exhaustive()
    }
}

/// Adds the token to the calls of a client.
#[derive(Debug, Clone)]
pub struct BearerTokenLayer(BearerToken);

impl<S> Layer<S> for BearerTokenLayer {
    type Service = SendsBearerToken<S>;

    fn layer(&self, inner: S) -> SendsBearerToken<S> {
        SendsBearerToken { inner, token: self.0.clone() }
    }
}

/// A client that sends the token with every call.
#[derive(Debug, Clone)]
pub struct SendsBearerToken<S> {
    inner: S,
    token: BearerToken,
}

impl<S: Service<Request<B>>, B> Service<Request<B>> for SendsBearerToken<S> {
    type Response = S::Response;
    type Error = S::Error;
    type Future = S::Future;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        self.inner.poll_ready(context)
    }

    fn call(&mut self, mut request: Request<B>) -> S::Future {
        request.headers_mut().insert(AUTHORIZATION, self.token.header());
        self.inner.call(request)
    }
}

#[cfg(test)]
mod tests {
    use tower::{ServiceExt, service_fn};

    use super::*;

    #[tokio::test]
    async fn every_call_has_the_token_that_the_file_holds_then() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("token");
        fs::write(&file, "first\n").unwrap();
        let token = BearerToken::from_file(&file).unwrap();
        let sent = service_fn(async |request: Request<()>| {
            Ok::<_, std::convert::Infallible>(request.headers()[AUTHORIZATION].clone())
        });
        let client = token.clone().layer().layer(sent);
        let call = || client.clone().oneshot(Request::new(()));
        assert_eq!(call().await.unwrap(), "Bearer first");
        fs::write(&file, "second").unwrap();
        assert_eq!(call().await.unwrap(), "Bearer second");
        fs::remove_file(&file).unwrap();
        assert_eq!(call().await.unwrap(), "Bearer second");
        fs::write(&file, "third").unwrap();
        let header = call().await.unwrap();
        assert_eq!(header, "Bearer third");
        assert!(header.is_sensitive());
        assert!(!format!("{token:?} {header:?} {client:?}").contains("third"));
    }

    #[test]
    fn a_file_without_a_token_is_refused_and_not_repeated() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("token");
        assert!(matches!(BearerToken::from_file(&file), Err(BearerTokenError::File { .. })));
        fs::write(&file, " \n").unwrap();
        assert!(matches!(BearerToken::from_file(&file), Err(BearerTokenError::Empty(_))));
        fs::write(&file, "two\nlines").unwrap();
        let error = BearerToken::from_file(&file).unwrap_err();
        assert!(matches!(error, BearerTokenError::NoToken { .. }));
        assert!(!format!("{error} {error:?}").contains("lines\""));
    }
}
