//! Which company-days a backfill would change.

use maud::{Markup, html};
use presentation::{
    preview::{ValueChange, kind, value_changes},
    value::human_duration,
};
use proto::{
    pipeline::v1::{
        BackfillDays, BackfillRequest, PreviewBackfillRequest, PreviewBackfillResponse,
        preview_backfill_response::Update,
    },
    reconciliation::v1::{CompanyDayChange, PreviewCounts, PreviewSummary},
};
use tokio::time::timeout;
use tonic::Status;

use crate::{
    backend::Services,
    failure::Failure,
    html::{
        link,
        number::thousands,
        table::{number, table, text},
        time::day,
    },
    pages::PATIENCE,
};

/// Company-days of the sample.
const SAMPLE: u32 = 50;

/// What a backfill would change.
#[derive(Debug, Default)]
pub(super) struct Preview {
    /// Days that it would run.
    pub(super) to_run: u32,
    total: u32,
    sample: Vec<CompanyDayChange>,
    /// Unset if there is nothing to run.
    summary: Option<PreviewSummary>,
}

/// Asks for a preview.
///
/// # Errors
/// If the coordinator refuses, or takes longer than a page can.
pub(super) async fn load(services: &Services, request: &BackfillRequest) -> Result<Preview, Failure> {
    let BackfillRequest { window, force, chunk_days, beyond_reach, .. } = request.clone();
    let request = PreviewBackfillRequest {
        pipeline: String::new(),
        window,
        force,
        chunk_days,
        sample_size: SAMPLE,
        beyond_reach,
    };
    let collected = timeout(PATIENCE, collect(services, request)).await.unwrap_or_else(|_| {
        Err(Status::deadline_exceeded(format!(
            "the preview takes longer than the {} that a page can wait: ask for fewer days, or use `activityctl \
             backfill --dry-run`",
            human_duration(PATIENCE)
        )))
    });
    Ok(collected?)
}

async fn collect(services: &Services, request: PreviewBackfillRequest) -> Result<Preview, Status> {
    let mut updates = services.pipeline().preview_backfill(request).await?.into_inner();
    let mut preview = Preview::default();
    while let Some(PreviewBackfillResponse { update }) = updates.message().await? {
        match update {
            Some(Update::Days(BackfillDays { to_run, total })) => {
                (preview.to_run, preview.total) = (to_run, total);
            }
            Some(Update::Change(change)) => preview.sample.push(change),
            Some(Update::Summary(summary)) => preview.summary = Some(summary),
            // A page shows the end; and a newer coordinator may say more.
            Some(Update::Progress(_)) | None => {}
        }
    }
    if preview.summary.is_none() && preview.to_run > 0 {
        return Err(Status::unavailable("the coordinator ended the preview before its result"));
    }
    Ok(preview)
}

/// The counts, then the sample.
pub(super) fn view(preview: &Preview) -> Markup {
    let total = preview.summary.as_ref().and_then(|summary| summary.total).unwrap_or_default();
    html! {
        section aria-labelledby="preview" {
            h2 #preview { "What would change" }
            @if let Some(summary) = &preview.summary {
                p {
                    "It would run " strong { (preview.to_run) " of " (preview.total) " days" } ", and add "
                    (thousands(total.new_rows)) ", change " (thousands(total.changed_rows)) " and remove "
                    (thousands(total.gone_rows)) " company-days. Nothing is changed yet. CRM exports that are not loaded \
                     yet, and audits that would refuse the publish, are not in it."
                }
                (counts(summary))
                @for remark in &summary.remarks { p.note { (remark) } }
                (sample(&preview.sample))
            } @else {
                p {
                    "All " (preview.total) " days are published: there is nothing to run. Tick \u{201c}Run all days\u{201d} to \
                     run them again."
                }
            }
        }
    }
}

fn counts(summary: &PreviewSummary) -> Markup {
    let columns = [
        text("Month"),
        number("New days"),
        number("Changed days"),
        number("Unchanged days"),
        number("New rows"),
        number("Changed rows"),
        number("Gone rows"),
        number("Unchanged rows"),
    ];
    let months = summary.months.iter().map(|month| (month.month.as_str(), month.counts));
    let rows = html! {
        @for (name, counts) in months.chain([("Total", summary.total)]) {
            tr {
                th scope="row" { (name) }
                @for number in numbers(&counts.unwrap_or_default()) { td.number { (thousands(number)) } }
            }
        }
    };
    table("Days and company-days by month", &columns, &rows)
}

fn numbers(counts: &PreviewCounts) -> [u64; 7] {
    [
        counts.new_days.into(),
        counts.changed_days.into(),
        counts.unchanged_days.into(),
        counts.new_rows,
        counts.changed_rows,
        counts.gone_rows,
        counts.unchanged_rows,
    ]
}

fn sample(changes: &[CompanyDayChange]) -> Markup {
    let columns =
        [text("Company"), text("Day"), text("Change"), text("Column"), text("Published"), text("Would be")];
    let rows = html! {
        @for change in changes {
            @for ValueChange { company_id, activity_date, column, old, new } in value_changes(change) {
                tr {
                    th scope="row" { (link::company(&company_id)) }
                    td { (day(&activity_date)) }
                    td { (kind(change)) }
                    td { (column) }
                    td { (link::optional(Some(&old))) }
                    td { (link::optional(Some(&new))) }
                }
            }
        }
    };
    html! {
        @if !changes.is_empty() {
            (table("A sample: corrections first, then removals, then additions", &columns, &rows))
        }
    }
}
