//! The notifier as a process.

use std::process::ExitCode;

fn main() -> ExitCode {
    runtime::main(
        "notifier",
        "Alerts people over Slack, Teams or a webhook that a stage failed",
        notifier::start,
    )
}
