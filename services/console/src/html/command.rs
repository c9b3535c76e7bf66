//! Commands to copy.

use maud::{Markup, html};
use presentation::command::CommandLine;

/// A command that does the same from a shell.
pub(crate) fn command(line: &CommandLine) -> Markup {
    html! { pre.command { code data-copy { (line) } } }
}

/// As [`command`], of a form: what the form's fields add is added by the script.
pub(crate) fn command_of_form(line: &CommandLine, id: &str) -> Markup {
    html! { pre.command { code #(id) data-copy { (line) } } }
}
