//! How long stages took from day to day, and whether that grows faster than their data.

use std::{collections::BTreeMap, fmt, time::Duration};

use chrono::NaiveDate;
use domain::{
    DateWindow,
    trend::{Growth, MIN_EXECUTIONS, StageExecution, growth},
};
use proto::pipeline::v1::{Run, RunStage, StageState};

use crate::value::elapsed;

/// A stage and its successful executions.
#[derive(Debug, Clone, PartialEq)]
pub struct StageTrend {
    /// The stage's name.
    pub stage: String,
    /// One per business date, in order.
    pub executions: Vec<Execution>,
    /// What they show together.
    pub judgement: Judgement,
}

/// One execution of a stage, for one business date.
#[derive(Debug, Clone, PartialEq)]
pub struct Execution {
    /// The run's id.
    pub run_id: String,
    /// The run's last day.
    pub business_date: NaiveDate,
    /// The number of days the run covers.
    pub days: u64,
    /// How long the successful attempt took.
    pub took: Duration,
    /// Rows it read.
    pub rows_read: u64,
    /// Bytes it read.
    pub bytes_read: u64,
    /// Whether the run covers as many days as most do. Others say nothing about the trend.
    pub is_judged: bool,
}

/// Whether a stage takes longer and longer for the same data.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Judgement {
    /// Too few executions to tell; this many.
    TooFew(usize),
    /// Its data explains how long it takes.
    Steady,
    /// It grows faster than its data.
    Grows(Growth),
}

/// The trends of all stages in `runs`, which must be newest first, over the
/// business dates from `from` on. Of several runs of a date the first counts: a
/// later one finds most of its data unchanged.
#[must_use]
pub fn trends(runs: &[Run], from: NaiveDate) -> Vec<StageTrend> {
    let mut stages: Vec<(&str, BTreeMap<NaiveDate, Execution>)> = Vec::new();
    for (run, stage) in runs.iter().flat_map(|run| run.stages.iter().map(move |stage| (run, stage))) {
        let Some(execution) = execution(run, stage).filter(|found| found.business_date >= from) else {
            continue;
        };
        let date = execution.business_date;
        match stages.iter_mut().find(|(name, _)| *name == stage.stage) {
            Some((_, by_date)) => drop(by_date.insert(date, execution)),
            None => stages.push((&stage.stage, BTreeMap::from([(date, execution)]))),
        }
    }
    stages.into_iter().map(|(name, by_date)| judged(name, by_date.into_values().collect())).collect()
}

fn execution(run: &Run, stage: &RunStage) -> Option<Execution> {
    if stage.state() != StageState::Succeeded {
        return None;
    }
    let window = run.window.as_ref()?;
    let window = DateWindow::parse(&window.start_date, &window.end_date).ok()?;
    let counters = stage.progress.as_ref().and_then(|progress| progress.counters).unwrap_or_default();
    Some(Execution {
        run_id: run.run_id.clone(),
        business_date: window.end(),
        days: window.len_days(),
        took: elapsed(stage.start_time.as_ref(), stage.end_time.as_ref())?,
        rows_read: counters.rows_read,
        bytes_read: counters.bytes_read,
        is_judged: false,
    })
}

fn judged(stage: &str, mut executions: Vec<Execution>) -> StageTrend {
    let usual_days = usual_days(&executions);
    for execution in &mut executions {
        execution.is_judged = Some(execution.days) == usual_days;
    }
    let judged: Vec<StageExecution> = executions
        .iter()
        .filter(|execution| execution.is_judged)
        .map(|Execution { business_date, took, rows_read, .. }| StageExecution {
            day: *business_date,
            took: *took,
            rows: *rows_read,
        })
        .collect();
    let judgement = match growth(&judged) {
        Some(growth) => Judgement::Grows(growth),
        None if judged.len() < MIN_EXECUTIONS => Judgement::TooFew(judged.len()),
        None => Judgement::Steady,
    };
    StageTrend { stage: stage.to_owned(), executions, judgement }
}

/// How many days most runs cover; of equally frequent lengths, the shortest.
fn usual_days(executions: &[Execution]) -> Option<u64> {
    let mut frequency: BTreeMap<u64, usize> = BTreeMap::new();
    for execution in executions {
        *frequency.entry(execution.days).or_default() += 1;
    }
    // `max_by_key` returns the last of equal elements.
    frequency.into_iter().rev().max_by_key(|(_, count)| *count).map(|(days, _)| days)
}

impl fmt::Display for Judgement {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::TooFew(1) => write!(f, "1 day is too few to judge; {MIN_EXECUTIONS} are needed"),
            Self::TooFew(days) => write!(f, "{days} days are too few to judge; {MIN_EXECUTIONS} are needed"),
            Self::Steady => write!(f, "steady: it takes what its data explains"),
            Self::Grows(growth) => write!(
                f,
                "grows faster than its data since {}: {:.1} times as long for the same rows",
                growth.since, growth.factor
            ),
        }
    }
}

impl StageTrend {
    /// The run before the stage began to grow and the run in which it began,
    /// for comparison. `None` if it does not grow.
    #[must_use]
    pub fn turn(&self) -> Option<(&Execution, &Execution)> {
        let Judgement::Grows(Growth { since, .. }) = self.judgement else { return None };
        let mut judged = self.executions.iter().filter(|execution| execution.is_judged);
        let before = judged.clone().rfind(|execution| execution.business_date < since)?;
        let first = judged.find(|execution| execution.business_date == since)?;
        Some((before, first))
    }
}

#[cfg(test)]
mod tests {
    use proto::stage::v1::{DateWindow as DateWindowProto, StageCounters, StageProgress};

    use super::*;

    const STAGE: &str = "act_call_product_api";

    fn day(text: &str) -> NaiveDate {
        text.parse().unwrap()
    }

    /// A run over days of February 2026 whose one stage took this many seconds.
    fn run(first: u32, last: u32, seconds: i64, rows_read: u64) -> Run {
        let counters = StageCounters { rows_read, bytes_read: rows_read * 100, ..Default::default() };
        let at = |seconds| Some(prost_types::Timestamp { seconds, nanos: 0 });
        let stage = RunStage {
            stage: STAGE.into(),
            state: StageState::Succeeded.into(),
            start_time: at(0),
            end_time: at(seconds),
            progress: Some(StageProgress { counters: Some(counters), ..Default::default() }),
            ..RunStage::default()
        };
        let date = |day| format!("2026-02-{day:02}");
        Run {
            run_id: format!("run-of-{last:02}-{seconds}"),
            window: Some(DateWindowProto { start_date: date(first), end_date: date(last) }),
            stages: vec![stage],
            ..Run::default()
        }
    }

    /// Runs of one day each, newest first: ten as usual, then ever longer ones.
    fn creeping() -> Vec<Run> {
        (1..=20).rev().map(|day| run(day, day, 3 + 2 * (i64::from(day) - 10).max(0), 1_000)).collect()
    }

    #[test]
    fn the_day_is_named_on_which_a_stage_began_to_grow_with_the_runs_to_compare() {
        let found = trends(&creeping(), day("2026-02-01"));
        let [trend] = found.as_slice() else { panic!("{found:#?}") };
        let Judgement::Grows(growth) = trend.judgement else { panic!("{trend:#?}") };
        assert_eq!(growth.since, day("2026-02-11"));
        let (before, first) = trend.turn().unwrap();
        assert_eq!((before.run_id.as_str(), first.run_id.as_str()), ("run-of-10-3", "run-of-11-5"));
    }

    #[test]
    fn a_long_catch_up_is_shown_and_not_judged() {
        let mut runs: Vec<Run> = (12..=20).rev().map(|day| run(day, day, 3, 1_000)).collect();
        runs.push(run(1, 11, 900, 1_000));
        let trend = trends(&runs, day("2026-02-01")).remove(0);
        assert_eq!(trend.judgement, Judgement::Steady);
        let first = &trend.executions[0];
        assert_eq!((first.days, first.is_judged, trend.executions.len()), (11, false, 10));
        assert_eq!(trend.turn(), None);
    }

    #[test]
    fn of_several_runs_of_a_date_the_first_one_counts() {
        let trend = trends(&[run(3, 3, 1, 1), run(3, 3, 60, 1_000)], day("2026-02-01")).remove(0);
        let took: Vec<u64> = trend.executions.iter().map(|execution| execution.took.as_secs()).collect();
        assert_eq!(took, [60]);
        assert_eq!(trend.judgement, Judgement::TooFew(1));
    }

    #[test]
    fn what_did_not_succeed_or_is_too_old_says_nothing() {
        let mut failed = run(5, 5, 10, 1_000);
        failed.stages[0].state = StageState::Failed.into();
        assert_eq!(trends(&[failed, run(1, 1, 10, 1_000)], day("2026-02-02")), []);
    }
}
