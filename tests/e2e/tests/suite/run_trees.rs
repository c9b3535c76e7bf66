//! The expected trace of a run, for every kind of collector.

use anyhow::{Context as _, Result, bail};
use domain::run::{
    DAILY_PIPELINE, STAGE_BUILD_FACT, STAGE_CALL_PRODUCT_API, STAGE_COPY_CRM_CSV, STAGE_VALIDATE,
};
use e2e::runs::counters;
use proto::pipeline::v1::Run;
use test_telemetry::{Span, Trace};

/// The method that executes a stage, at both ends of the call.
const EXECUTE: &str = "company_activity.stage.v1.StageService/ExecuteStage";

/// The alert's span, and the call to the notifier below it.
const ALERT: &str = "act_send_failure_alert";
const NOTIFY: &str = "company_activity.notifier.v1.NotifierService/Notify";

/// Pairs of stages: the first ends before the second starts.
const ORDER: [(&str, &str); 3] = [
    (STAGE_COPY_CRM_CSV, STAGE_BUILD_FACT),
    (STAGE_CALL_PRODUCT_API, STAGE_BUILD_FACT),
    (STAGE_BUILD_FACT, STAGE_VALIDATE),
];

/// The expected shape of a stage's attempt.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Attempt<'a> {
    Succeeded,
    Failed {
        code: &'a str,
        message: &'a str,
    },
    /// Its coordinator disappeared.
    Interrupted,
}

/// The only span among these.
pub(crate) fn the_one<'a>(trace: &Trace, spans: &[&'a Span]) -> Result<&'a Span> {
    match spans {
        [span] => Ok(span),
        _ => bail!("there are {} spans instead of one in\n{trace}", spans.len()),
    }
}

/// Whether a run that was executed `times` times has arrived, with an execution
/// of each of `stages`. A parent span ends and is sent after its children, so
/// by then everything below is there as well.
pub(crate) fn is_whole(trace: &Trace, times: usize, stages: &[&str]) -> bool {
    let connected = |span: &Span| trace.path(span).first() == Some(&DAILY_PIPELINE);
    trace.named(DAILY_PIPELINE).len() == times
        && stages.iter().all(|stage| trace.named(&execution_of(stage)).into_iter().any(connected))
}

/// Expects that `stages` succeeded: each with an attempt below the run, the
/// call to its service, and its work down to the SQL; each after its
/// dependencies.
pub(crate) fn stages_are_reported(trace: &Trace, run: &Run, stages: &[&str]) -> Result<()> {
    for stage in stages {
        let attempt = last_attempt(trace, stage)?;
        let executed = execution(trace, attempt, stage)?;
        let rows_read = counters(run, stage)?.rows_read.to_string();
        for span in [attempt, executed] {
            for (name, expected) in [
                ("pipeline.name", DAILY_PIPELINE),
                ("pipeline.stage", stage),
                ("pipeline.run_id", &run.run_id),
                ("pipeline.attempt", &attempt.attributes["pipeline.attempt"]),
                ("pipeline.rows_read", &rows_read),
            ] {
                assert_eq!(
                    span.attributes.get(name).map(String::as_str),
                    Some(expected),
                    "{name} of {span:?}"
                );
            }
            let window = run.window.as_ref().context("the run has no window")?;
            assert_eq!(span.attributes["pipeline.business_date"], window.end_date, "{span:?}");
        }
        statements_are_reported(trace, executed);
        if *stage == STAGE_CALL_PRODUCT_API {
            requests_are_reported(trace, executed);
        }
    }
    for (before, after) in ORDER.iter().filter(|(_, after)| stages.contains(after)) {
        let (before, after) = (last_attempt(trace, before)?, last_attempt(trace, after)?);
        assert!(before.times.1 <= after.times.0, "{} before {}:\n{trace}", before.name, after.name);
    }
    Ok(())
}

/// The only execution below an attempt, at the other end of one call.
fn execution<'a>(trace: &'a Trace, attempt: &'a Span, stage: &str) -> Result<&'a Span> {
    assert_eq!(attempt.service, "coordinator", "{trace}");
    let service = service_of(stage);
    let only = |parent: &'a Span, name: &str, service: &str, kind: &str| {
        let found: Vec<&Span> =
            trace.children(parent).into_iter().filter(|child| child.name == name).collect();
        let child = the_one(trace, &found).with_context(|| format!("{name} below {}", parent.name))?;
        assert_eq!((child.service.as_str(), child.kind.as_str()), (service, kind), "{trace}");
        anyhow::Ok(child)
    };
    let call = only(attempt, EXECUTE, "coordinator", "client")?;
    let answer = only(call, EXECUTE, service, "server")?;
    for end in [call, answer] {
        assert_eq!(end.attributes["rpc.response.status_code"], "OK", "{end:?}");
        assert_eq!(end.error, None, "{end:?}");
    }
    only(answer, &execution_of(stage), service, "internal")
}

fn requests_are_reported(trace: &Trace, executed: &Span) {
    for request in below_with(trace, executed, "http.request.method") {
        assert_eq!(request.attributes["http.request.method"], "GET", "{request:?}");
        assert_eq!(request.attributes["http.response.status_code"], "200", "{request:?}");
        assert_eq!(request.attributes["server.address"], "127.0.0.1", "{request:?}");
        assert_eq!(request.kind, "client", "{request:?}");
    }
}

fn statements_are_reported(trace: &Trace, executed: &Span) {
    for statement in below_with(trace, executed, "db.query.summary") {
        assert_eq!(statement.attributes["db.system.name"], "sqlite", "{statement:?}");
        assert_eq!(statement.attributes["db.query.summary"], statement.name, "{statement:?}");
        assert_eq!(statement.kind, "client", "{statement:?}");
    }
}

/// Expects exactly these attempts of a stage, each linked to the previous one.
pub(crate) fn attempts_are(trace: &Trace, stage: &str, expected: &[Attempt<'_>]) {
    let attempts = trace.named(stage);
    assert_eq!(attempts.len(), expected.len(), "attempts of {stage}:\n{trace}");
    let mut before: Option<&Span> = None;
    for (number, (attempt, expected)) in (1..).zip(attempts.into_iter().zip(expected)) {
        assert_eq!(attempt.attributes["pipeline.attempt"], number.to_string(), "{attempt:?}");
        assert_eq!(trace.path(attempt).first(), Some(&DAILY_PIPELINE), "{trace}");
        let links: Vec<&str> = before.iter().map(|before| before.span_id.as_str()).collect();
        assert_eq!(attempt.links, links, "{stage} is linked to the attempt before:\n{trace}");
        let code = attempt.attributes.get("error.type").map(String::as_str);
        let error = attempt.error.as_deref();
        match expected {
            Attempt::Succeeded => assert_eq!((code, error), (None, None), "{trace}"),
            Attempt::Failed { code: wanted, message } => {
                assert_eq!((code, error), (Some(*wanted), Some(*message)), "{trace}");
                assert_eq!(attempt.causes, [*message], "{attempt:?}");
            }
            Attempt::Interrupted => {
                assert_eq!(code, Some("CANCELLED"), "{trace}");
                assert!(error.is_some_and(|error| error.starts_with("interrupted")), "{trace}");
            }
        }
        before = Some(attempt);
    }
}

/// Whether the complete alert has arrived: below the run, through the notifier, to a webhook.
pub(crate) fn alert_is_reported(trace: &Trace) -> bool {
    let below = [DAILY_PIPELINE, ALERT, NOTIFY, NOTIFY];
    let sends = |span: &&Span| {
        span.service == "notifier"
            && span.kind == "client"
            && span.attributes.get("http.request.method").is_some_and(|method| method == "POST")
    };
    trace.spans().iter().filter(sends).any(|sent| trace.path(sent).starts_with(&below))
}

/// The spans below another that have an attribute; at least one must exist.
fn below_with<'a>(trace: &'a Trace, ancestor: &Span, attribute: &str) -> Vec<&'a Span> {
    let has_it = |span: &&Span| span.attributes.contains_key(attribute) && is_below(trace, span, ancestor);
    let found: Vec<&Span> = trace.spans().iter().filter(has_it).collect();
    assert!(!found.is_empty(), "no span with {attribute} below {}:\n{trace}", ancestor.name);
    found
}

fn last_attempt<'a>(trace: &'a Trace, stage: &str) -> Result<&'a Span> {
    trace.named(stage).last().copied().with_context(|| format!("no attempt of {stage}:\n{trace}"))
}

fn is_below(trace: &Trace, span: &Span, ancestor: &Span) -> bool {
    let parent = trace.spans().iter().find(|parent| parent.span_id == span.parent_id);
    parent.is_some_and(|parent| parent.span_id == ancestor.span_id || is_below(trace, parent, ancestor))
}

fn execution_of(stage: &str) -> String {
    format!("execute {stage}")
}

fn service_of(stage: &str) -> &'static str {
    match stage {
        STAGE_COPY_CRM_CSV => "ingest-crm",
        STAGE_CALL_PRODUCT_API => "ingest-api",
        _ => "transform",
    }
}
