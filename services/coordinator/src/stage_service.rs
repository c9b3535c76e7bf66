//! A service that executes stages, and the connection to it.

use std::time::Duration;

use backon::{BackoffBuilder, ExponentialBuilder};
use runtime::Channel;
use tokio::time::Instant;

/// How to reach a service that executes stages.
#[derive(Debug, Clone)]
pub(crate) enum StageService {
    /// Inside this process, for as long as the process lives.
    InProcess(Channel),
    /// Over the network, at this URL.
    Remote(String),
}

/// The service could not be reached in time.
#[derive(Debug)]
pub(crate) struct Unreachable {
    /// The problem that the last attempt reported.
    pub(crate) problem: String,
}

impl StageService {
    /// Connects for one attempt. Each try resolves the address anew: a replaced
    /// service has another one. `on_wait` is called once, if the first try
    /// fails.
    ///
    /// # Errors
    /// If no connection is made within `patience`.
    pub(crate) async fn connect(
        &self,
        patience: Duration,
        on_wait: impl Fn(&str),
    ) -> Result<Channel, Unreachable> {
        let url = match self {
            Self::InProcess(channel) => return Ok(channel.clone()),
            Self::Remote(url) => url,
        };
        let give_up_at = Instant::now() + patience;
        let mut pauses = ExponentialBuilder::default()
            .with_min_delay(Duration::from_millis(200))
            .with_max_delay(Duration::from_secs(2))
            .without_max_times()
            .build();
        let mut is_waiting = false;
        loop {
            let problem = match runtime::channel::connect_now(url).await {
                Ok(channel) => return Ok(channel),
                Err(error) => error.root_cause().to_string(),
            };
            if !is_waiting {
                on_wait(&problem);
                is_waiting = true;
            }
            let pause = pauses.next().unwrap_or(Duration::from_secs(2));
            if Instant::now() + pause > give_up_at {
                return Err(Unreachable { problem });
            }
            tokio::time::sleep(pause).await;
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicU32, Ordering};

    use super::*;

    #[tokio::test]
    async fn a_service_that_stays_away_is_given_up_after_the_time_that_was_given() {
        // Port 1 of the loopback address is reserved, and nothing listens on it.
        let service = StageService::Remote("http://127.0.0.1:1".to_owned());
        let waits = AtomicU32::new(0);
        let count = |_: &str| {
            waits.fetch_add(1, Ordering::Relaxed);
        };
        let began = Instant::now();
        let gone = service.connect(Duration::from_millis(900), count).await.unwrap_err();
        assert!(began.elapsed() >= Duration::from_millis(400), "it must try more than once");
        assert_eq!(waits.load(Ordering::Relaxed), 1, "a wait is reported once");
        assert!(!gone.problem.is_empty());
    }
}
