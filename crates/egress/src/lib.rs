//! Where requests to configured URLs may go: the product API, the webhooks, and the issuers of
//! tokens.
//!
//! Whoever can change such a URL, or the DNS of its host, could otherwise have a service
//! inside the network ask what they cannot reach themselves: a cloud's metadata service,
//! a database's port, a sidecar. So addresses are checked, and because a name may resolve
//! differently every time (DNS rebinding), each connection checks the addresses that it
//! is about to use.

mod address;
mod destination;
mod policy;
mod resolver;

pub use destination::Destination;
pub use policy::{Policy, Refusal, Settings};
pub use resolver::refusal_in;
