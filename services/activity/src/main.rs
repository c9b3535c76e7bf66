//! The activity service as a process.

use std::process::ExitCode;

fn main() -> ExitCode {
    runtime::main("activity", "Answers what a company did, and whether it is at risk", activity::start)
}
