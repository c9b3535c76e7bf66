//! Traces, durations and limits of every gRPC call, in tower layers: handlers are unaware
//! of them.

mod admission;
mod call;
mod caller;
mod callers;
mod client;
mod deadline;
mod open_calls;
mod resend;
mod server;
mod unread;

pub(crate) use admission::AdmissionLayer;
pub(crate) use caller::{present_certificate, record_caller};
pub(crate) use callers::{Callers, Key};
pub use client::Channel;
pub(crate) use deadline::DeadlineLayer;
pub(crate) use open_calls::{OpenCall, OpenCalls};
pub(crate) use server::RpcServerLayer;
pub(crate) use unread::AbandonableBody;
