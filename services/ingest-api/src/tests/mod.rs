//! The service against a scripted product API.

mod broken_answers;
mod explaining;
mod fetching;
mod landed_files;
mod odd_answers;
mod pages_ahead;
mod pipeline;
mod previewing;
mod provenance;
mod reconciling;
mod scripted_api;
pub(crate) mod setup;
mod staging;
mod traces;
