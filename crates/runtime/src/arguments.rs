//! The arguments that every service shares.

use std::{net::SocketAddr, path::PathBuf, time::Duration};

use access::AccessArgs;
use clap::{Args, ValueEnum};
use tls::ServerTlsArgs;

use crate::limits::LimitArgs;

/// What every service can be given, by flag or by environment variable.
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
    #[expect(missing_docs, reason = "clap would take it for the help's heading")]
    pub tls: ServerTlsArgs,

    #[command(flatten)]
    #[expect(missing_docs, reason = "clap would take it for the help's heading")]
    pub access: AccessArgs,

    #[command(flatten)]
    #[expect(missing_docs, reason = "clap would take it for the help's heading")]
    pub limits: LimitArgs,

    /// Address to serve probes (/livez, /readyz, /startupz), metrics (/metrics)
    /// and the log filter (/log) on, in plain HTTP [default: none]
    #[arg(long, env = "ADMIN_LISTEN", value_name = "ADDRESS")]
    pub admin_listen: Option<SocketAddr>,

    /// File that holds the bearer token with which others than this machine may change the log filter on the admin
    /// port; read anew for each request [default: only this machine may]
    #[arg(long, env = "ADMIN_TOKEN_FILE", value_name = "FILE")]
    pub admin_token_file: Option<PathBuf>,

    #[command(flatten)]
    #[expect(missing_docs, reason = "clap would take it for the help's heading")]
    pub telemetry: TelemetryArgs,
}

/// The warehouse of a process. Where one does a single thing with it, its help says
/// so by `mut_arg("warehouse_url", ...)`.
#[derive(Debug, Clone, Args)]
#[group(skip)]
pub struct WarehouseArgs {
    /// The warehouse: sqlite:///path/to/file, or postgres://user@host/database
    #[arg(long, env = "WAREHOUSE_URL", value_name = "URL", hide_env_values = true)]
    pub warehouse_url: String,
}

/// What is logged, traced and counted, and where it goes.
#[derive(Debug, Clone, Args)]
pub struct TelemetryArgs {
    /// What to log: a level, or directives such as `info,coordinator=debug`
    #[arg(long, env = "LOG", value_name = "FILTER", default_value = "info")]
    pub log: String,

    /// How to log
    #[arg(long, env = "LOG_FORMAT", value_enum, default_value_t = LogFormat::Auto)]
    pub log_format: LogFormat,

    /// Collector that takes traces and metrics over OTLP (gRPC), for example
    /// http://localhost:4317 or https://collector.example.com:4317 [default: none]
    #[arg(
        long,
        env = "OTEL_EXPORTER_OTLP_ENDPOINT",
        value_name = "URL",
        value_parser = parse_collector
    )]
    pub otlp_endpoint: Option<String>,

    /// Trust a collector at an https:// URL whose certificate these CAs have signed: a PEM
    /// file. It is read again when it changes [default: the system's CAs]
    #[arg(long, env = "OTEL_EXPORTER_OTLP_CERTIFICATE", value_name = "FILE")]
    pub otlp_ca_file: Option<PathBuf>,

    /// Share of queries whose traces are recorded; the pipeline's always are
    #[arg(
        long,
        env = "TRACE_QUERY_RATIO",
        value_name = "SHARE",
        default_value_t = 0.05,
        value_parser = parse_share
    )]
    pub trace_query_ratio: f64,
}

impl TelemetryArgs {
    /// Only warnings, as text: for commands that are not services.
    #[must_use]
    pub fn for_a_command() -> Self {
        Self {
            log: "warn".to_owned(),
            log_format: LogFormat::Pretty,
            otlp_endpoint: None,
            otlp_ca_file: None,
            trace_query_ratio: 0.0,
        }
    }
}

/// Parses a collector's URL. Without a scheme, the exporter would assume TLS.
///
/// # Errors
/// If it is not an HTTP URL.
pub fn parse_collector(text: &str) -> Result<String, String> {
    match url::Url::parse(text) {
        Ok(url) if matches!(url.scheme(), "http" | "https") && url.has_host() => Ok(text.to_owned()),
        _ => Err("use http://host:4317 or https://host:4317".to_owned()),
    }
}

/// Parses a share: a number from 0 to 1.
///
/// # Errors
/// If it is not one.
pub fn parse_share(text: &str) -> Result<f64, String> {
    match text.parse::<f64>() {
        Ok(share) if (0.0..=1.0).contains(&share) => Ok(share),
        _ => Err("a share is a number from 0 to 1".to_owned()),
    }
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
