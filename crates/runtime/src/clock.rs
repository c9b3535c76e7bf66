//! The clock that everything else is handed.

use chrono::{DateTime, NaiveDate, Utc};

/// Tells the time. Passed in wherever the present matters, so that tests decide
/// what day it is.
pub trait Clock: Send + Sync {
    /// The present.
    fn now(&self) -> DateTime<Utc>;

    /// The UTC calendar day before today: the newest one that is over.
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

/// The clock of the machine.
#[derive(Debug, Clone, Copy, Default)]
pub struct SystemClock;

impl Clock for SystemClock {
    #[allow(clippy::disallowed_methods, reason = "the one place that reads the machine's clock")]
    fn now(&self) -> DateTime<Utc> {
        Utc::now()
    }
}
