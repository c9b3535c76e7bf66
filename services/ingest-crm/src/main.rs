//! The service `ingest-crm` as a stand-alone process.

use std::process::ExitCode;

fn main() -> ExitCode {
    runtime::main("ingest-crm", "Copies the CRM's CSV exports to stg_crm_companies.", ingest_crm::start)
}
