//! Every log line of a run leads to its trace.

use std::collections::BTreeSet;

use anyhow::{Context as _, Result};
use e2e::{
    runs::{STAGES, TRACE_URL, trace_id},
    settings::{Layout, Settings},
    suite::Suite,
    vectors::Vector,
};
use proto::pipeline::v1::{Run, RunState};
use serde_json::Value;
use test_telemetry::{Receiver, Span};

use crate::run_trees::is_whole;

/// The lines that a process has logged since it started serving.
fn lines(log: &str) -> Result<Vec<Value>> {
    let lines: Vec<Value> = log
        .lines()
        .map(|line| serde_json::from_str(line).with_context(|| line.to_owned()))
        .collect::<Result<_>>()?;
    let began = lines.iter().position(|line| line["message"] == "listening").context("it never served")?;
    Ok(lines.into_iter().skip(began + 1).collect())
}

#[tokio::test]
async fn every_line_of_a_stage_names_its_run_and_leads_to_its_span() -> Result<()> {
    let collector = Receiver::start().await?;
    let settings =
        Settings::default().telemetry(&collector.endpoint()).flag("coordinator", "--trace-url", TRACE_URL);
    let suite = Suite::start(Layout::Separate, settings).await?;
    let vector = Vector::gaps()?;
    vector.deliver(&suite.sources)?;
    let run = suite.run_to_end(vector.window, false).await?;
    assert_eq!(run.state(), RunState::Succeeded, "{run:#?}");

    let mut reported = Vec::new();
    for service in ["ingest-crm", "ingest-api", "transform"] {
        let lines = lines(&suite.log_of(service)?)?;
        assert!(!lines.is_empty(), "{service} wrote nothing");
        reported.extend(lines);
    }
    // The coordinator also logs about runs, not only stages.
    reported
        .extend(lines(&suite.log_of("coordinator")?)?.into_iter().filter(|line| line["stage"].is_string()));
    let stages: BTreeSet<&str> = reported.iter().filter_map(|line| line["stage"].as_str()).collect();
    assert_eq!(stages, BTreeSet::from(STAGES));
    lead_to_the_trace(&reported, &run, &collector).await
}

async fn lead_to_the_trace(lines: &[Value], run: &Run, collector: &Receiver) -> Result<()> {
    let trace_id = trace_id(run)?;
    let trace = collector.trace(&trace_id, |trace| is_whole(trace, 1, &STAGES)).await?;
    for line in lines {
        assert_eq!(
            (line["run_id"].as_str(), line["trace_id"].as_str()),
            (Some(&*run.run_id), Some(&*trace_id)),
            "{line}"
        );
        let is_its_span = |span: &Span| line["span_id"] == span.span_id.as_str();
        assert!(trace.spans().iter().any(is_its_span), "{line} is of no span in\n{trace}");
    }
    Ok(())
}
