//! The image, the compose file and the development manifests fit the programs.
#![expect(clippy::unwrap_used, reason = "tests")]

mod compose;
mod dockerfile;
mod manifests;
mod services;
mod sources;
