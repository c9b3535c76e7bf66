//! Settings for which files are exports, of which days, and when to refuse one.

use anyhow::{Context as _, bail};
use clap::{Args, ValueEnum};
use domain::RejectionLimit;
use warehouse::SnapshotLimits;

use crate::{
    effective_day::{DatePattern, DaySource},
    export_plan::SameDay,
};

/// Which exports there are, and which are believed.
#[derive(Debug, Clone, Args)]
#[group(skip)]
pub struct ExportOptions {
    /// Where the date is in an export's path, if it is spelled unusually: a regular
    /// expression with the groups year, month and day, for example
    /// (?<day>\d\d)-(?<month>\d\d)-(?<year>\d{4})
    #[arg(long, env = "CRM_DATE_PATTERN", value_name = "REGEX")]
    pub crm_date_pattern: Option<String>,

    /// What says on which day an export counts: the date in its path, or the UTC
    /// day on which the file was last written
    #[arg(long, env = "CRM_DATE_FROM", value_name = "SOURCE", value_enum, default_value_t = DateFrom::Path)]
    pub crm_date_from: DateFrom,

    /// Take several files of one day for the parts of one export
    #[arg(long, env = "CRM_PARTS", default_value_t = false)]
    pub crm_parts: bool,

    /// What to do with several exports of one day that are no parts: refuse them, or
    /// let the one whose path sorts last count
    #[arg(
        long,
        env = "CRM_SAME_DAY",
        value_name = "CHOICE",
        value_enum,
        default_value_t = SameDayChoice::Refuse
    )]
    pub crm_same_day: SameDayChoice,

    /// Refuse an export with fewer companies than the one before it, if more than
    /// this share of them is gone; 1 refuses none
    #[arg(
        long,
        env = "CRM_MAX_SHRINK_SHARE",
        value_name = "SHARE",
        default_value_t = 0.5,
        value_parser = runtime::parse_share
    )]
    pub crm_max_shrink_share: f64,

    /// Refuse an export with more than 100 companies, and more than this many times
    /// as many as the one before it
    #[arg(
        long,
        env = "CRM_MAX_GROWTH_FACTOR",
        value_name = "FACTOR",
        default_value_t = 10.0,
        value_parser = parse_factor
    )]
    pub crm_max_growth_factor: f64,

    /// Refuse an export of whose rows more than this share, and at least three, are
    /// rejected; 1 refuses none
    #[arg(
        long,
        env = "CRM_MAX_REJECTED_SHARE",
        value_name = "SHARE",
        default_value_t = 0.05,
        value_parser = runtime::parse_share
    )]
    pub crm_max_rejected_share: f64,
}

/// What says on which day an export counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum DateFrom {
    /// The date in its path.
    Path,
    /// The UTC day on which the file was last written.
    Modified,
}

/// What to do with several exports of one day.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum SameDayChoice {
    /// None of them is loaded.
    Refuse,
    /// The one whose path sorts last counts.
    Last,
}

impl ExportOptions {
    pub(crate) fn day_source(&self) -> anyhow::Result<DaySource> {
        match (&self.crm_date_pattern, self.crm_date_from) {
            (None, DateFrom::Path) => Ok(DaySource::Path),
            (None, DateFrom::Modified) => Ok(DaySource::Modified),
            (Some(pattern), DateFrom::Path) => {
                let pattern = DatePattern::parse(pattern).context("--crm-date-pattern cannot be used")?;
                Ok(DaySource::Pattern(pattern))
            }
            (Some(_), DateFrom::Modified) => {
                bail!(
                    "--crm-date-pattern is about dates in paths, and --crm-date-from modified does not look \
                     at them: leave one of them out"
                )
            }
        }
    }

    pub(crate) fn same_day(&self) -> anyhow::Result<SameDay> {
        match (self.crm_parts, self.crm_same_day) {
            (true, SameDayChoice::Last) => {
                bail!("--crm-parts and --crm-same-day last contradict each other: leave one of them out")
            }
            (true, SameDayChoice::Refuse) => Ok(SameDay::Parts),
            (false, SameDayChoice::Refuse) => Ok(SameDay::Refuse),
            (false, SameDayChoice::Last) => Ok(SameDay::Last),
        }
    }

    pub(crate) const fn limits(&self) -> SnapshotLimits {
        SnapshotLimits {
            max_shrink_share: self.crm_max_shrink_share,
            max_growth_factor: self.crm_max_growth_factor,
            rejections: RejectionLimit { max_share: self.crm_max_rejected_share },
        }
    }
}

fn parse_factor(text: &str) -> Result<f64, String> {
    match text.parse::<f64>() {
        Ok(factor) if factor >= 1.0 => Ok(factor),
        _ => Err("a factor is a number from 1 on; inf refuses nothing".to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;

    #[derive(Debug, Parser)]
    struct CommandLine {
        #[command(flatten)]
        options: ExportOptions,
    }

    fn parse(arguments: &[&str]) -> Result<ExportOptions, clap::Error> {
        CommandLine::try_parse_from(["ingest-crm"].iter().chain(arguments)).map(|line| line.options)
    }

    #[test]
    fn a_share_beyond_one_or_below_zero_is_refused() {
        for share in ["1.5", "-0.1", "NaN", "half"] {
            assert!(parse(&["--crm-max-shrink-share", share]).is_err(), "{share}");
            assert!(parse(&["--crm-max-rejected-share", share]).is_err(), "{share}");
        }
        assert_eq!(parse(&[]).unwrap().crm_max_shrink_share, 0.5);
    }

    #[test]
    fn a_base_may_grow_by_any_factor_but_not_by_less_than_one() {
        for factor in ["0.5", "-1", "NaN", "twice"] {
            assert!(parse(&["--crm-max-growth-factor", factor]).is_err(), "{factor}");
        }
        let unlimited = parse(&["--crm-max-growth-factor", "inf"]).unwrap();
        assert_eq!(unlimited.limits().max_growth_factor, f64::INFINITY);
    }

    #[test]
    fn flags_that_contradict_each_other_are_refused_with_the_way_out() {
        let pattern = r"(?<day>\d\d)-(?<month>\d\d)-(?<year>\d{4})";
        let both = parse(&["--crm-date-pattern", pattern, "--crm-date-from", "modified"]).unwrap();
        assert!(both.day_source().unwrap_err().to_string().contains("leave one of them out"));
        let both = parse(&["--crm-parts", "--crm-same-day", "last"]).unwrap();
        assert!(both.same_day().unwrap_err().to_string().contains("leave one of them out"));
        let pattern = parse(&["--crm-date-pattern", r"(?<year>\d{4})"]).unwrap();
        let problem = format!("{:#}", pattern.day_source().unwrap_err());
        assert!(
            problem.contains("--crm-date-pattern cannot be used: there is no group (?<month>"),
            "{problem}"
        );
    }
}
