//! Queries the warehouse for what requests ask to see at a glance.

use chrono::NaiveDate;
use domain::{FactRow, Publication};
use warehouse::{ChurnSummary, CompanyPage, CompanySearch, DayHistory, PublishedDay};

use crate::{
    error::Result,
    overview_request::{DaysRequest, PublicationsRequest, SearchRequest, SummaryRequest},
    page_token::{PublicationPosition, SearchPosition, SearchedBefore},
    queries::{Queries, check_rows, fitting},
};

/// A page of companies.
#[derive(Default)]
pub(crate) struct FoundPage {
    /// Their rows, in order.
    pub(crate) rows: Vec<FactRow>,
    /// Where the next page starts; `None` on the last page.
    pub(crate) next: Option<SearchPosition>,
    /// The day's publication.
    pub(crate) publication: Option<Publication>,
    /// How many companies there are on all pages.
    pub(crate) total: i64,
}

impl Queries {
    /// A page of companies.
    pub(crate) async fn companies(&self, request: SearchRequest) -> Result<FoundPage> {
        let Some(day) = self.day_or_newest(request.day).await? else { return Ok(FoundPage::default()) };
        let SearchRequest { words, traits, only_churn_risks, order, descending, .. } = request;
        let after = request.after.as_ref().map(|before| before.company_id.clone());
        let search = CompanySearch { day, words, traits, only_churn_risks, order, descending, after };
        let found = self.warehouse.search_companies(&search, request.page_size + 1).await?;
        let CompanyPage { mut rows, total, state } = found;
        check_rows(request.after.as_ref().map(|before| before.rows), state.rows)?;
        let total = total.or(request.after.map(|before| before.total)).unwrap_or_default();
        let size = usize::try_from(request.page_size).unwrap_or(usize::MAX);
        let kept = size.min(fitting(&rows));
        let has_more = rows.len() > kept;
        rows.truncate(kept);
        let position = |last: &FactRow| {
            let company_id = last.key.company_id.clone();
            SearchPosition { day, after: SearchedBefore { company_id, rows: state.rows, total } }
        };
        let next = if has_more { rows.last().map(position) } else { None };
        Ok(FoundPage { rows, next, publication: state.newest().cloned(), total })
    }

    /// The companies of a day by their risk of churn.
    pub(crate) async fn churn_summary(&self, request: SummaryRequest) -> Result<Option<ChurnSummary>> {
        match self.day_or_newest(request.0).await? {
            Some(day) => Ok(self.warehouse.churn_summary(day).await?),
            None => Ok(None),
        }
    }

    /// Published days with their totals.
    pub(crate) async fn days(&self, request: DaysRequest) -> Result<Vec<PublishedDay>> {
        match self.day_or_newest(request.end).await? {
            Some(last) => Ok(self.warehouse.days_with_totals(request.resolve(last)?).await?),
            None => Ok(Vec::new()),
        }
    }

    /// A page of a day's history, and where the next one starts.
    pub(crate) async fn publications(
        &self,
        request: &PublicationsRequest,
    ) -> Result<(DayHistory, Option<PublicationPosition>)> {
        let PublicationsRequest { day, before, page_size, .. } = *request;
        let mut history = self.warehouse.publications_of_day(day, before, page_size + 1).await?;
        let size = usize::try_from(page_size).unwrap_or(usize::MAX);
        let has_more = history.entries.len() > size;
        history.entries.truncate(size);
        let next = history.entries.last().filter(|_| has_more);
        let next = next.map(|last| PublicationPosition(last.published_at));
        Ok((history, next))
    }

    /// The day, or the newest published one; `None` while there is none.
    async fn day_or_newest(&self, day: Option<NaiveDate>) -> Result<Option<NaiveDate>> {
        match day {
            Some(day) => Ok(Some(day)),
            None => self.newest_day().await,
        }
    }
}
