//! The stages of a run on a timeline.

use std::time::Duration;

use chrono::{DateTime, Utc};
use comfy_table::{Cell, Table};
use indicatif::HumanCount;
use proto::pipeline::v1::{Run, RunStage, StageState};

use super::cells::{
    NULL, attempted_state, coloured, columns, counters, number, state, text, unbroken, with_header,
};
use crate::format::{
    bar::{Interval, interval},
    value::{human_duration, instant, stage_state},
};

/// The minimum width of the timeline, however narrow the terminal.
const MIN_CHART: usize = 10;

/// The time span of a chart.
#[derive(Debug, Clone, Copy)]
struct TimeLine {
    start: DateTime<Utc>,
    end: DateTime<Utc>,
}

/// A stage's newest attempt: the start of its wait, its start, its end.
#[derive(Debug, Clone, Copy)]
struct Execution {
    ready: DateTime<Utc>,
    start: DateTime<Utc>,
    end: DateTime<Utc>,
}

/// The stages of a run as a Gantt chart, `width` columns wide if they fit;
/// `None` before the run has started. Running stages extend to `now`.
#[must_use]
pub fn gantt(run: &Run, now: DateTime<Utc>, width: usize) -> Option<Table> {
    let started_at = instant(run.start_time.as_ref())?;
    let executions: Vec<Option<Execution>> =
        run.stages.iter().map(|stage| execution(stage, run, started_at, now)).collect();
    let known = executions.iter().flatten();
    // The clocks of several machines may disagree.
    let start = known.clone().map(|execution| execution.start).fold(started_at, Ord::min);
    let run_end = instant(run.end_time.as_ref()).unwrap_or(now);
    let end = known.map(|execution| execution.end).fold(run_end, Ord::max);
    let line = TimeLine { start, end };
    let rest = columns(chart(run, &executions, line, 0));
    Some(chart(run, &executions, line, width.saturating_sub(rest).max(MIN_CHART)))
}

fn execution(
    stage: &RunStage,
    run: &Run,
    started_at: DateTime<Utc>,
    now: DateTime<Utc>,
) -> Option<Execution> {
    let start = instant(stage.start_time.as_ref())?;
    let end = instant(stage.end_time.as_ref()).or((stage.state() == StageState::Running).then_some(now))?;
    let before = run.stages.iter().filter(|before| stage.depends_on.contains(&before.stage));
    let ready = before.filter_map(|before| instant(before.end_time.as_ref())).max().unwrap_or(started_at);
    Some(Execution { ready: ready.min(start), start, end: end.max(start) })
}

fn chart(run: &Run, executions: &[Option<Execution>], line: TimeLine, width: usize) -> Table {
    let axis = axis(line, width);
    let mut table = with_header(["STAGE", "STATE", "START", axis.as_str(), "DURATION", "READ"]);
    for (stage, execution) in run.stages.iter().zip(executions) {
        let head = [text(&stage.stage), state(&attempted_state(stage))];
        let [start, bar, took] = match execution {
            Some(execution) => line.cells(*execution, stage, width),
            None => [number(NULL), Cell::new(""), number(NULL)],
        };
        let rows = number(HumanCount(counters(stage).rows_read));
        table.add_row(head.into_iter().chain([start, bar, took, rows]));
    }
    unbroken(table)
}

/// The column's header: the length of the timeline, right-aligned.
fn axis(line: TimeLine, width: usize) -> String {
    if width == 0 { String::new() } else { format!("{:>width$}", human_duration(line.length())) }
}

impl TimeLine {
    fn length(&self) -> Duration {
        between(self.start, self.end)
    }

    fn share(&self, at: DateTime<Utc>) -> f64 {
        between(self.start, at).as_secs_f64() / self.length().as_secs_f64().max(f64::MIN_POSITIVE)
    }

    fn cells(&self, execution: Execution, stage: &RunStage, width: usize) -> [Cell; 3] {
        let Execution { ready, start, end } = execution;
        let shares =
            Interval { waited_from: self.share(ready), from: self.share(start), to: self.share(end) };
        [
            number(format!("+{}", human_duration(between(self.start, start)))),
            coloured(Cell::new(interval(shares, width)), stage_state(stage.state)),
            number(human_duration(between(start, end))),
        ]
    }
}

fn between(start: DateTime<Utc>, end: DateTime<Utc>) -> Duration {
    (end - start).to_std().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use prost_types::Timestamp;
    use proto::{
        pipeline::v1::RunState,
        stage::v1::{StageCounters, StageProgress},
    };

    use super::*;

    fn at(seconds: i64) -> Option<Timestamp> {
        Some(Timestamp { seconds, nanos: 0 })
    }

    fn stage(name: &str, after: &[&str], state: StageState, start: i64, end: Option<i64>) -> RunStage {
        RunStage {
            stage: name.into(),
            depends_on: after.iter().map(|name| (*name).to_owned()).collect(),
            state: state.into(),
            attempt: 1,
            start_time: at(start),
            end_time: end.and_then(at),
            ..RunStage::default()
        }
    }

    fn drawn(run: &Run, now: i64, width: usize) -> Vec<String> {
        let mut table = gantt(run, DateTime::from_timestamp(now, 0).unwrap(), width).unwrap();
        table.force_no_tty();
        table.trim_fmt().lines().map(ToOwned::to_owned).collect()
    }

    #[test]
    fn stages_lie_where_they_were_between_the_runs_start_and_end() {
        let mut api = stage("api", &[], StageState::Succeeded, 110, Some(160));
        api.attempt = 2;
        let counters = StageCounters { rows_read: 12_000, ..StageCounters::default() };
        api.progress = Some(StageProgress { counters: Some(counters), ..StageProgress::default() });
        let run = Run {
            state: RunState::Failed.into(),
            start_time: at(100),
            end_time: at(200),
            stages: vec![
                stage("crm", &[], StageState::Succeeded, 100, Some(120)),
                api,
                stage("build", &["crm", "api"], StageState::Failed, 180, Some(200)),
                RunStage {
                    stage: "validate".into(),
                    state: StageState::Skipped.into(),
                    ..RunStage::default()
                },
            ],
            ..Run::default()
        };
        assert_eq!(
            drawn(&run, 999, 92),
            [
                "STAGE     STATE                  START                        1 min 40 s  DURATION  READ",
                "───────────────────────────────────────────────────────────────────────────────────────────",
                "crm       SUCCEEDED                    +0 ms  █████                         20.0 s       0",
                "api       SUCCEEDED (attempt 2)      +10.0 s  ···█████████████              50.0 s  12,000",
                "build     FAILED                 +1 min 20 s                  ·····█████    20.0 s       0",
                "validate  SKIPPED                          -                                     -       0",
            ]
        );
    }

    #[test]
    fn what_runs_has_run_until_now_and_what_is_queued_is_not_drawn() {
        let run = Run {
            state: RunState::Running.into(),
            start_time: at(100),
            stages: vec![
                stage("crm", &[], StageState::Running, 100, None),
                RunStage { stage: "build".into(), state: StageState::Pending.into(), ..RunStage::default() },
            ],
            ..Run::default()
        };
        assert_eq!(
            drawn(&run, 130, 53),
            [
                "STAGE  STATE    START        30.0 s  DURATION  READ",
                "────────────────────────────────────────────────────",
                "crm    RUNNING  +0 ms  ████████████    30.0 s     0",
                "build  PENDING      -                       -     0",
            ]
        );
        assert!(gantt(&Run::default(), DateTime::UNIX_EPOCH, 80).is_none());
    }

    #[test]
    fn clocks_that_disagree_break_nothing() {
        let run = Run {
            start_time: at(100),
            end_time: at(110),
            stages: vec![
                stage("crm", &[], StageState::Succeeded, 90, Some(95)),
                stage("build", &["crm"], StageState::Succeeded, 94, Some(93)),
                stage("later", &["crm"], StageState::Succeeded, 300, Some(400)),
            ],
            ..Run::default()
        };
        assert_eq!(
            drawn(&run, 0, 0),
            [
                "STAGE  STATE      START        5 min 10 s  DURATION    READ",
                "────────────────────────────────────────────────────────────",
                "crm    SUCCEEDED        +0 ms  █                5.0 s     0",
                "build  SUCCEEDED       +4.0 s  █                 0 ms     0",
                "later  SUCCEEDED  +3 min 30 s  ·······███  1 min 40 s     0",
            ]
        );
    }
}
