//! The service against a product API that answers by script.

mod broken_answers;
mod fetching;
mod landed_files;
mod scripted_api;
mod setup;
