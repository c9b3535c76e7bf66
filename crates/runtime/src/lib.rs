//! One bootstrap for every service of Company Activity.
//!
//! A service is a library with a `start` function that turns its arguments into a
//! [`Service`]; [`main`] does the rest: arguments and environment, telemetry, gRPC
//! server with health and reflection, signals, bounded drain, exit code.

mod admin;
mod arguments;
mod bootstrap;
pub mod channel;
mod clock;
mod context;
mod history;
mod observability;
mod rpc;
mod server;
mod service;
pub mod stage;
mod version;

pub use arguments::{LogFormat, RuntimeArgs, TelemetryArgs, WarehouseArgs, parse_collector, parse_share};
pub use bootstrap::{Process, main, start_and_serve};
pub use channel::Channel;
pub use clock::{Clock, StoppedClock, SystemClock};
pub use context::Context;
pub use history::HistoryOptions;
pub use observability::{LogWriter, Telemetry, has_colours};
pub use server::{ServerOptions, serve};
pub use service::{BackgroundTask, GrpcRoutes, Service};
pub use version::VERSION;
