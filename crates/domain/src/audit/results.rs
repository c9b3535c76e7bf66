//! What each audit of a policy looks for, in words, and what it found.

use serde::{Deserialize, Serialize};

use super::{AuditLevel, AuditPolicy, Finding};

/// How many findings of an audit are kept in words; all are counted.
pub const LISTED_FINDINGS: usize = 100;

/// What one audit found.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, Serialize)]
pub struct AuditResult {
    /// The audit's name, as in the policy.
    pub audit: String,
    /// What a finding does.
    pub level: AuditLevel,
    /// What it finds, with its thresholds.
    pub rule: String,
    /// What it found; the first [`LISTED_FINDINGS`] at most.
    pub findings: Vec<String>,
    /// How much it found.
    pub finding_count: u64,
}

/// An audit's name, its level, and what it finds.
type Rule = (&'static str, AuditLevel, String);

impl AuditPolicy {
    /// Every audit in the order of the documentation, which has the same words.
    fn rules(&self) -> [Rule; 8] {
        let Self { volume_min_share, volume_min_median, .. } = self;
        let plain = |audit, level, finds: &str| (audit, level, finds.to_owned());
        [
            plain("rows_present", self.rows_present, "a day without any row"),
            plain(
                "source_rows_present",
                self.source_rows_present,
                "a day for which the product API has no record. The fact has rows for silent companies too, so \
                 its row count does not reveal a silent source",
            ),
            plain("company_id_not_null", self.company_id_not_null, "a row without company"),
            plain("unique_grain", self.unique_grain, "a company-day that occurs more than once"),
            plain("no_negative_counts", self.no_negative_counts, "a count below zero"),
            plain("balance", self.balance, "a stage of the run that did not account for every row it read"),
            plain(
                "expected_rows",
                self.expected_rows,
                "a day whose row count differs from what its inputs call for, counted independently of the build",
            ),
            (
                "volume",
                self.volume,
                format!(
                    "a day with fewer usage records than {volume_min_share} of the median of the published days \
                     among the 28 before. Medians below {volume_min_median} are ignored"
                ),
            ),
        ]
    }
}

/// The findings of a policy's audits by audit: of those that found nothing as well.
#[must_use]
pub fn results(findings: &[Finding], policy: &AuditPolicy) -> Vec<AuditResult> {
    let result = |(audit, level, rule): Rule| {
        let found = || findings.iter().filter(|finding| finding.audit == audit);
        AuditResult {
            audit: audit.to_owned(),
            level,
            rule,
            findings: found().take(LISTED_FINDINGS).map(|finding| finding.message.clone()).collect(),
            finding_count: found().count() as u64,
        }
    };
    policy.rules().into_iter().map(result).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The rows of the table in the documentation: audit, default level, what it finds.
    fn documented() -> Vec<[String; 3]> {
        let rows = include_str!("../../../../docs/audits.md").lines().filter(|line| line.starts_with("| `"));
        let cells = |row: &str| {
            let cells: Vec<&str> = row.trim_matches('|').split('|').map(str::trim).collect();
            let [audit, level, finds] = cells[..] else { panic!("{row} has no three cells") };
            [audit.trim_matches('`').to_owned(), level.to_owned(), finds.to_owned()]
        };
        rows.map(cells).collect()
    }

    #[test]
    fn the_documentation_says_of_every_audit_what_people_are_shown() {
        let policy = AuditPolicy::default();
        let thresholds =
            [("volume_min_share", policy.volume_min_share), ("volume_min_median", policy.volume_min_median)];
        let rules = policy
            .rules()
            .map(|(audit, level, finds)| [audit.to_owned(), format!("{level:?}").to_lowercase(), finds]);
        let documented = documented().into_iter().map(|[audit, level, finds]| {
            let finds = thresholds.iter().fold(finds, |finds, (name, default)| {
                finds.replace(&format!("`{name}` (default {default})"), &default.to_string())
            });
            [audit, level, finds]
        });
        assert_eq!(documented.collect::<Vec<_>>(), rules);
    }

    #[test]
    fn every_audit_has_a_result_whose_findings_are_counted_but_not_all_listed() {
        let policy = AuditPolicy { volume: AuditLevel::Off, volume_min_share: 0.7, ..AuditPolicy::default() };
        let finding = |day: usize| Finding {
            audit: "rows_present",
            blocks: true,
            message: format!("day {day} would have no rows"),
        };
        let results = results(&(0..150).map(finding).collect::<Vec<_>>(), &policy);
        let empty = &results[0];
        assert_eq!(
            (empty.audit.as_str(), empty.findings.len(), empty.finding_count),
            ("rows_present", 100, 150)
        );
        assert_eq!(empty.findings[0], "day 0 would have no rows");
        assert!(results[1..].iter().all(|result| result.findings.is_empty() && result.finding_count == 0));
        let volume = results.last().unwrap();
        assert_eq!(volume.level, AuditLevel::Off);
        assert!(volume.rule.contains("fewer usage records than 0.7 of the median"), "{}", volume.rule);
    }
}
