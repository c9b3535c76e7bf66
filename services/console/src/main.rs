//! The console as a process.

use std::process::ExitCode;

fn main() -> ExitCode {
    runtime::site_main("console", "Shows the pipeline and the companies in a browser", console::start)
}
