//! What benchmarks of a running suite share.

use std::{
    fs,
    time::{Duration, SystemTime},
};

use anyhow::{Context as _, Result};
use axum::{Router, extract::Request, middleware::Next};
use domain::DateWindow;
use proto::pipeline::v1::{Run, RunStage, WatchRunRequest};
use sample_sources::{ApiOptions, PRODUCT_USAGE_PATH, UsageBook};
use tokio::net::TcpListener;

use crate::{runs::has_ended, sources::API_TOKEN, suite::Suite};

/// Starts a product API that serves `book`, each answer after `latency`. It serves until the benchmark ends.
/// Returns its usage endpoint.
///
/// # Errors
/// If no port is free.
pub async fn start_slow_api(book: UsageBook, latency: Duration) -> Result<String> {
    let options = ApiOptions { token: Some(API_TOKEN.to_owned()), ..ApiOptions::default() };
    let slow = axum::middleware::from_fn(move |request: Request, next: Next| async move {
        if !latency.is_zero() {
            tokio::time::sleep(latency).await;
        }
        next.run(request).await
    });
    let routes: Router = sample_sources::router(book, options).layer(slow);
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let url = format!("http://{}{PRODUCT_USAGE_PATH}", listener.local_addr()?);
    tokio::spawn(async move { axum::serve(listener, routes).await });
    Ok(url)
}

/// Triggers a run and waits for its end, without a deadline.
///
/// # Errors
/// If it is refused, or the coordinator stops reporting it.
pub async fn run_however_long(suite: &Suite, window: DateWindow, force: bool) -> Result<Run> {
    let run_id = suite.trigger(window, force).await?.run.context("no run")?.run_id;
    let mut changes = suite.pipeline()?.watch_run(WatchRunRequest { run_id }).await?.into_inner();
    while let Some(change) = changes.message().await? {
        if let Some(run) = change.run.filter(has_ended) {
            return Ok(run);
        }
    }
    anyhow::bail!("the coordinator stopped reporting the run")
}

/// How many seconds a stage took.
///
/// # Errors
/// If it has not ended.
pub fn stage_seconds(stage: &RunStage) -> Result<f64> {
    let (began, ended) = stage.start_time.zip(stage.end_time).context("the stage has not ended")?;
    Ok(SystemTime::try_from(ended)?.duration_since(SystemTime::try_from(began)?)?.as_secs_f64())
}

/// The processor time of a process, in seconds, its threads included, and that of its ended children.
///
/// # Errors
/// If it has ended.
pub fn processor_seconds(pid: u32) -> Result<[f64; 2]> {
    /// The kernel's clock ticks a second, as user space sees them.
    const TICKS: f64 = 100.0;
    let stat = fs::read_to_string(format!("/proc/{pid}/stat"))?;
    // The second field is a name in parentheses, which may hold spaces; the fourteenth is the first time.
    let (_, fields) = stat.rsplit_once(") ").context("an unknown form of stat")?;
    let fields: Vec<&str> = fields.split(' ').collect();
    let time =
        |at: usize| -> Result<f64> { Ok(fields.get(at).context("too few fields")?.parse::<f64>()? / TICKS) };
    Ok([time(11)? + time(12)?, time(13)? + time(14)?])
}
