//! An issuer and its keys, which change.

use std::sync::{Arc, PoisonError, RwLock};

use chrono::{DateTime, TimeDelta, Utc};
use jsonwebtoken::Algorithm;
use tracing::{info, warn};

use crate::{
    access::{Clock, Environment},
    credential_error::CredentialError,
    fetch::Fetcher,
    key_set::{Found, Key, KeySet},
    policy::{IssuerOptions, KeySource, PolicyError},
    refusal::Refusal,
};

/// How long to wait between two requests for keys, whatever tokens arrive.
const MIN_INTERVAL: TimeDelta = TimeDelta::seconds(10);

/// When keys are asked for again though all tokens fit: a key that is gone must not go on.
const REFRESH_AGE: TimeDelta = TimeDelta::minutes(10);

/// How long keys go on while their issuer does not answer.
const MAX_AGE: TimeDelta = TimeDelta::hours(24);

/// An issuer of tokens.
pub(crate) struct Issuer {
    options: IssuerOptions,
    fetcher: Option<Fetcher>,
    keys: RwLock<Keys>,
    /// Held by whoever asks for keys: everybody else waits for the one answer.
    asking: tokio::sync::Mutex<()>,
    clock: Clock,
}

/// What is known of the keys.
#[derive(Default)]
struct Keys {
    set: Option<Arc<KeySet>>,
    read_at: DateTime<Utc>,
    /// How often they have been read.
    version: u64,
    asked_at: Option<DateTime<Utc>>,
}

/// Which key a token needs.
#[derive(Clone, Copy)]
pub(crate) struct KeyQuery<'a> {
    pub(crate) id: Option<&'a str>,
    pub(crate) algorithm: Algorithm,
    pub(crate) issued_at: Option<DateTime<Utc>>,
}

impl Issuer {
    pub(crate) fn new(options: IssuerOptions, environment: &Environment) -> Result<Self, PolicyError> {
        let fetcher = Fetcher::new(&options, &environment.http)?;
        let set = match &options.keys {
            // The policy has parsed it before.
            KeySource::Text(text) => KeySet::parse(text.as_bytes()).ok().map(Arc::new),
            KeySource::Discovery(_) | KeySource::Address(_) => None,
        };
        let keys = RwLock::new(Keys { set, ..Keys::default() });
        let clock = Arc::clone(&environment.clock);
        Ok(Self { options, fetcher, keys, asking: tokio::sync::Mutex::default(), clock })
    }

    pub(crate) const fn options(&self) -> &IssuerOptions {
        &self.options
    }

    pub(crate) fn name(&self) -> &str {
        &self.options.name
    }

    pub(crate) fn issuer(&self) -> &str {
        &self.options.issuer
    }

    pub(crate) fn audiences(&self) -> &[String] {
        &self.options.audiences
    }

    pub(crate) const fn leeway(&self) -> TimeDelta {
        self.options.leeway
    }

    /// The key that a token needs. The issuer is asked for it if it is not known, unless it
    /// has been asked a moment ago.
    pub(crate) async fn key(self: &Arc<Self>, query: KeyQuery<'_>) -> Result<Arc<Key>, Refusal> {
        let (known, version) = self.known(query)?;
        if let Some(key) = known {
            self.refresh_if_old();
            return Ok(key);
        }
        self.refresh().await;
        match self.known(query)? {
            (Some(key), _) => Ok(key),
            (None, newer) => Err(self.why_unknown(query, newer != version)),
        }
    }

    /// The key among those that are known, and the version of these.
    fn known(&self, query: KeyQuery<'_>) -> Result<(Option<Arc<Key>>, u64), CredentialError> {
        let now = (self.clock)();
        let keys = self.keys.read().unwrap_or_else(PoisonError::into_inner);
        let is_current = self.fetcher.is_none() || now - keys.read_at <= MAX_AGE;
        let Some(set) = keys.set.as_ref().filter(|_| is_current) else { return Ok((None, keys.version)) };
        match set.find(query.id, query.algorithm) {
            Found::Key(key) => Ok((Some(key), keys.version)),
            Found::Unknown => Ok((None, keys.version)),
            Found::OtherAlgorithm => Err(CredentialError::Signature),
            Found::Ambiguous => {
                Err(CredentialError::Malformed("it names no key (kid), and its issuer has several"))
            }
        }
    }

    /// Why the key is still unknown after the issuer was asked, or could not be.
    fn why_unknown(&self, query: KeyQuery<'_>, is_fresh: bool) -> Refusal {
        let now = (self.clock)();
        let issuer = self.options.name.clone();
        let keys = self.keys.read().unwrap_or_else(PoisonError::into_inner);
        let since = keys.asked_at.map_or(TimeDelta::zero(), |asked_at| now - asked_at);
        let wait = (MIN_INTERVAL - since).clamp(TimeDelta::seconds(1), MIN_INTERVAL);
        let retry_after = wait.to_std().unwrap_or_default();
        let has_failed = keys.asked_at.is_some_and(|asked_at| asked_at > keys.read_at);
        // A token from before the keys were read is signed with a key from before, too. Issuers
        // drop the fraction of the second in which they issue.
        let is_older = query
            .issued_at
            .is_some_and(|at| at + TimeDelta::seconds(1) <= keys.read_at - self.options.leeway);
        if self.fetcher.is_none() || is_fresh {
            Refusal::Unauthenticated(CredentialError::UnknownKey { issuer })
        } else if keys.set.is_none() || has_failed {
            Refusal::Unavailable { issuer, retry_after }
        } else if is_older {
            Refusal::Unauthenticated(CredentialError::UnknownKey { issuer })
        } else {
            Refusal::KeyNotSeenYet { issuer, retry_after }
        }
    }

    fn refresh_if_old(self: &Arc<Self>) {
        let now = (self.clock)();
        let keys = self.keys.read().unwrap_or_else(PoisonError::into_inner);
        if self.fetcher.is_some() && now - keys.read_at >= REFRESH_AGE && keys.may_be_asked_for(now) {
            tokio::spawn(Arc::clone(self).ask());
        }
    }

    /// Asks for the keys, unless that was done a moment ago.
    async fn refresh(self: &Arc<Self>) {
        if self.fetcher.is_some() {
            // In a task of its own: the caller may give up, and others wait for the answer.
            let _ = tokio::spawn(Arc::clone(self).ask()).await;
        }
    }

    async fn ask(self: Arc<Self>) {
        let Some(fetcher) = &self.fetcher else { return };
        let _turn = self.asking.lock().await;
        {
            let now = (self.clock)();
            let mut keys = self.keys.write().unwrap_or_else(PoisonError::into_inner);
            if !keys.may_be_asked_for(now) {
                return;
            }
            keys.asked_at = Some(now);
        }
        match fetcher.key_set().await {
            Ok(set) => {
                let read_at = (self.clock)();
                let mut keys = self.keys.write().unwrap_or_else(PoisonError::into_inner);
                keys.set = Some(Arc::new(set));
                keys.read_at = read_at;
                keys.version += 1;
                info!(issuer = self.options.name, "read the issuer's keys");
            }
            Err(error) => warn!(issuer = self.options.name, error, "cannot read the issuer's keys"),
        }
    }
}

impl Keys {
    fn may_be_asked_for(&self, now: DateTime<Utc>) -> bool {
        // A clock that was set back must not silence us.
        self.asked_at.is_none_or(|asked_at| now < asked_at || now - asked_at >= MIN_INTERVAL)
    }
}
