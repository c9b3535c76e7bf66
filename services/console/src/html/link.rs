//! Links to what pages are about.

use maud::{Markup, html};
use prost_types::Timestamp;

use super::{
    address,
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

/// A company, by its identifier.
pub(crate) fn company(company_id: &str) -> Markup {
    html! { a href=(address::company(company_id)) { (company_id) } }
}

/// A text that may be missing.
pub(crate) fn optional(text: Option<&str>) -> &str {
    text.filter(|text| !text.is_empty()).unwrap_or(NONE)
}

/// A command of the command line to copy, its words as a shell reads them.
pub(crate) fn command(words: &[&str]) -> Markup {
    let line: Vec<String> = words.iter().map(|word| quoted(word)).collect();
    html! { pre.command { code data-copy { "activityctl " (line.join(" ")) } } }
}

fn quoted(word: &str) -> String {
    let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-_./:=+,@%".contains(&byte);
    if !word.is_empty() && word.bytes().all(is_plain) {
        word.to_owned()
    } else {
        format!("'{}'", word.replace('\'', r"'\''"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_command_can_be_pasted_into_a_shell() {
        assert_eq!(quoted("crm/a-1.csv"), "crm/a-1.csv");
        assert_eq!(quoted("it's; rm $x"), r"'it'\''s; rm $x'");
        assert_eq!(quoted(""), "''");
        let shown = command(&["quarantine", "list", "--origin", "a b"]).into_string();
        assert!(shown.contains("activityctl quarantine list --origin 'a b'"), "{shown}");
    }
}
