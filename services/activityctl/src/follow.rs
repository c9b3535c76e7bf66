//! Follows a run to its end, across restarts of the server.

use std::time::Duration;

use backon::{BackoffBuilder, ExponentialBuilder};
use clap::Args;
use domain::retry_after::patient_wait;
use presentation::run_end::has_ended;
use proto::pipeline::v1::{Run, WatchRunRequest};
use tonic::Status;

use crate::{
    connect::Connection,
    error::{Error, asked_wait, is_passing},
    progress::RunProgress,
    run_end::success,
};

/// How a run is waited for.
#[derive(Debug, Clone, Args)]
#[group(skip)]
pub struct FollowArgs {
    /// How long to keep trying when the server goes away while waiting
    ///
    /// The run itself goes on, or is taken up again when the server is back.
    #[arg(
        long,
        env = "RECONNECT_FOR",
        value_name = "DURATION",
        default_value = "2m",
        value_parser = humantime::parse_duration,
        help_heading = "Connection"
    )]
    pub reconnect_for: Duration,
}

/// Shows a run's progress until it has ended.
///
/// # Errors
/// If the run did not succeed, the server refused or was away too long.
pub async fn follow_to_success(
    connection: &Connection,
    run_id: &str,
    args: &FollowArgs,
    progress: &mut RunProgress,
) -> Result<Run, Error> {
    let run = follow(connection, run_id, args, progress).await?;
    success(&run)?;
    Ok(run)
}

/// The longest wait that a server is granted: it may be busy, but somebody is watching.
pub const LONGEST_WAIT: Duration = Duration::from_secs(30);

/// The waits between attempts to reach a server that went away.
pub fn reconnect_delays(args: &FollowArgs) -> impl Iterator<Item = Duration> + use<> {
    ExponentialBuilder::default()
        .with_min_delay(Duration::from_millis(200))
        .with_max_delay(Duration::from_secs(5))
        .without_max_times()
        .with_total_delay(Some(args.reconnect_for))
        .build()
}

async fn follow(
    connection: &Connection,
    run_id: &str,
    args: &FollowArgs,
    progress: &mut RunProgress,
) -> Result<Run, Error> {
    let mut delays = reconnect_delays(args);
    let mut connected = true;
    loop {
        let mut answered = false;
        let outcome = watch(connection, run_id, |run| {
            answered = true;
            progress.show(run);
        })
        .await;
        let status = match outcome {
            Ok(Some(run)) => return Ok(run),
            Ok(None) => Status::unavailable("the server ended the stream before the run had ended"),
            Err(status) if is_passing(&status) => status,
            Err(status) => return Err(connection.failure(status)),
        };
        if answered {
            delays = reconnect_delays(args);
        }
        let Some(delay) = delays.next() else { return Err(connection.failure(status)) };
        if connected || answered {
            progress.note(format_args!("lost the server: {}; trying again", status.message()));
        }
        connected = false;
        tokio::time::sleep(patient_wait(delay, asked_wait(&status), LONGEST_WAIT)).await;
    }
}

/// Reads one stream of a run's changes: the ended run, or `None` if the stream ended first.
async fn watch(
    connection: &Connection,
    run_id: &str,
    mut on_change: impl FnMut(&Run),
) -> Result<Option<Run>, Status> {
    let request = WatchRunRequest { run_id: run_id.to_owned() };
    let mut changes = connection.pipeline().watch_run(request).await?.into_inner();
    while let Some(change) = changes.message().await? {
        let Some(run) = change.run else { continue };
        on_change(&run);
        if has_ended(&run) {
            return Ok(Some(run));
        }
    }
    Ok(None)
}
