//! Repeating anything is harmless.

use anyhow::{Context as _, Result};
use e2e::{
    runs::{STAGES, counters, has_ended},
    suite::Suite,
    vectors::Vector,
};
use proto::pipeline::v1::{ListRunsRequest, RunState};

#[tokio::test]
async fn a_window_that_is_published_is_not_run_again() -> Result<()> {
    let suite = Suite::standalone().await?;
    let vector = Vector::snapshots()?;
    vector.deliver(&suite.sources)?;
    let first = suite.run_to_end(vector.window, false).await?;
    let published = suite.fact_csv(vector.window).await?;
    let requests = suite.sources.requests.total();

    let second = suite.trigger(vector.window, false).await?;
    assert!(!second.created);
    assert_eq!(second.run, Some(first));
    assert_eq!(suite.fact_csv(vector.window).await?, published);
    assert_eq!(suite.sources.requests.total(), requests);
    Ok(())
}

#[tokio::test]
async fn a_forced_run_over_the_same_data_writes_nothing() -> Result<()> {
    let suite = Suite::separate().await?;
    let vector = Vector::snapshots()?;
    vector.deliver(&suite.sources)?;
    let first = suite.run_to_end(vector.window, false).await?;
    let published = suite.fact_csv(vector.window).await?;

    let second = suite.run_to_end(vector.window, true).await?;
    assert_ne!(second.run_id, first.run_id);
    assert_eq!(second.state(), RunState::Succeeded);
    for stage in STAGES {
        let counters = counters(&second, stage)?;
        assert_eq!((counters.rows_written, counters.rows_removed), (0, 0), "{stage}");
    }
    // Byte for byte, including `loaded_at`.
    assert_eq!(suite.fact_csv(vector.window).await?, published);
    Ok(())
}

#[tokio::test]
async fn a_day_that_changes_rewrites_only_the_rows_that_read_it() -> Result<()> {
    let suite = Suite::standalone().await?;
    let vector = Vector::gaps()?;
    vector.deliver(&suite.sources)?;
    suite.publish(vector.window).await?;
    let published = suite.fact_csv(vector.window).await?;

    suite.sources.add_usage(r#"{"company_id":"silent","date":"2026-01-03","active_users":1,"events":2}"#)?;
    let run = suite.run_to_end(vector.window, true).await?;
    assert_eq!(run.state(), RunState::Succeeded);
    let now = suite.fact_csv(vector.window).await?;
    assert_eq!(published.lines().count(), now.lines().count());
    let rewritten: Vec<&str> = published
        .lines()
        .zip(now.lines())
        .filter(|(before, after)| before != after)
        .map(|(_, after)| after)
        .collect();
    // Fourteen days reflect an event, some only in `is_churn_risk`.
    assert_eq!(rewritten.len(), 14, "{rewritten:#?}");
    assert!(rewritten.iter().all(|row| row.starts_with("silent,2026-01-")), "{rewritten:#?}");
    Ok(())
}

#[tokio::test]
async fn concurrent_triggers_make_one_run() -> Result<()> {
    let suite = Suite::separate().await?;
    let vector = Vector::gaps()?;
    vector.deliver(&suite.sources)?;
    let triggers = futures::future::try_join_all((0..8).map(|_| suite.trigger(vector.window, false))).await?;
    assert_eq!(triggers.iter().filter(|answer| answer.created).count(), 1);
    let first = triggers.first().and_then(|answer| answer.run.clone()).context("no run")?;
    for answer in &triggers {
        assert_eq!(answer.run.as_ref().map(|run| &run.run_id), Some(&first.run_id));
    }
    suite.watch_until(&first.run_id, has_ended).await?;
    let runs = suite.pipeline()?.list_runs(ListRunsRequest::default()).await?.into_inner().runs;
    assert_eq!(runs.len(), 1);
    suite.fact(vector.window).await?.must_equal(&vector.expected)
}
