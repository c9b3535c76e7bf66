//! Who is signed in. Sessions live in this process: a restart ends them.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use chrono::{DateTime, TimeDelta, Utc};
use runtime::Clock;
use secret::Secret;
use serde::Deserialize;
use sha2::{Digest, Sha256};
use tonic::Status;
use tracing::{Instrument as _, debug};

use super::{
    caller::{self, ANSWER_HOLDS, Caller},
    cookies,
    provider::{Provider, ProviderProblem},
};
use crate::backend::{Backend, Credential};

/// Sessions that may be open, of everybody and of one person. Those that have not been used the
/// longest go.
const SESSIONS: usize = 10_000;
const SESSIONS_OF_ONE: usize = 100;

/// How long a session lasts that nobody uses, and how long any.
const IDLE: TimeDelta = TimeDelta::hours(12);
const LONGEST: TimeDelta = TimeDelta::days(7);

/// How long it holds that services or the provider did not answer.
const FAILURE_HOLDS: TimeDelta = TimeDelta::seconds(5);

/// A token is renewed that ends so soon.
const EARLY: TimeDelta = TimeDelta::seconds(30);

/// What a visitor has proved who they are with.
#[derive(Debug, Clone)]
pub(super) struct Tokens {
    /// What services are shown.
    pub(super) shown: Secret,
    /// What the provider renews it for.
    pub(super) refresh: Option<Secret>,
    /// When the token ends; unknown of those that do not say.
    pub(super) expires_at: Option<DateTime<Utc>>,
    /// Whether the provider has to be told when the visitor signs out.
    pub(super) is_of_provider: bool,
}

impl Tokens {
    /// A token by itself, as a person pastes it.
    pub(super) fn pasted(shown: Secret) -> Self {
        let expires_at = expiry(&shown);
        Self { shown, refresh: None, expires_at, is_of_provider: false }
    }

    pub(super) fn credential(&self) -> Result<Credential, Status> {
        Credential::bearer(&self.shown)
            .ok_or_else(|| Status::unauthenticated("a token is one line without spaces"))
    }
}

/// When a token ends, as it says itself. The services decide whether to believe it; here it
/// ends a session in time.
pub(super) fn expiry(token: &Secret) -> Option<DateTime<Utc>> {
    #[derive(Deserialize)]
    struct Claims {
        exp: f64,
    }

    let claims = token.expose().split('.').nth(1)?;
    let claims: Claims = serde_json::from_slice(&URL_SAFE_NO_PAD.decode(claims).ok()?).ok()?;
    #[expect(clippy::cast_possible_truncation, reason = "what is too far away is no time at all")]
    DateTime::from_timestamp(claims.exp as i64, 0)
}

/// Somebody who is signed in.
pub(crate) struct Session {
    key: [u8; 32],
    name: String,
    form_token: String,
    began_at: DateTime<Utc>,
    used_at: Mutex<DateTime<Utc>>,
    /// Locked while services or the provider are asked, so that they are asked once.
    state: Arc<tokio::sync::Mutex<State>>,
}

struct State {
    tokens: Tokens,
    caller: Caller,
    /// When services are asked again who it is.
    ask_at: DateTime<Utc>,
    /// Why the provider did not renew the token, and when it is asked again.
    not_renewed: Option<(ProviderProblem, DateTime<Utc>)>,
}

impl State {
    fn new(tokens: Tokens, caller: Caller, now: DateTime<Utc>) -> Self {
        Self { tokens, caller, ask_at: now + ANSWER_HOLDS, not_renewed: None }
    }
}

impl Session {
    /// What its forms send back.
    pub(super) fn form_token(&self) -> &str {
        &self.form_token
    }

    /// What it is looked up by: a hash, not its id.
    pub(super) const fn key(&self) -> [u8; 32] {
        self.key
    }

    pub(super) fn name(&self) -> &str {
        &self.name
    }

    pub(super) async fn is_of_provider(&self) -> bool {
        self.state.lock().await.tokens.is_of_provider
    }

    /// Who it is as of now, and what to show services. The error is UNAUTHENTICATED if the
    /// session has ended.
    pub(super) async fn ask(
        &self,
        backend: &Backend,
        provider: Option<&Arc<Provider>>,
        clock: &Arc<dyn Clock>,
    ) -> Result<(Caller, Credential), Status> {
        let mut state = self.state.clone().lock_owned().await;
        let now = clock.now();
        if state.tokens.expires_at.is_some_and(|end| end - EARLY <= now) {
            let (provider, clock) = (provider.cloned(), clock.clone());
            let renewing = async move {
                let renewed = state.renew(provider.as_deref(), &*clock).await;
                (state, renewed)
            };
            // To its end, also if the browser leaves meanwhile: many providers take a refresh token
            // but once, and the next one would be lost.
            let renewing = tokio::spawn(renewing.in_current_span());
            let renewed;
            (state, renewed) = renewing.await.map_err(|error| Status::internal(error.to_string()))?;
            renewed?;
        }
        let credential = state.tokens.credential()?;
        if state.ask_at <= now {
            match caller::ask(backend, &credential).await {
                Ok(caller) => (state.caller, state.ask_at) = (caller, clock.now() + ANSWER_HOLDS),
                Err(status) if caller::is_unauthenticated(&status) => return Err(status),
                // Who it was a moment ago will do to show which service does not answer.
                Err(status) => {
                    debug!(%status, "the services do not say who calls");
                    state.ask_at = clock.now() + FAILURE_HOLDS;
                }
            }
        }
        Ok((state.caller.clone(), credential))
    }

    /// Whether the services still take the visitor for an operator, as far as they can be asked: a
    /// token that has run out says nothing, nor do services that do not answer.
    pub(super) async fn may_operate_still(&self, backend: &Backend, now: DateTime<Utc>) -> bool {
        let tokens = self.state.lock().await.tokens.clone();
        let Ok(credential) = tokens.credential() else { return false };
        if tokens.expires_at.is_some_and(|end| end <= now) {
            return true;
        }
        match caller::ask(backend, &credential).await {
            Ok(caller) => caller.is_operator,
            Err(status) => !caller::is_unauthenticated(&status),
        }
    }

    fn has_ended(&self, now: DateTime<Utc>) -> bool {
        now - self.used_at() >= IDLE || now - self.began_at >= LONGEST
    }

    fn used_at(&self) -> DateTime<Utc> {
        *locked(&self.used_at)
    }
}

impl State {
    async fn renew(&mut self, provider: Option<&Provider>, clock: &dyn Clock) -> Result<(), Status> {
        let is_due = self.not_renewed.as_ref().is_none_or(|(_, again_at)| *again_at <= clock.now());
        if let (Some(provider), Some(refresh), true) = (provider, &mut self.tokens.refresh, is_due) {
            match provider.renew(refresh).await {
                Ok(tokens) => {
                    (self.tokens, self.ask_at) = (tokens, DateTime::UNIX_EPOCH);
                    self.not_renewed = None;
                    return Ok(());
                }
                Err(problem) => {
                    debug!(%problem, "the provider does not renew a token");
                    self.not_renewed = Some((problem, clock.now() + FAILURE_HOLDS));
                }
            }
        }
        if self.tokens.expires_at.is_none_or(|end| end > clock.now()) {
            return Ok(());
        }
        Err(match self.not_renewed {
            Some((ProviderProblem::Unreachable(_), _)) => Status::unavailable(
                "your token has ended, and the provider does not answer now: reload in a moment",
            ),
            _ => Status::unauthenticated("the session has ended"),
        })
    }
}

/// All sessions, by what their ids hash to: nobody learns an id by how long it takes to look
/// it up.
#[derive(Default)]
pub(super) struct Sessions(Mutex<HashMap<[u8; 32], Arc<Session>>>);

impl Sessions {
    /// Begins a session and returns its id, which is always a new one: nobody can have put it
    /// into the visitor's browser before.
    pub(super) fn begin(&self, tokens: Tokens, caller: Caller, now: DateTime<Utc>) -> String {
        let id = cookies::random();
        let session = Arc::new(Session {
            key: key(&id),
            name: caller.name.clone(),
            form_token: cookies::random(),
            began_at: now,
            used_at: Mutex::new(now),
            state: Arc::new(tokio::sync::Mutex::new(State::new(tokens, caller, now))),
        });
        let mut sessions = locked(&self.0);
        sessions.retain(|_, session| !session.has_ended(now));
        make_room(&mut sessions, SESSIONS_OF_ONE, |other| other.name == session.name);
        make_room(&mut sessions, SESSIONS, |_| true);
        sessions.insert(session.key, session);
        id
    }

    /// The session of an id. Looking it up counts as using it.
    pub(super) fn find(&self, id: &str, now: DateTime<Utc>) -> Option<Arc<Session>> {
        let mut sessions = locked(&self.0);
        let session = sessions.get(&key(id))?.clone();
        if session.has_ended(now) {
            sessions.remove(&session.key);
            return None;
        }
        *locked(&session.used_at) = now;
        Some(session)
    }

    /// Forgets those that have ended, and their tokens with them.
    pub(super) fn sweep(&self, now: DateTime<Utc>) {
        locked(&self.0).retain(|_, session| !session.has_ended(now));
    }

    /// Whether a session that was found has not ended since. Asking does not count as using it.
    pub(super) fn holds(&self, session: &Session, now: DateTime<Utc>) -> bool {
        !session.has_ended(now) && locked(&self.0).contains_key(&session.key)
    }

    pub(super) fn end(&self, session: &Session) {
        locked(&self.0).remove(&session.key);
    }
}

/// Removes those that have not been used the longest, until there is room for one more.
fn make_room(
    sessions: &mut HashMap<[u8; 32], Arc<Session>>,
    places: usize,
    competes: impl Fn(&Session) -> bool,
) {
    let mut uses: Vec<_> =
        sessions.values().filter(|one| competes(one)).map(|one| (one.used_at(), one.key)).collect();
    if uses.len() < places {
        return;
    }
    uses.sort_unstable();
    for (_, key) in uses.iter().take(uses.len() + 1 - places) {
        sessions.remove(key);
    }
}

fn key(id: &str) -> [u8; 32] {
    Sha256::digest(id.as_bytes()).into()
}

fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn begin(sessions: &Sessions, name: &str, now: DateTime<Utc>) -> String {
        let caller =
            Caller { name: name.to_owned(), is_reader: true, is_operator: false, is_anonymous: false };
        sessions.begin(Tokens::pasted("token".parse().unwrap()), caller, now)
    }

    #[test]
    fn a_session_ends_when_nobody_uses_it_and_at_last_in_any_case() {
        let sessions = Sessions::default();
        let mut now = DateTime::UNIX_EPOCH;
        let (used, unused) = (begin(&sessions, "a", now), begin(&sessions, "b", now));
        for _ in 0..15 {
            now += TimeDelta::hours(11);
            assert!(sessions.find(&used, now).is_some(), "{now}");
        }
        assert!(sessions.find(&unused, now).is_none());
        assert!(sessions.find(&used, now + TimeDelta::hours(4)).is_none(), "a week is over");
        assert!(sessions.find("something else", now).is_none());
        begin(&sessions, "c", now);
        sessions.sweep(now + IDLE);
        assert!(locked(&sessions.0).is_empty(), "nobody has to come for them to go");
    }

    #[test]
    fn one_person_cannot_push_out_others() {
        let sessions = Sessions::default();
        let now = DateTime::UNIX_EPOCH;
        let other = begin(&sessions, "b", now);
        let first = begin(&sessions, "a", now + TimeDelta::seconds(1));
        for number in 0..i64::try_from(SESSIONS_OF_ONE).unwrap() {
            begin(&sessions, "a", now + TimeDelta::seconds(2 + number));
        }
        let now = now + TimeDelta::hours(1);
        assert!(sessions.find(&first, now).is_none() && sessions.find(&other, now).is_some());
        assert_eq!(locked(&sessions.0).len(), SESSIONS_OF_ONE + 1);
    }

    #[test]
    fn all_sessions_together_are_bounded() {
        let sessions = Sessions::default();
        let now = DateTime::UNIX_EPOCH;
        let first = begin(&sessions, "first", now);
        // Put in directly: beginning each would sort them every time.
        for number in 1..SESSIONS {
            let session = Session {
                key: key(&number.to_string()),
                name: number.to_string(),
                form_token: String::new(),
                began_at: now,
                used_at: Mutex::new(now + TimeDelta::seconds(1)),
                state: Arc::new(tokio::sync::Mutex::new(State::new(
                    Tokens::pasted("token".parse().unwrap()),
                    Caller { name: String::new(), is_reader: false, is_operator: false, is_anonymous: false },
                    now,
                ))),
            };
            locked(&sessions.0).insert(session.key, Arc::new(session));
        }
        let last = begin(&sessions, "last", now + TimeDelta::seconds(2));
        assert_eq!(locked(&sessions.0).len(), SESSIONS);
        let now = now + TimeDelta::seconds(3);
        assert!(sessions.find(&first, now).is_none() && sessions.find(&last, now).is_some());
    }

    #[test]
    fn a_token_says_when_it_ends_if_it_is_one_that_says_so() {
        let end = |token: &str| expiry(&token.parse().unwrap());
        let claims = URL_SAFE_NO_PAD.encode(r#"{"sub":"a","exp":1767225600}"#);
        assert_eq!(end(&format!("e30.{claims}.sig")).unwrap().to_rfc3339(), "2026-01-01T00:00:00+00:00");
        for token in ["static", "a.b.c", "a..c", "e30.e30.e30"] {
            assert_eq!(end(token), None, "{token}");
        }
    }
}
