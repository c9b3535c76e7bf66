//! Reads published data only.

use async_trait::async_trait;
use chrono::NaiveDate;
use domain::{ChurnChange, CompanyId, DateWindow, FactKey, FactRow, Publication};
use futures::{
    StreamExt, TryStreamExt,
    stream::{self, BoxStream},
};
use uuid::Uuid;

use crate::{
    error::{Error, Result},
    overview::CompanyTraits,
};

/// Which published rows to read, ordered by company, then day.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ActivityQuery {
    /// Only this company.
    pub company_id: Option<CompanyId>,
    /// The days.
    pub window: DateWindow,
    /// Only rows after this one.
    pub after: Option<FactKey>,
    /// As this run's publish left them; `None` as they are now.
    pub as_of: Option<Uuid>,
}

/// What is published of the requested days, in the state that an answer is read from.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct PublishedState {
    /// The ledger's entries, by day.
    pub publications: Vec<Publication>,
    /// The run that left this state of these days: of those that published or took back one of
    /// them the last. The state of a query that names it is the same, whatever is published
    /// later. `None` if no day is published.
    pub left_by: Option<String>,
    /// Which rows of the fact the days have.
    pub rows: RowsVersion,
}

impl PublishedState {
    /// The newest publication.
    #[must_use]
    pub fn newest(&self) -> Option<&Publication> {
        self.publications.iter().max_by_key(|entry| (entry.published_at, entry.activity_date))
    }
}

/// A page of rows.
#[derive(Debug, Clone, PartialEq)]
pub struct FactPage {
    /// The rows, in order.
    pub rows: Vec<FactRow>,
    /// The state of the requested days.
    pub state: PublishedState,
}

/// A page of a list.
#[derive(Debug, Clone, PartialEq)]
pub struct Listing<T> {
    /// The items, in order.
    pub items: Vec<T>,
    /// The newest publication among the requested days.
    pub publication: Option<Publication>,
    /// Which rows of the fact the list is read from.
    pub rows: RowsVersion,
}

/// Tells rows of the fact from those that other publications leave: two pages with equal
/// versions are parts of one list. Publishing equal rows again does not change it.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct RowsVersion {
    /// How many of the days are published.
    pub days: i64,
    /// The sum of the days' checksums, each cut to 31 bits.
    pub checksums: i64,
}

/// All rows of a query, from one consistent state.
pub struct Export {
    /// That state of the requested days.
    pub state: PublishedState,
    /// The rows by company, then day, as many at a time as the engine reads. No page is empty.
    pub pages: BoxStream<'static, Result<Vec<FactRow>>>,
}

impl ChurnQuery {
    /// All risks of a day.
    #[must_use]
    pub const fn all(day: NaiveDate, after: Option<ChurnCursor>) -> Self {
        Self { day, change: None, traits: CompanyTraits { country: None, industry_tag: None }, after }
    }

    /// That a change was asked for which nobody can tell.
    #[must_use]
    pub fn without_day_before(day: NaiveDate) -> Error {
        Error::Precondition(format!(
            "the day before {day} is not published, so nothing tells what has changed since: leave out the change, \
             or publish that day first"
        ))
    }

    /// Whether it asks for all risks.
    #[must_use]
    pub fn is_for_all(&self) -> bool {
        self.change.is_none() && self.traits == CompanyTraits::default()
    }
}

impl Export {
    /// The rows one by one.
    #[must_use]
    pub fn rows(self) -> BoxStream<'static, Result<FactRow>> {
        self.pages.map_ok(|page| stream::iter(page.into_iter().map(Ok))).try_flatten().boxed()
    }
}

/// The calendar period of a roll-up.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Period {
    /// ISO weeks, Monday to Sunday.
    Week,
    /// Calendar months.
    Month,
}

/// A company's activity over one period.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RollUp {
    /// The period's first day.
    pub period_start: NaiveDate,
    /// Published days of the period in the requested range that have a row.
    pub days: i64,
    /// Sum of daily active users.
    pub user_days: i64,
    /// Sum of events.
    pub events: i64,
    /// Days with at least one event.
    pub active_days: i64,
    /// Whether the last of these days is at churn risk.
    pub is_churn_risk_at_end: bool,
}

/// Which churn risks to read, ordered by most recent activity, then company.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ChurnQuery {
    /// The day.
    pub day: NaiveDate,
    /// Only those whose risk has changed so, among them companies that are not at risk any more;
    /// `None` for all at risk.
    pub change: Option<ChurnChange>,
    /// Only companies with these.
    pub traits: CompanyTraits,
    /// Only risks after this one.
    pub after: Option<ChurnCursor>,
}

/// A page of churn risks starts after this one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ChurnCursor {
    /// The last event date of the page's last risk.
    pub last_event_date: Option<NaiveDate>,
    /// The company of that risk.
    pub company_id: CompanyId,
}

/// A company at risk of churn.
#[derive(Debug, Clone, PartialEq)]
pub struct ChurnRisk {
    /// The company's row of the day.
    pub row: FactRow,
    /// The newest earlier published day with events.
    pub last_event_date: Option<NaiveDate>,
}

/// What is published.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Freshness {
    /// The newest published day.
    pub newest: Publication,
    /// The oldest published day.
    pub oldest: NaiveDate,
    /// Number of published days.
    pub published_days: i64,
}

/// Reads published data. Every method sees one consistent state.
#[async_trait]
pub trait ActivityReader: Send + Sync {
    /// One row and the publication of its day; `None` if the day is not published or
    /// has no such row.
    async fn fact_row(&self, key: &FactKey) -> Result<Option<(FactRow, Publication)>>;

    /// Up to `limit` rows.
    ///
    /// # Errors
    /// [`Error::NotFound`](crate::Error::NotFound) if the query is as of a run without a publish
    /// on record, and [`Error::Precondition`](crate::Error::Precondition) if history does not
    /// reach back to it.
    async fn fact_rows(&self, query: &ActivityQuery, limit: u32) -> Result<FactPage>;

    /// Streams all rows of a query.
    ///
    /// # Errors
    /// As of [`fact_rows`](Self::fact_rows).
    async fn export_facts(&self, query: &ActivityQuery) -> Result<Export>;

    /// The newest day that was published when `as_of` had published.
    ///
    /// # Errors
    /// As of [`fact_rows`](Self::fact_rows).
    async fn newest_day(&self, as_of: Uuid) -> Result<Option<NaiveDate>>;

    /// A company's periods in order, and the newest publication among the days.
    async fn roll_up(
        &self,
        company: &CompanyId,
        window: DateWindow,
        period: Period,
    ) -> Result<(Vec<RollUp>, Option<Publication>)>;

    /// Up to `limit` churn risks, which are read from all rows through the day.
    ///
    /// # Errors
    /// [`Error::Precondition`](crate::Error::Precondition) if a change is asked for and the day
    /// before is not published.
    async fn churn_risks(&self, query: &ChurnQuery, limit: u32) -> Result<Listing<ChurnRisk>>;

    /// The ledger's entries for a window, ordered by day; unpublished days have none.
    async fn published_days(&self, window: DateWindow) -> Result<Vec<Publication>>;

    /// The range of published days; `None` if nothing is published.
    async fn freshness(&self) -> Result<Option<Freshness>>;
}
