//! Days, times and durations. Times are in UTC; the script adds the local time on hover.

use maud::{Markup, html};
use presentation::value::{rfc3339, to_the_second};
use prost_types::Timestamp;

/// Shown for what there is not.
pub(crate) const NONE: &str = "–";

/// A day, linked to its page.
pub(crate) fn day(date: &str) -> Markup {
    html! { a href=(format!("/days/{date}")) { time datetime=(date) { (date) } } }
}

/// A point in time, to the second.
pub(crate) fn instant(at: Option<&Timestamp>) -> Markup {
    let Some(exact) = rfc3339(at) else { return html! { (NONE) } };
    let shown = to_the_second(at).replace('T', " ").replace('Z', " UTC");
    html! { time datetime=(exact) title=(exact) data-instant { (shown) } }
}
