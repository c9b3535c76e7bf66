//! Reads published data at a glance: companies of a day, what changed in their risks of churn,
//! and the days themselves with their totals and their history.

use async_trait::async_trait;
use chrono::{DateTime, NaiveDate, Utc};
use domain::{
    Checksum, CompanyId, DateWindow, DayTotals, FactRow, LastContact, Publication, UnknownChecksumVersion,
};

use crate::{
    activity::{ActivityReader, PublishedState},
    error::Result,
};

/// What companies have in common. An empty text is a company without the value; `None` is all.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct CompanyTraits {
    /// Their country.
    pub country: Option<String>,
    /// Their industry.
    pub industry_tag: Option<String>,
}

impl CompanyTraits {
    /// Whether a row is of such a company.
    #[must_use]
    pub fn holds(&self, row: &FactRow) -> bool {
        let is = |asked: &Option<String>, found: &Option<String>| {
            asked.as_deref().is_none_or(|asked| asked == found.as_deref().unwrap_or_default())
        };
        is(&self.country, &row.country) && is(&self.industry_tag, &row.industry_tag)
    }
}

/// By what companies are ordered; equal ones by company.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum CompanyOrder {
    /// By company.
    #[default]
    CompanyId,
    /// By name, by the numbers of its characters.
    Name,
    /// By events of the day.
    Events,
    /// By active users of the last seven days.
    ActiveUsers7d,
    /// By days since the last contact.
    DaysSinceLastContact,
}

/// Which companies of a day to read, and in what order. Those without a value to order by come
/// last in both directions.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CompanySearch {
    /// The day.
    pub day: NaiveDate,
    /// Parts of text, all of which the identifier or the name holds; ASCII letters in either case.
    pub words: Vec<String>,
    /// What they have in common.
    pub traits: CompanyTraits,
    /// Only those at risk of churn.
    pub only_churn_risks: bool,
    /// The order.
    pub order: CompanyOrder,
    /// Whether the greatest comes first.
    pub descending: bool,
    /// Only companies after this one, which has a row on the day.
    pub after: Option<CompanyId>,
}

/// A page of companies.
#[derive(Debug, Clone, PartialEq)]
pub struct CompanyPage {
    /// Their rows of the day, in order.
    pub rows: Vec<FactRow>,
    /// How many there are on all pages. Counted for the first page only: the others are of the
    /// same rows.
    pub total: Option<i64>,
    /// The state of the day.
    pub state: PublishedState,
}

/// Companies by their risk of churn.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct ChurnCounts {
    /// Companies.
    pub companies: i64,
    /// Those at risk.
    pub at_risk: i64,
    /// Those at risk that were not the day before.
    pub new: i64,
    /// Those not at risk that were the day before.
    pub recovered: i64,
}

/// The most groups of a kind that a summary has.
pub const MOST_CHURN_GROUPS: usize = 1_000;

/// The companies of a day by how their risk of churn has changed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ChurnSummary {
    /// The day's publication.
    pub publication: Publication,
    /// Whether the day before is published. If not, nothing is counted as changed.
    pub is_previous_day_published: bool,
    /// All companies.
    pub total: ChurnCounts,
    /// By country, empty for those without: the most at risk first, then the most companies.
    pub by_country: Vec<(String, ChurnCounts)>,
    /// By industry, as by country.
    pub by_industry: Vec<(String, ChurnCounts)>,
    /// By the time since the last contact, every group.
    pub by_last_contact: Vec<(LastContact, ChurnCounts)>,
}

/// A published day.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PublishedDay {
    /// The ledger's entry.
    pub publication: Publication,
    /// The totals of exactly these rows; `None` if nobody summed them up, or they do not fit.
    pub totals: Option<DayTotals>,
}

/// A publish of a day, or the time that it was taken back.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DayPublication {
    /// When it was: no two entries of a day have the same time.
    pub published_at: DateTime<Utc>,
    /// The run that did it.
    pub run_id: String,
    /// What the day was afterwards; `None` if it was taken back.
    pub left: Option<(i64, std::result::Result<Checksum, UnknownChecksumVersion>)>,
    /// Rows of the day on record that it replaced or removed.
    pub replaced_rows: i64,
}

/// A page of the history of a day.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DayHistory {
    /// The entries, the newest first.
    pub entries: Vec<DayPublication>,
    /// Since when every replaced row is on record; `None` for from the beginning.
    pub history_since: Option<DateTime<Utc>>,
}

/// Reads published data at a glance. Every method sees one consistent state.
#[async_trait]
pub trait OverviewReader: ActivityReader {
    /// Up to `limit` companies of a day.
    async fn search_companies(&self, search: &CompanySearch, limit: u32) -> Result<CompanyPage>;

    /// Counts the companies of a day; `None` if it is not published.
    async fn churn_summary(&self, day: NaiveDate) -> Result<Option<ChurnSummary>>;

    /// The published days of a window, in order, with their totals.
    async fn days_with_totals(&self, window: DateWindow) -> Result<Vec<PublishedDay>>;

    /// Up to `limit` entries of the history of a day, those before `before` if that is given.
    async fn publications_of_day(
        &self,
        day: NaiveDate,
        before: Option<DateTime<Utc>>,
        limit: u32,
    ) -> Result<DayHistory>;
}

/// Sums published days up that no publish has: those of a release that kept no totals. What else an
/// engine keeps beside the fact is brought up to date as well.
#[async_trait]
pub trait DaySummation: Send + Sync {
    /// How many days have no totals.
    async fn days_without_totals(&self) -> Result<u64>;

    /// Sums them up, each in its own transaction. Returns how many it did.
    async fn sum_up_days(&self) -> Result<u64>;
}
