//! One bootstrap for every service of Company Activity.
//!
//! A service is a library with a `start` function that turns its arguments into
//! a [`Service`]; [`main`] does the rest: arguments and environment, telemetry,
//! gRPC server with health and reflection, signals, bounded drain, exit code.

mod admin;
mod arguments;
mod bootstrap;
pub mod channel;
mod clock;
mod field_violations;
mod history;
pub mod message;
mod retry_after;
mod rpc;
mod secret;
mod server;
mod service;
pub mod stage;
mod status;
pub mod telemetry;
mod version;

pub use ::metrics;
pub use arguments::{LogFormat, RuntimeArgs, TelemetryArgs, parse_collector};
pub use bootstrap::{Context, Process, main, start_and_serve};
pub use channel::Channel;
pub use clock::{Clock, SystemClock};
pub use field_violations::FieldViolations;
pub use history::HistoryOptions;
pub use retry_after::{parse_retry_after, patient_wait};
pub use secret::{Secret, SecretError, read_secret};
pub use server::{ServerOptions, serve};
pub use service::{BackgroundTask, GrpcRoutes, Service};
pub use status::{code_name, status};
pub use telemetry::{LogWriter, Telemetry, has_colours};
pub use version::VERSION;
