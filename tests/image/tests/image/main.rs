//! The image, the compose file and the development manifests fit the programs.
#![allow(clippy::unwrap_used, clippy::panic, reason = "tests")]

mod compose;
mod dockerfile;
mod manifests;
mod services;
mod sources;
