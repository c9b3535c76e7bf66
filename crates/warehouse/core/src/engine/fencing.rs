//! Whether a stage still owns what it changes.

use domain::{RunState, StageState};
use uuid::Uuid;

use super::records::FencedStage;
use crate::{
    error::{Error, Result},
    fence::Fence,
};

impl Fence {
    /// Checks the fence against the stored state of its run and stage.
    ///
    /// # Errors
    /// [`Error::Fenced`] that says which condition does not hold.
    pub fn judge(&self, found: Option<FencedStage>) -> Result<()> {
        let problem = match found {
            None => "there is no such run with such a stage".to_owned(),
            Some(found) if found.run_state != RunState::Running.as_str() => {
                format!("the run is {}", found.run_state)
            }
            Some(found) if found.lease_epoch != self.epoch => {
                format!("the run's lease has moved on to epoch {}", found.lease_epoch)
            }
            Some(found) if found.stage_state != StageState::Running.as_str() => {
                format!("the stage is {}", found.stage_state)
            }
            Some(found) if found.attempt != i64::from(self.attempt) => {
                format!("the stage is at attempt {}", found.attempt)
            }
            Some(_) => return Ok(()),
        };
        Err(Error::Fenced { fence: self.clone(), problem })
    }

    /// The fence of an attempt that was begun.
    ///
    /// # Errors
    /// [`Error::Fenced`] if none was.
    pub fn begun(run_id: Uuid, epoch: i64, stage: &str, attempt: Option<u32>) -> Result<Self> {
        let fence = |attempt| Self { run_id, stage: stage.to_owned(), attempt, epoch };
        attempt.map(fence).ok_or_else(|| Error::Fenced {
            fence: fence(0),
            problem:
                "the run is not held at this epoch, or the stage is not PENDING with all its dependencies \
                      succeeded"
                    .to_owned(),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_fence_holds_for_one_attempt_of_a_running_stage_at_one_epoch() {
        let fence = Fence { run_id: Uuid::nil(), stage: "a".into(), attempt: 2, epoch: 3 };
        let held = || FencedStage {
            run_state: "RUNNING".into(),
            lease_epoch: 3,
            stage_state: "RUNNING".into(),
            attempt: 2,
        };
        assert!(fence.judge(Some(held())).is_ok());
        for (found, problem) in [
            (None, "no such run"),
            (Some(FencedStage { run_state: "CANCELLED".into(), ..held() }), "the run is CANCELLED"),
            (Some(FencedStage { lease_epoch: 4, ..held() }), "moved on to epoch 4"),
            (Some(FencedStage { stage_state: "PENDING".into(), ..held() }), "the stage is PENDING"),
            (Some(FencedStage { attempt: 3, ..held() }), "at attempt 3"),
        ] {
            let refused = fence.judge(found).unwrap_err();
            assert!(refused.to_string().contains(problem), "{refused}");
        }
    }

    #[test]
    fn a_stage_that_did_not_begin_has_no_fence() {
        let begun = |attempt| Fence::begun(Uuid::nil(), 3, "a", attempt);
        assert_eq!(begun(Some(2)).unwrap().attempt, 2);
        assert!(matches!(begun(None).unwrap_err(), Error::Fenced { fence: Fence { attempt: 0, .. }, .. }));
    }
}
