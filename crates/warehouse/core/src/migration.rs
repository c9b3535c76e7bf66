//! Bringing a warehouse's schema up to date.

/// What a migration found and did.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MigrationReport {
    /// The schema's version before; `None` if there was no schema.
    pub version_before: Option<i64>,
    /// The schema's version now.
    pub version: i64,
    /// The migrations that were applied now, in order: `0002_events`.
    pub applied: Vec<String>,
}

impl MigrationReport {
    /// The report of an engine that found the versions `before` and left all of
    /// `known`: versions and descriptions, in order.
    #[must_use]
    pub fn new<'a>(before: &[i64], known: impl IntoIterator<Item = (i64, &'a str)>) -> Self {
        let mut report = Self { version_before: before.iter().max().copied(), version: 0, applied: vec![] };
        for (version, description) in known {
            report.version = report.version.max(version);
            if !before.contains(&version) {
                report.applied.push(format!("{version:04}_{}", description.replace(' ', "_")));
            }
        }
        report
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_report_names_what_was_missing() {
        let known = [(1, "foundation"), (2, "daily events"), (3, "ledger")];
        let report = |before: &[i64]| MigrationReport::new(before, known);
        assert_eq!(report(&[]).version_before, None);
        assert_eq!(report(&[]).applied, ["0001_foundation", "0002_daily_events", "0003_ledger"]);
        // Branches that are merged may bring an older version later.
        assert_eq!(report(&[1, 3]).applied, ["0002_daily_events"]);
        assert_eq!((report(&[1, 3]).version_before, report(&[1, 3]).version), (Some(3), 3));
        assert!(report(&[1, 2, 3]).applied.is_empty());
    }
}
