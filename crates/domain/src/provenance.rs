//! What is on record of where one company-day comes from.

use chrono::{DateTime, Days, NaiveDate, Utc};

use crate::{
    company::{CompanyAttributes, UnreadableFields},
    date_window::DateWindow,
    fact::{FactKey, FactRow},
    publication::Publication,
    usage::{CHURN_DAYS, UsageNumbers},
};

/// All that the warehouse knows of one company-day, from one state. Lists of days cover
/// those that the company-day [reads](window_of).
#[derive(Debug, Clone, PartialEq)]
pub struct Provenance {
    /// The company-day.
    pub key: FactKey,
    /// Whether a source ever named the company.
    pub is_known: bool,
    /// Whether a change to what the company-day is made of, or its rebuild, waits to be
    /// published.
    pub is_waiting: bool,
    /// The first and the last published day; `None` if nothing is published.
    pub published_range: Option<(NaiveDate, NaiveDate)>,
    /// Since when every replaced row is on record; `None` from the beginning.
    pub history_since: Option<DateTime<Utc>>,
    /// The ledger's entries, by day.
    pub ledger: Vec<Publication>,
    /// Every publish of the days on record, and each time that one was taken back, by day,
    /// then time.
    pub publications: Vec<DayPublication>,
    /// The company's published rows, by day.
    pub rows: Vec<FactRow>,
    /// What these rows were before, by day, then time.
    pub replaced: Vec<ReplacedRow>,
    /// The usage of each day, in order.
    pub usage: Vec<UsageProvenance>,
    /// What the CRM says.
    pub crm: CrmProvenance,
}

/// A time that a day was published or taken back.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DayPublication {
    /// The day.
    pub day: NaiveDate,
    /// When it was.
    pub published_at: DateTime<Utc>,
    /// The run that did it.
    pub run_id: String,
    /// Number of rows of the day; `None` if it was taken back.
    pub row_count: Option<i64>,
    /// Whether the run was asked to compute the day anew, whatever had changed.
    pub is_rebuilt: bool,
}

/// A row until a publish ended it.
#[derive(Debug, Clone, PartialEq)]
pub struct ReplacedRow {
    /// The row; its `loaded_at` says when it began.
    pub row: FactRow,
    /// The time of the publish that ended it.
    pub replaced_at: DateTime<Utc>,
}

/// A company's usage on one day, and the fetch that it came with.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UsageProvenance {
    /// The day.
    pub day: NaiveDate,
    /// The staged record, if there is one.
    pub record: Option<UsageNumbers>,
    /// The day's newest fetch; `None` if the product API was never asked for it.
    pub fetch: Option<Fetch>,
}

/// A day's newest fetch from the product API.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fetch {
    /// The run that fetched it.
    pub run_id: String,
    /// When its answer was staged.
    pub fetched_at: DateTime<Utc>,
    /// The path of its landed records; `None` if the answer had none.
    pub landing_path: Option<String>,
    /// The bytes of that file.
    pub bytes: u64,
    /// Its entity tag; `None` if there is no file, or nobody noted it.
    pub etag: Option<String>,
    /// The number of the last record of each page, in order; empty if nobody noted it.
    pub page_ends: Vec<u64>,
    /// Records of the answer in quarantine, of any company.
    pub quarantined: u64,
}

/// What the CRM says of a company on a day.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct CrmProvenance {
    /// The snapshot that counts on the day; `None` if there is none at all.
    pub snapshot: Option<CrmSnapshot>,
    /// The version that describes the company on the day; `None` if it was never in the CRM.
    pub version: Option<CrmVersion>,
}

/// A snapshot of the CRM.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CrmSnapshot {
    /// The day on which it takes effect.
    pub on: NaiveDate,
    /// The export that it was loaded from.
    pub export: ExportOrigin,
    /// What of the company could not be read there.
    pub unread: Unread,
}

/// A version of a company: what the CRM says in some snapshots, one after the other.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CrmVersion {
    /// The day of the first of them.
    pub from: NaiveDate,
    /// The day of the last of them; `None` if that is the newest.
    pub to: Option<NaiveDate>,
    /// What it says.
    pub attributes: CompanyAttributes,
    /// The export of its first snapshot.
    pub export: ExportOrigin,
    /// What of the company could not be read in its first snapshot.
    pub unread: Unread,
}

/// Where an export is, and which run loaded it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ExportOrigin {
    /// The file's path at the source.
    pub path: String,
    /// The path of its copy in the archive; one line per part if it was split.
    pub archive_path: Option<String>,
    /// The run that loaded it, and when, if that is on record.
    pub loaded: Option<(String, DateTime<Utc>)>,
}

/// What of a company could not be read in an export, and so is as in the export before.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Unread {
    /// Single attributes.
    pub fields: UnreadableFields,
    /// Everything: its row, or one that may have been its.
    pub all: bool,
}

/// The days that a company-day is made of: `[D-13, D]`.
#[must_use]
pub fn window_of(day: NaiveDate) -> DateWindow {
    DateWindow::day(day).reaching_back(CHURN_DAYS - 1)
}

/// The deliveries that a day is made of.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct DaySources {
    /// The day's newest fetch; `None` if the product API was never asked for it.
    pub usage: Option<DayFetch>,
    /// The snapshot that counts on the day; `None` if there is none at all.
    pub crm: Option<DaySnapshot>,
    /// The event files that hold the day's events, by path; the last [`MAX_EVENT_FILES`] at most.
    pub events: Vec<EventSource>,
}

/// The most event files that are named of a day.
pub const MAX_EVENT_FILES: u32 = 100;

/// A day's newest fetch, and what became of its records.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DayFetch {
    /// The run that fetched it.
    pub run_id: String,
    /// When its answer was staged.
    pub fetched_at: DateTime<Utc>,
    /// The path of its landed records; `None` if the answer had none.
    pub landing_path: Option<String>,
    /// The bytes of that file.
    pub bytes: u64,
    /// Pages of the answer; 0 if nobody noted them.
    pub pages: usize,
    /// Staged records.
    pub staged: u64,
    /// Records in quarantine.
    pub quarantined: u64,
}

/// The snapshot that counts on a day.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DaySnapshot {
    /// The day on which it takes effect.
    pub on: NaiveDate,
    /// The export that it was loaded from.
    pub export: ExportOrigin,
    /// Rows of the export in quarantine.
    pub quarantined: u64,
}

/// A file that events of a day came from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EventSource {
    /// The file's path at the source.
    pub path: String,
    /// The run that loaded it, and when, if that is on record.
    pub loaded: Option<(String, DateTime<Utc>)>,
}

impl Unread {
    /// The bit that says that nothing of a company could be read.
    const ALL: i32 = 16;

    /// Reads the bits that storage keeps, see [`UnreadableFields::bits`].
    #[must_use]
    pub const fn from_bits(bits: i32) -> Self {
        let fields = UnreadableFields {
            name: bits & 1 != 0,
            country: bits & 2 != 0,
            industry_tag: bits & 4 != 0,
            last_contact_at: bits & 8 != 0,
        };
        Self { fields, all: bits & Self::ALL != 0 }
    }
}

impl CrmProvenance {
    /// Whether the company is in the snapshot.
    #[must_use]
    pub fn is_member(&self) -> bool {
        let (Some(snapshot), Some(version)) = (&self.snapshot, &self.version) else { return false };
        version.from <= snapshot.on && version.to.is_none_or(|to| snapshot.on <= to)
    }
}

impl Provenance {
    /// The days that the company-day is made of.
    #[must_use]
    pub fn window(&self) -> DateWindow {
        window_of(self.key.activity_date)
    }

    /// The days of `length` days that end on the day.
    pub(crate) fn last_days(&self, length: u64) -> impl Iterator<Item = &UsageProvenance> {
        let from = self.key.activity_date.checked_sub_days(Days::new(length - 1));
        self.usage.iter().filter(move |usage| from.is_none_or(|from| from <= usage.day))
    }

    /// The published row.
    pub(crate) fn row(&self) -> Option<&FactRow> {
        self.rows.iter().find(|row| row.key == self.key)
    }

    /// The ledger's entry of the day.
    pub(crate) fn publication(&self) -> Option<&Publication> {
        self.ledger.iter().find(|entry| entry.activity_date == self.key.activity_date)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bits_that_storage_keeps_are_read_back() {
        let fields = UnreadableFields { name: true, last_contact_at: true, ..UnreadableFields::default() };
        assert_eq!(Unread::from_bits(fields.bits()), Unread { fields, all: false });
        assert!(Unread::from_bits(0b1_1111).all);
    }
}
