//! What pages are made of.

pub(crate) mod layout;
pub(crate) mod time;
