//! Keeps what strangers cause from filling the log.

use std::{
    sync::{Mutex, PoisonError},
    time::Duration,
};

use tokio::time::Instant;

/// Admits one line in a while.
#[derive(Debug)]
pub struct LogLimit {
    every: Duration,
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    last: Option<Instant>,
    left_out: u64,
}

impl LogLimit {
    /// Admits one line every so often.
    #[must_use]
    pub fn new(every: Duration) -> Self {
        Self { every, state: Mutex::default() }
    }

    /// How many were left out before this line; `None` if this one is left out as well.
    #[must_use]
    pub fn admit(&self) -> Option<u64> {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        let now = Instant::now();
        if state.last.is_some_and(|last| now.duration_since(last) < self.every) {
            state.left_out += 1;
            return None;
        }
        state.last = Some(now);
        Some(std::mem::take(&mut state.left_out))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn one_line_in_a_while_says_how_many_were_left_out() {
        let limit = LogLimit::new(Duration::from_secs(10));
        assert_eq!([limit.admit(), limit.admit(), limit.admit()], [Some(0), None, None]);
        tokio::time::advance(Duration::from_secs(10)).await;
        assert_eq!([limit.admit(), limit.admit()], [Some(2), None]);
    }
}
