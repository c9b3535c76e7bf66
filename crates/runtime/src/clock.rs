//! The clock that everything else receives.

use chrono::{DateTime, NaiveDate, Utc};

/// The clock. Passed in wherever the present matters, so that tests can choose the
/// day.
pub trait Clock: Send + Sync {
    /// The current time.
    fn now(&self) -> DateTime<Utc>;

    /// The UTC calendar day before today: the newest complete one.
    fn yesterday(&self) -> NaiveDate {
        let today = self.now().date_naive();
        today.pred_opt().unwrap_or(today)
    }
}

/// A clock that stands still, for tests.
#[derive(Debug, Clone, Copy)]
pub struct StoppedClock(pub DateTime<Utc>);

impl Clock for StoppedClock {
    fn now(&self) -> DateTime<Utc> {
        self.0
    }
}

/// The machine's clock.
#[derive(Debug, Clone, Copy, Default)]
pub struct SystemClock;

impl Clock for SystemClock {
    #[expect(clippy::disallowed_methods, reason = "the one place that reads the machine's clock")]
    fn now(&self) -> DateTime<Utc> {
        Utc::now()
    }
}
