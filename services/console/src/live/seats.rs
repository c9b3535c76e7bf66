//! How many look at once.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use crate::{door::Whose, failure::Failure};
use axum::http::StatusCode;

/// Streams that may be open, of everybody and of one session, or of one address without one.
const SEATS: usize = 1_000;
const SEATS_OF_ONE: usize = 256;

/// The seats of those who look.
#[derive(Clone, Default)]
pub(crate) struct Seats(Arc<Mutex<HashMap<Whose, usize>>>);

/// One of them, free again when it is dropped.
pub(crate) struct Taken {
    seats: Seats,
    whose: Whose,
}

impl Seats {
    /// # Errors
    /// If all are taken, or too many by the same.
    pub(crate) fn take(&self, whose: Whose) -> Result<Taken, Failure> {
        let mut seats = self.locked();
        let (all, own) = (seats.values().sum::<usize>(), seats.get(&whose).copied().unwrap_or_default());
        if all >= SEATS || own >= SEATS_OF_ONE {
            let message = "Too many pages of runs are open: close some, and reload this one.".to_owned();
            return Err(Failure::Refused(StatusCode::TOO_MANY_REQUESTS, message));
        }
        seats.insert(whose, own + 1);
        drop(seats);
        Ok(Taken { seats: self.clone(), whose })
    }

    fn locked(&self) -> MutexGuard<'_, HashMap<Whose, usize>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Taken {
    fn drop(&mut self) {
        let mut seats = self.seats.locked();
        if let Some(own) = seats.get_mut(&self.whose) {
            *own -= 1;
            if *own == 0 {
                seats.remove(&self.whose);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::net::IpAddr;

    use super::*;

    #[test]
    fn streams_are_bounded_of_one_and_of_all() {
        let seats = Seats::default();
        let take = |digit| seats.take(Whose::Address(Some(IpAddr::from([10, 0, 0, digit]))));
        let mut taken: Vec<_> = (0..SEATS_OF_ONE).map(|_| take(1).unwrap()).collect();
        let refused = take(1).err().unwrap();
        assert_eq!(refused.status(), StatusCode::TOO_MANY_REQUESTS);
        taken.pop();
        taken.push(take(1).unwrap());
        for digit in 2.. {
            taken.extend((0..SEATS_OF_ONE).map_while(|_| take(digit).ok()));
            if taken.len() == SEATS {
                break;
            }
        }
        assert!(take(200).is_err());
        drop(taken);
        assert!(seats.locked().is_empty());
    }
}
