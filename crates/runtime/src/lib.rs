//! One bootstrap for every service of Company Activity.
//!
//! A service is a library with a `start` function that turns its arguments into a
//! [`Service`]; [`main`] does the rest: arguments and environment, telemetry, gRPC
//! server with health and reflection, signals, bounded drain, exit code.

mod access_service;
mod admin;
mod arguments;
mod audit;
mod bootstrap;
pub mod channel;
mod client_args;
mod clock;
mod connect_problem;
mod connections;
mod connector;
mod context;
mod history;
mod http2;
mod lifecycle;
mod limits;
mod observability;
mod plain_connector;
mod rpc;
mod server;
mod server_options;
mod service;
mod site;
pub mod stage;
mod version;

pub use arguments::{LogFormat, RuntimeArgs, TelemetryArgs, WarehouseArgs, parse_collector, parse_share};
pub use audit::{AuditedAction, Auditor, Requester};
pub use bootstrap::{Process, main, site_main, start_and_serve};
pub use channel::Channel;
pub use client_args::ClientArgs;
pub use clock::{Clock, StoppedClock, SystemClock};
pub use connect_problem::ConnectProblem;
pub use connector::Connector;
pub use context::Context;
pub use history::HistoryOptions;
pub use limits::{LimitArgs, Limits};
pub use observability::{LogWriter, Telemetry, has_colours};
pub use server::serve;
pub use server_options::ServerOptions;
pub use service::{BackgroundTask, GrpcRoutes, Service};
pub use site::{MAX_FORM_BYTES, Peer, Served, Site};
pub use version::VERSION;
