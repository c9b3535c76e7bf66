//! Whether a run that was waited for succeeded.

use presentation::run_end::{failed_stage, way_on};
use proto::pipeline::v1::{Run, RunStage, RunState};

use crate::{error::Error, output::printable};

/// Whether an ended run succeeded.
///
/// # Errors
/// [`Error::RunUnsuccessful`] with what went wrong and how to continue.
pub fn success(run: &Run) -> Result<(), Error> {
    if run.state == RunState::Succeeded as i32 { Ok(()) } else { Err(Error::RunUnsuccessful(verdict(run))) }
}

/// How a run failed, and how to continue.
fn verdict(run: &Run) -> String {
    let run_id = &run.run_id;
    let way_on = way_on(run).unwrap_or_default();
    match failed_stage(run) {
        Some(RunStage { stage, error_message, error_code, .. }) => {
            format!("run {run_id} failed in {stage}: {} ({error_code}); {way_on}", printable(error_message))
        }
        None if run.state == RunState::Cancelled as i32 => format!("run {run_id} was cancelled; {way_on}"),
        None => format!("run {run_id} failed; {way_on}"),
    }
}

#[cfg(test)]
mod tests {
    use proto::pipeline::v1::StageState;

    use super::*;

    #[test]
    fn an_unsuccessful_run_says_where_why_and_how_to_go_on() {
        let stage = RunStage {
            stage: "act_call_product_api".into(),
            state: StageState::Failed.into(),
            error_code: "UNAUTHENTICATED".into(),
            error_message: "401".into(),
            ..RunStage::default()
        };
        let failed = Run {
            run_id: "r1".into(),
            state: RunState::Failed.into(),
            stages: vec![stage],
            ..Run::default()
        };
        let error = success(&failed).unwrap_err();
        assert_eq!(error.exit_code(), 3);
        assert_eq!(
            error.to_string(),
            "run r1 failed in act_call_product_api: 401 (UNAUTHENTICATED); once that is mended, continue it \
             with `activityctl retry r1 --wait`"
        );
        let cancelled = Run { run_id: "r1".into(), state: RunState::Cancelled.into(), ..Run::default() };
        assert!(success(&cancelled).unwrap_err().to_string().starts_with("run r1 was cancelled"));
        let succeeded = Run { state: RunState::Succeeded.into(), ..Run::default() };
        assert!(success(&succeeded).is_ok());
    }
}
