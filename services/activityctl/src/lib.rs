//! The command line of Company Activity: every service in one process
//! (`standalone`, `demo`), and the commands that talk to a running server.

pub mod cli;
pub mod commands;
pub mod confirm;
pub mod connect;
pub mod day_progress;
pub mod days;
pub mod demo;
pub mod error;
pub mod follow;
pub mod format;
pub mod ledger_check;
pub mod local_audit;
pub mod maintenance;
pub mod output;
pub mod progress;
pub mod reach;
pub mod run_end;
pub mod standalone;
#[cfg(test)]
mod test_runs;
pub mod unit_progress;

use std::{future::Future, process::ExitCode};

use clap::Parser;
use runtime::{Context, LogWriter, Process, TelemetryArgs};

pub use cli::Cli;
use cli::Command;
use error::Error;
use output::{Output, notice};
use progress::RunProgress;

/// Runs the command in the process's arguments, as `activityctl --help` lists
/// them. The exit code says whether it succeeded.
#[must_use]
pub fn run() -> ExitCode {
    match execute(Cli::parse().command) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            let code = error.exit_code();
            if code != 0 {
                notice(format_args!("error: {error}"));
            }
            ExitCode::from(code)
        }
    }
}

fn execute(command: Command) -> Result<(), Error> {
    let mut output = Output::stdout();
    match command {
        Command::Demo(args) => {
            let (progress, context) = (RunProgress::for_stderr(), Context::new());
            let process = demo::process(&args, &progress, &context);
            process.run(demo::run(args, progress, output, context))?
        }
        Command::Standalone(args) => {
            let context = Context::new();
            standalone::process(&args, &context).run(standalone::run(*args, context))?
        }
        Command::Sample(args) => commands::sample::write_sample(&args, &mut output),
        Command::SampleApi(args) => {
            let context = Context::new();
            let process = Process {
                name: "sample-api",
                telemetry: TelemetryArgs::for_a_command(),
                log_writer: LogWriter::stdout(),
                admin_listen: None,
                admin_token_file: None,
                context: context.clone(),
            };
            process.run(commands::sample::serve_sample_api(args, output, context.shutdown))?
        }
        Command::Client(command) => to_completion(command.execute(&mut output)),
        Command::Sources(args) => to_completion(commands::sources::execute(&args, &mut output)),
        Command::Warehouse(command) => to_completion(command.execute(&mut output)),
    }
}

/// Runs a command to its end. A signal simply ends the process: what it
/// requested continues on the server, and what it did not commit never
/// happened.
fn to_completion(work: impl Future<Output = Result<(), Error>>) -> Result<(), Error> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(work)
}
