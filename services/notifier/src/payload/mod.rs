//! The payload that each channel expects.

pub(crate) mod slack;
pub(crate) mod teams;
mod text;
pub(crate) mod webhook;

use crate::alert::Alert;

/// The longest link to put into a message, in bytes.
const MAX_LINK_BYTES: usize = 2_000;

/// The error message as people see it: chat services refuse empty texts.
fn shown_error(alert: &Alert) -> &str {
    let reported = &alert.message.error_message;
    if reported.trim().is_empty() { "(no error message)" } else { reported }
}
