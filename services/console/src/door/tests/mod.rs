//! The door, tried by browsers and by those who are none.

mod addresses;
mod forms;
mod openid;
mod provider;
mod support;
mod tokens;
