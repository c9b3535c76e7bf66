//! Requests to the provider: to checked addresses, without redirects, bounded.

use std::{error::Error, fs, path::Path, sync::Arc, time::Duration};

use anyhow::Context as _;
use egress::{Destination, Policy, refusal_in};
use futures::future::BoxFuture;
use openidconnect::StandardErrorResponse;
use openidconnect::{HttpRequest, HttpResponse, RequestTokenError, core::CoreErrorResponseType};
use reqwest::Certificate;
use url::{Host, Url};

use super::ProviderProblem;

/// How long one request may take.
const TIMEOUT: Duration = Duration::from_secs(5);

/// The most bytes of an answer.
const MAX_BYTES: usize = 256 * 1024;

/// Why the provider was not asked, or did not answer.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub(super) struct HttpError(String);

/// Asks the provider.
#[derive(Clone)]
pub(super) struct HttpClient(Arc<Settings>);

struct Settings {
    authorities: Option<Vec<Certificate>>,
    allow_private: bool,
}

impl HttpClient {
    pub(super) fn new(ca_file: Option<&Path>, allow_private: bool) -> anyhow::Result<Self> {
        let read = |file: &Path| -> anyhow::Result<Vec<Certificate>> {
            let pem = fs::read(file)?;
            let authorities = Certificate::from_pem_bundle(&pem)?;
            anyhow::ensure!(!authorities.is_empty(), "it has no certificate in PEM format");
            Ok(authorities)
        };
        let authorities = ca_file
            .map(|file| read(file).with_context(|| format!("--oidc-ca-file {}", file.display())))
            .transpose()?;
        Ok(Self(Arc::new(Settings { authorities, allow_private })))
    }

    /// Whether the provider may be asked at a URL, and visitors be sent there: by https, or on
    /// this machine, for tests. Connections check what its host resolves to.
    pub(super) fn check(&self, url: &Url) -> Result<(), String> {
        self.destination(url).map(drop)
    }

    fn destination(&self, url: &Url) -> Result<Destination, String> {
        let is_loopback = match url.host() {
            Some(Host::Ipv4(address)) => address.is_loopback(),
            Some(Host::Ipv6(address)) => address.is_loopback(),
            Some(Host::Domain(_)) | None => false,
        };
        if url.scheme() != "https" && !(url.scheme() == "http" && is_loopback) {
            return Err(
                "providers are asked by https://, or by http:// at a loopback address, for tests".to_owned()
            );
        }
        let settings = egress::Settings { private: "--oidc-allow-private", http: None };
        let policy = Policy { settings, allow_private: self.0.allow_private, allow_http: false };
        Destination::new(url, policy).map_err(|refusal| refusal.to_string())
    }

    /// The same as the crate wants it.
    pub(super) fn sends(
        &self,
    ) -> impl Fn(HttpRequest) -> BoxFuture<'static, Result<HttpResponse, HttpError>> {
        let client = self.clone();
        move |request| {
            let client = client.clone();
            Box::pin(async move { client.send(request).await })
        }
    }

    /// Sends a request. What is wrong is said without the URL's query and without the body,
    /// which hold codes and tokens.
    async fn send(&self, request: HttpRequest) -> Result<HttpResponse, HttpError> {
        let (parts, body) = request.into_parts();
        let url = Url::parse(&parts.uri.to_string()).map_err(|error| HttpError(error.to_string()))?;
        let destination = self.destination(&url).map_err(HttpError)?;
        let mut builder = destination
            .client()
            .user_agent(concat!("company-activity/", env!("CARGO_PKG_VERSION")))
            .timeout(TIMEOUT)
            .connect_timeout(TIMEOUT);
        if let Some(authorities) = &self.0.authorities {
            builder = builder.tls_certs_only(authorities.clone());
        }
        let failed = |error: reqwest::Error| match refusal_in(&error) {
            Some(refusal) => HttpError(refusal.to_string()),
            None => HttpError(causes(&error.without_url())),
        };
        let client = builder.build().map_err(failed)?;
        let sent = client.request(parts.method, url).headers(parts.headers).body(body).send().await;
        let mut answer = sent.map_err(failed)?;
        let mut response = axum::http::Response::builder().status(answer.status());
        if let Some(headers) = response.headers_mut() {
            *headers = answer.headers().clone();
        }
        let mut body = Vec::new();
        while let Some(chunk) = answer.chunk().await.map_err(failed)? {
            if body.len() + chunk.len() > MAX_BYTES {
                return Err(HttpError(format!("the answer has more than {MAX_BYTES} bytes")));
            }
            body.extend_from_slice(&chunk);
        }
        response.body(body).map_err(|error| HttpError(error.to_string()))
    }
}

/// What a request for a token came to. Answers that cannot be read are not repeated: they may
/// hold a token.
pub(super) fn problem(
    error: &RequestTokenError<HttpError, StandardErrorResponse<CoreErrorResponseType>>,
) -> ProviderProblem {
    let gives_none = |reason: &str| format!("the provider gives no token: {reason}");
    match error {
        RequestTokenError::ServerResponse(response) => {
            let reason = gives_none(response.error().as_ref());
            match response.error() {
                CoreErrorResponseType::Extension(name)
                    if matches!(name.as_str(), "temporarily_unavailable" | "server_error") =>
                {
                    ProviderProblem::Unreachable(reason)
                }
                _ => ProviderProblem::Refused(reason),
            }
        }
        RequestTokenError::Request(error) => ProviderProblem::Unreachable(gives_none(&error.to_string())),
        RequestTokenError::Parse(..) => ProviderProblem::Unreachable(gives_none("its answer cannot be read")),
        RequestTokenError::Other(_) => {
            ProviderProblem::Unreachable(gives_none("its answer is not what it should be"))
        }
    }
}

/// An error with its causes.
pub(super) fn causes(error: &dyn Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        text.push_str(&format!(": {error}"));
        cause = error.source();
    }
    text
}
