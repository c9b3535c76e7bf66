//! The service `ingest-events` as a stand-alone process.

use std::process::ExitCode;

fn main() -> ExitCode {
    runtime::main(
        "ingest-events",
        "Copies event files to fact_events and keeps their daily sums.",
        ingest_events::start,
    )
}
