//! Differences from the product API, in words.

use contract::message::difference_kind_from_proto;
use domain::DifferenceKind;
use maud::{Markup, html};
use proto::reconciliation::v1::{DifferenceCount, ReconciliationSummary};

use super::number::thousands;

/// What kind a difference is of.
pub(crate) fn words(kind: i32) -> String {
    // A newer server may know more kinds.
    difference_kind_from_proto(kind).map_or("unknown", DifferenceKind::as_str).replace('_', " ")
}

/// What a comparison comes to, in a word. One of nothing does not say that numbers are equal.
pub(crate) fn verdict(summary: &ReconciliationSummary) -> Markup {
    html! {
        @if summary.mismatches > 0 {
            span.state.failed { "differs" }
        } @else if summary.compared == 0 {
            span.state.waiting { "nothing to compare" }
        } @else {
            span.state.succeeded { "equal" }
        }
    }
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_comparison_of_nothing_is_not_called_equal() {
        let verdict = |compared, mismatches| {
            let summary = ReconciliationSummary { compared, mismatches, ..Default::default() };
            verdict(&summary).into_string()
        };
        assert!(verdict(0, 0).contains(">nothing to compare<"));
        assert!(verdict(5, 0).contains(">equal<"));
        assert!(verdict(5, 1).contains(">differs<"));
    }
}
