//! The coordinator as a process.

use std::process::ExitCode;

fn main() -> ExitCode {
    runtime::main(
        "coordinator",
        "Durable runs of the pipeline: order, leases, retries, alerts",
        coordinator::start,
    )
}
