//! The transform service as a stand-alone process.

use std::process::ExitCode;

fn main() -> ExitCode {
    runtime::main(
        "transform",
        "Builds fact_company_activity from what is staged, audits it and publishes it",
        transform::start,
    )
}
