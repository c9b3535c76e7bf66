//! What follows events in a browser: one rendering for all who look, and nothing kept for any of
//! them.

mod frame;
mod hub;
mod seats;
mod viewer;

#[cfg(test)]
mod tests;

pub(crate) use frame::Frame;
pub(crate) use hub::Hub;
pub(crate) use seats::Seats;
pub(crate) use viewer::{Viewer, stream};
