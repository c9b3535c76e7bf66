//! Converts between the contract's messages and the coordinator's types.

use std::collections::BTreeSet;

use chrono::NaiveDate;
use contract::{
    FieldViolations,
    message::{
        day_from_proto, progress_to_proto, run_state_from_proto, run_state_to_proto, run_trigger_from_proto,
        run_trigger_to_proto, stage_state_to_proto, timestamp_to_proto, window_from_proto, window_to_proto,
    },
};
use domain::{DateWindow, Progress, RunState, RunTrigger, StageState};
use proto::{
    pipeline::v1::{
        BackfillDays, BackfillResponse, PreviewBackfillResponse, Run as RunProto, RunStage as RunStageProto,
        StageAttempt as StageAttemptProto, preview_backfill_response::Update as BackfillPreviewed,
    },
    reconciliation::v1::{PreviewResponse, preview_response::Update as Previewed},
    stage::v1::{DateWindow as DateWindowProto, StageProgress},
};
use uuid::Uuid;
use warehouse::{RunCursor, RunStage, StageAttempt};

use crate::{backfill::BackfillUpdate, backfill_plan::BackfillPlan, progress::RunView};

const DEFAULT_PAGE_SIZE: u32 = 20;
const MAX_PAGE_SIZE: u32 = 200;
const DEFAULT_CHUNK_DAYS: u32 = 31;

pub(crate) fn run(view: &RunView) -> RunProto {
    let run = &view.run;
    RunProto {
        run_id: run.run_id.to_string(),
        pipeline: run.pipeline.clone(),
        window: Some(window_to_proto(run.window)),
        trigger: run_trigger_to_proto(run.trigger).into(),
        state: run_state_to_proto(run.state).into(),
        create_time: Some(timestamp_to_proto(run.created_at)),
        start_time: run.started_at.map(timestamp_to_proto),
        end_time: run.ended_at.map(timestamp_to_proto),
        stages: run.stages.iter().map(|stage| run_stage(stage, view)).collect(),
        lease_epoch: run.lease_epoch,
        traceparent: run.traceparent.clone().unwrap_or_default(),
        trace_url: view.trace_url.clone().unwrap_or_default(),
        accept_empty_days: run.accept_empty_days.iter().map(ToString::to_string).collect(),
        rebuild_days: run.rebuild_days.iter().map(ToString::to_string).collect(),
        requested_by: run.requested_by.clone().unwrap_or_default(),
    }
}

fn run_stage(stage: &RunStage, view: &RunView) -> RunStageProto {
    RunStageProto {
        stage: stage.stage.clone(),
        service: stage.service.clone(),
        depends_on: stage.depends_on.clone(),
        state: stage_state_to_proto(stage.state).into(),
        attempt: stage.attempt,
        start_time: stage.started_at.map(timestamp_to_proto),
        end_time: stage.ended_at.map(timestamp_to_proto),
        progress: stage_progress(stage, view.progress.get(&stage.stage)),
        error_code: stage.error_code.clone().unwrap_or_default(),
        error_message: stage.error_message.clone().unwrap_or_default(),
        remarks: stage.remarks.clone(),
        waiting_for_service_since: view.waiting.get(&stage.stage).copied().map(timestamp_to_proto),
        earlier_attempts: stage.earlier_attempts.iter().map(stage_attempt).collect(),
        next_attempt_time: view.next_attempts.get(&stage.stage).copied().map(timestamp_to_proto),
    }
}

fn stage_attempt(ended: &StageAttempt) -> StageAttemptProto {
    StageAttemptProto {
        attempt: ended.attempt,
        start_time: Some(timestamp_to_proto(ended.started_at)),
        end_time: Some(timestamp_to_proto(ended.ended_at)),
        error_code: ended.error_code.clone(),
        error_message: ended.error_message.clone(),
        is_interruption: ended.is_interruption,
    }
}

/// Live progress while the stage runs, then what it committed, otherwise none.
fn stage_progress(stage: &RunStage, live: Option<&Progress>) -> Option<StageProgress> {
    if stage.state == StageState::Succeeded {
        let committed = Progress { counters: stage.counters, ..Progress::default() };
        return Some(progress_to_proto(&committed));
    }
    live.map(progress_to_proto)
}

pub(crate) fn backfill_response(update: &BackfillUpdate) -> BackfillResponse {
    BackfillResponse {
        run: update.view.as_ref().map(run),
        days_done: day_count(update.days_done),
        days_total: day_count(update.days_total),
        next_date: update.next_day.map(|day| day.to_string()).unwrap_or_default(),
        ..BackfillResponse::default()
    }
}

/// A backfill before its first run.
pub(crate) fn planned_backfill(plan: &BackfillPlan) -> BackfillResponse {
    BackfillResponse {
        days_done: day_count(plan.days_done()),
        days_total: day_count(plan.days_total),
        next_date: plan.chunks.first().map(|chunk| chunk.window.start().to_string()).unwrap_or_default(),
        ..BackfillResponse::default()
    }
}

/// A step of a preview for a client that knows no previews but dry runs of backfills.
#[expect(deprecated, reason = "clients of the release before read it")]
pub(crate) fn dry_run_response(days: BackfillResponse, found: PreviewResponse) -> BackfillResponse {
    BackfillResponse { preview: Some(found), ..days }
}

/// The first message of a preview.
pub(crate) fn previewed_days(plan: &BackfillPlan) -> PreviewBackfillResponse {
    let days = BackfillDays {
        to_run: day_count(plan.days_total - plan.days_done()),
        total: day_count(plan.days_total),
    };
    PreviewBackfillResponse { update: Some(BackfillPreviewed::Days(days)) }
}

pub(crate) fn preview_backfill_response(found: PreviewResponse) -> PreviewBackfillResponse {
    let update = found.update.map(|update| match update {
        Previewed::Progress(progress) => BackfillPreviewed::Progress(progress),
        Previewed::Change(change) => BackfillPreviewed::Change(change),
        Previewed::Summary(summary) => BackfillPreviewed::Summary(summary),
    });
    PreviewBackfillResponse { update }
}

/// A window has far fewer days than 32 bits can count.
fn day_count(days: u64) -> u32 {
    u32::try_from(days).unwrap_or(u32::MAX)
}

/// Parses the run id of a request.
pub(crate) fn run_id(text: &str) -> Result<Uuid, FieldViolations> {
    Uuid::try_parse(text)
        .map_err(|error| FieldViolations::of("run_id", format!("{text:?} is no run id: {error}")))
}

/// Checks that a request names the only pipeline.
pub(crate) fn check_pipeline(asked: &str, known: &str) -> Result<(), FieldViolations> {
    if asked.is_empty() || asked == known {
        return Ok(());
    }
    Err(FieldViolations::of("pipeline", format!("{asked:?} is unknown; this coordinator runs {known:?}")))
}

/// The days of a request, all of which must be over.
pub(crate) fn window(asked: &DateWindowProto, yesterday: NaiveDate) -> Result<DateWindow, FieldViolations> {
    let window = window_from_proto(asked).map_err(|problem| FieldViolations::of("window", problem))?;
    if window.end() > yesterday {
        let problem =
            format!("{} is after yesterday, {yesterday}: the day is not over yet (UTC)", window.end());
        return Err(FieldViolations::of("window.end_date", problem));
    }
    Ok(window)
}

pub(crate) fn required_window(
    asked: Option<&DateWindowProto>,
    yesterday: NaiveDate,
) -> Result<DateWindow, FieldViolations> {
    let asked = asked.ok_or_else(|| FieldViolations::of("window", "is missing: say which days"))?;
    window(asked, yesterday)
}

/// The days in `field` of a request for a run, each a day of `window` if that is known.
pub(crate) fn days_of_run(
    field: &'static str,
    asked: &[String],
    window: Option<DateWindow>,
) -> Result<BTreeSet<NaiveDate>, FieldViolations> {
    let day = |text: &String| {
        let day = day_from_proto(field, text)?;
        match window {
            Some(window) if !window.contains(day) => {
                Err(FieldViolations::of(field, format!("{day} is not among the days to run, {window}")))
            }
            _ => Ok(day),
        }
    };
    asked.iter().map(day).collect()
}

pub(crate) fn chunk_days(asked: u32) -> u64 {
    u64::from(if asked == 0 { DEFAULT_CHUNK_DAYS } else { asked })
}

pub(crate) fn page_size(asked: i32) -> Result<u32, FieldViolations> {
    contract::page_size(asked, DEFAULT_PAGE_SIZE, MAX_PAGE_SIZE)
        .ok_or_else(|| FieldViolations::of("page_size", format!("{asked} is negative")))
}

/// The states of a request, each once: their order means nothing.
pub(crate) fn run_states(asked: &[i32]) -> Result<Vec<RunState>, FieldViolations> {
    let state = |number: i32| {
        let problem = || FieldViolations::of("states", format!("{number} is no state of a run"));
        run_state_from_proto(number).ok_or_else(problem)
    };
    let distinct: BTreeSet<i32> = asked.iter().copied().collect();
    distinct.into_iter().map(state).collect()
}

/// The causes of a request, each once: their order means nothing.
pub(crate) fn run_triggers(asked: &[i32]) -> Result<Vec<RunTrigger>, FieldViolations> {
    let trigger = |number: i32| {
        let problem = || FieldViolations::of("triggers", format!("{number} is no cause of a run"));
        run_trigger_from_proto(number).ok_or_else(problem)
    };
    let distinct: BTreeSet<i32> = asked.iter().copied().collect();
    distinct.into_iter().map(trigger).collect()
}

/// The days of a request that may be over or not.
pub(crate) fn days(asked: &DateWindowProto) -> Result<DateWindow, FieldViolations> {
    window_from_proto(asked).map_err(|problem| FieldViolations::of("days", problem))
}

/// The token for the page after a run; opaque to callers.
pub(crate) fn page_token(cursor: RunCursor) -> String {
    cursor.0.simple().to_string()
}

/// Where a token's page starts; `None` for the first page.
pub(crate) fn page_cursor(token: &str) -> Result<Option<RunCursor>, FieldViolations> {
    if token.is_empty() {
        return Ok(None);
    }
    match Uuid::try_parse(token) {
        // Other spellings of a UUID were never issued.
        Ok(run_id) if page_token(RunCursor(run_id)) == token => Ok(Some(RunCursor(run_id))),
        _ => Err(FieldViolations::of(
            "page_token",
            "is none that this service gave; leave it empty to start over",
        )),
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashMap;

    use chrono::DateTime;
    use domain::{Counters, date_window::parse_day};
    use warehouse::Run;

    use super::*;

    fn stage(name: &str, state: StageState) -> RunStage {
        RunStage {
            stage: name.to_owned(),
            service: "transform".to_owned(),
            depends_on: vec![],
            state,
            attempt: 1,
            failures: 0,
            started_at: None,
            ended_at: None,
            counters: Counters { rows_read: 5, ..Counters::default() },
            remarks: vec![],
            error_code: None,
            error_message: None,
            earlier_attempts: vec![],
        }
    }

    fn fields(violations: &FieldViolations) -> Vec<&'static str> {
        violations.iter().map(|(field, _)| field).collect()
    }

    #[test]
    fn progress_is_live_while_running_and_committed_afterwards() {
        let live = Progress { units_done: 3, activity: "day 3".to_owned(), ..Progress::default() };
        let states = [StageState::Pending, StageState::Running, StageState::Succeeded, StageState::Failed];
        let progress = states.map(|state| stage(state.as_str(), state).stage);
        let stages: Vec<RunStage> = states.iter().map(|state| stage(state.as_str(), *state)).collect();
        let run_row = Run {
            run_id: Uuid::nil(),
            pipeline: "pl_daily".to_owned(),
            window: DateWindow::parse("2026-01-01", "2026-01-02").unwrap(),
            trigger: RunTrigger::Manual,
            accept_empty_days: BTreeSet::new(),
            rebuild_days: BTreeSet::new(),
            requested_by: None,
            state: RunState::Running,
            lease_epoch: 1,
            created_at: DateTime::UNIX_EPOCH,
            started_at: None,
            ended_at: None,
            traceparent: None,
            stages,
        };
        let board = crate::progress::LiveRun {
            version: 0,
            progress: progress.into_iter().map(|stage| (stage, live.clone())).collect::<HashMap<_, _>>(),
            ..Default::default()
        };
        let message = run(&RunView::new(run_row, &board, None));
        let shown: Vec<Option<(u64, u64)>> = message
            .stages
            .iter()
            .map(|stage| {
                let progress = stage.progress.as_ref()?;
                Some((progress.units_done, progress.counters?.rows_read))
            })
            .collect();
        assert_eq!(shown, [None, Some((3, 0)), Some((0, 5)), None]);
    }

    #[test]
    fn a_window_that_is_not_over_is_refused_by_its_field() {
        let yesterday = parse_day("2026-02-13").unwrap();
        let asked =
            |start: &str, end: &str| DateWindowProto { start_date: start.into(), end_date: end.into() };
        assert!(window(&asked("2026-02-12", "2026-02-13"), yesterday).is_ok());
        let today = window(&asked("2026-02-12", "2026-02-14"), yesterday).unwrap_err();
        assert_eq!(fields(&today), ["window.end_date"]);
        assert_eq!(fields(&window(&asked("x", "2026-02-13"), yesterday).unwrap_err()), ["window"]);
        assert_eq!(fields(&required_window(None, yesterday).unwrap_err()), ["window"]);
    }

    #[test]
    fn a_page_token_leads_back_to_its_run_and_nothing_else_is_one() {
        let cursor = RunCursor(Uuid::from_u128(42));
        assert_eq!(page_cursor(&page_token(cursor)), Ok(Some(cursor)));
        assert_eq!(page_cursor(""), Ok(None));
        for token in ["next", &cursor.0.to_string(), "0"] {
            assert_eq!(fields(&page_cursor(token).unwrap_err()), ["page_token"], "{token}");
        }
    }

    #[test]
    fn a_page_is_never_unbounded() {
        assert_eq!(page_size(0), Ok(20));
        assert_eq!(page_size(7), Ok(7));
        assert_eq!(page_size(i32::MAX), Ok(200));
        assert_eq!(fields(&page_size(-1).unwrap_err()), ["page_size"]);
    }

    #[test]
    fn requests_for_what_there_is_not_are_refused_by_field() {
        assert_eq!(fields(&run_id("7").unwrap_err()), ["run_id"]);
        assert_eq!(fields(&check_pipeline("pl_hourly", "pl_daily").unwrap_err()), ["pipeline"]);
        assert_eq!(check_pipeline("", "pl_daily"), Ok(()));
        assert_eq!(fields(&run_states(&[2, 0]).unwrap_err()), ["states"]);
        assert_eq!(run_states(&[4, 5]), Ok(vec![RunState::Failed, RunState::Cancelled]));
        assert_eq!(fields(&run_triggers(&[0]).unwrap_err()), ["triggers"]);
        assert_eq!(run_triggers(&[3, 1, 3]), Ok(vec![RunTrigger::Manual, RunTrigger::Backfill]));
    }
}
