//! A pipeline's stages and their limits.

use std::time::Duration;

use crate::retry::{Backoff, RetryPolicy};

/// The only service that can deliver alerts.
pub const NOTIFIER_SERVICE: &str = "notifier";

/// A validated pipeline: its stages have distinct names, depend only on each
/// other, and form no cycle.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Pipeline {
    /// The pipeline's name.
    pub name: String,
    /// The stages in file order; never empty.
    pub stages: Vec<Stage>,
    /// What happens when a stage has failed for good.
    pub on_failure: FailureAlert,
}

/// A stage of a pipeline.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Stage {
    /// The stage's name.
    pub name: String,
    /// The service that executes it.
    pub service: String,
    /// The stages that must succeed first.
    pub depends_on: Vec<String>,
    /// The timeout and retries of its attempts.
    pub limits: StageLimits,
}

/// The timeout and retries of a stage.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct StageLimits {
    /// How long one attempt may take.
    pub timeout: Duration,
    /// How often it is tried.
    pub retry: RetryPolicy,
}

/// How people are alerted of a failure.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FailureAlert {
    /// The name of the alert's activity.
    pub name: String,
    /// How long one delivery may take.
    pub timeout: Duration,
    /// The waits between deliveries; retries go on until one succeeds.
    pub backoff: Backoff,
}

impl Default for StageLimits {
    fn default() -> Self {
        Self {
            timeout: Duration::from_secs(30 * 60),
            retry: RetryPolicy {
                max_attempts: 12,
                backoff: Backoff { initial: Duration::from_secs(2), max: Duration::from_secs(5 * 60) },
            },
        }
    }
}

impl Pipeline {
    /// The limits of a stage. A run created under another pipeline file may
    /// have stages that this one lacks: they get the defaults.
    #[must_use]
    pub fn limits(&self, stage: &str) -> StageLimits {
        self.stages.iter().find(|known| known.name == stage).map(|known| known.limits).unwrap_or_default()
    }
}
