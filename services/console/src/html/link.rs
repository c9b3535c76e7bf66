//! Links to what pages are about.

use maud::{Markup, html};
use prost_types::Timestamp;

use super::{
    address::{self, Address},
    time::{self, NONE},
};

/// A run, by its id.
pub(crate) fn run(run_id: &str) -> Markup {
    html! {
        @if run_id.is_empty() { (NONE) } @else { a.id href=(address::run(run_id)) { (run_id) } }
    }
}

/// When a run did something, and which; both may be missing.
pub(crate) fn done(at: Option<&Timestamp>, run_id: &str) -> Markup {
    html! {
        @match (at, run_id) {
            (None, "") => "not on record",
            (None, _) => { "by " (run(run_id)) }
            (Some(_), "") => (time::instant(at)),
            (Some(_), _) => { (time::instant(at)) " by " (run(run_id)) }
        }
    }
}

/// A trace, in whichever program shows traces. Whoever names its address could also name a
/// script, so that only what browsers load over the network is linked.
pub(crate) fn trace(address: &str) -> Option<Markup> {
    let url = url::Url::parse(address).ok()?;
    matches!(url.scheme(), "http" | "https")
        .then(|| html! { a href=(address) rel="noreferrer" { "Open the trace" } })
}

/// A company, by its identifier.
pub(crate) fn company(company_id: &str) -> Markup {
    html! { a href=(address::company(company_id)) { (company_id) } }
}

/// A number or word of a company-day, linked to why it is what it is.
pub(crate) fn explained(company: &Address, date: &str, cell: Cell<'_>, shown: &Markup) -> Markup {
    let label = format!("{} – explain {} on {date}", cell.value, cell.name);
    html! {
        a href=(company.with("explain", date).to(cell.id)) aria-label=(label) { (shown) }
    }
}

/// What is to be explained.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Cell<'a> {
    /// Where the explanation has it.
    pub(crate) id: &'static str,
    pub(crate) name: &'a str,
    pub(crate) value: &'a str,
}

/// A text that may be missing.
pub(crate) fn optional(text: Option<&str>) -> &str {
    text.filter(|text| !text.is_empty()).unwrap_or(NONE)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_script_is_no_trace() {
        assert!(trace("https://jaeger/trace/1").unwrap().into_string().contains("https://jaeger/trace/1"));
        for hostile in ["javascript:alert(1)", "data:text/html,x", "trace/1", ""] {
            assert!(trace(hostile).is_none(), "{hostile}");
        }
    }
}
