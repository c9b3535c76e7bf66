//! Who has which calls open, and how many each caller has begun lately.

use std::{
    collections::HashMap,
    net::{IpAddr, Ipv6Addr},
    num::NonZeroU32,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use governor::{
    DefaultDirectRateLimiter, Quota, RateLimiter,
    clock::{Clock, DefaultClock},
};

/// Calls that compete with each other for places.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Class {
    /// With one answer.
    Call,
    /// With a stream of answers, which may be open for hours.
    Stream,
    /// The coordinator's: nobody else's calls may keep them out.
    Stage,
}

impl Class {
    /// How many of all places one caller may have: one in so many.
    const fn share(self) -> usize {
        match self {
            Self::Call => 2,
            Self::Stream => 4,
            // There is only one coordinator.
            Self::Stage => 1,
        }
    }

    /// Whether its calls count against their caller's rate.
    const fn is_rated(self) -> bool {
        !matches!(self, Self::Stage)
    }
}

/// Callers that are told apart. More would be forgotten ones and strangers: they share what
/// one caller may have.
const CALLERS: usize = 10_000;

/// How long to wait for a place: calls take milliseconds, but so does a refusal.
const WAIT_FOR_A_PLACE: Duration = Duration::from_millis(500);

/// How long to wait for a place among streams.
const WAIT_FOR_A_STREAM: Duration = Duration::from_secs(5);

/// Who calls.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) enum Key {
    /// The name that a caller has proved.
    Name(String),
    /// The address of one that was not asked. An IPv6 host has a whole network (/64).
    Address(IpAddr),
    /// Everybody who cannot be told apart.
    Others,
}

impl Key {
    pub(crate) fn of_address(address: Option<IpAddr>) -> Self {
        match address.map(|address| address.to_canonical()) {
            Some(IpAddr::V6(address)) => {
                Self::Address(Ipv6Addr::from(u128::from(address) >> 64 << 64).into())
            }
            Some(address) => Self::Address(address),
            None => Self::Others,
        }
    }
}

/// Why a call is refused, and when to ask again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Overload {
    pub(super) limit: &'static str,
    pub(super) wait: Duration,
    pub(super) is_callers_own: bool,
}

/// The callers of a server. Clones share them.
#[derive(Clone)]
pub(crate) struct Callers(Arc<Shared>);

struct Shared {
    places: usize,
    quota: Option<Quota>,
    clock: DefaultClock,
    table: Mutex<Table>,
}

#[derive(Default)]
struct Table {
    open: [usize; 3],
    callers: HashMap<Key, Caller>,
}

#[derive(Default)]
struct Caller {
    open: [usize; 3],
    rate: Option<DefaultDirectRateLimiter>,
}

impl Callers {
    /// Callers that share `places` of each class, and may begin `calls_per_second` each; 0
    /// for any number.
    pub(crate) fn new(places: usize, calls_per_second: u32) -> Self {
        let quota = NonZeroU32::new(calls_per_second)
            .map(|rate| Quota::per_second(rate).allow_burst(rate.saturating_add(rate.get())));
        Self(Arc::new(Shared { places, quota, clock: DefaultClock::default(), table: Mutex::default() }))
    }

    /// Lets a call begin, or says why not.
    pub(super) fn begin(&self, key: Key, class: Class) -> Result<Permit, Overload> {
        let mut table = self.table();
        let key = self.known(&mut table, key);
        let Table { open, callers } = &mut *table;
        let caller = callers.entry(key.clone()).or_default();
        if class.is_rated()
            && let Some(quota) = self.0.quota
        {
            let rate = caller.rate.get_or_insert_with(|| RateLimiter::direct(quota));
            rate.check().map_err(|until| Overload {
                limit: "rate",
                wait: until.wait_time_from(self.0.clock.now()),
                is_callers_own: true,
            })?;
        }
        let (all, own) = (&mut open[class as usize], &mut caller.open[class as usize]);
        let share = self.0.places.div_ceil(class.share()).max(1);
        let is_callers_own = *own >= share;
        if is_callers_own || *all >= self.0.places {
            let (limit, wait) = match class {
                Class::Call => ("calls", WAIT_FOR_A_PLACE),
                Class::Stream => ("streams", WAIT_FOR_A_STREAM),
                Class::Stage => ("stages", WAIT_FOR_A_PLACE),
            };
            return Err(Overload { limit, wait, is_callers_own });
        }
        *all += 1;
        *own += 1;
        drop(table);
        Ok(Permit { callers: self.clone(), key, class })
    }

    /// The key under which a caller is counted: its own, unless too many are known.
    fn known(&self, table: &mut Table, key: Key) -> Key {
        if table.callers.len() >= CALLERS && !table.callers.contains_key(&key) {
            table.callers.retain(|_, caller| caller.is_active(self.0.quota));
            if table.callers.len() >= CALLERS {
                return Key::Others;
            }
        }
        key
    }

    fn table(&self) -> MutexGuard<'_, Table> {
        self.0.table.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Caller {
    /// Whether forgetting the caller would let it have more than it may. Asks for the whole
    /// burst, which empties a full bucket: the caller is forgotten with it.
    fn is_active(&self, quota: Option<Quota>) -> bool {
        let is_spent = |rate: &DefaultDirectRateLimiter| {
            quota.is_some_and(|quota| !matches!(rate.check_n(quota.burst_size()), Ok(Ok(()))))
        };
        self.open != [0; 3] || self.rate.as_ref().is_some_and(is_spent)
    }
}

/// A call that has a place.
pub(super) struct Permit {
    callers: Callers,
    key: Key,
    class: Class,
}

impl Drop for Permit {
    fn drop(&mut self) {
        let mut table = self.callers.table();
        table.open[self.class as usize] -= 1;
        if let Some(caller) = table.callers.get_mut(&self.key) {
            caller.open[self.class as usize] -= 1;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn name(name: &str) -> Key {
        Key::Name(name.to_owned())
    }

    fn refused(begun: Result<Permit, Overload>) -> Overload {
        begun.err().unwrap()
    }

    #[test]
    fn one_caller_has_half_of_the_calls_and_a_quarter_of_the_streams() {
        let callers = Callers::new(8, 0);
        let calls: Vec<_> = (0..4).map(|_| callers.begin(name("a"), Class::Call).unwrap()).collect();
        let refusal = refused(callers.begin(name("a"), Class::Call));
        assert_eq!((refusal.limit, refusal.is_callers_own), ("calls", true));
        let _others: Vec<_> = (0..4).map(|_| callers.begin(name("b"), Class::Call).unwrap()).collect();
        let refusal = refused(callers.begin(name("c"), Class::Call));
        assert_eq!((refusal.limit, refusal.is_callers_own), ("calls", false));
        let _streams: Vec<_> = (0..2).map(|_| callers.begin(name("a"), Class::Stream).unwrap()).collect();
        assert_eq!(refused(callers.begin(name("a"), Class::Stream)).limit, "streams");
        let _stages: Vec<_> = (0..8).map(|_| callers.begin(name("a"), Class::Stage).unwrap()).collect();
        drop(calls);
        assert!(callers.begin(name("c"), Class::Call).is_ok(), "a place is free again");
    }

    #[test]
    fn a_caller_that_asks_too_often_learns_when_to_come_back_and_others_do_not_notice() {
        let callers = Callers::new(100, 1);
        assert!(callers.begin(name("a"), Class::Call).is_ok());
        assert!(callers.begin(name("a"), Class::Stream).is_ok());
        let refusal = refused(callers.begin(name("a"), Class::Call));
        assert_eq!(refusal.limit, "rate");
        assert!(!refusal.wait.is_zero() && refusal.wait <= Duration::from_secs(1), "{refusal:?}");
        assert!(callers.begin(name("b"), Class::Call).is_ok());
        for _ in 0..10 {
            assert!(callers.begin(name("a"), Class::Stage).is_ok());
        }
    }

    #[test]
    fn callers_that_ask_no_more_are_forgotten_and_too_many_are_one() {
        let forgetful = Callers::new(10, 1_000_000_000);
        let strict = Callers::new(10, 1);
        for number in 0..CALLERS + 10 {
            // Kept only for as long as the call is open: a bucket is full again at once.
            assert!(forgetful.begin(name(&number.to_string()), Class::Call).is_ok());
            let _ = strict.begin(name(&number.to_string()), Class::Call);
        }
        assert!(forgetful.table().callers.len() <= CALLERS);
        assert!(!forgetful.table().callers.contains_key(&Key::Others));
        assert_eq!(strict.table().callers.len(), CALLERS + 1);
        assert_eq!(refused(strict.begin(name("new"), Class::Call)).limit, "rate", "strangers share a bucket");
    }

    #[test]
    fn an_ipv6_host_is_one_caller() {
        let of = |text: &str| Key::of_address(Some(text.parse().unwrap()));
        assert_eq!(of("2001:db8::1"), of("2001:db8::ffff:1"));
        assert_ne!(of("2001:db8::1"), of("2001:db8:0:1::1"));
        assert_eq!(of("::ffff:192.0.2.1"), of("192.0.2.1"));
        assert_ne!(of("192.0.2.2"), of("192.0.2.1"));
    }
}
