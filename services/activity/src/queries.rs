//! Queries the warehouse for what requests ask.

use std::{collections::BTreeSet, sync::Arc};

use chrono::NaiveDate;
use domain::{DateWindow, FactKey, FactRow, Publication};
use futures::{StreamExt, stream};
use runtime::Clock;
use uuid::Uuid;
use warehouse::{
    ActivityQuery, ChurnCursor, ChurnQuery, ChurnRisk, Export, FactPage, Freshness, Listing, OverviewReader,
    PublishedState, RollUp, RowsVersion,
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
    /// another page follows.
    fn cut(
        listing: Listing<T>,
        size: u32,
        of_earlier_pages: Option<RowsVersion>,
        position: impl Fn(&T, RowsVersion) -> P,
    ) -> Result<Self> {
        let Listing { mut items, publication, rows } = listing;
        check_rows(of_earlier_pages, rows)?;
        let size = usize::try_from(size).unwrap_or(usize::MAX);
        let has_more = items.len() > size;
        items.truncate(size);
        let next = if has_more { items.last().map(|last| position(last, rows)) } else { None };
        Ok(Self { items, next, publication })
    }
}

/// Checks that a page's rows are those `of_earlier_pages`, if there are any: parts of two
/// publications would miss some companies and repeat others.
pub(crate) fn check_rows(of_earlier_pages: Option<RowsVersion>, rows: RowsVersion) -> Result<()> {
    match of_earlier_pages {
        Some(earlier) if earlier != rows => Err(Error::PublishedAnew),
        _ => Ok(()),
    }
}

/// A page of rows, and who published them.
#[derive(Default)]
pub(crate) struct RowsPage {
    /// The rows, in order.
    pub(crate) rows: Vec<FactRow>,
    /// Where the next page starts; `None` on the last page.
    pub(crate) next: Option<RowPosition>,
    /// The newest publication among the requested days.
    pub(crate) publication: Option<Publication>,
    /// The publications of the days that the page has rows of, by day.
    pub(crate) publications: Vec<Publication>,
    /// The run that left this state of the requested days.
    pub(crate) left_by: Option<String>,
}

/// Bytes of a page of rows that leave room for the rest of its message, which gRPC limits to
/// four MiB.
const PAGE_BYTES: usize = 4 * 1024 * 1024 - 8 * 1024;

/// What a row takes in a message at most beyond its approximate bytes, with its day's publication.
const BYTES_BESIDE_ROW: usize = 144;

impl RowsPage {
    /// As [`Page::cut`]; rows of extreme width are fewer.
    fn cut(found: FactPage, request: &RowsRequest, window: DateWindow) -> Result<Self> {
        let FactPage { mut rows, state } = found;
        check_rows(request.rows, state.rows)?;
        let size = usize::try_from(request.page_size).unwrap_or(usize::MAX);
        let kept = size.min(fitting(&rows));
        let has_more = rows.len() > kept;
        rows.truncate(kept);
        let position =
            |last: &FactRow| RowPosition { window, after: last.key.clone(), rows: Some(state.rows) };
        let next = if has_more { rows.last().map(position) } else { None };
        let publication = state.newest().cloned();
        let days: BTreeSet<NaiveDate> = rows.iter().map(|row| row.key.activity_date).collect();
        let mut publications = state.publications;
        publications.retain(|entry| days.contains(&entry.activity_date));
        Ok(Self { rows, next, publication, publications, left_by: state.left_by })
    }
}

/// How many rows fit a message, at least one.
pub(crate) fn fitting(rows: &[FactRow]) -> usize {
    let mut bytes = 0;
    let beyond = rows.iter().position(|row| {
        bytes += row.approximate_bytes() + BYTES_BESIDE_ROW;
        bytes > PAGE_BYTES
    });
    beyond.unwrap_or(rows.len()).max(1)
}

/// The queries that the service answers.
pub(crate) struct Queries {
    pub(crate) warehouse: Arc<dyn OverviewReader>,
    clock: Arc<dyn Clock>,
}

impl Queries {
    pub(crate) const fn new(warehouse: Arc<dyn OverviewReader>, clock: Arc<dyn Clock>) -> Self {
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
    pub(crate) async fn rows(&self, mut request: RowsRequest) -> Result<RowsPage> {
        let as_of = request.as_of;
        let Some(window) = self.window(request.days, as_of).await? else { return Ok(RowsPage::default()) };
        let (company_id, after) = (request.company_id.take(), request.after.take());
        let query = ActivityQuery { company_id, window, after, as_of };
        let found = self.warehouse.fact_rows(&query, request.page_size + 1).await;
        RowsPage::cut(found.map_err(|cause| Error::of_read(cause, as_of))?, &request, window)
    }

    /// All rows of some days.
    pub(crate) async fn export(&self, request: ExportRequest) -> Result<Export> {
        let as_of = request.as_of;
        let Some(window) = self.window(request.days, as_of).await? else {
            return Ok(Export { state: PublishedState::default(), pages: stream::empty().boxed() });
        };
        let query = ActivityQuery { company_id: request.company_id, window, after: None, as_of };
        self.warehouse.export_facts(&query).await.map_err(|cause| Error::of_read(cause, as_of))
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
        let ChurnRequest { change, traits, after, .. } = request;
        let query = ChurnQuery { day, change, traits, after };
        let listing = self.warehouse.churn_risks(&query, request.page_size + 1).await;
        let listing = listing.map_err(|cause| Error::of_change(cause, change))?;
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
    async fn window(&self, days: AskedDays, as_of: Option<Uuid>) -> Result<Option<DateWindow>> {
        if let AskedDays::Exactly(window) = days {
            return Ok(Some(window));
        }
        let newest = match as_of {
            Some(run_id) => {
                let newest = self.warehouse.newest_day(run_id).await;
                newest.map_err(|cause| Error::of_read(cause, as_of))?
            }
            None => self.newest_day().await?,
        };
        match newest {
            Some(newest) => Ok(Some(days.resolve(newest)?)),
            None => Ok(None),
        }
    }

    pub(crate) async fn newest_day(&self) -> Result<Option<NaiveDate>> {
        Ok(self.warehouse.freshness().await?.map(|freshness| freshness.newest.activity_date))
    }
}

#[cfg(test)]
mod tests {
    use contract::message::fact_row_to_proto;
    use domain::company::{MAX_COMPANY_ID_CHARS, MAX_COMPANY_TEXT_BYTES};
    use prost::Message as _;
    use proto::activity::v1::ListCompanyActivityResponse;

    use super::*;
    use crate::{convert, request_fields::MAX_PAGE_SIZE, test_rows::idle_company};

    #[test]
    fn the_widest_rows_of_as_many_days_fit_a_message() {
        let wide = || Some("x".repeat(MAX_COMPANY_TEXT_BYTES));
        let at = chrono::DateTime::from_timestamp(4_102_444_800, 999_999_000).unwrap();
        let row = FactRow {
            company_name: wide(),
            country: wide(),
            industry_tag: wide(),
            last_contact_at: Some(at),
            active_users: i32::MAX,
            events: i64::MAX,
            active_users_7d: i64::MAX,
            events_per_user: Some(0.1),
            days_since_last_contact: Some(i32::MIN),
            loaded_at: at,
            ..idle_company(&"🦀".repeat(MAX_COMPANY_ID_CHARS))
        };
        let publication = Publication {
            activity_date: row.key.activity_date,
            run_id: Uuid::nil().to_string(),
            published_at: at,
            row_count: i64::MAX,
            checksum: Ok(domain::Checksum::default()),
        };
        let rows = vec![row; usize::try_from(MAX_PAGE_SIZE).unwrap()];
        let kept = fitting(&rows);
        assert!(kept > 950, "{kept}");
        let page = ListCompanyActivityResponse {
            activities: rows.into_iter().take(kept).map(fact_row_to_proto).collect(),
            publications: vec![convert::publication(publication); kept],
            ..ListCompanyActivityResponse::default()
        };
        let room_for_the_rest = 4 * 1024;
        assert!(page.encoded_len() + room_for_the_rest < 4 * 1024 * 1024, "{}", page.encoded_len());
        assert_eq!(fitting(&[idle_company("acme")]), 1);
    }
}
