//! Who gets in, as whom, and what the others are told.

mod arbitrary_tokens;
mod certificates;
mod documents;
mod issuers;
mod methods;
mod over_grpc;
mod policies;
mod reload;
mod rotation;
mod static_tokens;
mod support;
mod tokens;
