//! What pages are made of.

pub(crate) mod command;
pub(crate) mod count;
pub(crate) mod layout;
pub(crate) mod state;
pub(crate) mod time;
