//! Differences from the product API, in words.

use contract::message::difference_kind_from_proto;
use domain::DifferenceKind;
use maud::{Markup, html};
use proto::reconciliation::v1::DifferenceCount;

use super::number::thousands;

/// What kind a difference is of.
pub(crate) fn words(kind: i32) -> String {
    // A newer server may know more kinds.
    difference_kind_from_proto(kind).map_or("unknown", DifferenceKind::as_str).replace('_', " ")
}

/// How many differences are of each kind; nothing if there are none.
pub(crate) fn by_kind(counts: &[DifferenceCount]) -> Markup {
    html! {
        @if !counts.is_empty() {
            dl {
                @for count in counts {
                    dt { (words(count.kind)) }
                    dd { (thousands(count.count)) }
                }
            }
        }
    }
}
