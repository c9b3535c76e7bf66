//! Overview: whether the numbers are there, and what needs somebody.

use axum::extract::State;
use maud::{Markup, html};
use proto::activity::v1::GetFreshnessRequest;

use crate::{
    failure::Failure,
    html::{layout::Section, time},
    site::Console,
    visitor::Visitor,
};

/// `GET /`
pub(crate) async fn show(State(_console): State<Console>, visitor: Visitor) -> Result<Markup, Failure> {
    let freshness = visitor.services.activity().get_freshness(GetFreshnessRequest {}).await?.into_inner();
    let body = html! {
        @if let Some(newest) = &freshness.newest {
            p { "Published through " (time::day(&newest.activity_date)) }
        } @else {
            p { "Nothing is published yet." }
        }
    };
    Ok(visitor.page(Section::Overview, "Overview", &body))
}
