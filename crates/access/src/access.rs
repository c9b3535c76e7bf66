//! Decides about calls, by the policy as it is now.

use std::{
    fmt,
    future::Future,
    path::{Path, PathBuf},
    sync::{Arc, Mutex, PoisonError, RwLock},
    time::Duration,
};

use chrono::{DateTime, Utc};
use http::{
    HeaderMap,
    header::{AUTHORIZATION, HeaderValue},
};
use tracing::{error, info};

use crate::{
    caller::{Caller, Identity},
    certificate::PeerCertificate,
    credential_error::CredentialError,
    issuer::Issuer,
    json_web_token,
    layer::AccessLayer,
    methods::{Admission, admission},
    policy::{Grant, Policy, PolicyError, roles},
    refusal::Refusal,
    static_tokens::{StaticTokens, is_static},
    verified_tokens::VerifiedTokens,
    watched_files::{FileReader, Fingerprint},
};

/// The longest token that is read, in bytes: what HTTP/2 servers accept of headers.
const MAX_TOKEN_BYTES: usize = 16 * 1024;

/// The clock.
pub type Clock = Arc<dyn Fn() -> DateTime<Utc> + Send + Sync>;

/// Begins an HTTP client. What is asked of issuers always has a time limit, follows no
/// redirect, ignores proxies of the environment and connects to checked addresses alone; the
/// rest is up to this.
pub type HttpClients = Arc<dyn Fn() -> reqwest::ClientBuilder + Send + Sync>;

/// What decisions need of the world.
#[derive(Clone)]
pub struct Environment {
    /// Says what time it is.
    pub clock: Clock,
    /// Begins the clients that ask issuers for their keys.
    pub http: HttpClients,
}

/// Decides who may call what. Clones share one policy.
#[derive(Clone)]
pub struct Access(Option<Arc<Checked>>);

struct Checked {
    file: PathBuf,
    environment: Environment,
    rules: RwLock<Arc<Rules>>,
    seen: Mutex<Fingerprint>,
}

/// A policy at work.
struct Rules {
    issuers: Vec<Arc<Issuer>>,
    verified: VerifiedTokens,
    static_tokens: StaticTokens,
    grants: Vec<Grant>,
}

/// What reading a policy again came to.
#[derive(Debug, PartialEq, Eq)]
pub enum Reload {
    /// No file has changed since.
    Unchanged,
    /// The new policy applies.
    Applied,
    /// What the files hold now is broken: the policy from before goes on.
    Kept(PolicyError),
}

impl Access {
    /// Admits everybody as `anonymous`, with every role: for loopback, and where somebody
    /// has decided so. See [`crate::may_listen`].
    #[must_use]
    pub const fn open() -> Self {
        Self(None)
    }

    /// Reads a policy and every file that it names.
    ///
    /// # Errors
    /// If one of them cannot be used; the message says which, where, and why.
    pub fn from_file(file: impl Into<PathBuf>, environment: Environment) -> Result<Self, PolicyError> {
        let file = file.into();
        let mut files = FileReader::default();
        let policy = Policy::read(&file, &mut files)?;
        let rules = RwLock::new(Arc::new(Rules::new(policy, &[], &environment)?));
        let seen = Mutex::new(files.fingerprint());
        Ok(Self(Some(Arc::new(Checked { file, environment, rules, seen }))))
    }

    /// The layer that asks this about every call.
    #[must_use]
    pub const fn layer(self) -> AccessLayer {
        AccessLayer::new(self)
    }

    /// Reads the policy again, and applies it if it has changed. A change that is broken is
    /// logged once. Reads files: not for a thread that must not wait.
    #[must_use]
    pub fn reload(&self) -> Reload {
        self.0.as_ref().map_or(Reload::Unchanged, |checked| checked.reload())
    }

    /// Reads the policy again at an interval, until `end` comes.
    pub async fn reload_every(self, interval: Duration, end: impl Future<Output = ()>) {
        tokio::pin!(end);
        loop {
            tokio::select! {
                () = &mut end => return,
                () = tokio::time::sleep(interval) => {}
            }
            let access = self.clone();
            // It fails only if the process ends, or by a panic that is reported by then.
            let _ = tokio::task::spawn_blocking(move || access.reload()).await;
        }
    }

    /// Whether everybody is admitted without being asked.
    #[must_use]
    pub const fn is_open(&self) -> bool {
        self.0.is_none()
    }

    /// Whether a call may pass, and as whom; `None` if its method is open to everybody.
    ///
    /// Every credential that it has must be good. Its names are then asked in order: the
    /// certificate's, and then the token's. The call acts as the first that has a role
    /// which opens the method.
    pub(crate) async fn admit(
        &self,
        path: &str,
        headers: &HeaderMap,
        certificate: Option<&PeerCertificate>,
    ) -> Result<Option<Caller>, Refusal> {
        let admission = admission(path);
        if admission == Some(Admission::Everybody) {
            return Ok(None);
        }
        let Some(checked) = &self.0 else { return Ok(Some(Caller::anonymous())) };
        let rules = Arc::clone(&checked.rules.read().unwrap_or_else(PoisonError::into_inner));
        let now = (checked.environment.clock)();
        let identities = rules.identities(headers, certificate, now).await?;
        rules.admit(path, admission, identities).map(Some)
    }
}

impl Checked {
    fn reload(&self) -> Reload {
        let mut seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        let mut files = FileReader::default();
        let policy = Policy::read(&self.file, &mut files);
        let fingerprint = files.fingerprint();
        if fingerprint == *seen {
            return Reload::Unchanged;
        }
        *seen = fingerprint;
        match policy.and_then(|policy| self.apply(policy)) {
            Ok(()) => {
                info!(file = %self.file.display(), "the access policy has changed and applies");
                Reload::Applied
            }
            Err(error) => {
                error!(%error, "the access policy has changed and is broken: the one from before goes on");
                Reload::Kept(error)
            }
        }
    }

    fn apply(&self, policy: Policy) -> Result<(), PolicyError> {
        let before = Arc::clone(&self.rules.read().unwrap_or_else(PoisonError::into_inner));
        let rules = Rules::new(policy, &before.issuers, &self.environment)?;
        *self.rules.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(rules);
        Ok(())
    }
}

impl Rules {
    /// Puts a policy to work. Issuers that have not changed keep their keys.
    fn new(policy: Policy, before: &[Arc<Issuer>], environment: &Environment) -> Result<Self, PolicyError> {
        let issuer = |options| {
            let same = before.iter().find(|issuer| *issuer.options() == options);
            same.map_or_else(|| Issuer::new(options, environment).map(Arc::new), |same| Ok(Arc::clone(same)))
        };
        Ok(Self {
            issuers: policy.issuers.into_iter().map(issuer).collect::<Result<_, _>>()?,
            // None from before: another audience or leeway may apply.
            verified: VerifiedTokens::default(),
            static_tokens: policy.static_tokens,
            grants: policy.grants,
        })
    }

    /// Every name that a call proves. A credential that is bad ends it: none makes up for
    /// another.
    async fn identities(
        &self,
        headers: &HeaderMap,
        certificate: Option<&PeerCertificate>,
        now: DateTime<Utc>,
    ) -> Result<Vec<Identity>, Refusal> {
        let mut identities = certificate.map(PeerCertificate::identities).transpose()?.unwrap_or_default();
        if let Some(token) = bearer(headers)? {
            let identity = if is_static(token) {
                Identity::named(format!("token:{}", self.static_tokens.owner(token)?))
            } else {
                json_web_token::verify(token, &self.issuers, &self.verified, now).await?
            };
            identities.push(identity);
        }
        if identities.is_empty() {
            return Err(CredentialError::Missing.into());
        }
        Ok(identities)
    }

    fn admit(
        &self,
        path: &str,
        admission: Option<Admission>,
        identities: Vec<Identity>,
    ) -> Result<Caller, Refusal> {
        let opens = |caller: &Caller| match admission {
            None => false,
            Some(Admission::Everybody | Admission::AnyCaller) => true,
            Some(Admission::Roles(needed)) => needed.iter().any(|role| caller.holds(*role)),
        };
        let callers = identities.into_iter().map(|identity| {
            let roles = roles(&self.grants, &identity);
            Caller::new(identity.name, roles)
        });
        let mut names = Vec::new();
        for caller in callers {
            if opens(&caller) {
                return Ok(caller);
            }
            names.push(caller.name().to_owned());
        }
        let method = path.trim_start_matches('/').to_owned();
        match admission {
            Some(Admission::Roles(needed)) => Err(Refusal::Denied { names, method, needed }),
            _ => Err(Refusal::NoSuchMethod { names, method }),
        }
    }
}

/// The token of the `authorization` header, if there is one.
fn bearer(headers: &HeaderMap) -> Result<Option<&str>, CredentialError> {
    let mut values = headers.get_all(AUTHORIZATION).iter();
    match (values.next(), values.next()) {
        (None, _) => Ok(None),
        (Some(_), Some(_)) => Err(CredentialError::SeveralHeaders),
        (Some(value), None) => bearer_value(value).map(Some),
    }
}

fn bearer_value(value: &HeaderValue) -> Result<&str, CredentialError> {
    let text = value.to_str().map_err(|_| CredentialError::NotBearer)?;
    let (scheme, token) = text.split_once(' ').ok_or(CredentialError::NotBearer)?;
    let token = token.trim();
    if !scheme.eq_ignore_ascii_case("bearer") || token.is_empty() {
        return Err(CredentialError::NotBearer);
    }
    if token.len() > MAX_TOKEN_BYTES {
        return Err(CredentialError::TooLong(MAX_TOKEN_BYTES));
    }
    Ok(token)
}

impl fmt::Debug for Access {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let file: Option<&Path> = self.0.as_ref().map(|checked| checked.file.as_path());
        f.debug_struct("Access").field("file", &file).finish_non_exhaustive()
    }
}

impl fmt::Debug for Environment {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Environment").finish_non_exhaustive()
    }
}
