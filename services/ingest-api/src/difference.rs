//! Why a company-day's published numbers are not the source's: the table of cases.
//!
//! A published row of zeros and no row say the same where the source has no record, because
//! the fact is dense.

use std::fmt;

use domain::{DifferenceKind, UsageNumbers};

/// Everything that decides about one company-day.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct CompanyDay {
    /// Whether the day is published.
    pub(crate) is_published: bool,
    /// Whether the day was ever fetched.
    pub(crate) is_fetched: bool,
    /// The numbers of the published row.
    pub(crate) published: Option<UsageNumbers>,
    /// The numbers of the staged record.
    pub(crate) staged: Option<UsageNumbers>,
    /// Whether the published row waits to be computed again.
    pub(crate) waits: bool,
    /// What the landed file of the last fetch has of the company.
    pub(crate) landed: Landed,
    /// What the source returns now.
    pub(crate) fresh: Fresh,
}

/// What the source returns of a company now.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Fresh {
    /// A record; of several, the last that can be read.
    Record(UsageNumbers),
    /// A record that cannot be read, and why.
    Unreadable(String),
    /// None that names it.
    Absent {
        /// Records of the answer of which not even the company can be read.
        of_anyone: u64,
    },
}

/// What the landed file of the last fetch has of a company.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Landed {
    /// A record; of several, the last that can be read.
    Record(UsageNumbers),
    /// A record that could not be read, and why.
    Unreadable(String),
    /// None that names it.
    Absent {
        /// Records of the file of which not even the company can be read.
        of_anyone: u64,
    },
    /// Nobody can tell: the file is gone, or another one than was loaded.
    Unknown,
}

/// Why the numbers differ.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Difference {
    /// The source did not return the record at the last fetch.
    Late { of_anyone: u64 },
    /// It has the record now, and none is staged; what it returned at the last fetch cannot be told.
    NotStaged,
    /// It returned other numbers, or something else was staged from it.
    Corrected { then: UsageNumbers, now: UsageNumbers },
    /// Older numbers stayed, because a record of the last answer may have been the company's.
    Kept { then: UsageNumbers, now: UsageNumbers },
    /// It returned a record that it no longer has.
    Gone { is_kept_unreadable: bool },
    /// It returned a record that it no longer has, and that is not staged either.
    GoneUnstaged,
    /// It has no record, and had none at the last fetch.
    NeverLanded,
    /// It has no record, none is staged, and what it returned at the last fetch cannot be told.
    RowAlone,
    /// The day is not published.
    DayNotPublished,
    /// The day is published, and was never fetched.
    DayNotFetched,
    /// The row is not there, though its record is staged.
    RowMissing { staged: UsageNumbers },
    /// The record landed, and is not staged.
    StagedRecordMissing { is_published: bool },
    /// What is staged waits to be published.
    Waits { staged: Option<UsageNumbers> },
    /// The row has other numbers than what is staged.
    RowChanged { published: UsageNumbers, staged: Option<UsageNumbers> },
    /// The staged record has other numbers than what landed.
    StagedRecordChanged { staged: UsageNumbers },
    /// The row has the source's numbers, and what is staged has not.
    StagedAlone { staged: UsageNumbers },
    /// The record cannot be read.
    Unreadable { reason: String },
    /// The record could not be read at the last fetch.
    WasUnreadable { reason: String },
    /// Which company some unreadable records are of cannot be told.
    OfAnyone { count: u64 },
}

/// How a company-day differs; `None` if it does not.
pub(crate) fn difference(day: &CompanyDay) -> Option<Difference> {
    match &day.fresh {
        Fresh::Record(now) => against_record(day, *now),
        Fresh::Unreadable(reason) => Some(against_unreadable(day, reason)),
        Fresh::Absent { of_anyone: 0 } => against_nothing(day),
        Fresh::Absent { of_anyone } => against_anyone(day, *of_anyone),
    }
}

/// The source has a record that can be read.
fn against_record(day: &CompanyDay, now: UsageNumbers) -> Option<Difference> {
    if !day.is_published {
        return Some(Difference::DayNotPublished);
    }
    let is_published_so = day.published == Some(now);
    if day.staged == Some(now) {
        return if is_published_so { None } else { Some(published_otherwise(day)) };
    }
    if !day.is_fetched {
        return (!is_published_so).then_some(Difference::DayNotFetched);
    }
    if is_published_so && day.staged.is_none_or(UsageNumbers::are_zero) && now.are_zero() {
        return None;
    }
    Some(match (&day.landed, day.staged) {
        (Landed::Record(then), _) if *then != now => Difference::Corrected { then: *then, now },
        (_, Some(staged)) if is_published_so => Difference::StagedAlone { staged },
        (Landed::Record(_), None) => Difference::StagedRecordMissing { is_published: is_published_so },
        (Landed::Record(_), Some(staged)) => Difference::StagedRecordChanged { staged },
        (Landed::Unreadable(reason), _) => Difference::WasUnreadable { reason: reason.clone() },
        (Landed::Absent { of_anyone }, None) => Difference::Late { of_anyone: *of_anyone },
        // Kept from an earlier answer, because a record of this one may have been the company's.
        (Landed::Absent { of_anyone: 1.. }, Some(then)) => Difference::Kept { then, now },
        (Landed::Absent { .. }, Some(staged)) => Difference::StagedRecordChanged { staged },
        (Landed::Unknown, None) if is_published_so && !day.waits => {
            Difference::StagedRecordMissing { is_published: is_published_so }
        }
        (Landed::Unknown, None) => Difference::NotStaged,
        (Landed::Unknown, Some(then)) => Difference::Corrected { then, now },
    })
}

/// The source names the company, and its record cannot be read: what is known of it stays.
fn against_unreadable(day: &CompanyDay, reason: &str) -> Difference {
    if !day.is_published {
        return Difference::DayNotPublished;
    }
    if is_published_as_staged(day) {
        Difference::Unreadable { reason: reason.to_owned() }
    } else {
        published_otherwise(day)
    }
}

/// The source does not name the company, and some of its records may be anyone's.
fn against_anyone(day: &CompanyDay, count: u64) -> Option<Difference> {
    if !day.is_published {
        return None;
    }
    if !is_published_as_staged(day) {
        return Some(published_otherwise(day));
    }
    non_zero(day.published).map(|_| Difference::OfAnyone { count })
}

/// The source has no record.
fn against_nothing(day: &CompanyDay) -> Option<Difference> {
    match (non_zero(day.published), non_zero(day.staged)) {
        (None, None) => None,
        (None, Some(_)) if !day.is_published => None,
        (None, Some(staged)) => Some(Difference::StagedAlone { staged }),
        (Some(_), None) if day.waits => Some(Difference::Waits { staged: None }),
        (Some(_), staged) => Some(match (&day.landed, staged) {
            (Landed::Absent { of_anyone: 0 }, _) => Difference::NeverLanded,
            (Landed::Record(landed), _) if landed.are_zero() => Difference::NeverLanded,
            (Landed::Record(_), None) => Difference::GoneUnstaged,
            (_, None) => Difference::RowAlone,
            (Landed::Record(_) | Landed::Unknown, Some(_)) => Difference::Gone { is_kept_unreadable: false },
            (Landed::Unreadable(_) | Landed::Absent { .. }, Some(_)) => {
                Difference::Gone { is_kept_unreadable: true }
            }
        }),
    }
}

fn is_published_as_staged(day: &CompanyDay) -> bool {
    day.published == day.staged || (non_zero(day.published).is_none() && non_zero(day.staged).is_none())
}

/// What is staged is right, as far as anybody knows, and is not what is published.
fn published_otherwise(day: &CompanyDay) -> Difference {
    match (day.published, day.staged) {
        (_, staged) if day.waits => Difference::Waits { staged },
        (None, Some(staged)) => Difference::RowMissing { staged },
        (published, staged) => Difference::RowChanged { published: published.unwrap_or_default(), staged },
    }
}

fn non_zero(numbers: Option<UsageNumbers>) -> Option<UsageNumbers> {
    numbers.filter(|numbers| !numbers.are_zero())
}

impl Difference {
    /// The name for it.
    pub(crate) const fn kind(&self) -> DifferenceKind {
        match self {
            Self::Late { .. } | Self::NotStaged => DifferenceKind::LateAtSource,
            Self::Corrected { .. } | Self::Kept { .. } => DifferenceKind::CorrectedAtSource,
            Self::Gone { .. } | Self::GoneUnstaged | Self::NeverLanded | Self::RowAlone => {
                DifferenceKind::ExtraHere
            }
            Self::DayNotPublished
            | Self::DayNotFetched
            | Self::RowMissing { .. }
            | Self::StagedRecordMissing { .. } => DifferenceKind::MissingHere,
            Self::Waits { .. }
            | Self::RowChanged { .. }
            | Self::StagedRecordChanged { .. }
            | Self::StagedAlone { .. } => DifferenceKind::DiffersHere,
            Self::Unreadable { .. } | Self::WasUnreadable { .. } | Self::OfAnyone { .. } => {
                DifferenceKind::Quarantined
            }
        }
    }
}

impl Difference {
    /// Whether loading the day again would not mend it: what was computed from the source has to
    /// be computed anew, because something other than a run changed it or may have.
    pub(crate) const fn needs_rebuild(&self) -> bool {
        match self {
            Self::GoneUnstaged
            | Self::NeverLanded
            | Self::RowAlone
            | Self::RowMissing { .. }
            | Self::RowChanged { .. }
            | Self::StagedRecordMissing { .. }
            | Self::StagedRecordChanged { .. }
            | Self::StagedAlone { .. } => true,
            Self::Late { .. }
            | Self::NotStaged
            | Self::Corrected { .. }
            | Self::Kept { .. }
            | Self::Gone { .. }
            | Self::DayNotPublished
            | Self::DayNotFetched
            | Self::Waits { .. }
            | Self::Unreadable { .. }
            | Self::WasUnreadable { .. }
            | Self::OfAnyone { .. } => false,
        }
    }

    /// Whether a run that is under way may be about to publish it.
    pub(crate) const fn awaits_publish(&self) -> bool {
        matches!(self, Self::Waits { .. } | Self::DayNotPublished)
    }
}

/// One sentence, for people who do not know the warehouse.
impl fmt::Display for Difference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Late { of_anyone: 0 } => {
                f.write_str("the source returns the record now, and did not when the day was last fetched")
            }
            Self::Late { of_anyone } => write!(
                f,
                "the source returns the record now; when the day was last fetched it did not, or as one of \
                 {of_anyone} records whose company could not be read"
            ),
            Self::NotStaged => f.write_str(
                "the source returns the record now, and none is staged; the landed file is gone or another, so \
                 whether it did when the day was last fetched cannot be told",
            ),
            Self::Kept { then, now } => write!(
                f,
                "{then} stayed when the day was last fetched, as a record that could not be read may have been \
                 the company's; the source says {now} now"
            ),
            Self::Corrected { then, now } => {
                write!(f, "the source said {then} when the day was last fetched, and says {now} now")
            }
            Self::Gone { is_kept_unreadable: false } => {
                f.write_str("the source returned the record when the day was last fetched, and no longer does")
            }
            Self::Gone { is_kept_unreadable: true } => f.write_str(
                "the record could not be read when the day was last fetched, so what was known before stayed; \
                 the source no longer returns one",
            ),
            Self::GoneUnstaged => f.write_str(
                "the source returned the record when the day was last fetched, and no longer does; it is not \
                 staged either, though nothing waits to be published: something other than a run removed it",
            ),
            Self::RowAlone => f.write_str(
                "the source does not return such a record, and none is staged, though nothing waits to be \
                 published; what the source returned when the day was last fetched cannot be told",
            ),
            Self::NeverLanded => f.write_str(
                "the source does not return such a record, and did not when the day was last fetched: \
                 something other than a run wrote it",
            ),
            Self::DayNotPublished => f.write_str("the day is not published"),
            Self::DayNotFetched => f.write_str("the day is published, and was never fetched"),
            Self::RowMissing { staged } => write!(
                f,
                "{staged} is staged and no row is published, though none waits to be: something other than a \
                 run removed it"
            ),
            Self::StagedRecordMissing { is_published: false } => {
                f.write_str("the record landed and is not staged: something other than a run removed it")
            }
            Self::StagedRecordMissing { is_published: true } => f.write_str(
                "the published row is right, but the record it was computed from is no longer staged: \
                 something other than a run removed it, and the next computation would lose it",
            ),
            Self::Waits { staged: Some(staged) } => {
                write!(f, "{staged} is loaded and waits for the next run to publish it")
            }
            Self::Waits { staged: None } => {
                f.write_str("that the record is gone is loaded and waits for the next run to publish it")
            }
            Self::RowChanged { published, staged: Some(staged) } => write!(
                f,
                "{staged} is staged and {published} published, though nothing waits to be: something other \
                 than a run changed the row"
            ),
            Self::RowChanged { published, staged: None } => write!(
                f,
                "no record is staged and {published} published, though nothing waits to be: something other \
                 than a run changed the row"
            ),
            Self::StagedRecordChanged { staged } => write!(
                f,
                "{staged} is staged, which is not what landed: something other than a run changed it"
            ),
            Self::StagedAlone { staged } => write!(
                f,
                "the published row agrees with the source, but {staged} is staged, and the next computation \
                 would publish that"
            ),
            Self::Unreadable { reason } => write!(
                f,
                "the source's record cannot be read ({reason}), so the last known numbers stay until the \
                 source is mended"
            ),
            Self::WasUnreadable { reason } => write!(
                f,
                "the record could not be read when the day was last fetched ({reason}), and can be now"
            ),
            Self::OfAnyone { count } => write!(
                f,
                "the source does not name the company, but {count} of its records do not even show a company; \
                 as one of them may be this, the last known numbers stay until the source is mended"
            ),
        }
    }
}

#[cfg(test)]
mod tests;
