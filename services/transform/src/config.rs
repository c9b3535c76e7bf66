//! Settings of the service.

use std::path::PathBuf;

use runtime::WarehouseArgs;

/// The service's own options.
#[derive(Debug, Clone, Default, clap::Args)]
#[group(skip)]
pub struct Options {
    /// YAML file with the level (block, warn, off) of each audit and their thresholds; an audit it does
    /// not name keeps its default
    #[arg(long, env = "AUDIT_FILE", value_name = "FILE")]
    pub audit_file: Option<PathBuf>,
}

/// The arguments of the service as a process of its own.
#[derive(Debug, Clone, clap::Args)]
pub struct Args {
    #[command(flatten)]
    #[expect(missing_docs, reason = "clap would take it for the help's heading")]
    pub options: Options,

    #[command(flatten)]
    #[expect(missing_docs, reason = "clap would take it for the help's heading")]
    pub warehouse: WarehouseArgs,
}
