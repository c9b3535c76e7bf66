//! Links to what pages are about.

use maud::{Markup, html};

use super::{address, time::NONE};

/// A run, by its id.
pub(crate) fn run(run_id: &str) -> Markup {
    html! {
        @if run_id.is_empty() { (NONE) } @else { a.id href=(address::run(run_id)) { (run_id) } }
    }
}

/// A company, by its identifier.
pub(crate) fn company(company_id: &str) -> Markup {
    html! { a href=(address::company(company_id)) { (company_id) } }
}

/// A text that may be missing.
pub(crate) fn optional(text: Option<&str>) -> &str {
    text.filter(|text| !text.is_empty()).unwrap_or(NONE)
}

/// A command to copy.
pub(crate) fn command(command: &str) -> Markup {
    html! { pre tabindex="0" aria-label="Command" { code { (command) } } }
}
