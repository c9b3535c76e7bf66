//! The definition of the pipeline: stages, their order, timeouts and retries.

mod definition;
mod error;
mod order;
mod stages;

use std::collections::HashSet;

pub use error::PipelineError;
pub use stages::{FailureAlert, NOTIFIER_SERVICE, Pipeline, Stage, StageLimits};

/// The built-in pipeline file.
pub const DAILY_PIPELINE_YAML: &str = include_str!("../pipeline.yaml");

impl Pipeline {
    /// Parses and validates a pipeline file.
    ///
    /// # Errors
    /// What is wrong with it, and at which stage.
    pub fn parse(yaml: &str) -> Result<Self, PipelineError> {
        let pipeline = definition::parse(yaml)?;
        order::check(&pipeline.stages)?;
        Ok(pipeline)
    }

    /// Checks that the service of every stage has an endpoint.
    ///
    /// # Errors
    /// The first stage whose service is unknown.
    pub fn check_services<'a>(
        &self,
        known: impl IntoIterator<Item = &'a String>,
    ) -> Result<(), PipelineError> {
        let known: HashSet<&str> = known.into_iter().map(String::as_str).collect();
        match self.stages.iter().find(|stage| !known.contains(stage.service.as_str())) {
            None => Ok(()),
            Some(Stage { name, service, .. }) => {
                let mut known: Vec<&str> = known.into_iter().collect();
                known.sort_unstable();
                let known = if known.is_empty() { "none".to_owned() } else { known.join(", ") };
                Err(PipelineError::UnknownService { stage: name.clone(), service: service.clone(), known })
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use domain::run::{
        DAILY_PIPELINE, STAGE_BUILD_FACT, STAGE_CALL_PRODUCT_API, STAGE_COPY_CRM_CSV, STAGE_COPY_EVENTS,
        STAGE_VALIDATE,
    };

    use super::*;
    use crate::retry::Backoff;

    fn daily() -> Pipeline {
        Pipeline::parse(DAILY_PIPELINE_YAML).unwrap()
    }

    #[test]
    fn the_built_in_pipeline_is_the_seeds_with_parallel_ingests() {
        let pipeline = daily();
        assert_eq!(pipeline.name, DAILY_PIPELINE);
        let order: Vec<(&str, &str, Vec<&str>)> = pipeline
            .stages
            .iter()
            .map(|stage| {
                let depends_on = stage.depends_on.iter().map(String::as_str).collect();
                (stage.name.as_str(), stage.service.as_str(), depends_on)
            })
            .collect();
        assert_eq!(
            order,
            [
                (STAGE_COPY_CRM_CSV, "ingest-crm", vec![]),
                (STAGE_CALL_PRODUCT_API, "ingest-api", vec![]),
                (STAGE_BUILD_FACT, "transform", vec![STAGE_COPY_CRM_CSV, STAGE_CALL_PRODUCT_API]),
                (STAGE_VALIDATE, "transform", vec![STAGE_BUILD_FACT]),
            ]
        );
        assert_eq!(pipeline.on_failure.name, "act_send_failure_alert");
    }

    #[test]
    fn the_built_in_pipeline_leaves_every_limit_to_its_default() {
        let pipeline = daily();
        for stage in pipeline.stages {
            assert_eq!(stage.limits, StageLimits::default(), "{}", stage.name);
        }
        assert_eq!(pipeline.on_failure.timeout, Duration::from_secs(60));
        let backoff = Backoff { initial: Duration::from_secs(5), max: Duration::from_secs(600) };
        assert_eq!(pipeline.on_failure.backoff, backoff);
    }

    #[test]
    fn the_pipeline_with_events_is_the_built_in_one_and_a_stage_that_nothing_waits_for() {
        let mut shipped = Pipeline::parse(include_str!("../../../docs/pipelines/with-events.yaml")).unwrap();
        let is_events = |stage: &Stage| stage.name == STAGE_COPY_EVENTS;
        let events = shipped.stages.extract_if(.., |stage| is_events(stage)).next().unwrap();
        assert_eq!((events.service.as_str(), events.depends_on), ("ingest-events", vec![]));
        assert_eq!(shipped, daily());
    }

    #[test]
    fn one_edit_makes_the_built_in_pipeline_serial() {
        let serial = DAILY_PIPELINE_YAML.replacen("depends_on: []", "depends_on: [act_copy_crm_csv]", 1);
        assert_ne!(serial, DAILY_PIPELINE_YAML);
        let pipeline = Pipeline::parse(&serial).unwrap();
        assert_eq!(pipeline.stages.get(1).unwrap().depends_on, [STAGE_COPY_CRM_CSV]);
    }

    #[test]
    fn a_stage_without_an_endpoint_is_refused_by_name() {
        let known = ["ingest-crm".to_owned(), "transform".to_owned()];
        let error = daily().check_services(&known).unwrap_err();
        assert_eq!(
            error.to_string(),
            "stage act_call_product_api: there is no endpoint for the service \"ingest-api\"; \
             known are ingest-crm, transform"
        );
        let all = [known.as_slice(), &["ingest-api".to_owned()]].concat();
        assert_eq!(daily().check_services(&all), Ok(()));
    }

    #[test]
    fn a_stage_of_an_older_pipeline_file_gets_the_defaults() {
        assert_eq!(daily().limits("act_retired"), StageLimits::default());
    }
}
