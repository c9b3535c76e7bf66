//! Settings of the service.

use clap::Args as ClapArgs;
use runtime::WarehouseArgs;

/// How event files are read.
#[derive(Debug, Clone, ClapArgs)]
#[group(skip)]
pub struct Options {
    /// Folder of event files: file:///folder/ or az://container/folder/. Every
    /// *.ndjson below it is read by the stage act_copy_events, which is not in the
    /// built-in pipeline: name it in the pipeline file
    #[arg(long, env = "EVENTS_URL", value_name = "URL")]
    pub events_url: Option<String>,

    /// Refuse an event file bigger than this
    #[arg(
        long,
        env = "EVENTS_MAX_FILE_BYTES",
        value_name = "BYTES",
        default_value_t = 8 * 1024 * 1024 * 1024
    )]
    pub events_max_file_bytes: u64,

    /// Refuse a file of whose records more than this share, and at least three, are rejected and not accepted; 1
    /// refuses none
    #[arg(
        long,
        env = "EVENTS_MAX_REJECTED_SHARE",
        value_name = "SHARE",
        default_value_t = 0.05,
        value_parser = runtime::parse_share
    )]
    pub events_max_rejected_share: f64,
}

/// The arguments of the service as a process of its own.
#[derive(Debug, Clone, ClapArgs)]
pub struct Args {
    #[command(flatten)]
    #[expect(missing_docs, reason = "clap would take it for the help's heading")]
    pub options: Options,

    #[command(flatten)]
    #[expect(missing_docs, reason = "clap would take it for the help's heading")]
    pub warehouse: WarehouseArgs,
}
