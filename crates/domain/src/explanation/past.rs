//! What was published of a company at an earlier time.

use chrono::{DateTime, NaiveDate, Utc};

use crate::{
    fact::FactRow,
    provenance::{DayPublication, Provenance},
    usage::UsageNumbers,
};

/// A moment around publishes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Moment {
    /// Right before the publish of this time.
    Before(DateTime<Utc>),
    /// Right after it.
    At(DateTime<Utc>),
}

/// A row, and from which publish to which it was true.
#[derive(Debug, Clone, Copy)]
pub(super) struct Period<'a> {
    pub(super) row: &'a FactRow,
    pub(super) until: Option<DateTime<Utc>>,
}

/// The published past of a company.
pub(super) struct Past<'a> {
    periods: Vec<Period<'a>>,
    publications: Vec<DayPublication>,
    history_since: Option<DateTime<Utc>>,
}

impl Moment {
    /// Whether what began at `time` has begun.
    fn is_from(self, time: DateTime<Utc>) -> bool {
        match self {
            Self::Before(publish) => time < publish,
            Self::At(publish) => time <= publish,
        }
    }
}

impl Period<'_> {
    fn holds(&self, moment: Moment) -> bool {
        moment.is_from(self.row.loaded_at) && self.until.is_none_or(|until| !moment.is_from(until))
    }
}

impl<'a> Past<'a> {
    pub(super) fn of(provenance: &'a Provenance) -> Self {
        let present = provenance.rows.iter().map(|row| Period { row, until: None });
        let replaced = &provenance.replaced;
        let replaced = replaced.iter().map(|was| Period { row: &was.row, until: Some(was.replaced_at) });
        let mut publications = provenance.publications.clone();
        for entry in &provenance.ledger {
            let logged = DayPublication {
                day: entry.activity_date,
                published_at: entry.published_at,
                run_id: entry.run_id.clone(),
                row_count: Some(entry.row_count),
                is_rebuilt: false,
            };
            // Programs of the release before publish without noting it in the log.
            let is_noted =
                |noted: &DayPublication| (noted.day, noted.published_at) == (logged.day, logged.published_at);
            if !publications.iter().any(is_noted) {
                publications.push(logged);
            }
        }
        publications.sort_unstable_by_key(|publication| (publication.day, publication.published_at));
        Self {
            periods: present.chain(replaced).collect(),
            publications,
            history_since: provenance.history_since,
        }
    }

    /// The rows of a day that are on record, with the times from and until which they were
    /// published.
    pub(super) fn periods(&self, day: NaiveDate) -> impl Iterator<Item = &Period<'a>> {
        self.periods.iter().filter(move |period| period.row.key.activity_date == day)
    }

    /// The row of a day.
    pub(super) fn row(&self, day: NaiveDate, moment: Moment) -> Option<&'a FactRow> {
        self.periods(day).find(|period| period.holds(moment)).map(|period| period.row)
    }

    /// The newest publication of a day.
    pub(super) fn publication(&self, day: NaiveDate, moment: Moment) -> Option<&DayPublication> {
        let mut of_day = self.publications.iter().filter(|publication| publication.day == day);
        of_day.rfind(|publication| moment.is_from(publication.published_at))
    }

    /// The run that published a day at exactly this time.
    pub(super) fn run_at(&self, day: NaiveDate, time: DateTime<Utc>) -> Option<String> {
        let publication = self.publication(day, Moment::At(time))?;
        (publication.published_at == time).then(|| publication.run_id.clone())
    }

    /// Whether every row that a publish of this time replaced is on record.
    pub(super) fn is_on_record(&self, time: DateTime<Utc>) -> bool {
        self.history_since.is_none_or(|since| since < time)
    }

    /// The numbers that were published of a day: zeros if the company had no row, and `None`
    /// if the day was not published, or that is no longer on record.
    pub(super) fn numbers(&self, day: NaiveDate, moment: Moment) -> Option<UsageNumbers> {
        if let Some(row) = self.row(day, moment) {
            return Some(UsageNumbers { active_users: row.active_users, events: row.events });
        }
        let (Moment::Before(time) | Moment::At(time)) = moment;
        let is_published = self.publication(day, moment)?.row_count.is_some();
        (is_published && self.is_on_record(time)).then(UsageNumbers::default)
    }
}
