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
mod field_violations;
mod history;
pub mod message;
mod observability;
mod page_size;
mod retry_after;
mod rpc;
mod secret;
mod server;
mod service;
pub mod stage;
mod status;
mod version;

pub use arguments::{LogFormat, RuntimeArgs, TelemetryArgs, WarehouseArgs, parse_collector, parse_share};
pub use bootstrap::{Process, main, start_and_serve};
pub use channel::Channel;
pub use clock::{Clock, StoppedClock, SystemClock};
pub use context::Context;
pub use field_violations::FieldViolations;
pub use history::HistoryOptions;
pub use observability::{LogWriter, Telemetry, has_colours};
pub use page_size::page_size;
pub use retry_after::{parse_retry_after, patient_wait};
pub use secret::{Hidden, Secret, SecretError, read_secret};
pub use server::{ServerOptions, serve};
pub use service::{BackgroundTask, GrpcRoutes, Service};
pub use status::{code_name, is_transient, is_transport_failure, message_with_causes, status, undisclosed};
pub use version::VERSION;
