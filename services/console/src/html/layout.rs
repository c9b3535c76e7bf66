//! What every page has: head, navigation, who is signed in.

use maud::{DOCTYPE, Markup, html};

use super::form;
use crate::{
    assets::{SCRIPT_PATH, STYLE_PATH},
    visitor::Visitor,
};

/// The parts of the site, in the order of the navigation.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Section {
    Overview,
    Runs,
    Companies,
    Churn,
    Quality,
}

impl Section {
    const ALL: [Self; 5] = [Self::Overview, Self::Runs, Self::Companies, Self::Churn, Self::Quality];

    const fn name(self) -> &'static str {
        match self {
            Self::Overview => "Overview",
            Self::Runs => "Runs",
            Self::Companies => "Companies",
            Self::Churn => "Churn",
            Self::Quality => "Quality",
        }
    }

    const fn address(self) -> &'static str {
        match self {
            Self::Overview => "/",
            Self::Runs => "/runs",
            Self::Companies => "/companies",
            Self::Churn => "/churn",
            Self::Quality => "/quality",
        }
    }
}

impl Visitor {
    /// A page of a section.
    pub(crate) fn page(&self, section: Section, title: &str, body: &Markup) -> Markup {
        document(title, &html! {}, &self.navigation(section), body)
    }

    /// As [`Visitor::page`], of what moves: without JavaScript a browser asks for it again.
    pub(crate) fn page_that_moves(&self, section: Section, title: &str, body: &Markup) -> Markup {
        let head = html! { noscript { meta http-equiv="refresh" content="5"; } };
        document(title, &head, &self.navigation(section), body)
    }

    fn navigation(&self, section: Section) -> Markup {
        html! {
            nav aria-label="Sections" {
                ul {
                    @for one in Section::ALL {
                        li {
                            a href=(one.address()) aria-current=[(one == section).then_some("page")] { (one.name()) }
                        }
                    }
                }
            }
            (self.signed_in())
        }
    }

    fn signed_in(&self) -> Markup {
        html! {
            @if !self.is_anonymous {
                form.sign-out method="post" action="/sign-out" {
                    (form::token(&self.form_token))
                    span { (self.name) }
                    button.plain type="submit" { "Sign out" }
                }
            }
        }
    }
}

/// A page for those who are not signed in, or of whom nobody knows.
pub(crate) fn page_for_nobody(title: &str, body: &Markup) -> Markup {
    document(title, &html! {}, &html! {}, body)
}

fn document(title: &str, head: &Markup, navigation: &Markup, body: &Markup) -> Markup {
    html! {
        (DOCTYPE)
        html lang="en" {
            head {
                meta charset="utf-8";
                meta name="viewport" content="width=device-width, initial-scale=1";
                meta name="color-scheme" content="light dark";
                title { (title) " · Company Activity" }
                link rel="stylesheet" href=(*STYLE_PATH);
                link rel="icon" href="data:,";
                script type="module" src=(*SCRIPT_PATH) {}
                (head)
            }
            body {
                a.skip href="#content" { "Skip to the content" }
                header {
                    a.brand href="/" { "Company Activity" }
                    (navigation)
                }
                main #content tabindex="-1" {
                    h1 { (title) }
                    (body)
                }
            }
        }
    }
}
