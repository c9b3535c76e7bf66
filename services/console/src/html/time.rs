//! Days, times and durations. Times are in UTC; the script adds the local time on hover.

use std::time::Duration;

use chrono::{DateTime, Utc};
use maud::{Markup, html};
use presentation::value::{human_duration, rfc3339, to_the_second};
use prost_types::Timestamp;
use proto::stage::v1::DateWindow;

/// Shown for what there is not.
pub(crate) const NONE: &str = "–";

/// A day, linked to its page.
pub(crate) fn day(date: &str) -> Markup {
    html! { a href=(format!("/days/{date}")) { time datetime=(date) { (date) } } }
}

/// One or several days, linked to their pages.
pub(crate) fn days(window: Option<&DateWindow>) -> Markup {
    html! {
        @match window {
            Some(DateWindow { start_date, end_date }) if start_date == end_date => { (day(start_date)) },
            Some(DateWindow { start_date, end_date }) => { (day(start_date)) " to " (day(end_date)) },
            None => { (NONE) },
        }
    }
}

/// A length of time; nothing is known of it where there is none.
pub(crate) fn length(duration: Option<Duration>) -> String {
    duration.map_or_else(|| NONE.to_owned(), human_duration)
}

/// When a page was made.
pub(crate) fn now(now: DateTime<Utc>) -> Markup {
    instant(Some(&Timestamp { seconds: now.timestamp(), nanos: 0 }))
}

/// A point in time, to the second.
pub(crate) fn instant(at: Option<&Timestamp>) -> Markup {
    let Some(exact) = rfc3339(at) else { return html! { (NONE) } };
    html! { time datetime=(exact) title=(exact) data-instant { (said(at)) } }
}

/// A point in time as [`instant`] shows it.
pub(crate) fn said(at: Option<&Timestamp>) -> String {
    if at.is_none() { NONE.to_owned() } else { to_the_second(at).replace('T', " ").replace('Z', " UTC") }
}
