//! Runs whose stage trends tests know.

use proto::{
    pipeline::v1::{Run, RunStage, StageState},
    stage::v1::{DateWindow as DateWindowProto, StageCounters, StageProgress},
};

const STAGE: &str = "act_call_product_api";

/// A run over days of February 2026 whose one stage took this many seconds.
pub(crate) fn run(first: u32, last: u32, seconds: i64, rows_read: u64) -> Run {
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
pub(crate) fn creeping() -> Vec<Run> {
    (1..=20).rev().map(|day| run(day, day, 3 + 2 * (i64::from(day) - 10).max(0), 1_000)).collect()
}
