//! What is visible of a warehouse from outside, to show that a call changed nothing.

use std::{
    collections::BTreeMap,
    future::{Future, poll_fn},
    pin::pin,
    task::Poll,
};

use chrono::NaiveDate;
use domain::{Checksum, DateWindow, FactRow, Publication};
use warehouse_core::{
    Freshness, QuarantinedRow, Run, RunQuery, UsageDayState,
    inspection::{LoggedPublication, ReplacedRow},
};

use crate::engine::EngineUnderTest;
use crate::scene::{days, published};

/// More rows than any behaviour leaves behind.
const ALL: u32 = 100_000;

/// Everything that readers of a warehouse see, except its alerts: reading those claims
/// them.
#[derive(Debug, Clone, PartialEq)]
pub struct Observed {
    /// Published rows.
    pub rows: Vec<FactRow>,
    /// Published days.
    pub freshness: Option<Freshness>,
    /// The ledger of published days.
    pub ledger: Vec<Publication>,
    /// What was replaced.
    pub replaced: Vec<ReplacedRow>,
    /// The log of publications.
    pub log: Vec<LoggedPublication>,
    /// Runs with their stages.
    pub runs: Vec<Run>,
    /// Rejected rows.
    pub quarantine: Vec<QuarantinedRow>,
    /// Fetched days.
    pub usage_days: Vec<UsageDayState>,
}

/// Reads everything.
pub async fn observe(warehouse: &EngineUnderTest) -> Observed {
    let ever = days(-400, 400);
    Observed {
        rows: published(warehouse, ever).await,
        freshness: warehouse.freshness().await.unwrap(),
        ledger: warehouse.published_days(ever).await.unwrap(),
        replaced: warehouse.staging.replaced_rows(ever).await.unwrap(),
        log: warehouse.staging.logged_publications(ever).await.unwrap(),
        runs: warehouse.runs(&RunQuery::default(), ALL).await.unwrap(),
        quarantine: warehouse.staging.quarantined_rows(None, ALL).await.unwrap(),
        usage_days: warehouse.usage_days(ever).await.unwrap(),
    }
}

/// The correct ledger entries for the published days of a window, computed from their
/// rows: how many there are, and their checksum.
pub async fn ledger_of_rows(
    warehouse: &EngineUnderTest,
    window: DateWindow,
) -> Vec<(NaiveDate, i64, Checksum)> {
    let mut days: BTreeMap<NaiveDate, (i64, Checksum)> = BTreeMap::new();
    for entry in warehouse.published_days(window).await.unwrap() {
        days.entry(entry.activity_date).or_default();
    }
    for row in published(warehouse, window).await {
        let (rows, checksum) = days.entry(row.key.activity_date).or_default();
        *rows += 1;
        checksum.toggle(&row);
    }
    days.into_iter().map(|(day, (rows, checksum))| (day, rows, checksum)).collect()
}

/// Polls `call` at most `polls` times, then drops it as a disconnecting caller would.
/// `None` if it was dropped before its end.
pub async fn interrupted_after<T>(polls: usize, call: impl Future<Output = T>) -> Option<T> {
    let mut call = pin!(call);
    let mut left = polls;
    poll_fn(|context| {
        if left == 0 {
            return Poll::Ready(None);
        }
        left -= 1;
        match call.as_mut().poll(context) {
            Poll::Ready(output) => Poll::Ready(Some(output)),
            Poll::Pending if left == 0 => Poll::Ready(None),
            Poll::Pending => Poll::Pending,
        }
    })
    .await
}
