//! What the audits made of a day before it was published.

use maud::{Markup, html};
use proto::monitoring::v1::ListAuditResultsResponse;
use tonic::Code;

use crate::{
    html::{
        link,
        part::{Answer, empty, part},
        time,
    },
    pages::audited,
};

pub(super) fn view(audits: &Answer<ListAuditResultsResponse>) -> Markup {
    const TITLE: &str = "Audits";
    match audits {
        Err(status) if status.code() == Code::NotFound => html! {
            section {
                h2 { (TITLE) }
                (empty("Nothing is published of this day.", "Audits are shown of the run that published it."))
            }
        },
        _ => part(TITLE, audits, shown),
    }
}

fn shown(audits: &ListAuditResultsResponse) -> Markup {
    if audits.results.is_empty() {
        return empty(
            "The audits of the run are not on record.",
            "A release that did not keep them published the day; the next run over it keeps them.",
        );
    }
    html! {
        p.note {
            "Measured " (time::instant(audits.audit_time.as_ref())) " for " (link::run(&audits.run_id)) "."
        }
        (audited::view(audits))
    }
}
