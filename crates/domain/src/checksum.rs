//! The content of a published day as one number.

use std::fmt::{self, Write};

use sha2::{Digest, Sha256};

use crate::fact::FactRow;

/// Which formula the checksum of a day follows; the ledger keeps it with each day. A
/// formula that has been used never changes: a column that is to be covered comes with a
/// version of its own.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum ChecksumVersion {
    /// The columns of the first release.
    V1,
}

impl ChecksumVersion {
    /// The versions that this program can compute.
    pub const KNOWN: [Self; 1] = [Self::V1];

    /// The version that days published for the first time get. A release writes a version
    /// only if the release before it knows that version too.
    pub const WRITTEN: Self = Self::V1;

    /// The version that is stored as `number`.
    ///
    /// # Errors
    /// If this program does not know it.
    pub fn from_stored(number: i32) -> Result<Self, UnknownChecksumVersion> {
        let known = Self::KNOWN.into_iter().find(|version| version.to_stored() == number);
        known.ok_or(UnknownChecksumVersion { number })
    }

    /// The number that is stored for it.
    #[must_use]
    pub const fn to_stored(self) -> i32 {
        match self {
            Self::V1 => 1,
        }
    }
}

/// A version of the checksum that a newer release writes. The day may well be right, and
/// only a program that knows the version can tell.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, thiserror::Error)]
#[error(
    "its checksum is of version {number}, which a newer version of the suite wrote and this one does not \
     know: use that version of the suite, or a newer one"
)]
pub struct UnknownChecksumVersion {
    /// The stored number.
    pub number: i32,
}

/// The checksum of a set of fact rows: the XOR of one 64-bit hash per row. Neither the
/// order of the rows nor the path to them matters, and changing five rows removes five
/// hashes and adds five, however many rows there are.
///
/// It detects damage and drift, not forgery: anyone who can write rows can also write
/// the ledger.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Checksum {
    version: ChecksumVersion,
    bits: u64,
}

impl Checksum {
    /// The checksum of no rows.
    #[must_use]
    pub const fn empty(version: ChecksumVersion) -> Self {
        Self { version, bits: 0 }
    }

    /// The checksum stored as the number of its version, and the bits from
    /// [`to_stored`](Self::to_stored).
    ///
    /// # Errors
    /// If this program does not know the version.
    pub fn from_stored(version: i32, bits: i64) -> Result<Self, UnknownChecksumVersion> {
        Ok(Self { version: ChecksumVersion::from_stored(version)?, bits: bits.cast_unsigned() })
    }

    /// Which formula it follows.
    #[must_use]
    pub const fn version(self) -> ChecksumVersion {
        self.version
    }

    /// The bits as the signed integer that databases store.
    #[must_use]
    pub const fn to_stored(self) -> i64 {
        self.bits.cast_signed()
    }

    /// Adds a row, or removes it if it was added before: the operation is the same.
    pub fn toggle(&mut self, row: &FactRow) {
        self.bits ^= row_hash(self.version, row);
    }
}

/// The checksum of no rows, of the version that is written.
impl Default for Checksum {
    fn default() -> Self {
        Self::empty(ChecksumVersion::WRITTEN)
    }
}

impl<'a> FromIterator<&'a FactRow> for Checksum {
    fn from_iter<T: IntoIterator<Item = &'a FactRow>>(rows: T) -> Self {
        let mut checksum = Self::default();
        rows.into_iter().for_each(|row| checksum.toggle(row));
        checksum
    }
}

/// Sixteen hexadecimal digits.
impl fmt::Display for Checksum {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:016x}", self.bits)
    }
}

/// The first eight bytes of the SHA-256 of the row's canonical text.
fn row_hash(version: ChecksumVersion, row: &FactRow) -> u64 {
    let text = match version {
        ChecksumVersion::V1 => canonical_text(row),
    };
    let digest = Sha256::digest(text);
    digest.iter().take(8).fold(0, |hash, byte| hash << 8 | u64::from(*byte))
}

/// The row as version 1 spells it, in every engine: the columns in order, separated by
/// commas. A length in characters and a colon precede each text, so that no two texts
/// can be confused; a day counts days from 1970-01-01, a point in time microseconds
/// since then; a missing value is `N`.
///
/// Two columns are left out: `loaded_at`, which is not content, and `events_per_user`,
/// which follows from two others and has no spelling that all engines share.
fn canonical_text(row: &FactRow) -> String {
    let mut text = String::with_capacity(128);
    push_text(&mut text, Some(row.key.company_id.as_str()));
    push_number(&mut text, Some(days_since_epoch(row)));
    for column in [&row.company_name, &row.country, &row.industry_tag] {
        push_text(&mut text, column.as_deref());
    }
    push_number(&mut text, row.last_contact_at.map(|at| at.timestamp_micros()));
    for column in [i64::from(row.active_users), row.events, row.active_users_7d, row.is_churn_risk.into()] {
        push_number(&mut text, Some(column));
    }
    push_number(&mut text, row.days_since_last_contact.map(i64::from));
    text
}

fn days_since_epoch(row: &FactRow) -> i64 {
    (row.key.activity_date - chrono::NaiveDate::default()).num_days()
}

fn push_text(text: &mut String, value: Option<&str>) {
    match value {
        // Writing to a string cannot fail.
        Some(value) => _ = write!(text, "{}:{value},", value.chars().count()),
        None => text.push_str("N,"),
    }
}

fn push_number(text: &mut String, value: Option<i64>) {
    match value {
        Some(value) => _ = write!(text, "{value},"),
        None => text.push_str("N,"),
    }
}

#[cfg(test)]
mod tests {
    use chrono::{DateTime, Utc};

    use super::*;
    use crate::{company::CompanyId, fact::FactKey};

    fn row(company_id: &str) -> FactRow {
        FactRow {
            key: FactKey {
                company_id: CompanyId::parse(company_id).unwrap(),
                activity_date: crate::date_window::parse_day("2026-02-01").unwrap(),
            },
            company_name: Some("Zoë, Ltd".to_owned()),
            country: Some(String::new()),
            industry_tag: None,
            last_contact_at: DateTime::from_timestamp_micros(-1),
            active_users: 2,
            events: 7,
            active_users_7d: 9,
            is_churn_risk: false,
            events_per_user: Some(3.5),
            days_since_last_contact: Some(-3),
            loaded_at: DateTime::UNIX_EPOCH,
        }
    }

    /// Stored checksums of version 1 depend on this: a new formula is a new version.
    #[test]
    fn the_canonical_text_of_a_version_and_its_hash_are_fixed() {
        assert_eq!(canonical_text(&row("007")), "3:007,20485,8:Zoë, Ltd,0:,N,-1,2,7,9,0,-3,");
        // printf '3:007,20485,8:Zoë, Ltd,0:,N,-1,2,7,9,0,-3,' | sha256sum | cut -c1-16
        assert_eq!(Checksum::from_iter([&row("007")]).to_string(), "465dcad9afb2dd47");
    }

    #[test]
    fn neither_order_nor_the_way_there_matters() {
        let rows = ["a", "b", "c"].map(row);
        let all: Checksum = rows.iter().collect();
        assert_eq!(rows.iter().rev().collect::<Checksum>(), all);
        let mut taken_out_again = all;
        taken_out_again.toggle(&row("d"));
        assert_ne!(taken_out_again, all);
        taken_out_again.toggle(&row("d"));
        assert_eq!(taken_out_again, all);
        assert_eq!(Checksum::from_iter([]).to_string(), "0000000000000000");
    }

    #[test]
    fn every_column_of_content_counts_and_the_others_do_not() {
        let checksum = |change: fn(&mut FactRow)| {
            let mut row = row("a");
            change(&mut row);
            Checksum::from_iter([&row])
        };
        let same = checksum(|_| {});
        let changed: [fn(&mut FactRow); 10] = [
            |row| row.key.activity_date = row.key.activity_date.succ_opt().unwrap(),
            |row| row.company_name = None,
            |row| row.country = None,
            |row| row.industry_tag = Some(String::new()),
            |row| row.last_contact_at = None,
            |row| row.active_users = 3,
            |row| row.events = 8,
            |row| row.active_users_7d = 10,
            |row| row.is_churn_risk = true,
            |row| row.days_since_last_contact = None,
        ];
        for (number, change) in changed.into_iter().enumerate() {
            assert_ne!(checksum(change), same, "change {number}");
        }
        assert_eq!(checksum(|row| row.loaded_at = DateTime::<Utc>::MAX_UTC), same);
        assert_eq!(checksum(|row| row.events_per_user = None), same);
    }

    #[test]
    fn texts_that_read_alike_in_a_row_do_not_hash_alike() {
        let checksum = |name: &str, country: Option<&str>| {
            let (company_name, country) = (Some(name.to_owned()), country.map(ToOwned::to_owned));
            Checksum::from_iter([&FactRow { company_name, country, ..row("a") }])
        };
        assert_ne!(checksum("a", Some("b,N")), checksum("a,1:b", None));
        assert_ne!(checksum("", Some("N")), checksum("", None));
    }

    #[test]
    fn what_is_stored_comes_back() {
        let checksum = Checksum::from_iter([&row("007")]);
        assert_eq!(Checksum::from_stored(checksum.version().to_stored(), checksum.to_stored()), Ok(checksum));
        assert_eq!(Checksum::from_stored(1, -1).unwrap().to_string(), "ffffffffffffffff");
    }

    #[test]
    fn an_unknown_version_is_distinguished_from_a_wrong_checksum() {
        for version in ChecksumVersion::KNOWN {
            assert_eq!(ChecksumVersion::from_stored(version.to_stored()), Ok(version));
        }
        let unknown = Checksum::from_stored(9, 0).unwrap_err();
        assert_eq!(unknown, UnknownChecksumVersion { number: 9 });
        assert!(
            unknown.to_string().contains("version 9, which a newer version of the suite wrote"),
            "{unknown}"
        );
    }
}
