//! From a process's first instruction to its exit code.

use std::{fmt, future::Future, process::ExitCode, sync::Arc};

use clap::{Args, CommandFactory, FromArgMatches, Parser};
use tokio::signal::unix::{SignalKind, signal};
use tokio_util::sync::CancellationToken;
use tracing::info;

use crate::{Clock, RuntimeArgs, ServerOptions, Service, SystemClock, serve, telemetry};

/// What every service is handed.
#[derive(Clone)]
pub struct Context {
    /// The clock.
    pub clock: Arc<dyn Clock>,
    /// Cancelled when the process begins to shut down: take up nothing new.
    pub shutdown: CancellationToken,
    /// Cancelled when the drain has run out of time: roll back what runs.
    pub hard_stop: CancellationToken,
}

impl Context {
    /// A context on the machine's clock that nobody has shut down.
    #[must_use]
    pub fn new() -> Self {
        Self {
            clock: Arc::new(SystemClock),
            shutdown: CancellationToken::new(),
            hard_stop: CancellationToken::new(),
        }
    }
}

impl Default for Context {
    fn default() -> Self {
        Self::new()
    }
}

impl fmt::Debug for Context {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Context").field("shutdown", &self.shutdown.is_cancelled()).finish_non_exhaustive()
    }
}

#[derive(Debug, Parser)]
#[command(version)]
struct CommandLine<A: Args> {
    #[command(flatten)]
    runtime: RuntimeArgs,
    #[command(flatten)]
    service: A,
}

/// Runs one service as a process: parses arguments and environment, starts the
/// service, serves it, and drains on SIGTERM or SIGINT. The exit code says
/// whether all of that went well.
pub fn main<A, F, S>(name: &'static str, about: &'static str, start: S) -> ExitCode
where
    A: Args + fmt::Debug,
    F: Future<Output = anyhow::Result<Service>>,
    S: FnOnce(A, Context) -> F,
{
    let command = CommandLine::<A>::command().name(name).about(about);
    let line = match CommandLine::<A>::from_arg_matches(&command.get_matches()) {
        Ok(line) => line,
        Err(error) => error.exit(),
    };
    if let Err(error) = telemetry::init(&line.runtime.telemetry) {
        return failure(name, &error);
    }
    let options = ServerOptions {
        listen: line.runtime.listen,
        drain_timeout: line.runtime.drain_timeout,
        reflection: line.runtime.reflection,
    };
    let context = Context::new();
    let starting = start(line.service, context.clone());
    run_until_signal(name, context.clone(), start_and_serve(starting, options, context))
}

/// Serves a service once it has started. A shutdown does not wait for a start
/// that is slow, for example for a database: there is nothing to drain yet.
///
/// # Errors
/// If the start failed, or as [`serve`].
pub async fn start_and_serve(
    starting: impl Future<Output = anyhow::Result<Service>>,
    options: ServerOptions,
    context: Context,
) -> anyhow::Result<()> {
    let service = tokio::select! {
        service = starting => service?,
        () = context.shutdown.cancelled() => return Ok(()),
    };
    serve(service, options, context, |_| ()).await
}

/// Runs `work` on a runtime of its own until it ends; SIGTERM and SIGINT cancel
/// the context's `shutdown`, a second one its `hard_stop`.
pub fn run_until_signal(
    name: &'static str,
    context: Context,
    work: impl Future<Output = anyhow::Result<()>>,
) -> ExitCode {
    let runtime = match tokio::runtime::Builder::new_multi_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => return failure(name, &error.into()),
    };
    let outcome = runtime.block_on(async {
        let signals = forward_signals(context)?;
        let signals = tokio::spawn(signals);
        let outcome = work.await;
        signals.abort();
        outcome
    });
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => failure(name, &error),
    }
}

fn forward_signals(context: Context) -> anyhow::Result<impl Future<Output = ()>> {
    let mut terminate = signal(SignalKind::terminate())?;
    let mut interrupt = signal(SignalKind::interrupt())?;
    Ok(async move {
        for token in [&context.shutdown, &context.hard_stop] {
            tokio::select! {
                _ = terminate.recv() => info!(signal = "SIGTERM", "shutting down"),
                _ = interrupt.recv() => info!(signal = "SIGINT", "shutting down"),
            }
            token.cancel();
        }
    })
}

#[allow(clippy::print_stderr, reason = "the process ends here, and logging may not have begun")]
fn failure(name: &str, error: &anyhow::Error) -> ExitCode {
    eprintln!("{name}: {error:#}");
    ExitCode::FAILURE
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_shutdown_ends_a_start_that_hangs() {
        let context = Context::new();
        let running =
            tokio::spawn(start_and_serve(std::future::pending(), ServerOptions::default(), context.clone()));
        context.shutdown.cancel();
        running.await.unwrap().unwrap();
    }

    #[tokio::test]
    async fn a_start_that_fails_ends_the_process_with_its_error() {
        let starting = async { Err(anyhow::anyhow!("no warehouse")) };
        let outcome = start_and_serve(starting, ServerOptions::default(), Context::new()).await;
        assert_eq!(outcome.unwrap_err().to_string(), "no warehouse");
    }
}
