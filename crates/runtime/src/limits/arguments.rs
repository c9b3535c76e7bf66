//! Limits as arguments.

use std::{num::NonZeroUsize, time::Duration};

use clap::Args;

use super::Limits;

/// How much of a server its callers may use.
#[derive(Debug, Clone, Args)]
#[group(skip)]
pub struct LimitArgs {
    /// Connections that may be open on the gRPC port. When all are, the one that has been idle the longest makes room
    /// [default: 2048, or what the limit of open files affords]
    #[arg(long, env = "MAX_CONNECTIONS", value_name = "NUMBER")]
    pub max_connections: Option<NonZeroUsize>,

    /// How long a connection may be open without a call; its client connects again
    #[arg(long, env = "CONNECTION_IDLE_TIMEOUT", value_name = "DURATION", default_value = "10m", value_parser = some_time)]
    pub connection_idle_timeout: Duration,

    /// Calls that may be open, half of them of one caller. Streams have the same number of places of their own, a
    /// quarter of them for one caller, and so have the coordinator's calls. More are refused with RESOURCE_EXHAUSTED
    #[arg(long, env = "MAX_CALLS", value_name = "NUMBER", default_value = "256")]
    pub max_calls: NonZeroUsize,

    /// Calls that one caller may begin in a second, and twice as many at once after a pause; 0 for any number. More are
    /// refused with RESOURCE_EXHAUSTED, which says when to come back. The coordinator's calls do not count
    #[arg(long, env = "MAX_CALLS_PER_SECOND", value_name = "NUMBER", default_value_t = 5_000)]
    pub max_calls_per_second: u32,
}

impl LimitArgs {
    /// The limits that the arguments ask for.
    pub(crate) fn limits(&self) -> Limits {
        let limits = Limits::default();
        Limits {
            connections: self.max_connections.map_or(limits.connections, NonZeroUsize::get),
            idle: self.connection_idle_timeout,
            calls: self.max_calls.get(),
            calls_per_second: self.max_calls_per_second,
            ..limits
        }
    }
}

fn some_time(text: &str) -> Result<Duration, String> {
    match humantime::parse_duration(text) {
        Ok(Duration::ZERO) => Err("every connection would end at once: use 10m, for example".to_owned()),
        Ok(duration) => Ok(duration),
        Err(error) => Err(format!("{error}; use 10m, for example")),
    }
}
