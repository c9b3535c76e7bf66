//! Retries with backoff.

use std::{future::Future, time::Duration};

use backon::{ExponentialBuilder, Retryable};
use domain::retry_after::patient_wait;
use tracing::warn;

use crate::{config::Options, error::Error};

/// How often to try a page, and how long to wait in between.
#[derive(Debug, Clone, Copy)]
pub(crate) struct RetryPolicy {
    max_attempts: u32,
    min_backoff: Duration,
    max_backoff: Duration,
    max_retry_after: Duration,
}

impl RetryPolicy {
    pub(crate) const fn new(options: &Options) -> Self {
        Self {
            max_attempts: options.product_api_max_attempts,
            min_backoff: options.product_api_min_backoff,
            max_backoff: options.product_api_max_backoff,
            max_retry_after: options.product_api_max_retry_after,
        }
    }

    /// Makes a call until it succeeds, fails for good, or the attempts are used up.
    ///
    /// # Errors
    /// [`Error::GaveUp`] after the last attempt; any error that is not transient at once.
    pub(crate) async fn run<T, F>(&self, call: impl FnMut() -> F) -> Result<T, Error>
    where
        F: Future<Output = Result<T, Error>>,
    {
        call.retry(self.backoff())
            .when(Error::is_worth_another_request)
            .adjust(|error, backoff| backoff.map(|backoff| self.wait(error, backoff)))
            .notify(|error, wait| warn!(%error, ?wait, "trying the product API again"))
            .await
            .map_err(|error| self.gave_up(error))
    }

    fn backoff(&self) -> ExponentialBuilder {
        let retries = usize::try_from(self.max_attempts.saturating_sub(1)).unwrap_or(usize::MAX);
        ExponentialBuilder::default()
            .with_min_delay(self.min_backoff)
            .with_max_delay(self.max_backoff)
            .with_max_times(retries)
            .with_jitter()
    }

    fn wait(&self, error: &Error, backoff: Duration) -> Duration {
        patient_wait(backoff, error.retry_after(), self.max_retry_after)
    }

    /// How long the product API wants no request, as far as we have that patience.
    pub(crate) fn pause(&self, error: &Error) -> Option<Duration> {
        error.retry_after().map(|wait| wait.min(self.max_retry_after))
    }

    fn gave_up(&self, error: Error) -> Error {
        if error.is_worth_another_request() {
            Error::GaveUp { attempts: self.max_attempts, last: Box::new(error) }
        } else {
            error
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::page::PageRef;
    use domain::date_window::parse_day;
    use reqwest::StatusCode;

    const POLICY: RetryPolicy = RetryPolicy {
        max_attempts: 3,
        min_backoff: Duration::from_millis(100),
        max_backoff: Duration::from_secs(1),
        max_retry_after: Duration::from_secs(60),
    };

    fn throttled(retry_after: Option<u64>) -> Error {
        Error::Throttled {
            at: PageRef { day: parse_day("2026-01-05").unwrap(), page: 1 },
            status: StatusCode::TOO_MANY_REQUESTS,
            retry_after: retry_after.map(Duration::from_secs),
        }
    }

    #[test]
    fn what_the_server_asks_for_counts_before_the_backoff_and_is_capped() {
        let backoff = Duration::from_millis(250);
        assert_eq!(POLICY.wait(&throttled(Some(7)), backoff), Duration::from_secs(7));
        assert_eq!(POLICY.wait(&throttled(Some(3600)), backoff), Duration::from_secs(60));
        assert_eq!(POLICY.wait(&throttled(None), backoff), backoff);
    }

    #[tokio::test(start_paused = true)]
    async fn the_attempts_are_counted_and_the_servers_wish_is_passed_on() {
        let mut attempts = 0;
        let started = tokio::time::Instant::now();
        let error = POLICY
            .run(|| {
                attempts += 1;
                std::future::ready(Err::<(), _>(throttled(Some(30))))
            })
            .await
            .unwrap_err();
        assert_eq!(attempts, 3);
        assert_eq!(started.elapsed(), Duration::from_secs(60));
        assert_eq!(error.retry_after(), Some(Duration::from_secs(30)));
        assert!(error.to_string().ends_with("(gave up after 3 attempts)"), "{error}");
    }

    #[tokio::test]
    async fn what_is_not_transient_is_tried_once() {
        let mut attempts = 0;
        let outcome = POLICY
            .run(|| {
                attempts += 1;
                std::future::ready(Err::<(), _>(Error::UnusableToken))
            })
            .await;
        assert_eq!(attempts, 1);
        assert!(matches!(outcome, Err(Error::UnusableToken)));
    }
}
