//! Answers that many wait for and one asks for.

use std::{
    future::Future,
    sync::{Mutex, MutexGuard, PoisonError},
};

/// The last answer, or failure. Whoever comes while somebody asks waits for the same answer, but
/// not once asking has failed: as long as it does, one request at a time is held up by it.
pub(super) struct AskedOnce<T, E> {
    last: tokio::sync::Mutex<Option<T>>,
    failure: Mutex<Option<E>>,
}

impl<T, E> Default for AskedOnce<T, E> {
    fn default() -> Self {
        Self { last: tokio::sync::Mutex::new(None), failure: Mutex::new(None) }
    }
}

impl<T: Clone, E: Clone> AskedOnce<T, E> {
    /// The last answer while it holds, or else what `ask` brings.
    pub(super) async fn get(
        &self,
        holds: impl Fn(&T) -> bool,
        ask: impl Future<Output = Result<T, E>>,
    ) -> Result<T, E> {
        let failed = || self.failure().clone().map_or(Ok(()), Err);
        let mut last = if let Ok(last) = self.last.try_lock() {
            last
        } else {
            failed()?;
            let last = self.last.lock().await;
            // The one that was waited for.
            failed()?;
            last
        };
        if let Some(known) = last.as_ref().filter(|known| holds(known)) {
            *self.failure() = None;
            return Ok(known.clone());
        }
        let asked = ask.await;
        *self.failure() = asked.as_ref().err().cloned();
        if let Ok(answer) = &asked {
            *last = Some(answer.clone());
        }
        asked
    }

    pub(super) async fn forget(&self) {
        *self.last.lock().await = None;
    }

    fn failure(&self) -> MutexGuard<'_, Option<E>> {
        self.failure.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use std::future::{pending, ready};

    use futures::FutureExt as _;
    use tokio::sync::oneshot;

    use super::*;

    #[tokio::test]
    async fn while_asking_fails_nobody_waits_but_the_one_who_asks() {
        let asked = AskedOnce::<u8, &str>::default();
        let (answer, answered) = oneshot::channel();
        let ask = async { answered.await.unwrap_or(Err("gone")) };
        let mut first = Box::pin(asked.get(|_| true, ask));
        assert!(first.as_mut().now_or_never().is_none());
        let mut waiting = Box::pin(asked.get(|_| true, ready(Ok(9))));
        assert!(waiting.as_mut().now_or_never().is_none(), "there may be an answer yet");
        answer.send(Err("down")).unwrap();
        assert_eq!(first.await, Err("down"));
        assert_eq!(waiting.await, Err("down"), "the answer that it has waited for");

        let mut next = Box::pin(asked.get(|_| true, pending()));
        assert!(next.as_mut().now_or_never().is_none());
        assert_eq!(asked.get(|_| true, ready(Ok(9))).now_or_never(), Some(Err("down")));
        drop(next);
        assert_eq!(asked.get(|_| true, ready(Ok(1))).await, Ok(1), "whoever asks next is answered");
        assert_eq!(asked.get(|_| true, ready(Ok(2))).await, Ok(1));
        assert_eq!(asked.get(|_| false, ready(Ok(2))).await, Ok(2));
    }
}
