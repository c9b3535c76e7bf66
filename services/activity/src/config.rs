//! Settings of the service.

use std::time::Duration;

use runtime::WarehouseArgs;

/// Its settings wherever it runs.
#[derive(Debug, Clone, clap::Args)]
#[group(skip)]
pub struct Options {
    /// How long an export waits for a reader that takes nothing before it is ended
    #[arg(long, env = "EXPORT_STALL_TIMEOUT", value_name = "DURATION", default_value = "60s", value_parser = patience)]
    pub export_stall_timeout: Duration,
}

fn patience(text: &str) -> Result<Duration, String> {
    match humantime::parse_duration(text) {
        Ok(Duration::ZERO) => Err("nobody reads that fast: use 60s, for example".to_owned()),
        Ok(duration) => Ok(duration),
        Err(error) => Err(format!("{error}; use 60s, for example")),
    }
}

const WAREHOUSE_HELP: &str = "The warehouse to read, for example `sqlite:///data/warehouse.sqlite`";

/// The arguments of the stand-alone binary.
#[derive(Debug, Clone, clap::Args)]
#[command(mut_arg("warehouse_url", |arg| arg.help(WAREHOUSE_HELP)))]
pub struct Args {
    #[command(flatten)]
    #[expect(missing_docs, reason = "clap would take it for the help's heading")]
    pub warehouse: WarehouseArgs,

    #[command(flatten)]
    #[expect(missing_docs, reason = "clap would take it for the help's heading")]
    pub options: Options,
}
