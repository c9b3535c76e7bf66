//! Places for requests, of which no address takes more than half.

use std::{
    collections::HashMap,
    net::IpAddr,
    sync::{Arc, Mutex, PoisonError, Weak},
    time::Duration,
};

use tokio::{
    sync::{OwnedSemaphorePermit, Semaphore},
    time::timeout,
};

use crate::rpc::Key;

/// How long a request waits for its turn.
const PATIENCE: Duration = Duration::from_secs(1);

/// Places that requests take in turn.
pub(super) struct Places {
    all: Arc<Semaphore>,
    of_one: usize,
    /// The share of each address that has or awaits a place.
    shares: Mutex<HashMap<Key, Weak<Semaphore>>>,
}

/// A place, free again when it is dropped.
pub(super) struct Place {
    _of_all: OwnedSemaphorePermit,
    _of_one: OwnedSemaphorePermit,
}

impl Places {
    pub(super) fn new(places: usize) -> Self {
        Self { all: Arc::new(Semaphore::new(places)), of_one: places.div_ceil(2), shares: Mutex::default() }
    }

    /// A place for a request from `peer`; `None` if none becomes free in time.
    pub(super) async fn take(&self, peer: Option<IpAddr>) -> Option<Place> {
        let share = self.share(Key::of_address(peer));
        // Its own share first: whoever waits for that takes no place meanwhile.
        let taking = async {
            let of_one = share.acquire_owned().await.ok()?;
            let of_all = self.all.clone().acquire_owned().await.ok()?;
            Some(Place { _of_all: of_all, _of_one: of_one })
        };
        timeout(PATIENCE, taking).await.ok().flatten()
    }

    fn share(&self, key: Key) -> Arc<Semaphore> {
        let mut shares = self.shares.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(share) = shares.get(&key).and_then(Weak::upgrade) {
            return share;
        }
        shares.retain(|_, share| share.strong_count() > 0);
        let share = Arc::new(Semaphore::new(self.of_one));
        shares.insert(key, Arc::downgrade(&share));
        share
    }
}

#[cfg(test)]
mod tests {
    use futures::FutureExt as _;

    use super::*;

    #[tokio::test]
    async fn one_address_leaves_half_of_the_places_to_others() {
        let places = Places::new(4);
        let (one, other) = (Some(IpAddr::from([10, 0, 0, 1])), Some(IpAddr::from([10, 0, 0, 2])));
        let take = |peer| places.take(peer).now_or_never().flatten();
        let taken = [take(one).unwrap(), take(one).unwrap()];
        assert!(take(one).is_none());
        let others = [take(other).unwrap(), take(other).unwrap()];
        assert!(take(None).is_none(), "all are taken");
        drop(taken);
        assert!(take(one).is_some());
        drop(others);
        assert!(take(None).is_some());
        assert_eq!(places.shares.lock().unwrap().len(), 1, "who has no place is forgotten");
    }
}
