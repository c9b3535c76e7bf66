//! Migrates a warehouse's schema, and works with a newer one.

use crate::error::{Error, Result};

/// What a migration found and did.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MigrationReport {
    /// The schema's version before; `None` if there was no schema.
    pub version_before: Option<i64>,
    /// The schema's version now.
    pub version: i64,
    /// The newest migration that this program knows.
    pub newest_known: i64,
    /// The migrations just applied, in order: `0002_events`.
    pub applied: Vec<String>,
    /// The schema's migrations that this program does not know, in order.
    pub unknown: Vec<i64>,
}

impl MigrationReport {
    /// The report of an engine that found the versions `before` and applies the missing
    /// ones of `known`: versions and descriptions, in order.
    #[must_use]
    pub fn new<'a>(before: &[i64], known: impl IntoIterator<Item = (i64, &'a str)>) -> Self {
        let (mut newest_known, mut applied, mut unknown) = (0, vec![], before.to_vec());
        for (version, description) in known {
            newest_known = version.max(newest_known);
            unknown.retain(|other| *other != version);
            if !before.contains(&version) {
                applied.push(format!("{version:04}_{}", description.replace(' ', "_")));
            }
        }
        unknown.sort_unstable();
        let version_before = before.iter().max().copied();
        let version = version_before.unwrap_or_default().max(newest_known);
        Self { version_before, version, newest_known, applied, unknown }
    }

    /// Whether a newer program has migrated the schema. An engine asks this before it
    /// applies anything, and if so continues with [`allow`](Self::allow).
    ///
    /// # Errors
    /// If the schema also lacks migrations that this program knows: they would follow
    /// others that were written without them.
    pub fn is_newer(&self) -> Result<bool> {
        match (self.unknown.last(), self.applied.first()) {
            (Some(unknown), Some(lacking)) => Err(Error::Precondition(format!(
                "the warehouse has migration {unknown}, which this program does not know, and lacks {lacking}: \
                 use the version that migrated it"
            ))),
            (unknown, _) => Ok(unknown.is_some()),
        }
    }

    /// Lets this program work with a newer schema that is marked as compatible with
    /// programs from the migration `oldest_known` on.
    ///
    /// # Errors
    /// If this program is older.
    pub fn allow(&self, oldest_known: i64) -> Result<()> {
        let Self { version, newest_known, .. } = self;
        if *newest_known < oldest_known {
            return Err(Error::Precondition(format!(
                "the warehouse is at migration {version} and takes programs that know migration {oldest_known}; \
                 this one knows none after {newest_known}: use a newer version"
            )));
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const KNOWN: [(i64, &str); 3] = [(1, "foundation"), (2, "daily events"), (3, "ledger")];

    fn report(before: &[i64]) -> MigrationReport {
        MigrationReport::new(before, KNOWN)
    }

    #[test]
    fn a_report_names_what_was_missing() {
        assert_eq!(report(&[]).version_before, None);
        assert_eq!(report(&[]).applied, ["0001_foundation", "0002_daily_events", "0003_ledger"]);
        // A merged branch may bring an older version later.
        assert_eq!(report(&[1, 3]).applied, ["0002_daily_events"]);
        assert_eq!((report(&[1, 3]).version_before, report(&[1, 3]).version), (Some(3), 3));
        assert!(report(&[1, 2, 3]).applied.is_empty());
    }

    #[test]
    fn a_schema_is_newer_if_it_has_unknown_migrations() {
        assert!(!report(&[]).is_newer().unwrap());
        assert!(!report(&[1, 2, 3]).is_newer().unwrap());
        let newer = report(&[5, 1, 2, 3, 4]);
        assert!(newer.is_newer().unwrap());
        assert_eq!((newer.unknown, newer.version, newer.newest_known), (vec![4, 5], 5, 3));
    }

    #[test]
    fn a_newer_schema_takes_programs_from_its_mark_on() {
        let newer = report(&[1, 2, 3, 4, 5]);
        for oldest_known in [1, 3] {
            newer.allow(oldest_known).unwrap();
        }
        let refusal = newer.allow(4).unwrap_err().to_string();
        assert_eq!(
            refusal,
            "the warehouse is at migration 5 and takes programs that know migration 4; this one knows none \
             after 3: use a newer version"
        );
    }

    #[test]
    fn a_schema_of_another_line_is_refused() {
        let refusal = report(&[1, 2, 4]).is_newer().unwrap_err().to_string();
        assert_eq!(
            refusal,
            "the warehouse has migration 4, which this program does not know, and lacks 0003_ledger: use the \
             version that migrated it"
        );
    }
}
