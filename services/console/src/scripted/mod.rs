//! A console whose services answer what a test says.

mod pipeline;
mod script;
mod site;

pub(crate) use pipeline::Pipeline;
pub(crate) use script::Script;
pub(crate) use site::{Page, Site};

/// What a hostile source would like to run.
pub(crate) const HOSTILE: &str = "<script>alert('x')</script>\"><img src=x onerror=alert(1)>";

/// That a page holds nothing that its policy forbids, and hostile text as text.
pub(crate) fn assert_harmless(html: &str) {
    for forbidden in [" style=", "<style", "<img", "javascript:", "<script>"] {
        assert!(!html.contains(forbidden), "{forbidden} in {html}");
    }
}
