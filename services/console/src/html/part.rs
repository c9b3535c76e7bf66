//! Parts of a page, each of which may fail by itself.

use maud::{Markup, html};
use tonic::{Code, Status};

use super::address::{Address, PAGE};
use crate::failure::Failure;

/// What a service has answered.
pub(crate) type Answer<T> = Result<T, Status>;

/// A section of what a service has answered. If it has failed the section says so, and the
/// rest of the page stays.
pub(crate) fn part<T>(title: &str, answer: &Answer<T>, show: impl FnOnce(&T) -> Markup) -> Markup {
    html! {
        section {
            h2 { (title) }
            @match answer {
                Ok(answer) => (show(answer)),
                Err(status) => (problem(status)),
            }
        }
    }
}

/// As [`part`] for a page of a list. It fails too if the list has changed since its first
/// page, and then begins again.
pub(crate) fn list<T>(
    title: &str,
    address: &Address,
    answer: &Answer<T>,
    show: impl FnOnce(&T) -> Markup,
) -> Markup {
    match answer {
        Err(status)
            if address.has(PAGE) && matches!(status.code(), Code::Aborted | Code::InvalidArgument) =>
        {
            html! {
                section {
                    h2 { (title) }
                    p.problem { (status.message()) }
                    p { a href=(address.first_page()) { "Begin again from the first page" } }
                }
            }
        }
        _ => part(title, answer, show),
    }
}

/// Why a part is missing, and what to do.
pub(crate) fn problem(status: &Status) -> Markup {
    html! {
        p.problem { (status.message()) }
        p { (Failure::from(status.clone()).next_step()) }
    }
}

/// Whether the services still know the visitor. Whom they do not know any more has to sign in
/// again: a page of parts that all fail helps nobody.
///
/// # Errors
/// If any part failed for that.
pub(crate) fn known_visitor<'a>(
    failures: impl IntoIterator<Item = Option<&'a Status>>,
) -> Result<(), Failure> {
    let unknown = failures.into_iter().flatten().find(|status| status.code() == Code::Unauthenticated);
    unknown.map_or(Ok(()), |status| Err(status.clone().into()))
}

/// Says that there is nothing, and what to do.
pub(crate) fn empty(says: &str, next_step: &str) -> Markup {
    html! { div.empty { p { (says) } p.note { (next_step) } } }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_part_that_fails_says_why_and_what_to_do() {
        let fails: Answer<u8> = Err(Status::unavailable("cannot be reached <script>"));
        let shown = part("Volumes", &fails, |_| html! { "not shown" }).into_string();
        assert!(shown.contains("<h2>Volumes</h2>"), "{shown}");
        assert!(shown.contains("cannot be reached &lt;script&gt;"), "{shown}");
        assert!(shown.contains("Reload in a minute"), "{shown}");
        assert!(!shown.contains("not shown"), "{shown}");
    }

    #[test]
    fn whom_the_services_do_not_know_signs_in_again() {
        let (away, expired) = (Status::unavailable("away"), Status::unauthenticated("expired"));
        known_visitor([None, Some(&away)]).unwrap();
        let failure = known_visitor([None, Some(&away), Some(&expired)]).unwrap_err();
        assert_eq!(failure.to_string(), Failure::from(expired).to_string());
    }

    #[test]
    fn a_list_that_has_changed_begins_again_with_the_same_filters() {
        let address = Address::of(&"/churn?change=new&page=abc".parse().unwrap());
        let changed: Answer<u8> = Err(Status::aborted("published anew"));
        let shown = list("Companies", &address, &changed, |_| html! {}).into_string();
        assert!(shown.contains(r#"href="/churn?change=new""#), "{shown}");
        let first_page = Address::of(&"/churn?change=new".parse().unwrap());
        let refused: Answer<u8> = Err(Status::invalid_argument("no such country"));
        let shown = list("Companies", &first_page, &refused, |_| html! {}).into_string();
        assert!(shown.contains("mend what the message names") && !shown.contains("first page"), "{shown}");
    }
}
