//! What can be wrong with a pipeline file.

use super::stages::NOTIFIER_SERVICE;

/// The longest name of a pipeline or stage, in characters.
pub(super) const MAX_NAME_CHARS: usize = 100;

/// What is wrong with a pipeline file.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum PipelineError {
    /// It is not YAML of the right shape.
    #[error("{0}")]
    Yaml(String),
    /// It has no stages.
    #[error("stages: a pipeline needs at least one stage")]
    NoStages,
    /// A name is empty, too long or has characters that are not allowed.
    #[error(
        "{field}: {name:?} is no name: use 1 to {MAX_NAME_CHARS} letters, digits, underscores and hyphens"
    )]
    InvalidName {
        /// What the name is for.
        field: &'static str,
        /// The name.
        name: String,
    },
    /// Two stages have the same name.
    #[error("stage {stage} is defined twice")]
    DuplicateStage {
        /// The name.
        stage: String,
    },
    /// A stage depends on an unknown stage.
    #[error("stage {stage}: depends_on names {dependency:?}, which is no stage of this pipeline")]
    UnknownDependency {
        /// The stage.
        stage: String,
        /// The unknown dependency.
        dependency: String,
    },
    /// A stage names a dependency twice.
    #[error("stage {stage}: depends_on names {dependency:?} twice")]
    DuplicateDependency {
        /// The stage.
        stage: String,
        /// The repeated dependency.
        dependency: String,
    },
    /// Stages depend on each other in a cycle.
    #[error("stages wait for each other in a circle: {cycle}")]
    Cycle {
        /// The stages, each depending on the next.
        cycle: String,
    },
    /// The service of a stage has no endpoint.
    #[error("stage {stage}: there is no endpoint for the service {service:?}; known are {known}")]
    UnknownService {
        /// The stage.
        stage: String,
        /// Its service.
        service: String,
        /// The services that have an endpoint.
        known: String,
    },
    /// A limit is invalid.
    #[error("stage {stage}: {problem}")]
    InvalidLimit {
        /// The stage, or the alert's activity.
        stage: String,
        /// What is wrong.
        problem: &'static str,
    },
    /// The service cannot deliver alerts.
    #[error("on_failure: the service {service:?} takes no alerts; use {NOTIFIER_SERVICE:?}")]
    UnknownAlertService {
        /// The service.
        service: String,
    },
}
