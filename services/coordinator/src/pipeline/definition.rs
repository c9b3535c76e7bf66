//! The format of the pipeline file, and its meaning.

use std::time::Duration;

use serde::{Deserialize, Deserializer, de::Error as _};

use super::{
    error::{MAX_NAME_CHARS, PipelineError},
    stages::{FailureAlert, NOTIFIER_SERVICE, Pipeline, Stage, StageLimits},
};
use crate::retry::{Backoff, RetryPolicy};

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct PipelineDefinition {
    name: String,
    stages: Vec<StageDefinition>,
    on_failure: FailureDefinition,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct StageDefinition {
    name: String,
    service: String,
    #[serde(default)]
    depends_on: Vec<String>,
    #[serde(default, deserialize_with = "duration")]
    timeout: Option<Duration>,
    #[serde(default)]
    retry: RetryDefinition,
}

#[derive(Deserialize, Default)]
#[serde(deny_unknown_fields)]
struct RetryDefinition {
    max_attempts: Option<u32>,
    #[serde(default, deserialize_with = "duration")]
    initial_backoff: Option<Duration>,
    #[serde(default, deserialize_with = "duration")]
    max_backoff: Option<Duration>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct FailureDefinition {
    name: String,
    service: String,
    #[serde(default, deserialize_with = "duration")]
    timeout: Option<Duration>,
    #[serde(default)]
    retry: AlertRetryDefinition,
}

#[derive(Deserialize, Default)]
#[serde(deny_unknown_fields)]
struct AlertRetryDefinition {
    #[serde(default, deserialize_with = "duration")]
    initial_backoff: Option<Duration>,
    #[serde(default, deserialize_with = "duration")]
    max_backoff: Option<Duration>,
}

/// A human-readable duration: `30m`, `2s`, `1h 30m`.
fn duration<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Duration>, D::Error> {
    let text = String::deserialize(deserializer)?;
    match humantime::parse_duration(&text) {
        Ok(duration) => Ok(Some(duration)),
        Err(error) => Err(D::Error::custom(format!("{text:?} is no duration such as 30m or 2s: {error}"))),
    }
}

/// Parses a pipeline file and checks everything except the order of its stages.
pub(super) fn parse(yaml: &str) -> Result<Pipeline, PipelineError> {
    let definition: PipelineDefinition =
        serde_saphyr::from_str(yaml).map_err(|error| PipelineError::Yaml(error.to_string()))?;
    if definition.stages.is_empty() {
        return Err(PipelineError::NoStages);
    }
    Ok(Pipeline {
        name: name("name", definition.name)?,
        stages: definition.stages.into_iter().map(stage).collect::<Result<_, _>>()?,
        on_failure: failure_alert(definition.on_failure)?,
    })
}

fn stage(definition: StageDefinition) -> Result<Stage, PipelineError> {
    let name = name("stages.name", definition.name)?;
    let limits = limits(&name, definition.timeout, definition.retry)?;
    Ok(Stage { name, service: definition.service, depends_on: definition.depends_on, limits })
}

fn limits(
    stage: &str,
    timeout: Option<Duration>,
    retry: RetryDefinition,
) -> Result<StageLimits, PipelineError> {
    let default = StageLimits::default();
    let retry = RetryPolicy {
        max_attempts: retry.max_attempts.unwrap_or(default.retry.max_attempts),
        backoff: Backoff {
            initial: retry.initial_backoff.unwrap_or(default.retry.backoff.initial),
            max: retry.max_backoff.unwrap_or(default.retry.backoff.max),
        },
    };
    if retry.max_attempts == 0 {
        return Err(invalid_limit(stage, "retry.max_attempts is 0: the stage would never run"));
    }
    let timeout = positive_timeout(stage, timeout.unwrap_or(default.timeout))?;
    check_backoff(stage, retry.backoff)?;
    Ok(StageLimits { timeout, retry })
}

fn failure_alert(definition: FailureDefinition) -> Result<FailureAlert, PipelineError> {
    if definition.service != NOTIFIER_SERVICE {
        return Err(PipelineError::UnknownAlertService { service: definition.service });
    }
    let name = name("on_failure.name", definition.name)?;
    let timeout = positive_timeout(&name, definition.timeout.unwrap_or(Duration::from_secs(60)))?;
    let backoff = Backoff {
        initial: definition.retry.initial_backoff.unwrap_or(Duration::from_secs(5)),
        max: definition.retry.max_backoff.unwrap_or(Duration::from_secs(10 * 60)),
    };
    check_backoff(&name, backoff)?;
    Ok(FailureAlert { name, timeout, backoff })
}

fn positive_timeout(stage: &str, timeout: Duration) -> Result<Duration, PipelineError> {
    if timeout.is_zero() {
        return Err(invalid_limit(stage, "timeout is 0: every attempt would fail"));
    }
    Ok(timeout)
}

fn check_backoff(stage: &str, backoff: Backoff) -> Result<(), PipelineError> {
    if backoff.initial.is_zero() {
        return Err(invalid_limit(stage, "retry.initial_backoff is 0: retries would not wait"));
    }
    if backoff.initial > backoff.max {
        return Err(invalid_limit(stage, "retry.initial_backoff is longer than retry.max_backoff"));
    }
    Ok(())
}

fn invalid_limit(stage: &str, problem: &'static str) -> PipelineError {
    PipelineError::InvalidLimit { stage: stage.to_owned(), problem }
}

fn name(field: &'static str, name: String) -> Result<String, PipelineError> {
    let fits = (1..=MAX_NAME_CHARS).contains(&name.len())
        && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_' || byte == b'-');
    if fits { Ok(name) } else { Err(PipelineError::InvalidName { field, name }) }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ON_FAILURE: &str = "on_failure: {name: act_send_failure_alert, service: notifier}";

    fn with_stage(stage: &str) -> Result<Pipeline, PipelineError> {
        parse(&format!("name: pl_daily\nstages:\n  - {stage}\n{ON_FAILURE}"))
    }

    fn refusal(stage: &str) -> String {
        with_stage(stage).unwrap_err().to_string()
    }

    #[test]
    fn what_a_stage_leaves_out_gets_its_default() {
        let pipeline = with_stage("{name: act_copy, service: ingest-crm}").unwrap();
        let stage = pipeline.stages.first().unwrap();
        assert_eq!(stage.limits, StageLimits::default());
        assert!(stage.depends_on.is_empty());
    }

    #[test]
    fn limits_are_taken_from_the_file() {
        let stage = "{name: a, service: s, timeout: 1h 30m, \
                     retry: {max_attempts: 7, initial_backoff: 250ms, max_backoff: 3s}}";
        let limits = with_stage(stage).unwrap().stages.first().unwrap().limits;
        assert_eq!(limits.timeout, Duration::from_secs(5400));
        assert_eq!(limits.retry.max_attempts, 7);
        let backoff = Backoff { initial: Duration::from_millis(250), max: Duration::from_secs(3) };
        assert_eq!(limits.retry.backoff, backoff);
    }

    #[test]
    fn unknown_keys_are_refused_on_every_level() {
        for stage in [
            "{name: a, service: s, dependson: [b]}",
            "{name: a, service: s, retry: {attempts: 3}}",
            "{name: a, service: s}\nschedule: daily",
            "{name: a, service: s}\nname: twice",
        ] {
            assert!(matches!(with_stage(stage), Err(PipelineError::Yaml(_))), "{stage}");
        }
        assert!(refusal("{name: a, service: s, dependson: [b]}").contains("dependson"));
    }

    #[test]
    fn a_refusal_of_the_yaml_says_where() {
        let refusal = refusal("{name: a, service: s, timeout: 30 parsecs}");
        assert!(refusal.contains("\"30 parsecs\" is no duration such as 30m or 2s"), "{refusal}");
        assert!(refusal.contains("line 3"), "{refusal}");
    }

    #[test]
    fn limits_that_make_no_sense_are_refused_by_stage() {
        for (limit, problem) in [
            ("timeout: 0s", "stage a: timeout is 0: every attempt would fail"),
            ("retry: {max_attempts: 0}", "stage a: retry.max_attempts is 0: the stage would never run"),
            ("retry: {initial_backoff: 0s}", "stage a: retry.initial_backoff is 0: retries would not wait"),
            (
                "retry: {initial_backoff: 6m}",
                "stage a: retry.initial_backoff is longer than retry.max_backoff",
            ),
        ] {
            assert_eq!(refusal(&format!("{{name: a, service: s, {limit}}}")), problem);
        }
    }

    #[test]
    fn a_pipeline_without_stages_or_with_a_nameless_one_is_refused() {
        let empty = parse(&format!("name: pl_daily\nstages: []\n{ON_FAILURE}"));
        assert_eq!(empty, Err(PipelineError::NoStages));
        assert!(refusal("{name: '', service: s}").starts_with("stages.name: \"\" is no name"));
        assert!(refusal("{name: a b, service: s}").starts_with("stages.name: \"a b\" is no name"));
    }

    #[test]
    fn a_pipeline_must_report_failures() {
        let silent = parse("name: pl_daily\nstages: [{name: a, service: s}]").unwrap_err();
        assert!(silent.to_string().contains("on_failure"), "{silent}");
        let elsewhere =
            parse("name: p\nstages: [{name: a, service: s}]\non_failure: {name: alert, service: pager}");
        let expected = PipelineError::UnknownAlertService { service: "pager".to_owned() };
        assert_eq!(elsewhere, Err(expected));
    }
}
