//! What pages are made of.

pub(crate) mod address;
pub(crate) mod chart;
pub(crate) mod choice;
pub(crate) mod command;
pub(crate) mod difference;
pub(crate) mod form;
pub(crate) mod layout;
pub(crate) mod link;
pub(crate) mod number;
pub(crate) mod part;
pub(crate) mod state;
pub(crate) mod table;
pub(crate) mod time;
