//! By which formula the checksum of a day is changed.

use chrono::NaiveDate;
use domain::ChecksumVersion;

use crate::{Error, Result};

/// The version by which a publish changes the checksum of `day`: the one that the ledger
/// has for it, or for a new day the one that is written.
///
/// A day of an unknown version is not published again. Computed whole by this program it
/// would lose the version, and its rows the columns, of the release that wrote it.
///
/// # Errors
/// [`Error::Precondition`] if this program does not know the version.
pub fn version_to_publish(day: NaiveDate, in_ledger: Option<i32>) -> Result<ChecksumVersion> {
    let Some(number) = in_ledger else { return Ok(ChecksumVersion::WRITTEN) };
    ChecksumVersion::from_stored(number)
        .map_err(|unknown| Error::Precondition(format!("{day} cannot be published again: {unknown}")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_day_keeps_its_version_and_a_new_one_gets_the_written_one() {
        let day = NaiveDate::default();
        assert_eq!(version_to_publish(day, None).unwrap(), ChecksumVersion::WRITTEN);
        assert_eq!(version_to_publish(day, Some(1)).unwrap(), ChecksumVersion::V1);
        let refused = version_to_publish(day, Some(9)).unwrap_err().to_string();
        assert!(refused.starts_with("1970-01-01 cannot be published again: its checksum is of version 9"));
        assert!(refused.ends_with("use that version of the suite, or a newer one"), "{refused}");
    }
}
