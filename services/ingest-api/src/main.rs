//! The `ingest-api` process.

use std::process::ExitCode;

fn main() -> ExitCode {
    runtime::main(
        "ingest-api",
        "Executes act_call_product_api (product API to landed NDJSON to stg_product_usage) and reconciles \
         published numbers with the product API",
        ingest_api::start,
    )
}
