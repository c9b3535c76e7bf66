//! Queries the warehouse for what requests ask.

use std::sync::Arc;

use chrono::NaiveDate;
use domain::{DateWindow, FactKey, FactRow, Publication};
use futures::{StreamExt, stream};
use runtime::Clock;
use warehouse::{
    ActivityQuery, ActivityReader, ChurnCursor, ChurnQuery, ChurnRisk, Export, Freshness, Listing, RollUp,
    RowsVersion,
};

use crate::{
    error::{Error, Result},
    page_token::{ChurnPosition, RowPosition},
    request::{AskedDays, ChurnRequest, ExportRequest, RollUpRequest, RowRequest, RowsRequest},
};

/// One page of an answer.
pub(crate) struct Page<T, P> {
    /// The items, in order.
    pub(crate) items: Vec<T>,
    /// Where the next page starts; `None` on the last page.
    pub(crate) next: Option<P>,
    /// The newest publication among the requested days.
    pub(crate) publication: Option<Publication>,
}

impl<T, P> Page<T, P> {
    /// The answer while no day is published.
    const fn of_nothing() -> Self {
        Self { items: Vec::new(), next: None, publication: None }
    }

    /// A page cut from a listing that was read with one more than `size` to learn whether
    /// another page follows. Its rows have to be those `of_earlier_pages`, if there are any:
    /// parts of two publications would miss some companies and repeat others.
    fn cut(
        listing: Listing<T>,
        size: u32,
        of_earlier_pages: Option<RowsVersion>,
        position: impl Fn(&T, RowsVersion) -> P,
    ) -> Result<Self> {
        let Listing { mut items, publication, rows } = listing;
        if of_earlier_pages.is_some_and(|earlier| earlier != rows) {
            return Err(Error::PublishedAnew);
        }
        let size = usize::try_from(size).unwrap_or(usize::MAX);
        let has_more = items.len() > size;
        items.truncate(size);
        let next = if has_more { items.last().map(|last| position(last, rows)) } else { None };
        Ok(Self { items, next, publication })
    }
}

/// The queries that the service answers.
pub(crate) struct Queries {
    warehouse: Arc<dyn ActivityReader>,
    clock: Arc<dyn Clock>,
}

impl Queries {
    pub(crate) const fn new(warehouse: Arc<dyn ActivityReader>, clock: Arc<dyn Clock>) -> Self {
        Self { warehouse, clock }
    }

    /// One company on one day.
    pub(crate) async fn row(&self, request: RowRequest) -> Result<(FactRow, Publication)> {
        let activity_date = match request.day {
            Some(day) => day,
            None => self.newest_day().await?.ok_or(Error::NothingPublished)?,
        };
        let key = FactKey { company_id: request.company_id, activity_date };
        self.warehouse.fact_row(&key).await?.ok_or(Error::NoSuchRow(key))
    }

    /// A page of rows.
    pub(crate) async fn rows(&self, request: RowsRequest) -> Result<Page<FactRow, RowPosition>> {
        let Some(window) = self.window(request.days).await? else { return Ok(Page::of_nothing()) };
        let query = ActivityQuery { company_id: request.company_id, window, after: request.after };
        let listing = self.warehouse.fact_rows(&query, request.page_size + 1).await?;
        let position = |row: &FactRow, rows| RowPosition { window, after: row.key.clone(), rows: Some(rows) };
        Page::cut(listing, request.page_size, request.rows, position)
    }

    /// All rows of some days.
    pub(crate) async fn export(&self, request: ExportRequest) -> Result<Export> {
        let Some(window) = self.window(request.days).await? else {
            return Ok(Export { publication: None, pages: stream::empty().boxed() });
        };
        let query = ActivityQuery { company_id: request.company_id, window, after: None };
        Ok(self.warehouse.export_facts(&query).await?)
    }

    /// A company's weeks or months.
    pub(crate) async fn roll_up(
        &self,
        request: &RollUpRequest,
    ) -> Result<(Vec<RollUp>, Option<Publication>)> {
        Ok(self.warehouse.roll_up(&request.company_id, request.window, request.period).await?)
    }

    /// A page of churn risks.
    pub(crate) async fn churn_risks(&self, request: ChurnRequest) -> Result<Page<ChurnRisk, ChurnPosition>> {
        let day = match request.day {
            Some(day) => day,
            None => match self.newest_day().await? {
                Some(newest) => newest,
                None => return Ok(Page::of_nothing()),
            },
        };
        let query = ChurnQuery { day, after: request.after };
        let listing = self.warehouse.churn_risks(&query, request.page_size + 1).await?;
        let position = |risk: &ChurnRisk, rows| ChurnPosition {
            day,
            after: ChurnCursor {
                last_event_date: risk.last_event_date,
                company_id: risk.row.key.company_id.clone(),
            },
            rows: Some(rows),
        };
        Page::cut(listing, request.page_size, request.rows, position)
    }

    /// What is published, and the day from which its age is counted.
    pub(crate) async fn freshness(&self) -> Result<(Option<Freshness>, NaiveDate)> {
        Ok((self.warehouse.freshness().await?, self.clock.yesterday()))
    }

    /// The requested days; `None` if they depend on a newest day and none is published.
    async fn window(&self, days: AskedDays) -> Result<Option<DateWindow>> {
        if let AskedDays::Exactly(window) = days {
            return Ok(Some(window));
        }
        match self.newest_day().await? {
            Some(newest) => Ok(Some(days.resolve(newest)?)),
            None => Ok(None),
        }
    }

    async fn newest_day(&self) -> Result<Option<NaiveDate>> {
        Ok(self.warehouse.freshness().await?.map(|freshness| freshness.newest.activity_date))
    }
}
