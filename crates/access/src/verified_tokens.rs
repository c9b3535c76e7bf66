//! Tokens of issuers whose signature has been verified: a caller sends one with every call,
//! and the signature is what costs.

use std::{
    collections::HashMap,
    mem,
    sync::{Arc, Mutex, PoisonError},
};

use chrono::{DateTime, Utc};
use jsonwebtoken::Algorithm;
use sha2::{Digest, Sha256};

use crate::{
    caller::Identity,
    issuer::{Issuer, KeyQuery},
    key_set::Key,
};

/// How many tokens one generation holds.
const CAPACITY: usize = 1024;

/// What stands for a token: the token itself does not stay in memory.
pub(crate) type Fingerprint = [u8; 32];

/// A token whose signature was good. Whether it still gets in is asked at every call: time
/// goes on, and its key may be gone.
pub(crate) struct Verified {
    pub(crate) identity: Identity,
    pub(crate) issuer: Arc<Issuer>,
    /// The key that the signature was verified with.
    pub(crate) key: Arc<Key>,
    pub(crate) key_id: Option<String>,
    pub(crate) algorithm: Algorithm,
    pub(crate) issued_at: Option<DateTime<Utc>>,
    pub(crate) validity: Validity,
}

/// When a token may be used.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Validity {
    pub(crate) begins: Option<DateTime<Utc>>,
    pub(crate) ends: DateTime<Utc>,
}

/// The tokens that were verified under one policy. Those that were not asked for longest are
/// forgotten: when the young generation is full it becomes the old one, and the one before goes.
#[derive(Default)]
pub(crate) struct VerifiedTokens(Mutex<Generations>);

#[derive(Default)]
struct Generations {
    young: HashMap<Fingerprint, Arc<Verified>>,
    old: HashMap<Fingerprint, Arc<Verified>>,
}

impl Verified {
    pub(crate) fn key_query(&self) -> KeyQuery<'_> {
        KeyQuery { id: self.key_id.as_deref(), algorithm: self.algorithm, issued_at: self.issued_at }
    }
}

pub(crate) fn fingerprint(token: &str) -> Fingerprint {
    Sha256::digest(token).into()
}

impl VerifiedTokens {
    pub(crate) fn get(&self, token: &Fingerprint) -> Option<Arc<Verified>> {
        let mut generations = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(known) = generations.young.get(token) {
            return Some(Arc::clone(known));
        }
        let known = generations.old.remove(token)?;
        generations.remember(*token, Arc::clone(&known));
        Some(known)
    }

    pub(crate) fn insert(&self, token: Fingerprint, verified: Verified) {
        let mut generations = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        generations.remember(token, Arc::new(verified));
    }
}

impl Generations {
    fn remember(&mut self, token: Fingerprint, verified: Arc<Verified>) {
        if self.young.len() >= CAPACITY {
            self.old = mem::take(&mut self.young);
        }
        self.young.insert(token, verified);
    }
}
