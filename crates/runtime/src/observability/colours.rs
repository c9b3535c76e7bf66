//! Whether text for people may be coloured.

use std::io::IsTerminal;

/// Whether text for `stream` may be coloured: it is a terminal, and `NO_COLOR` is not
/// set.
#[must_use]
pub fn has_colours(stream: &impl IsTerminal) -> bool {
    stream.is_terminal() && std::env::var_os("NO_COLOR").is_none_or(|value| value.is_empty())
}
