//! The audits between building and publishing, judged from measurements.
//!
//! An engine measures what a publish would leave behind; this module decides what that
//! means under the configured policy.

use chrono::NaiveDate;
use serde::{Deserialize, Serialize};

use crate::counters::{Counters, Imbalance};

mod results;

pub use results::{AuditResult, LISTED_FINDINGS, results};

/// What an audit's finding does to the publish.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum AuditLevel {
    /// Refuses the publish; published data stays as it is.
    Block,
    /// Lets the publish go on; the finding becomes a remark of the stage.
    Warn,
    /// Skips the audit.
    Off,
}

/// The level of every audit, and the audits' thresholds.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct AuditPolicy {
    /// Each published day has rows.
    pub rows_present: AuditLevel,
    /// Each published day has at least one usage record. The fact is dense, so its own
    /// row count does not reveal a silent source.
    pub source_rows_present: AuditLevel,
    /// No row lacks its `company_id`.
    pub company_id_not_null: AuditLevel,
    /// One row per company and day.
    pub unique_grain: AuditLevel,
    /// No count is below zero.
    pub no_negative_counts: AuditLevel,
    /// Every stage of the run accounts for every row it read.
    pub balance: AuditLevel,
    /// Each day has exactly the rows that its inputs call for.
    pub expected_rows: AuditLevel,
    /// A day's usage records do not fall far below the recent median.
    pub volume: AuditLevel,
    /// The smallest share of the median that is not a finding.
    pub volume_min_share: f64,
    /// Medians below this many records are too small to compare with.
    pub volume_min_median: f64,
}

impl Default for AuditPolicy {
    fn default() -> Self {
        Self {
            rows_present: AuditLevel::Block,
            source_rows_present: AuditLevel::Warn,
            company_id_not_null: AuditLevel::Block,
            unique_grain: AuditLevel::Block,
            no_negative_counts: AuditLevel::Block,
            balance: AuditLevel::Block,
            expected_rows: AuditLevel::Block,
            volume: AuditLevel::Warn,
            volume_min_share: 0.5,
            volume_min_median: 20.0,
        }
    }
}

/// What a publish would leave behind, measured by the engine.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Measurements {
    /// Candidate rows without a `company_id`.
    pub null_company_ids: u64,
    /// Candidate keys that occur more than once.
    pub duplicate_keys: u64,
    /// Candidate rows with a count below zero.
    pub negative_counts: u64,
    /// The days that would be published, in order.
    pub days: Vec<DayMeasurements>,
    /// The counters of the run's finished stages, by stage name.
    pub stages: Vec<(String, Counters)>,
}

/// What a publish would leave behind for one day.
#[derive(Debug, Clone, PartialEq, Deserialize, Serialize)]
pub struct DayMeasurements {
    /// The day.
    pub day: NaiveDate,
    /// Rows the day would have after the publish.
    pub rows: u64,
    /// Rows that the definition calls for, counted from the inputs.
    pub expected_rows: u64,
    /// Usage records staged for the day.
    pub source_rows: u64,
    /// Median usage records of the published days among the 28 days before; `None`
    /// without any.
    pub recent_median_source_rows: Option<f64>,
}

/// Something an audit found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Finding {
    /// The audit's name, as in the policy.
    pub audit: &'static str,
    /// Whether it blocks the publish.
    pub blocks: bool,
    /// What was found, and where.
    pub message: String,
}

/// Runs every audit of the policy.
#[must_use]
pub fn audit(measured: &Measurements, policy: &AuditPolicy) -> Vec<Finding> {
    let mut findings = Findings(Vec::new());
    findings.count("company_id_not_null", policy.company_id_not_null, measured.null_company_ids, |n| {
        format!("{n} rows have no company_id")
    });
    findings.count("unique_grain", policy.unique_grain, measured.duplicate_keys, |n| {
        format!("{n} (company_id, activity_date) keys occur more than once")
    });
    findings.count("no_negative_counts", policy.no_negative_counts, measured.negative_counts, |n| {
        format!("{n} rows have a negative count")
    });
    for (stage, counters) in &measured.stages {
        if let Err(Imbalance(_)) = counters.check_balance() {
            let message = format!("stage {stage}: {}", Imbalance(*counters));
            findings.add("balance", policy.balance, message);
        }
    }
    for day in &measured.days {
        findings.audit_day(day, policy);
    }
    findings.0
}

struct Findings(Vec<Finding>);

impl Findings {
    fn add(&mut self, audit: &'static str, level: AuditLevel, message: String) {
        if level != AuditLevel::Off {
            self.0.push(Finding { audit, blocks: level == AuditLevel::Block, message });
        }
    }

    fn count(&mut self, audit: &'static str, level: AuditLevel, count: u64, message: impl Fn(u64) -> String) {
        if count > 0 {
            self.add(audit, level, message(count));
        }
    }

    fn audit_day(&mut self, measured: &DayMeasurements, policy: &AuditPolicy) {
        let DayMeasurements { day, rows, expected_rows, source_rows, .. } = measured;
        if *rows == 0 {
            self.add("rows_present", policy.rows_present, format!("{day} would have no rows"));
        }
        if *source_rows == 0 {
            let message = format!("the product API has no usage record for {day}");
            self.add("source_rows_present", policy.source_rows_present, message);
        }
        if rows != expected_rows {
            let message = format!("{day} would have {rows} rows, its inputs call for {expected_rows}");
            self.add("expected_rows", policy.expected_rows, message);
        }
        if let Some(median) = measured.recent_median_source_rows {
            #[expect(clippy::cast_precision_loss, reason = "a share needs no 53 bits")]
            let share = *source_rows as f64 / median.max(1.0);
            // source_rows_present reports a day without any record.
            if *source_rows > 0 && median >= policy.volume_min_median && share < policy.volume_min_share {
                let message = format!(
                    "{day} has {source_rows} usage records, {:.0} % of the recent median {median}",
                    share * 100.0
                );
                self.add("volume", policy.volume, message);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sound_day() -> DayMeasurements {
        DayMeasurements {
            day: NaiveDate::from_ymd_opt(2026, 1, 5).unwrap(),
            rows: 100,
            expected_rows: 100,
            source_rows: 90,
            recent_median_source_rows: Some(95.0),
        }
    }

    fn found(day: DayMeasurements) -> Vec<(&'static str, bool)> {
        let measured = Measurements { days: vec![day], ..Measurements::default() };
        let findings = audit(&measured, &AuditPolicy::default());
        findings.iter().map(|finding| (finding.audit, finding.blocks)).collect()
    }

    #[test]
    fn a_sound_day_has_no_findings() {
        assert_eq!(found(sound_day()), []);
    }

    #[test]
    fn a_missing_row_blocks() {
        assert_eq!(found(DayMeasurements { rows: 99, ..sound_day() }), [("expected_rows", true)]);
        let empty = DayMeasurements { rows: 0, expected_rows: 0, ..sound_day() };
        assert_eq!(found(empty), [("rows_present", true)]);
    }

    #[test]
    fn a_silent_or_thin_source_warns() {
        let silent = DayMeasurements { source_rows: 0, ..sound_day() };
        assert_eq!(found(silent), [("source_rows_present", false)]);
        assert_eq!(found(DayMeasurements { source_rows: 40, ..sound_day() }), [("volume", false)]);
    }

    #[test]
    fn a_small_median_says_nothing() {
        let small = DayMeasurements { source_rows: 1, recent_median_source_rows: Some(19.0), ..sound_day() };
        assert_eq!(found(small), []);
    }

    #[test]
    fn an_audit_that_is_off_finds_nothing() {
        let measured = Measurements { negative_counts: 3, ..Measurements::default() };
        let off = AuditPolicy { no_negative_counts: AuditLevel::Off, ..AuditPolicy::default() };
        assert_eq!(audit(&measured, &off), []);
        assert_eq!(audit(&measured, &AuditPolicy::default()).len(), 1);
    }

    #[test]
    fn a_stage_that_lost_a_row_blocks() {
        let lossy = Counters { rows_read: 2, rows_written: 1, ..Counters::default() };
        let measured =
            Measurements { stages: vec![("act_copy_crm_csv".into(), lossy)], ..Measurements::default() };
        let findings = audit(&measured, &AuditPolicy::default());
        assert!(findings.first().is_some_and(|finding| finding.blocks));
    }
}
