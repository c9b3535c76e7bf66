//! The pages of a day: which to ask for next, and when they are complete.

use std::sync::Arc;

use chrono::NaiveDate;
use futures::{Stream, stream};

use crate::{
    Error,
    api::Session,
    page::{Page, PageRef},
};

/// The pages of a day in order, each fetched when it is asked for. Holds two
/// pages at most.
pub(crate) fn pages(
    session: &Session,
    day: NaiveDate,
) -> impl Stream<Item = Result<(PageRef, Page), Error>> + Send + '_ {
    let paging = Paging::new(day, session.page_size(), session.max_pages());
    stream::try_unfold((paging, session.requests_for(day)), move |(mut paging, requests)| async move {
        let Some(at) = paging.next else { return Ok(None) };
        let page = session.page(at, &requests).await?;
        paging.take(at, &page)?;
        Ok(Some(((at, page), (paging, requests))))
    })
}

/// Decides from the pages so far whether there are more.
#[derive(Debug)]
struct Paging {
    /// The page to ask for; `None` once all are here.
    next: Option<PageRef>,
    /// How many records make a full page: as many as were asked for, unless the
    /// first page shows that the server gives fewer.
    full_page: usize,
    max_pages: u32,
    previous: Arc<str>,
}

impl Paging {
    fn new(day: NaiveDate, page_size: usize, max_pages: u32) -> Self {
        Self {
            next: Some(PageRef { day, page: 1 }),
            full_page: page_size,
            max_pages,
            previous: Arc::default(),
        }
    }

    /// Takes note of a page. A full one means more; so does a first page that
    /// holds anything, because a server that caps the page size makes it look
    /// like the last one.
    fn take(&mut self, at: PageRef, page: &Page) -> Result<(), Error> {
        if page.records > 0 && page.ndjson == self.previous {
            return Err(Error::RepeatedPage { at });
        }
        self.previous = Arc::clone(&page.ndjson);
        if at.page == 1 {
            self.full_page = self.full_page.min(page.records);
        }
        let is_last = page.records == 0 || page.records < self.full_page;
        self.next = if is_last { None } else { Some(self.page_after(at)?) };
        Ok(())
    }

    fn page_after(&self, at: PageRef) -> Result<PageRef, Error> {
        if at.page >= self.max_pages {
            return Err(Error::EndlessPaging { at });
        }
        Ok(PageRef { page: at.page + 1, ..at })
    }
}

#[cfg(test)]
mod tests {
    use domain::date_window::parse_day;

    use super::*;

    /// Feeds pages of these lengths until the paging ends; says how many were
    /// asked for.
    fn pages_taken(asked: usize, lengths: &[usize]) -> Result<usize, Error> {
        let mut paging = Paging::new(parse_day("2026-01-05").unwrap(), asked, 10);
        let mut taken = 0;
        while let Some(at) = paging.next {
            let records = lengths.get(taken).copied().unwrap_or(0);
            let ndjson = format!("{taken}\n").repeat(records).into();
            paging.take(at, &Page { records, ndjson, body_bytes: 0 })?;
            taken += 1;
            assert_eq!(at.page as usize, taken);
        }
        Ok(taken)
    }

    #[test]
    fn pages_are_taken_until_the_last_one() {
        for (asked, lengths, expected) in [
            // No records at all.
            (100, &[0][..], 1),
            // A short page after full ones is the last.
            (100, &[100, 100, 7], 3),
            // An exact multiple ends with an empty page.
            (100, &[100, 100, 0], 3),
            // A short first page is probed.
            (100, &[7, 0], 2),
            // A server that gives 30 at most: 30 is a full page.
            (100, &[30, 30, 30, 5], 4),
            (100, &[30, 30, 0], 3),
            (100, &[30, 5], 2),
            // A server that gives more than was asked for.
            (10, &[25, 25, 3], 3),
        ] {
            assert_eq!(pages_taken(asked, lengths).unwrap(), expected, "{asked} {lengths:?}");
        }
    }

    #[test]
    fn a_server_that_never_ends_is_stopped() {
        let error = pages_taken(2, &[2; 50]).unwrap_err();
        assert!(matches!(error, Error::EndlessPaging { at } if at.page == 10), "{error}");
    }

    #[test]
    fn a_page_that_comes_twice_in_a_row_is_an_error() {
        let day = parse_day("2026-01-05").unwrap();
        let mut paging = Paging::new(day, 1, 10);
        let page = Page { records: 1, ndjson: "{}\n".into(), body_bytes: 0 };
        paging.take(PageRef { day, page: 1 }, &page).unwrap();
        let error = paging.take(PageRef { day, page: 2 }, &page).unwrap_err();
        assert!(matches!(error, Error::RepeatedPage { at } if at.page == 2), "{error}");
    }
}
