//! The pages of a day: which to request next, and when the day is complete.

use std::sync::Arc;

use chrono::NaiveDate;
use futures::{Stream, stream};

use crate::{
    api::Session,
    error::Error,
    page::{Page, PageRef},
    pages_ahead::PagesAhead,
    paging_limits::PagingLimits,
};

/// How many empty pages may announce more.
const PATIENCE_WITH_EMPTY_PAGES: u32 = 3;

/// How often the same company may repeat if each page has one record.
const PATIENCE_WITH_EQUAL_RECORDS: u32 = 3;

/// The pages of a day in order, fetched a few ahead. Holds at most as many as are asked for
/// at the same time, and two more. Dropping the stream ends the requests.
pub(crate) fn pages(
    session: &Session,
    day: NaiveDate,
) -> impl Stream<Item = Result<(PageRef, Page), Error>> + Send + use<> {
    let paging = Paging::new(day, session.limits());
    let ahead = PagesAhead::new(session.clone(), day);
    stream::try_unfold((paging, ahead), move |(mut paging, mut ahead)| async move {
        while let Some(at) = paging.next {
            let page = ahead.page(at, paging.last_to_ask_for(at)).await?;
            if let Some(page) = paging.take(at, page)? {
                return Ok(Some(((at, page), (paging, ahead))));
            }
        }
        Ok(None)
    })
}

/// Decides from the pages so far whether more follow.
///
/// What an answer says about its list decides. If it says nothing, a page that
/// is not full is the last.
#[derive(Debug)]
struct Paging {
    /// The page to request; `None` once all have arrived.
    next: Option<PageRef>,
    limits: PagingLimits,
    /// The records in a full page: as many as requested, unless the first page
    /// shows that the server sends fewer.
    full_page: usize,
    /// Records received so far.
    came: u64,
    /// The day's number of records, as last announced.
    total: Option<u64>,
    /// The day's number of pages, as last announced.
    total_pages: Option<u64>,
    /// The companies of the previous page.
    previous: Arc<[u64]>,
    /// A short page that announced more, while none has come.
    promised_by: Option<PageRef>,
    /// A repeat of the previous page, which a server may send for every page past its last.
    repeated: Option<PageRef>,
    empty_pages: u32,
    equal_records: u32,
}

impl Paging {
    fn new(day: NaiveDate, limits: PagingLimits) -> Self {
        Self {
            next: Some(PageRef { day, page: 1 }),
            full_page: limits.page_size,
            limits,
            came: 0,
            total: None,
            total_pages: None,
            previous: Arc::default(),
            promised_by: None,
            repeated: None,
            empty_pages: 0,
            equal_records: 0,
        }
    }

    /// The last page to ask for before `at` has arrived. A day begins with one, and asks for
    /// as many at a time as have arrived, so that no more pages are asked for in vain than
    /// there are; and for none past an end that is announced.
    fn last_to_ask_for(&self, at: PageRef) -> u32 {
        let arrived = u64::from(at.page - 1);
        let at_a_time = arrived.clamp(1, self.limits.pages_ahead as u64);
        let last = (arrived + at_a_time).min(u64::from(self.limits.max_pages));
        let announced = self.total_pages.unwrap_or(u64::MAX).min(match (self.total, self.full_page as u64) {
            (Some(total), full_page @ 1..) => arrived + total.saturating_sub(self.came).div_ceil(full_page),
            _ => u64::MAX,
        });
        u32::try_from(last.min(announced)).unwrap_or(u32::MAX).max(at.page)
    }

    /// Records a page, and returns it unless it is a repeat.
    fn take(&mut self, at: PageRef, page: Page) -> Result<Option<Page>, Error> {
        if self.is_repeat(at, &page)? {
            // A stuck server sends other pages after a repeat; one that has no more repeats it forever.
            if self.repeated.replace(at).is_some() {
                return self.end(at).map(|()| None);
            }
            self.next = Some(self.page_after(at)?);
            return Ok(None);
        }
        if let Some(at) = self.repeated.filter(|_| page.records > 0) {
            return Err(Error::RepeatedPage { at });
        }
        self.note(at, &page);
        if self.is_last(at, &page) {
            self.end(at)?;
        } else {
            self.next = Some(self.page_after(at)?);
        }
        Ok(Some(page))
    }

    /// Whether a page repeats the previous one. If the second page repeats the
    /// first, the server does not page.
    fn is_repeat(&mut self, at: PageRef, page: &Page) -> Result<bool, Error> {
        if page.records == 0 || page.keys != self.previous {
            self.equal_records = 0;
            return Ok(false);
        }
        self.equal_records += 1;
        if self.limits.page_size == 1 && self.equal_records < PATIENCE_WITH_EQUAL_RECORDS {
            // Neighbours with the same single company repeat a record, not a page.
            return Ok(false);
        }
        if at.page == 2 || self.limits.page_size == 1 {
            return Err(Error::RepeatedPage { at });
        }
        Ok(true)
    }

    fn note(&mut self, at: PageRef, page: &Page) {
        if at.page == 1 {
            self.full_page = self.full_page.min(page.records);
        }
        self.came += page.records as u64;
        self.total = page.signs.total.or(self.total);
        self.total_pages = page.signs.total_pages.or(self.total_pages);
        let says_more = page.signs.says_more_after(at.page);
        if page.records > 0 {
            self.previous = Arc::clone(&page.keys);
            self.empty_pages = 0;
            // After a full page, many servers merely guess whether more follow.
            let is_short = page.records < self.limits.page_size;
            self.promised_by = (is_short && says_more == Some(true)).then_some(at);
        } else {
            self.empty_pages += 1;
            if says_more == Some(false) {
                self.promised_by = None;
            }
        }
    }

    fn is_last(&self, at: PageRef, page: &Page) -> bool {
        if self.limits.is_unpaged {
            return true;
        }
        let says_more = page.signs.says_more_after(at.page);
        if page.records == 0 {
            return says_more != Some(true) || self.empty_pages >= PATIENCE_WITH_EMPTY_PAGES;
        }
        match says_more {
            Some(says_more) => !says_more,
            None if self.is_total_met(page) => true,
            None => page.records < self.full_page && self.total.is_none_or(|total| total <= self.came),
        }
    }

    /// Whether all of the day's records have arrived. On a full first page the
    /// number may be the page's own.
    fn is_total_met(&self, page: &Page) -> bool {
        let is_of_the_day = self.came > page.records as u64 || page.records < self.limits.page_size;
        is_of_the_day && self.total == Some(self.came)
    }

    /// Completes the day, unless the answers announced something else.
    fn end(&mut self, at: PageRef) -> Result<(), Error> {
        self.next = None;
        let came = self.came;
        match (self.total, self.promised_by) {
            (Some(total), _) if total > came => {
                Err(Error::FewerThanSaid { at, said: format!("that the day has {total} records"), came })
            }
            // The announced total has arrived, whatever else was announced.
            (Some(total), _) if total == came => Ok(()),
            (_, Some(page)) => Err(Error::FewerThanSaid {
                at,
                said: format!("on page {} that more follow", page.page),
                came,
            }),
            _ => Ok(()),
        }
    }

    fn page_after(&self, at: PageRef) -> Result<PageRef, Error> {
        if at.page >= self.limits.max_pages {
            return Err(Error::EndlessPaging { at });
        }
        Ok(PageRef { page: at.page + 1, ..at })
    }
}

#[cfg(test)]
mod tests;
