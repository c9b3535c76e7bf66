//! Whether a stage takes longer than its data explains.
//!
//! A stage's duration is judged against its volume: a day with twice the rows may take
//! twice as long. A day with fewer rows is not expected to be faster, because part of
//! every stage does not depend on rows.

use std::time::Duration;

use chrono::NaiveDate;

/// How many earlier executions a judgement needs.
const MIN_HISTORY: usize = 5;

/// Up to this multiple of the expected duration, an execution is usual.
const USUAL: f64 = 1.25;

/// Above this multiple of the expected duration, an execution is much longer.
const MUCH_LONGER: f64 = 2.0;

/// Durations and delays up to this never matter, whatever the factor.
pub const NEGLIGIBLE: Duration = Duration::from_secs(5);

/// Growth is reported once it has reached at least this factor.
const GROWN: f64 = 1.5;

/// How many executions must be above the usual to count as growth.
const MIN_GROWN: usize = 3;

/// How many executions it takes to detect growth.
pub const MIN_EXECUTIONS: usize = MIN_HISTORY + MIN_GROWN;

/// One successful execution of a stage.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct StageExecution {
    /// The run's business date.
    pub day: NaiveDate,
    /// How long the execution took.
    pub took: Duration,
    /// Rows that the execution read.
    pub rows: u64,
}

/// How an execution compares with what was expected.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct SlowExecution {
    /// The duration of earlier executions, scaled to this one's volume.
    pub expected: Duration,
    /// The actual duration as a multiple of the expected one.
    pub factor: f64,
}

/// Growth in the time that a stage takes for the same volume.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Growth {
    /// The first execution above the usual after which none returned to it.
    pub since: NaiveDate,
    /// The present duration for the same volume as a multiple of the earlier one.
    pub factor: f64,
}

/// How an execution compares with the `recent` ones before it, if it took much longer
/// for its volume; `None` too if they are too few to judge by.
#[must_use]
#[expect(clippy::cast_precision_loss, reason = "an estimate needs no 53 bits")]
pub fn slow_execution(execution: &StageExecution, recent: &[StageExecution]) -> Option<SlowExecution> {
    if recent.len() < MIN_HISTORY {
        return None;
    }
    let usual_rows = quantile(recent.iter().map(|earlier| earlier.rows as f64), 0.5);
    let usual_seconds = quantile(recent.iter().map(|earlier| seconds_at(earlier, usual_rows)), 0.5);
    let expected = usual_seconds * scale(execution.rows, usual_rows);
    let took = execution.took.as_secs_f64();
    let is_slow = took > MUCH_LONGER * expected && took > expected + NEGLIGIBLE.as_secs_f64();
    is_slow.then(|| SlowExecution {
        expected: Duration::try_from_secs_f64(expected).unwrap_or_default(),
        factor: took / expected.max(f64::MIN_POSITIVE),
    })
}

/// Since when a stage has grown faster than its data, if it has and now takes long
/// enough to matter. `executions` are ordered by day.
#[must_use]
#[expect(clippy::cast_precision_loss, reason = "an estimate needs no 53 bits")]
pub fn growth(executions: &[StageExecution]) -> Option<Growth> {
    if executions.len() < MIN_EXECUTIONS {
        return None;
    }
    let newest = &executions[executions.len() - MIN_GROWN..];
    if quantile(newest.iter().map(|execution| execution.took.as_secs_f64()), 0.5) <= NEGLIGIBLE.as_secs_f64()
    {
        return None;
    }
    // Lower quartiles, because data and stage may have grown for most of the period.
    let few_rows = quantile(executions.iter().map(|execution| execution.rows as f64), 0.25);
    let seconds: Vec<f64> = executions.iter().map(|execution| seconds_at(execution, few_rows)).collect();
    let usual = quantile(seconds.iter().copied(), 0.25);
    let grown_from = seconds.iter().rposition(|seconds| *seconds <= USUAL * usual)? + 1;
    let grown = seconds.get(grown_from..).filter(|grown| grown.len() >= MIN_GROWN)?;
    let now = quantile(grown[grown.len() - MIN_GROWN..].iter().copied(), 0.5);
    let factor = now / usual.max(f64::MIN_POSITIVE);
    (factor >= GROWN).then(|| Growth { since: executions[grown_from].day, factor })
}

/// How long an execution would have taken with `rows` rows, if it had more.
fn seconds_at(execution: &StageExecution, rows: f64) -> f64 {
    execution.took.as_secs_f64() / scale(execution.rows, rows)
}

#[expect(clippy::cast_precision_loss, reason = "an estimate needs no 53 bits")]
fn scale(rows: u64, base: f64) -> f64 {
    (rows as f64 / base.max(1.0)).max(1.0)
}

/// The value below which a share of `values` lies; 0 if there are none.
#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_precision_loss,
    clippy::cast_sign_loss,
    reason = "a position in a short list, with a share from 0 to 1"
)]
fn quantile(values: impl Iterator<Item = f64>, share: f64) -> f64 {
    let mut values: Vec<f64> = values.collect();
    values.sort_by(f64::total_cmp);
    let at = (values.len().saturating_sub(1)) as f64 * share;
    values.get(at.round() as usize).copied().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use chrono::Days;
    use proptest::prelude::*;

    use super::*;

    const FIRST: NaiveDate = NaiveDate::from_ymd_opt(2026, 1, 1).unwrap();

    fn executions(seconds_and_rows: impl IntoIterator<Item = (f64, u64)>) -> Vec<StageExecution> {
        FIRST
            .iter_days()
            .zip(seconds_and_rows)
            .map(|(day, (seconds, rows))| StageExecution {
                day,
                took: Duration::from_secs_f64(seconds),
                rows,
            })
            .collect()
    }

    fn day(offset: u64) -> NaiveDate {
        FIRST + Days::new(offset)
    }

    #[test]
    fn a_creep_from_three_seconds_to_thirty_is_dated_to_where_it_left_the_usual() {
        let steady = (0..10).map(|_| (3.0, 1_000));
        let creeping = (1..=14).map(|step| (3.0 + 2.0 * f64::from(step), 1_000));
        let found = growth(&executions(steady.chain(creeping))).unwrap();
        assert_eq!(found.since, day(10));
        assert!((found.factor - 9.67).abs() < 0.05, "{found:?}");
    }

    #[test]
    fn a_stage_that_grows_with_its_data_does_not_grow_faster() {
        let growing = (0..30_u32).map(|step| (3.0 + f64::from(step), u64::from(step + 3) * 1_000));
        assert_eq!(growth(&executions(growing)), None);
    }

    #[test]
    fn a_bad_week_that_is_over_is_no_growth() {
        let week = (0..24).map(|day| (if (8..15).contains(&day) { 30.0 } else { 3.0 }, 1_000));
        assert_eq!(growth(&executions(week)), None);
    }

    #[test]
    fn what_takes_seconds_does_not_grow_whatever_its_share() {
        let noisy = |slow| (0..20).map(move |day| (if day < 15 { 0.02 } else { slow }, 1_000));
        assert_eq!(growth(&executions(noisy(0.08))), None);
        assert_eq!(growth(&executions(noisy(8.0))).unwrap().since, day(15));
    }

    #[test]
    fn an_execution_is_slow_for_its_volume_not_for_its_length() {
        let recent = executions((0..14).map(|_| (10.0, 1_000)));
        let took = |seconds, rows| StageExecution { day: day(20), took: Duration::from_secs(seconds), rows };
        let slow = slow_execution(&took(40, 1_000), &recent).unwrap();
        assert_eq!((slow.expected, slow.factor), (Duration::from_secs(10), 4.0));
        assert_eq!(slow_execution(&took(40, 4_000), &recent), None);
        assert_eq!(slow_execution(&took(12, 10), &recent), None);
        assert!(slow_execution(&took(30, 10), &recent).is_some());
    }

    #[test]
    fn what_takes_seconds_is_never_slow_and_few_executions_say_nothing() {
        let quick = executions((0..14).map(|_| (0.1, 1_000)));
        let execution = StageExecution { day: day(20), took: Duration::from_secs(4), rows: 1_000 };
        assert_eq!(slow_execution(&execution, &quick), None);
        let hour = StageExecution { took: Duration::from_secs(3_600), ..execution };
        assert_eq!(slow_execution(&hour, &quick[..4]), None);
        assert!(slow_execution(&hour, &quick[..5]).is_some());
    }

    proptest! {
        #[test]
        fn no_history_makes_a_judgement_fail(
            history in prop::collection::vec((0.0..1e6_f64, 0_u64..u64::MAX), 0..40)
        ) {
            let history = executions(history);
            let found = growth(&history);
            prop_assert!(found.is_none_or(|found| found.factor >= GROWN));
            if let Some((last, before)) = history.split_last() {
                let slow = slow_execution(last, before);
                prop_assert!(slow.is_none_or(|slow| slow.factor > MUCH_LONGER));
            }
        }
    }
}
