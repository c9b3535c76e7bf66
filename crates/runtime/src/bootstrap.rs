//! From the start of a process to its exit code.

use std::{fmt, future::Future, net::SocketAddr, path::PathBuf, process::ExitCode};

use clap::{Args, Command, CommandFactory, FromArgMatches, Parser};
use tokio::signal::unix::{SignalKind, signal};
use tokio_util::sync::CancellationToken;
use tracing::info;

use crate::{
    admin,
    arguments::{RuntimeArgs, TelemetryArgs},
    context::Context,
    limits::raise_descriptor_limit,
    observability::{LogWriter, Telemetry},
    server::serve,
    server_options::ServerOptions,
    service::Service,
};

#[derive(Debug, Parser)]
#[command(version = crate::version::VERSION)]
struct CommandLine<A: Args> {
    #[command(flatten)]
    runtime: RuntimeArgs,
    #[command(flatten)]
    service: A,
}

/// Runs one service as a process: parses arguments and environment, starts the service,
/// serves it, and drains on SIGTERM or SIGINT. The exit code says whether all of that
/// succeeded.
pub fn main<A, F, S>(name: &'static str, about: &'static str, start: S) -> ExitCode
where
    A: Args + fmt::Debug,
    F: Future<Output = anyhow::Result<Service>>,
    S: FnOnce(A, Context) -> F,
{
    run(name, CommandLine::<A>::command().about(about), start)
}

/// [`main`] for a service that has pages and no gRPC.
pub fn site_main<A, F, S>(name: &'static str, about: &'static str, start: S) -> ExitCode
where
    A: Args + fmt::Debug,
    F: Future<Output = anyhow::Result<Service>>,
    S: FnOnce(A, Context) -> F,
{
    run(name, of_a_site(CommandLine::<A>::command()).about(about), start)
}

/// Says of the flags that every service has what they do for one that has pages alone, and
/// hides those that do nothing.
fn of_a_site(command: Command) -> Command {
    let hidden = [
        "reflection",
        "access_file",
        "tls_client_ca_file",
        "tls_client_auth",
        "max_calls_per_second",
    ];
    hidden
        .into_iter()
        .fold(command, |command, id| command.mut_arg(id, |arg| arg.hide(true)))
        .mut_arg("listen", |arg| {
            arg.default_value("127.0.0.1:50080").help(
                "Address to serve the pages on, over HTTP, or HTTPS with --tls-cert-file; port 0 picks a free one",
            )
        })
        .mut_arg("drain_timeout", |arg| {
            arg.help("How long pages on their way may take to finish after SIGTERM or SIGINT")
        })
        .mut_arg("tls_cert_file", |arg| {
            let help = "Serve the pages over HTTPS with this certificate: a PEM file, with the intermediates after the \
                        certificate. It and the key are read again when they change [default: none, plain HTTP]";
            arg.help(help)
        })
        .mut_arg("allow_unauthenticated", |arg| {
            let help = "Serve the pages on an address that others can reach although the services ask nobody who they \
                        are: whoever reaches them may do everything. Without this flag such pages are for loopback \
                        alone";
            arg.help(help).long_help(None)
        })
        .mut_arg("max_connections", |arg| {
            arg.help(
                "Connections that may be open. When all are, the one that has been idle the longest makes room [default: 2048, or what the limit of open files affords]",
            )
        })
        .mut_arg("max_calls", |arg| {
            arg.help("Pages that may be made at a time. More are refused with 503, which says when to come back")
        })
}

fn run<A, F, S>(name: &'static str, command: Command, start: S) -> ExitCode
where
    A: Args + fmt::Debug,
    F: Future<Output = anyhow::Result<Service>>,
    S: FnOnce(A, Context) -> F,
{
    let command = command.name(name);
    let line = match CommandLine::<A>::from_arg_matches(&command.get_matches()) {
        Ok(line) => line,
        Err(error) => error.exit(),
    };
    raise_descriptor_limit();
    let runtime = line.runtime;
    let context = Context::new();
    let process = Process {
        name,
        telemetry: runtime.telemetry.clone(),
        log_writer: LogWriter::stdout(),
        admin_listen: runtime.admin_listen,
        admin_token_file: runtime.admin_token_file.clone(),
        context: context.clone(),
    };
    let outcome = process.run(async {
        let options = ServerOptions::from_args(&runtime, &context)?;
        let starting = start(line.service, context.clone());
        start_and_serve(starting, options, context).await
    });
    match outcome.flatten() {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => failure(name, &error),
    }
}

/// Serves a service once it has started. A shutdown does not wait for a slow start, for
/// example of a database: there is nothing to drain yet.
///
/// # Errors
/// If the start fails, or as for [`serve`].
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

/// A process that works until it is asked to stop.
#[derive(Debug)]
pub struct Process {
    /// Its name in logs and traces.
    pub name: &'static str,
    /// What is logged, traced and counted, and where it goes.
    pub telemetry: TelemetryArgs,
    /// Where log lines go.
    pub log_writer: LogWriter,
    /// Where to serve probes and metrics, if at all.
    pub admin_listen: Option<SocketAddr>,
    /// The token of the admin port, if it has one.
    pub admin_token_file: Option<PathBuf>,
    /// SIGTERM and SIGINT cancel its `shutdown`, a second one its `hard_stop`.
    pub context: Context,
}

impl Process {
    /// Runs `work` to its end on its own tokio runtime, then sends the pending telemetry.
    ///
    /// # Errors
    /// If setting up the process fails: telemetry, signals, the admin port.
    pub fn run<T>(self, work: impl Future<Output = T>) -> anyhow::Result<T> {
        let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
        // The exporters connect from within the runtime.
        let entered = runtime.enter();
        let telemetry = Telemetry::start(self.name, &self.telemetry, self.log_writer)?;
        drop(entered);
        let outcome = runtime.block_on(async {
            let signals = tokio::spawn(forward_signals(self.context.clone())?);
            let end_admin = CancellationToken::new();
            if let Some(listen) = self.admin_listen {
                let (token_file, context) = (self.admin_token_file, self.context.clone());
                let stop = end_admin.clone();
                let admin = admin::serve(listen, self.name, token_file, &telemetry, context, stop)?;
                tokio::spawn(admin);
            }
            let outcome = work.await;
            end_admin.cancel();
            signals.abort();
            anyhow::Ok(outcome)
        });
        telemetry.shutdown();
        outcome
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

#[expect(clippy::print_stderr, reason = "the process ends here, and logging may not have begun")]
fn failure(name: &str, error: &anyhow::Error) -> ExitCode {
    eprintln!("{name}: {error:#}");
    ExitCode::FAILURE
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_flags_of_a_site_say_what_they_do_for_pages() {
        #[derive(Debug, Args)]
        struct Nothing {}

        let mut command = of_a_site(CommandLine::<Nothing>::command());
        command.clone().debug_assert();
        let help = command.render_long_help().to_string();
        assert!(!help.contains("gRPC,") && !help.contains("serve gRPC"), "{help}");
        assert!(help.contains("127.0.0.1:50080") && !help.contains("--access-file"), "{help}");
    }

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
