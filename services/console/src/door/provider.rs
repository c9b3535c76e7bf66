//! Signing in at an OpenID provider: the code flow with PKCE.

mod http;

use std::{path::PathBuf, sync::Arc};

use anyhow::{Context as _, ensure};
use chrono::{DateTime, TimeDelta, Utc};
use clap::{Args, ValueEnum};
use openidconnect::{
    AccessTokenHash, AuthorizationCode, ClientId, ClientSecret, CsrfToken, IssuerUrl, Nonce,
    OAuth2TokenResponse, PkceCodeChallenge, PkceCodeVerifier, ProviderMetadataWithLogout, RedirectUrl,
    RefreshToken, Scope, TokenResponse,
    core::{
        CoreAuthenticationFlow, CoreClient, CoreIdToken, CoreIdTokenVerifier, CoreJwsSigningAlgorithm,
        CoreTokenResponse,
    },
};
use runtime::Clock;
use secret::{Secret, read_secret};
use serde::{Deserialize, Serialize};
use subtle::ConstantTimeEq;
use url::Url;

use self::http::HttpClient;
use super::{
    asked_once::AskedOnce,
    session::{Tokens, expiry},
};

/// How long what the provider says of itself is good, and how soon it may be asked again when
/// a signature does not fit: its keys may be new.
const METADATA_HOLDS: TimeDelta = TimeDelta::minutes(10);
const ASKED_LATELY: TimeDelta = TimeDelta::seconds(10);

/// How a token may be signed: so that whoever checks it cannot make it.
const ALGORITHMS: [CoreJwsSigningAlgorithm; 9] = [
    CoreJwsSigningAlgorithm::RsaSsaPkcs1V15Sha256,
    CoreJwsSigningAlgorithm::RsaSsaPkcs1V15Sha384,
    CoreJwsSigningAlgorithm::RsaSsaPkcs1V15Sha512,
    CoreJwsSigningAlgorithm::RsaSsaPssSha256,
    CoreJwsSigningAlgorithm::RsaSsaPssSha384,
    CoreJwsSigningAlgorithm::RsaSsaPssSha512,
    CoreJwsSigningAlgorithm::EcdsaP256Sha256,
    CoreJwsSigningAlgorithm::EcdsaP384Sha384,
    CoreJwsSigningAlgorithm::EdDsa,
];

/// Where visitors sign in, if not by a token of their own.
#[derive(Debug, Clone, Args)]
#[group(skip)]
pub struct ProviderOptions {
    /// Sign visitors in at this OpenID provider: its issuer, for example https://login.example.com
    /// [default: none, they paste a token]
    #[arg(long, env = "OIDC_ISSUER", value_name = "URL", requires = "oidc_client_id")]
    pub oidc_issuer: Option<Url>,

    /// The console's client id at the provider, whose redirect URI is <public URL>/sign-in/return
    #[arg(long, env = "OIDC_CLIENT_ID", value_name = "ID", requires = "oidc_issuer")]
    pub oidc_client_id: Option<String>,

    /// File that holds the client's secret [default: none, the client is a public one]
    #[arg(long, env = "OIDC_CLIENT_SECRET_FILE", value_name = "FILE", requires = "oidc_client_id")]
    pub oidc_client_secret_file: Option<PathBuf>,

    /// What to ask the provider for, separated by spaces; offline_access, where the provider has it, lets sessions
    /// outlive a token
    #[arg(long, env = "OIDC_SCOPES", value_name = "SCOPES", default_value = "openid profile")]
    pub oidc_scopes: String,

    /// The token that services are shown: their policy must name its issuer and audience
    #[arg(long, env = "OIDC_TOKEN", value_name = "TOKEN", value_enum, default_value_t = ShownToken::Id)]
    pub oidc_token: ShownToken,

    /// Trust the provider if these CAs have signed its certificate: a PEM file [default: the system's CAs]
    #[arg(long, env = "OIDC_CA_FILE", value_name = "FILE", requires = "oidc_issuer")]
    pub oidc_ca_file: Option<PathBuf>,

    /// Allow the provider to be at a private address or on this machine
    #[arg(long, env = "OIDC_ALLOW_PRIVATE", num_args = 0..=1, default_value_t = false, default_missing_value = "true", action = clap::ArgAction::Set)]
    pub oidc_allow_private: bool,
}

impl Default for ProviderOptions {
    fn default() -> Self {
        Self {
            oidc_issuer: None,
            oidc_client_id: None,
            oidc_client_secret_file: None,
            oidc_scopes: "openid profile".to_owned(),
            oidc_token: ShownToken::Id,
            oidc_ca_file: None,
            oidc_allow_private: false,
        }
    }
}

/// Which of the provider's tokens services are shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum ShownToken {
    /// The one that says who signed in
    Id,
    /// The one for resources, if it is a JWT
    Access,
}

/// Why signing in at the provider did not work. Holds no token and no code.
#[derive(Debug, Clone, thiserror::Error)]
pub(super) enum ProviderProblem {
    /// This sign-in, or this session, is at its end.
    #[error("{0}")]
    Refused(String),
    /// The provider does not answer, or not as providers do.
    #[error("{0}")]
    Unreachable(String),
}

impl ProviderProblem {
    fn refused(text: impl Into<String>) -> Self {
        Self::Refused(text.into())
    }

    /// What somebody is told who is not signed in: nothing of where the provider is, and how.
    pub(super) fn in_general(&self) -> String {
        match self {
            Self::Refused(text) => text.clone(),
            Self::Unreachable(_) => "the provider does not answer as it should".to_owned(),
        }
    }
}

/// What a sign-in has to remember until the provider sends the visitor back. Sealed in a
/// cookie, so that only the browser that began can finish.
#[derive(Serialize, Deserialize)]
pub(super) struct Begun {
    state: String,
    nonce: String,
    verifier: String,
    redirect: String,
    pub(super) return_to: String,
    began_at: DateTime<Utc>,
}

/// How long a visitor may take to sign in at the provider.
pub(super) const PATIENCE: TimeDelta = TimeDelta::minutes(10);

/// What the provider sends back with the visitor.
#[derive(Deserialize)]
pub(super) struct Returned {
    #[serde(default)]
    state: String,
    code: Option<String>,
    error: Option<String>,
    iss: Option<String>,
}

/// The provider.
pub(super) struct Provider {
    issuer: IssuerUrl,
    client_id: ClientId,
    client_secret: Option<ClientSecret>,
    scopes: Vec<Scope>,
    shown: ShownToken,
    http: HttpClient,
    clock: Arc<dyn Clock>,
    metadata: AskedOnce<Known, ProviderProblem>,
}

#[derive(Clone)]
struct Known {
    metadata: Arc<ProviderMetadataWithLogout>,
    asked_at: DateTime<Utc>,
}

impl Provider {
    /// `None` if there is none. Does not ask it for anything yet.
    pub(super) fn new(options: &ProviderOptions, clock: Arc<dyn Clock>) -> anyhow::Result<Option<Self>> {
        let (Some(issuer), Some(client_id)) = (&options.oidc_issuer, &options.oidc_client_id) else {
            return Ok(None);
        };
        let scopes: Vec<Scope> =
            options.oidc_scopes.split_whitespace().map(|scope| Scope::new(scope.to_owned())).collect();
        ensure!(
            scopes.iter().any(|scope| scope.as_str() == "openid"),
            "--oidc-scopes must hold openid: without it the provider does not say who signed in"
        );
        let secret = read_secret(None, options.oidc_client_secret_file.as_deref())
            .context("--oidc-client-secret-file cannot be used")?;
        let http = HttpClient::new(options.oidc_ca_file.as_deref(), options.oidc_allow_private)?;
        http.check(issuer).map_err(|problem| anyhow::anyhow!("--oidc-issuer {issuer}: {problem}"))?;
        // As it is written in the provider's tokens: without a slash that nobody wrote.
        let text = issuer.as_str();
        let text = if issuer.path() == "/" { text.trim_end_matches('/') } else { text };
        Ok(Some(Self {
            issuer: IssuerUrl::new(text.to_owned()).context("--oidc-issuer cannot be used")?,
            client_id: ClientId::new(client_id.clone()),
            client_secret: secret.map(|secret| ClientSecret::new(secret.expose().to_owned())),
            scopes,
            shown: options.oidc_token,
            http,
            clock,
            metadata: AskedOnce::default(),
        }))
    }

    /// The provider's name for people: its host.
    pub(super) fn host(&self) -> String {
        self.issuer.url().host_str().unwrap_or_default().to_owned()
    }

    /// Where to send a visitor, and what to remember meanwhile.
    pub(super) async fn begin(
        &self,
        origin: &str,
        return_to: String,
    ) -> Result<(Url, Begun), ProviderProblem> {
        let metadata = self.metadata(METADATA_HOLDS).await?;
        let redirect = format!("{origin}/sign-in/return");
        self.http.check(metadata.authorization_endpoint().url()).map_err(ProviderProblem::Unreachable)?;
        let client = CoreClient::from_provider_metadata(
            ProviderMetadataWithLogout::clone(&metadata),
            self.client_id.clone(),
            self.client_secret.clone(),
        )
        .set_redirect_uri(redirect_url(&redirect)?);
        let (challenge, verifier) = PkceCodeChallenge::new_random_sha256();
        let request = client
            .authorize_url(
                CoreAuthenticationFlow::AuthorizationCode,
                || CsrfToken::new_random_len(32),
                || Nonce::new_random_len(32),
            )
            .set_pkce_challenge(challenge);
        // The crate adds `openid` by itself.
        let scopes = self.scopes.iter().filter(|scope| scope.as_str() != "openid").cloned();
        let (url, state, nonce) = request.add_scopes(scopes).url();
        let begun = Begun {
            state: state.into_secret(),
            nonce: nonce.secret().clone(),
            verifier: verifier.into_secret(),
            redirect,
            return_to,
            began_at: self.clock.now(),
        };
        Ok((url, begun))
    }

    /// The tokens of a visitor whom the provider has sent back.
    pub(super) async fn finish(&self, begun: Begun, returned: Returned) -> Result<Tokens, ProviderProblem> {
        let says = |text: &str| Err(ProviderProblem::refused(text));
        let is_the_same = bool::from(begun.state.as_bytes().ct_eq(returned.state.as_bytes()));
        if !is_the_same || self.clock.now() - begun.began_at > PATIENCE {
            return says("the sign-in was not begun here, or too long ago");
        }
        if returned.iss.is_some_and(|issuer| issuer != self.issuer.as_str()) {
            return says("another provider has answered");
        }
        if let Some(error) = returned.error {
            let error: String =
                error.chars().filter(|one| one.is_ascii_alphanumeric() || *one == '_').take(60).collect();
            return Err(ProviderProblem::Refused(format!("the provider says {error}")));
        }
        let Some(code) = returned.code else { return says("the provider has sent no code") };
        let metadata = self.metadata(METADATA_HOLDS).await?;
        let client = CoreClient::from_provider_metadata(
            ProviderMetadataWithLogout::clone(&metadata),
            self.client_id.clone(),
            self.client_secret.clone(),
        )
        .set_redirect_uri(redirect_url(&begun.redirect)?);
        let http = self.http.sends();
        let response = client
            .exchange_code(AuthorizationCode::new(code))
            .map_err(|_| ProviderProblem::Unreachable("the provider names no token endpoint".to_owned()))?
            .set_pkce_verifier(PkceCodeVerifier::new(begun.verifier))
            .request_async(&http)
            .await
            .map_err(|error| http::problem(&error))?;
        self.verify(&response, &Nonce::new(begun.nonce)).await?;
        self.tokens(&response, None)
    }

    /// New tokens for those that end. `refresh` is often good but once: a new one takes its place,
    /// whatever else is missing.
    pub(super) async fn renew(&self, refresh: &mut Secret) -> Result<Tokens, ProviderProblem> {
        let metadata = self.metadata(METADATA_HOLDS).await?;
        let client = CoreClient::from_provider_metadata(
            ProviderMetadataWithLogout::clone(&metadata),
            self.client_id.clone(),
            self.client_secret.clone(),
        );
        let http = self.http.sends();
        let response = client
            .exchange_refresh_token(&RefreshToken::new(refresh.expose().to_owned()))
            .map_err(|_| ProviderProblem::Unreachable("the provider names no token endpoint".to_owned()))?
            .request_async(&http)
            .await
            .map_err(|error| http::problem(&error))?;
        if let Some(new) = refresh_token(&response) {
            *refresh = new;
        }
        self.tokens(&response, Some(refresh))
    }

    /// Where a visitor ends the session at the provider as well, if that is possible.
    pub(super) async fn end_session_url(&self) -> Option<Url> {
        let metadata = self.metadata(METADATA_HOLDS).await.ok()?;
        let mut url = metadata.additional_metadata().end_session_endpoint.as_ref()?.url().clone();
        self.http.check(&url).ok()?;
        url.query_pairs_mut().append_pair("client_id", &self.client_id);
        Some(url)
    }

    /// Checks that the provider says this of this sign-in, and of this token.
    async fn verify(&self, response: &CoreTokenResponse, nonce: &Nonce) -> Result<(), ProviderProblem> {
        let token = response
            .id_token()
            .ok_or_else(|| ProviderProblem::refused("the provider does not say who signed in"))?;
        let first = self.verify_with(METADATA_HOLDS, token, response, nonce).await;
        if first.is_ok() {
            return first;
        }
        // Signed by a key that the provider has only just begun to use, perhaps.
        self.verify_with(ASKED_LATELY, token, response, nonce).await
    }

    async fn verify_with(
        &self,
        holds: TimeDelta,
        token: &CoreIdToken,
        response: &CoreTokenResponse,
        nonce: &Nonce,
    ) -> Result<(), ProviderProblem> {
        let metadata = self.metadata(holds).await?;
        let clock = self.clock.clone();
        let verifier = CoreIdTokenVerifier::new_public_client(
            self.client_id.clone(),
            self.issuer.clone(),
            metadata.jwks().clone(),
        )
        .set_allowed_algs(ALGORITHMS)
        .set_time_fn(move || clock.now());
        let unverified = |error: &dyn std::fmt::Display| {
            ProviderProblem::Refused(format!("what the provider says of the visitor does not hold: {error}"))
        };
        let claims = token.claims(&verifier, nonce).map_err(|error| unverified(&error))?;
        if let Some(expected) = claims.access_token_hash() {
            let algorithm = token.signing_alg().map_err(|error| unverified(&error))?;
            let key = token.signing_key(&verifier).map_err(|error| unverified(&error))?;
            let actual = AccessTokenHash::from_token(response.access_token(), algorithm, key)
                .map_err(|error| unverified(&error))?;
            if actual != *expected {
                return Err(unverified(&"the access token is another one"));
            }
        }
        Ok(())
    }

    fn tokens(
        &self,
        response: &CoreTokenResponse,
        renewed: Option<&Secret>,
    ) -> Result<Tokens, ProviderProblem> {
        let shown = match self.shown {
            ShownToken::Id => response.id_token().map(ToString::to_string),
            ShownToken::Access => Some(response.access_token().secret().clone()),
        };
        let missing =
            || ProviderProblem::refused("the provider has sent no token that services could be shown");
        let shown: Secret = shown.and_then(|token| token.parse().ok()).ok_or_else(missing)?;
        let lasts = response.expires_in().and_then(|time| TimeDelta::from_std(time).ok());
        let expires_at = expiry(&shown).or_else(|| Some(self.clock.now() + lasts?));
        let refresh = refresh_token(response);
        Ok(Tokens { shown, refresh: refresh.or_else(|| renewed.cloned()), expires_at, is_of_provider: true })
    }

    /// What the provider says of itself. It is asked when it is needed, so that the console
    /// starts without it.
    async fn metadata(&self, holds: TimeDelta) -> Result<Arc<ProviderMetadataWithLogout>, ProviderProblem> {
        let asking = async {
            let http = self.http.sends();
            let asked = ProviderMetadataWithLogout::discover_async(self.issuer.clone(), &http).await;
            let metadata = asked.map_err(|error| {
                ProviderProblem::Unreachable(format!(
                    "the provider does not answer: {}",
                    http::causes(&error)
                ))
            })?;
            Ok(Known { metadata: Arc::new(metadata), asked_at: self.clock.now() })
        };
        let known = self.metadata.get(|known| self.clock.now() - known.asked_at < holds, asking).await?;
        Ok(known.metadata)
    }
}

fn refresh_token(response: &CoreTokenResponse) -> Option<Secret> {
    response.refresh_token().and_then(|token| token.secret().parse().ok())
}

fn redirect_url(text: &str) -> Result<RedirectUrl, ProviderProblem> {
    RedirectUrl::new(text.to_owned()).map_err(|error| ProviderProblem::Refused(error.to_string()))
}
