//! Traces and durations of every gRPC call, on both sides, in tower layers: handlers
//! are unaware of them.

mod call;
mod caller;
mod client;
mod deadline;
mod open_calls;
mod server;

pub(crate) use caller::{present_certificate, record_caller};
pub use client::Channel;
pub(crate) use deadline::DeadlineLayer;
pub(crate) use open_calls::OpenCalls;
pub(crate) use server::RpcServerLayer;
