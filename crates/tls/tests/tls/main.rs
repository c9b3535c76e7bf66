//! The promises of the crate, over real connections.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod arguments;
mod connect_errors;
mod handshakes;
mod reload;
mod rotation;
mod support;
mod unfinished_handshakes;
