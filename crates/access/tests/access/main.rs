//! Who gets in, as whom, and what the others see.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod arbitrary_tokens;
mod certificates;
mod documents;
mod issuers;
mod issuers_over_tls;
mod methods;
mod over_grpc;
mod policies;
mod reach;
mod reload;
mod remembered_tokens;
mod rotation;
mod static_tokens;
mod support;
mod tokens;
