//! What the service can be told when it runs on its own.

/// The arguments of the stand-alone binary.
#[derive(Debug, Clone, clap::Args)]
pub struct Args {
    /// The warehouse to read, for example `sqlite:///data/warehouse.sqlite`
    #[arg(long, env = "WAREHOUSE_URL", value_name = "URL", hide_env_values = true)]
    pub warehouse_url: String,
}
