//! Compares published numbers with a fresh fetch from the product API.

use std::{
    collections::{BTreeMap, BTreeSet},
    pin::pin,
    sync::Arc,
};

use chrono::NaiveDate;
use domain::{CompanyId, DateWindow, FactKey};
use futures::{Stream, TryStreamExt, stream};
use warehouse::{ActivityQuery, ActivityReader};

use crate::{
    api::{ProductApi, Session},
    error::Error,
    paging::pages,
    record::{ReadRecord, parse_record},
};

/// The most days per reconciliation.
pub(crate) const MAX_RECONCILED_DAYS: u64 = 31;

/// What to compare.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Reconciliation {
    /// Only these companies; all if empty.
    pub(crate) companies: BTreeSet<CompanyId>,
    /// The days to compare.
    pub(crate) window: DateWindow,
}

/// One result of a reconciliation.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Finding {
    /// A company-day whose numbers differ.
    Mismatch(Mismatch),
    /// The outcome; the last finding.
    Summary(Summary),
}

/// A company-day whose published numbers differ from the source's.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Mismatch {
    /// The company-day.
    pub(crate) key: FactKey,
    /// The published numbers; `None` if the day has no such row.
    pub(crate) published: Option<Numbers>,
    /// The source's numbers; `None` if it has no such record.
    pub(crate) source: Option<Numbers>,
}

/// A company's usage on a day.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Numbers {
    /// Users active on that day.
    pub(crate) active_users: i32,
    /// Events on that day.
    pub(crate) events: i64,
}

/// Totals of a reconciliation.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Summary {
    /// Company-days that are published or in the source.
    pub(crate) compared: u64,
    /// Company-days that differ.
    pub(crate) mismatches: u64,
    /// Records of the source that are not valid usage.
    pub(crate) invalid_records: u64,
}

/// Compares published numbers with the product API. Changes nothing.
#[derive(Clone)]
pub(crate) struct Reconciler {
    pub(crate) api: ProductApi,
    pub(crate) published: Arc<dyn ActivityReader>,
}

impl Reconciler {
    /// Every difference, day by day, then the summary. Holds one day's numbers
    /// at a time: memory grows with the companies per day, not with the days.
    ///
    /// # Errors
    /// If the token cannot be read; the stream fails if a source cannot be read.
    pub(crate) fn reconcile(
        self,
        asked: Reconciliation,
    ) -> Result<impl Stream<Item = Result<Finding, Error>> + Send + 'static, Error> {
        let session = self.api.session()?;
        let state = Some((asked.window.days(), Summary::default()));
        let days = stream::try_unfold(state, move |state| {
            let (this, session, asked) = (self.clone(), session.clone(), asked.clone());
            async move {
                let Some((mut days, mut summary)) = state else { return Ok::<_, Error>(None) };
                let Some(day) = days.next() else {
                    return Ok(Some((vec![Finding::Summary(summary)], None)));
                };
                let findings = this.compare_day(&session, &asked, day, &mut summary).await?;
                Ok(Some((findings, Some((days, summary)))))
            }
        });
        Ok(days.map_ok(|findings| stream::iter(findings.into_iter().map(Ok))).try_flatten())
    }

    async fn compare_day(
        &self,
        session: &Session,
        asked: &Reconciliation,
        day: NaiveDate,
        summary: &mut Summary,
    ) -> Result<Vec<Finding>, Error> {
        let mut source = fetch_numbers(session, asked, day, summary).await?;
        let mut comparison = Comparison { day, summary, findings: Vec::new() };
        let mut published = self.published.export_facts(&asked.published_rows(day)).await?.rows();
        while let Some(row) = published.try_next().await? {
            let company_id = row.key.company_id;
            if asked.includes(&company_id) {
                let numbers = Numbers { active_users: row.active_users, events: row.events };
                let in_source = source.remove(&company_id);
                comparison.compare(company_id, Some(numbers), in_source);
            }
        }
        for (company_id, numbers) in source {
            comparison.compare(company_id, None, Some(numbers));
        }
        Ok(comparison.findings)
    }
}

/// The comparison of a day, in progress.
struct Comparison<'a> {
    day: NaiveDate,
    summary: &'a mut Summary,
    findings: Vec<Finding>,
}

impl Comparison<'_> {
    fn compare(&mut self, company_id: CompanyId, published: Option<Numbers>, source: Option<Numbers>) {
        self.summary.compared += 1;
        // The fact is dense: its zeros also stand for missing records.
        let is_equal = published == source || (published == Some(Numbers::default()) && source.is_none());
        if !is_equal {
            self.summary.mismatches += 1;
            let key = FactKey { company_id, activity_date: self.day };
            self.findings.push(Finding::Mismatch(Mismatch { key, published, source }));
        }
    }
}

impl Reconciliation {
    fn includes(&self, company_id: &CompanyId) -> bool {
        self.companies.is_empty() || self.companies.contains(company_id)
    }

    /// The published rows to read: those of one company only if exactly one is requested.
    fn published_rows(&self, day: NaiveDate) -> ActivityQuery {
        let mut companies = self.companies.iter();
        let company_id = match (companies.next(), companies.next()) {
            (Some(only), None) => Some(only.clone()),
            _ => None,
        };
        ActivityQuery { company_id, window: DateWindow::day(day), after: None, as_of: None }
    }
}

/// The source's numbers for a day; of several records for a company the last wins, as in staging.
async fn fetch_numbers(
    session: &Session,
    asked: &Reconciliation,
    day: NaiveDate,
    summary: &mut Summary,
) -> Result<BTreeMap<CompanyId, Numbers>, Error> {
    let mut numbers = BTreeMap::new();
    let reading = session.reading();
    let mut pages = pin!(pages(session, day));
    while let Some((_, page)) = pages.try_next().await? {
        for line in page.lines() {
            match parse_record(line, &reading.names, DateWindow::day(day)) {
                Ok(ReadRecord { usage, .. }) if asked.includes(&usage.company_id) => {
                    let in_source = Numbers { active_users: usage.active_users, events: usage.events };
                    numbers.insert(usage.company_id, in_source);
                }
                Ok(_) => {}
                Err(_) => summary.invalid_records += 1,
            }
        }
    }
    Ok(numbers)
}
