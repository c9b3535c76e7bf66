//! What the warehouse holds of a day, to compare with its source.

use async_trait::async_trait;
use chrono::NaiveDate;
use domain::{CompanyId, UsageNumbers};

use crate::{error::Result, usage::UsageDayState};

/// What the warehouse holds of a day's usage.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HeldDay {
    /// Whether the day is published.
    pub is_published: bool,
    /// When it was last fetched, and what landed then; `None` if it never was.
    pub fetched: Option<UsageDayState>,
    /// The companies with a published row or a staged record, in order.
    pub companies: Vec<HeldUsage>,
}

/// What the warehouse holds of a company's usage on a day.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HeldUsage {
    /// The company.
    pub company_id: CompanyId,
    /// The numbers of its published row.
    pub published: Option<UsageNumbers>,
    /// The numbers of its staged record.
    pub staged: Option<UsageNumbers>,
    /// Whether its published row waits to be computed again.
    pub waits: bool,
}

/// Reads what is held of a day beside each other.
#[async_trait]
pub trait ReconciliationReader: Send + Sync {
    /// What is held of a day, from one consistent state.
    async fn held_day(&self, day: NaiveDate) -> Result<HeldDay>;
}
