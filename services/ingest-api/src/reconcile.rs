//! Compares published numbers with a fresh fetch from the product API.

use std::{
    collections::{BTreeMap, BTreeSet},
    pin::pin,
    sync::Arc,
};

use chrono::NaiveDate;
use domain::{CompanyId, DateWindow, DifferenceKind, FactKey, Progress, UsageNumbers};
use futures::{Stream, StreamExt, TryStreamExt, stream};
use landing::Storage;
use runtime::Clock;
use warehouse::{HeldDay, HeldUsage, ReconciliationReader};

use crate::{
    answer::Answer,
    api::{ProductApi, Session},
    day_reader::DayReader,
    difference::{CompanyDay, Difference, Fresh, Landed, difference},
    error::Error,
    landed_answer::{LandedAnswer, LandedPlace},
    paging::pages,
    sample::sample,
};

/// The most days per reconciliation.
pub(crate) const MAX_RECONCILED_DAYS: u64 = 31;

/// How often to fetch a day that a run loads at the same time.
const MAX_FETCHES: u32 = 3;

/// What to compare.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Reconciliation {
    /// Only these companies; all if empty.
    pub(crate) companies: BTreeSet<CompanyId>,
    /// The days to compare.
    pub(crate) window: DateWindow,
    /// How many companies to compare per day; `None` for all.
    pub(crate) sample_size: Option<usize>,
    /// Decides which those are; empty for the day itself.
    pub(crate) sample_seed: String,
}

/// One result of a reconciliation.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Finding {
    /// How far it has got.
    Progress(Progress),
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
    pub(crate) published: Option<UsageNumbers>,
    /// The source's numbers; `None` if it has no such record.
    pub(crate) source: Option<UsageNumbers>,
    /// What is staged; `None` if there is no such record.
    pub(crate) staged: Option<UsageNumbers>,
    /// Why they differ.
    pub(crate) difference: Difference,
    /// Where ours came from; `None` if the day was never fetched.
    pub(crate) landed: Option<LandedPlace>,
}

/// Totals of a reconciliation.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Summary {
    /// Company-days that are published, staged or in the source.
    pub(crate) compared: u64,
    /// The kinds of those that differ, with how many they are.
    pub(crate) by_kind: BTreeMap<DifferenceKind, u64>,
    /// Records of the source that are not valid usage.
    pub(crate) invalid_records: u64,
}

/// Compares published numbers with the product API. Changes nothing.
#[derive(Clone)]
pub(crate) struct Reconciler {
    pub(crate) api: ProductApi,
    pub(crate) storage: Storage,
    pub(crate) held: Arc<dyn ReconciliationReader>,
    pub(crate) clock: Arc<dyn Clock>,
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
        let days_total = asked.window.len_days();
        let progress = move |units_done, activity| {
            Finding::Progress(Progress {
                units_done,
                units_total: days_total,
                activity,
                ..Progress::default()
            })
        };
        let begun = stream::iter([Ok(progress(0, format!("{}", asked.window.start())))]);
        let state = Some((asked.window.days(), Summary::default(), 0));
        let days = stream::try_unfold(state, move |state| {
            let (this, session, asked) = (self.clone(), session.clone(), asked.clone());
            async move {
                let Some((mut days, mut summary, done)) = state else { return Ok::<_, Error>(None) };
                let Some(day) = days.next() else {
                    return Ok(Some((vec![Finding::Summary(summary)], None)));
                };
                let mismatches = this.compare_day(&session, &asked, day, &mut summary).await?;
                let mut findings: Vec<Finding> = mismatches.into_iter().map(Finding::Mismatch).collect();
                findings.push(progress(done + 1, format!("{day} compared")));
                Ok(Some((findings, Some((days, summary, done + 1)))))
            }
        });
        Ok(begun.chain(days.map_ok(|findings| stream::iter(findings.into_iter().map(Ok))).try_flatten()))
    }

    async fn compare_day(
        &self,
        session: &Session,
        asked: &Reconciliation,
        day: NaiveDate,
        summary: &mut Summary,
    ) -> Result<Vec<Mismatch>, Error> {
        let (fresh, mut held) = self.same_age(session, asked, day).await?;
        held.companies.retain(|company| asked.includes(&company.company_id));
        let compared = asked.compared(day, &held, &fresh);
        summary.compared += compared.len() as u64;
        summary.invalid_records += fresh.unreadable;

        let open = open_questions(&held, &fresh, &compared);
        if open.is_empty() {
            return Ok(Vec::new());
        }
        let landed = match held.fetched.clone() {
            Some(state) => {
                let companies = open.iter().map(|question| &question.company_id).collect();
                let reading = session.reading();
                Some(LandedAnswer::read(&self.storage, state, reading, &companies).await?)
            }
            None => None,
        };
        let mismatches = open.into_iter().filter_map(|mut question| {
            if let Some(landed) = &landed {
                question.facts.landed = landed.of(&question.company_id);
            }
            let difference = difference(&question.facts)?;
            *summary.by_kind.entry(difference.kind()).or_default() += 1;
            let landed = landed.as_ref().map(|landed| landed.place_of(&question.company_id));
            Some(question.answered(day, difference, landed))
        });
        Ok(mismatches.collect())
    }
}

impl Reconciler {
    /// What the source has and what is held of a day. A run that loads the day in the meantime has
    /// a newer answer than this one, whose differences would be told the wrong way round: then the
    /// source is asked again.
    async fn same_age(
        &self,
        session: &Session,
        asked: &Reconciliation,
        day: NaiveDate,
    ) -> Result<(Answer, HeldDay), Error> {
        let mut fetches = 0;
        loop {
            let begun = self.clock.now();
            let fresh = fetch(session, asked, day).await?;
            let held = self.held.held_day(day).await?;
            fetches += 1;
            let is_overtaken = held.fetched.as_ref().is_some_and(|state| state.fetched_at > begun);
            if !is_overtaken || fetches == MAX_FETCHES {
                return Ok((fresh, held));
            }
        }
    }
}

/// A company-day that does not match at once: its landed record decides.
struct Question {
    company_id: CompanyId,
    facts: CompanyDay,
}

impl Question {
    fn answered(self, day: NaiveDate, difference: Difference, landed: Option<LandedPlace>) -> Mismatch {
        let Self { company_id, facts: CompanyDay { published, staged, fresh, .. } } = self;
        let source = match fresh {
            Fresh::Record(numbers) => Some(numbers),
            Fresh::Unreadable(_) | Fresh::Absent { .. } => None,
        };
        Mismatch {
            key: FactKey { company_id, activity_date: day },
            published,
            source,
            staged,
            difference,
            landed,
        }
    }
}

/// The compared companies that a look into the landed file may concern, in order.
fn open_questions(held: &HeldDay, fresh: &Answer, compared: &BTreeSet<CompanyId>) -> Vec<Question> {
    let mut rows = held.companies.iter().peekable();
    let questions = compared.iter().filter_map(|company| {
        // Both are in the order of companies.
        while rows.next_if(|row| row.company_id < *company).is_some() {}
        let row = rows.next_if(|row| row.company_id == *company);
        let nothing = HeldUsage { company_id: company.clone(), published: None, staged: None, waits: false };
        let HeldUsage { published, staged, waits, .. } = *row.unwrap_or(&nothing);
        let facts = CompanyDay {
            is_published: held.is_published,
            is_fetched: held.fetched.is_some(),
            published,
            staged,
            waits,
            landed: Landed::Unknown,
            fresh: fresh.of(company),
        };
        difference(&facts).is_some().then(|| Question { company_id: company.clone(), facts })
    });
    questions.collect()
}

impl Answer {
    /// What the source returns of a company now.
    fn of(&self, company: &CompanyId) -> Fresh {
        match self.companies.get(company).map(|found| &found.numbers) {
            Some(Ok(numbers)) => Fresh::Record(*numbers),
            Some(Err(reason)) => Fresh::Unreadable(reason.clone()),
            None => Fresh::Absent { of_anyone: self.of_anyone },
        }
    }
}

impl Reconciliation {
    fn includes(&self, company_id: &CompanyId) -> bool {
        self.companies.is_empty() || self.companies.contains(company_id)
    }

    /// The companies to compare, of all that are held or in the source.
    fn compared(&self, day: NaiveDate, held: &HeldDay, fresh: &Answer) -> BTreeSet<CompanyId> {
        let held = held.companies.iter().map(|row| &row.company_id);
        let all: BTreeSet<&CompanyId> = held.chain(fresh.companies.keys()).collect();
        let picked = match self.sample_size {
            None => all,
            Some(size) if self.sample_seed.is_empty() => sample(all, size, &day.to_string()),
            Some(size) => sample(all, size, &self.sample_seed),
        };
        picked.into_iter().cloned().collect()
    }
}

/// The source's answer for a day, as loading it would take it.
async fn fetch(session: &Session, asked: &Reconciliation, day: NaiveDate) -> Result<Answer, Error> {
    let (mut answer, mut reader) = (Answer::default(), DayReader::new(day, session.reading()));
    let mut pages = pin!(pages(session, day));
    while let Some((_, page)) = pages.try_next().await? {
        for line in page.lines() {
            answer.take(reader.record(line), |company| asked.includes(company));
        }
    }
    Ok(answer)
}
