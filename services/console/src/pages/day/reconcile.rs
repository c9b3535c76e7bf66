//! Compares a day with a fresh fetch from the product API, now.

use axum::{
    extract::Path,
    response::{IntoResponse, Response},
};
use chrono::NaiveDate;
use contract::message::window_to_proto;
use domain::DateWindow;
use maud::{Markup, html};
use presentation::{command::CommandLine, value::human_duration};
use proto::{
    pipeline::v1::{ReconcileRequest, reconcile_response::Update},
    reconciliation::v1::{Mismatch, ReconciliationSummary, UsageNumbers},
};
use serde::Deserialize;
use tonic::Status;

use super::of_address;
use crate::{
    backend::Services,
    door::Operator,
    failure::Failure,
    html::{
        command::command,
        difference, form,
        layout::Section,
        link,
        number::{count, thousands},
        part::empty,
        table::{table, text},
        time::{self, NONE},
    },
    pages::PATIENCE,
    visitor::Visitor,
};

/// Companies that are compared unless the visitor chooses otherwise.
pub(crate) const SAMPLE: u32 = 200;
const SAMPLES: [u32; 3] = [50, SAMPLE, 1_000];
/// In the form: no sample.
const ALL: &str = "all";

/// The most differences that are shown; all are counted.
const SHOWN: usize = 500;

/// What the form sends.
#[derive(Debug, Deserialize)]
pub(crate) struct Asked {
    #[serde(default)]
    sample: String,
}

/// What a comparison has found.
#[derive(Debug, Default)]
struct Outcome {
    differences: Vec<Mismatch>,
    summary: ReconciliationSummary,
}

/// The form for it, with a choice of how many companies, zero for all; a sentence for those who
/// may not.
pub(super) fn offer(date: NaiveDate, visitor: &Visitor, sample_size: u32) -> Markup {
    let sample = (sample_size > 0).then_some(sample_size);
    html! {
        section {
            h2 { "Compare with the product API" }
            @if let Some(form_token) = visitor.may_act() {
                form.row method="post" action=(format!("/days/{date}/reconcile")) {
                    (form::token(form_token))
                    label {
                        "How many"
                        select name="sample" {
                            @for companies in SAMPLES {
                                option value=(companies) selected[sample == Some(companies)] {
                                    (count(companies, "company", "companies"))
                                }
                            }
                            option value=(ALL) selected[sample.is_none()] { "all companies" }
                        }
                    }
                    button type="submit" { "Compare now" }
                }
                p.note { "Fetches the day once more and compares. Nothing that is published changes." }
                p.note {
                    "The same from a shell, for "
                    @match sample {
                        Some(companies) => { (count(companies, "company", "companies")) ":" }
                        None => "all companies:",
                    }
                }
                (command(&CommandLine::reconcile(&date.to_string(), sample)))
            } @else {
                p { "Operators can compare the day with a fresh fetch from here." }
            }
        }
    }
}

/// `POST /days/{date}/reconcile`
pub(crate) async fn reconcile(
    Path(date): Path<String>,
    Operator(visitor, asked): Operator<Asked>,
) -> Result<Response, Failure> {
    let date = of_address(&date)?;
    let sample_size = match asked.sample.as_str() {
        ALL => 0,
        "" => SAMPLE,
        number => match number.parse() {
            Ok(companies) if companies > 0 => companies,
            _ => {
                return Err(Failure::Invalid(format!(
                    "sample={number} is neither a number of companies nor all"
                )));
            }
        },
    };
    let compared = tokio::time::timeout(PATIENCE, compare(&visitor.services, date, sample_size));
    let outcome = compared.await.map_err(|_| {
        Status::deadline_exceeded(format!(
            "the comparison takes longer than the {} that a page can wait: compare fewer companies, or use `activityctl \
             reconcile`",
            human_duration(PATIENCE)
        ))
    })??;
    let body = view(date, sample_size, &outcome, &visitor);
    Ok(visitor.page(Section::Overview, &format!("Comparison of {date}"), &body).into_response())
}

async fn compare(services: &Services, date: NaiveDate, sample_size: u32) -> Result<Outcome, Status> {
    let request = ReconcileRequest {
        window: Some(window_to_proto(DateWindow::day(date))),
        sample_size,
        ..ReconcileRequest::default()
    };
    let mut updates = services.pipeline().reconcile(request).await?.into_inner();
    let mut outcome = Outcome::default();
    while let Some(message) = updates.message().await? {
        match message.update {
            Some(Update::Difference(difference)) if outcome.differences.len() < SHOWN => {
                outcome.differences.push(difference);
            }
            Some(Update::Summary(summary)) => {
                outcome.summary = summary;
                return Ok(outcome);
            }
            Some(Update::Difference(_) | Update::Progress(_)) | None => {}
        }
    }
    Err(Status::unavailable("the comparison ended without a result: the service was stopped meanwhile"))
}

fn view(date: NaiveDate, sample_size: u32, outcome: &Outcome, visitor: &Visitor) -> Markup {
    let day = date.to_string();
    let summary = &outcome.summary;
    html! {
        p { "Of " (time::day(&day)) ", compared with the product API just now." }
        section {
            h2 { "Result" }
            p {
                (difference::verdict(summary)) " "
                (count(summary.compared, "company was", "companies were")) " compared, "
                (thousands(summary.mismatches)) " of them differ."
            }
            @if summary.invalid_records > 0 {
                p { (count(summary.invalid_records, "record", "records")) " of the product API cannot be read." }
            }
            @if summary.awaiting_run > 0 {
                p { (thousands(summary.awaiting_run)) " of the differences may be about to be published by a run." }
            }
            (difference::by_kind(&summary.by_kind))
            @if summary.mismatches > 0 {
                p { "To run what differs again:" }
                (command(&CommandLine::heal(&day)))
            }
        }
        section {
            h2 { "Differences" }
            @if summary.compared == 0 {
                (empty(
                    "No company has usage on this day, neither published nor at the product API.",
                    "Run the day if it ought to have some.",
                ))
            } @else if outcome.differences.is_empty() {
                (empty("No number differs.", "Nobody has to do anything."))
            } @else {
                (differences(outcome))
            }
        }
        (offer(date, visitor, sample_size))
    }
}

fn differences(outcome: &Outcome) -> Markup {
    let columns = [
        text("Company"),
        text("Kind"),
        text("Published"),
        text("Source"),
        text("Staged"),
        text("Explanation"),
    ];
    let rows = html! {
        @for difference in &outcome.differences {
            tr {
                th scope="row" { (link::company(&difference.company_id)) }
                td { (difference::words(difference.kind)) }
                td { (numbers(difference.published)) }
                td { (numbers(difference.source)) }
                td { (numbers(difference.staged)) }
                td {
                    (difference.explanation)
                    @if difference.needs_rebuild { p.note { "The day has to be rebuilt: loading it again does not mend it." } }
                    @if difference.awaits_publish { p.note { "The next publish may mend it." } }
                    @if let Some(landed) = &difference.landed {
                        @if !landed.path.is_empty() {
                            p.note { code { (landed.path) } " line " (landed.line) " of page " (landed.page) }
                        }
                    }
                }
            }
        }
    };
    let shown = u64::try_from(outcome.differences.len()).unwrap_or(u64::MAX);
    html! {
        @if shown < outcome.summary.mismatches {
            p.note { "Only the first " (thousands(shown)) " are shown; the command line shows all." }
        }
        (table("Company-days that differ, with both values", &columns, &rows))
    }
}

fn numbers(numbers: Option<UsageNumbers>) -> String {
    numbers.map_or(NONE.to_owned(), |it| {
        format!("{}, {}", count(it.active_users, "user", "users"), count(it.events, "event", "events"))
    })
}
