//! The token for the product API, read again when the server rejects it.

use std::{
    path::PathBuf,
    sync::{Arc, Mutex, PoisonError},
};

use reqwest::header::HeaderValue;
use secret::{Secret, read_secret};

use crate::error::Error;

/// The source of the token.
#[derive(Debug, Clone, Default)]
pub(crate) struct TokenSource {
    /// The token itself.
    pub(crate) token: Option<Secret>,
    /// The file that holds it.
    pub(crate) file: Option<PathBuf>,
}

impl TokenSource {
    fn read(&self) -> Result<Option<Arc<Bearer>>, Error> {
        let token = read_secret(self.token.as_ref(), self.file.as_deref())?;
        token.map(Bearer::new).transpose().map(|bearer| bearer.map(Arc::new))
    }
}

/// A token, ready to send.
pub(crate) struct Bearer {
    token: Secret,
    header: HeaderValue,
}

impl Bearer {
    fn new(token: Secret) -> Result<Self, Error> {
        let mut header =
            HeaderValue::from_str(&format!("Bearer {}", token.expose())).map_err(|_| Error::UnusableToken)?;
        header.set_sensitive(true);
        Ok(Self { token, header })
    }

    /// The value of the `Authorization` header.
    pub(crate) fn header(&self) -> HeaderValue {
        self.header.clone()
    }

    /// Whether `text` contains the token.
    pub(crate) fn is_in(&self, text: &[u8]) -> bool {
        let token = self.token.expose().as_bytes();
        text.windows(token.len()).any(|window| window == token)
    }
}

/// The token of one call of this service, shared by the days it works on.
#[derive(Clone)]
pub(crate) struct Credentials {
    source: TokenSource,
    current: Arc<Mutex<Option<Arc<Bearer>>>>,
}

impl Credentials {
    /// Reads the token.
    ///
    /// # Errors
    /// If it cannot be read or sent.
    pub(crate) fn read(source: TokenSource) -> Result<Self, Error> {
        let current = source.read()?;
        Ok(Self { source, current: Arc::new(Mutex::new(current)) })
    }

    /// The token to send; `None` if the product API needs none.
    pub(crate) fn current(&self) -> Option<Arc<Bearer>> {
        self.current.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Reads the token again after the server rejected `refused`. Returns the
    /// next one to try; `None` if there is no other.
    ///
    /// # Errors
    /// If it cannot be read or sent.
    pub(crate) fn renew(&self, refused: &Arc<Bearer>) -> Result<Option<Arc<Bearer>>, Error> {
        let mut current = self.current.lock().unwrap_or_else(PoisonError::into_inner);
        // A request for another day may have been rejected first.
        if current.as_ref().is_none_or(|current| Arc::ptr_eq(current, refused)) {
            *current = self.source.read()?;
        }
        Ok(current.clone().filter(|current| current.token.expose() != refused.token.expose()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_file_is_read_again_and_only_another_token_is_tried() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("token");
        std::fs::write(&file, "t1").unwrap();
        let source = TokenSource { token: None, file: Some(file.clone()) };
        let credentials = Credentials::read(source).unwrap();
        let first = credentials.current().unwrap();
        assert!(credentials.renew(&first).unwrap().is_none());
        std::fs::write(&file, "t2").unwrap();
        let refused = credentials.current().unwrap();
        let second = credentials.renew(&refused).unwrap().unwrap();
        assert_eq!(second.header(), "Bearer t2");
        // A request in flight with the first one.
        std::fs::write(&file, "t3").unwrap();
        assert_eq!(credentials.renew(&refused).unwrap().unwrap().header(), "Bearer t2");
        assert_eq!(credentials.renew(&second).unwrap().unwrap().header(), "Bearer t3");
    }

    #[test]
    fn a_token_that_is_given_directly_has_no_other() {
        let source = TokenSource { token: Some("t1".parse().unwrap()), file: None };
        let credentials = Credentials::read(source).unwrap();
        let first = credentials.current().unwrap();
        assert!(credentials.renew(&first).unwrap().is_none());
    }
}
