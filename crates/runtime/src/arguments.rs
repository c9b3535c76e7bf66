//! The arguments that every service shares.

use std::{net::SocketAddr, time::Duration};

use clap::{Args, ValueEnum};

/// What every service can be told, by flag or by environment variable.
#[derive(Debug, Clone, Args)]
pub struct RuntimeArgs {
    /// Address to serve gRPC on; port 0 picks a free one
    #[arg(long, env = "LISTEN", value_name = "ADDRESS", default_value = "127.0.0.1:50051")]
    pub listen: SocketAddr,

    /// How long calls in flight may take to finish after SIGTERM or SIGINT
    #[arg(long, env = "DRAIN_TIMEOUT", value_name = "DURATION", default_value = "20s", value_parser = humantime::parse_duration)]
    pub drain_timeout: Duration,

    /// Serve gRPC reflection, so that grpcurl and alike know the contracts
    #[arg(long, env = "REFLECTION", num_args = 0..=1, default_value_t = false, default_missing_value = "true", action = clap::ArgAction::Set)]
    pub reflection: bool,

    #[command(flatten)]
    #[allow(missing_docs, reason = "clap would take it for the help's heading")]
    pub telemetry: TelemetryArgs,
}

/// What is logged, and how.
#[derive(Debug, Clone, Args)]
pub struct TelemetryArgs {
    /// What to log: a level, or directives such as `info,coordinator=debug`
    #[arg(long, env = "LOG", value_name = "FILTER", default_value = "info")]
    pub log: String,

    /// How to log
    #[arg(long, env = "LOG_FORMAT", value_enum, default_value_t = LogFormat::Auto)]
    pub log_format: LogFormat,
}

/// How log lines look.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum LogFormat {
    /// For people on a terminal, JSON elsewhere
    Auto,
    /// For people
    Pretty,
    /// One JSON object a line
    Json,
}
