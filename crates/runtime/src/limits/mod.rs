//! How much of a server its callers may use.

mod arguments;
mod descriptors;

use std::time::Duration;

pub use arguments::LimitArgs;
pub(crate) use descriptors::raise_descriptor_limit;

use crate::connections::{Busy, ConnectionLimits};

/// The most connections by default. Each costs about 40 KiB, so that they stay well below
/// the memory that services are given; clients of gRPC share one connection.
const CONNECTIONS: usize = 2_048;

/// How long a connection may take to say that it speaks HTTP/2.
const SILENCE: Duration = Duration::from_secs(10);

/// How long a response may wait for its reader. Longer than an export's own limit, which
/// has a better explanation.
const UNREAD: Duration = Duration::from_secs(120);

/// Limits of the admin port: probes and scrapes come every few seconds, from few callers.
pub(crate) const ADMIN: ConnectionLimits = ConnectionLimits {
    open: 64,
    silence: Duration::from_secs(5),
    idle: Duration::from_secs(120),
    busy: Busy::Bytes,
};

/// How much of a server its callers may use.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// Connections that may be open.
    pub connections: usize,
    /// How long a connection may be open without a call.
    pub idle: Duration,
    /// How long a connection may take to say that it speaks HTTP/2.
    pub silence: Duration,
    /// Calls that may be open: those with one answer, those with a stream of answers, and
    /// those of the coordinator, each on their own.
    pub calls: usize,
    /// Calls that one caller may begin in a second; 0 for any number.
    pub calls_per_second: u32,
    /// How long a response may wait for its reader.
    pub unread: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            connections: descriptors::affordable_connections(CONNECTIONS),
            idle: Duration::from_secs(600),
            silence: SILENCE,
            calls: 256,
            calls_per_second: 5_000,
            unread: UNREAD,
        }
    }
}

impl Limits {
    pub(crate) const fn of_connections(&self) -> ConnectionLimits {
        ConnectionLimits { open: self.connections, silence: self.silence, idle: self.idle, busy: Busy::Calls }
    }
}
