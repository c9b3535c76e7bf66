//! The command line of Company Activity.

use std::process::ExitCode;

fn main() -> ExitCode {
    activityctl::run()
}
