//! What a server does when it is asked for more than its limits allow.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod calls;
mod connections;
mod support;
