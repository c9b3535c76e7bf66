//! One lock per key, for as long as it is in use.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, PoisonError, Weak},
};

use tokio::sync::{Mutex as AsyncMutex, OwnedMutexGuard};

/// Locks by key. A lock that is neither held nor waited for is freed by the next call.
#[derive(Debug, Default)]
pub(crate) struct KeyLocks(Mutex<HashMap<String, Weak<AsyncMutex<()>>>>);

impl KeyLocks {
    /// Waits for the key's lock, and holds it until the guard is dropped.
    pub(crate) async fn lock(&self, key: &str) -> OwnedMutexGuard<()> {
        self.of(key).lock_owned().await
    }

    fn of(&self, key: &str) -> Arc<AsyncMutex<()>> {
        let mut locks = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        locks.retain(|_, lock| lock.strong_count() > 0);
        if let Some(lock) = locks.get(key).and_then(Weak::upgrade) {
            return lock;
        }
        let lock = Arc::new(AsyncMutex::new(()));
        locks.insert(key.to_owned(), Arc::downgrade(&lock));
        lock
    }
}

#[cfg(test)]
mod tests {
    use futures::FutureExt;

    use super::*;

    #[tokio::test]
    async fn a_key_is_held_by_one_and_other_keys_are_free() {
        let locks = KeyLocks::default();
        let held = locks.lock("a").await;
        let mut waiting = Box::pin(locks.lock("a"));
        assert!(waiting.as_mut().now_or_never().is_none());
        assert!(locks.lock("b").now_or_never().is_some());
        drop(held);
        drop(waiting.await);
    }

    #[tokio::test]
    async fn forgotten_keys_are_dropped() {
        let locks = KeyLocks::default();
        for number in 0..100 {
            drop(locks.lock(&number.to_string()).await);
        }
        let _held = locks.lock("last").await;
        assert_eq!(locks.0.lock().unwrap().len(), 1);
    }
}
