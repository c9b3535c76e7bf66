//! Why a company-day says what it says.

use maud::{Markup, html};
use presentation::{
    fact::columns,
    value::{landed_file_state, landed_line_use},
};
use proto::{
    activity::v1::CompanyActivity,
    reconciliation::v1::{ExplainedCell, ExplainedDay, Explanation, LandedLine},
};

use super::explained_past::{changes, crm};
use crate::html::{
    address::Address,
    link,
    number::thousands,
    table::{number, table, text},
    time::{self, NONE},
};

pub(super) fn view(explanation: &Explanation, address: &Address) -> Markup {
    html! {
        @for statement in &explanation.statements { p { strong { (statement) } } }
        @if let Some(publication) = &explanation.publication {
            p.note {
                "The day was published " (link::done(publication.publish_time.as_ref(), &publication.run_id))
                @if !explanation.written_by.is_empty() {
                    ", these values by " (link::run(&explanation.written_by))
                }
                "."
            }
        }
        @if !explanation.cells.is_empty() {
            h3 { "Row" }
            (cells(explanation))
        }
        @if !explanation.days.is_empty() {
            h3 { "Days that it is made of" }
            (days(&explanation.days))
        }
        (crm(explanation))
        (changes(&explanation.changes))
        p { a href=(address.without("explain")) { "Close the explanation" } }
    }
}

fn cells(explanation: &Explanation) -> Markup {
    let (published, staged) = (explanation.published.as_ref(), explanation.staged.as_ref());
    let heads = [text("Column"), text("Published"), text("Staged"), text("Rule"), text("Reckoning")];
    let rows = html! {
        @for cell in &explanation.cells { (row(cell, published, staged)) }
    };
    table("Cells with their rules", &heads, &rows)
}

fn row(
    cell: &ExplainedCell,
    published: Option<&CompanyActivity>,
    staged: Option<&CompanyActivity>,
) -> Markup {
    let shown = |row: Option<&CompanyActivity>| row.map_or(NONE.to_owned(), |row| value(row, &cell.column));
    html! {
        tr id=(format!("cell-{}", cell.column)) {
            th scope="row" { code { (cell.column) } }
            td { (shown(published)) }
            td {
                @if cell.differs { mark { (shown(staged)) " – differs" } } @else { span.whole { "the same" } }
            }
            td { (cell.rule) }
            td { (cell.reckoning) }
        }
    }
}

/// A column's value as in CSV.
pub(super) fn value(row: &CompanyActivity, column: &str) -> String {
    let found = columns(row).into_iter().find(|(name, _)| *name == column);
    let text = found.map(|(_, value)| value.to_string()).unwrap_or_default();
    if text.is_empty() { NONE.to_owned() } else { text }
}

fn days(days: &[ExplainedDay]) -> Markup {
    let heads =
        [text("Day"), number("Users"), number("Events"), text("Record"), text("File"), text("Fetched")];
    let rows = html! {
        @for day in days {
            tr {
                th scope="row" { (time::day(&day.date)) }
                td.number { (day.record.map_or(NONE.to_owned(), |it| thousands(it.active_users))) }
                td.number { (day.record.map_or(NONE.to_owned(), |it| thousands(it.events))) }
                td {
                    (day.statement)
                    @for line in &day.lines { p.note { (said(line)) } }
                }
                td { (file(day)) }
                td {
                    @match &day.fetch {
                        Some(fetch) => { (link::done(fetch.fetch_time.as_ref(), &fetch.run_id)) }
                        None => (NONE),
                    }
                }
            }
        }
    };
    table("Usage of the days", &heads, &rows)
}

fn file(day: &ExplainedDay) -> Markup {
    let Some(fetch) = &day.fetch else { return html! { (NONE) } };
    html! {
        @if fetch.landing_path.is_empty() { "the answer had no records" } @else { code { (fetch.landing_path) } }
        @if let Some(state) = landed_file_state(day.file_state) { p.note { (state.to_lowercase()) } }
        @if fetch.quarantined_records > 0 {
            p.note {
                // By the file, as the day's page counts them: a day has other rows there, too.
                a href=(Address::new("/quality").with("origin", &fetch.landing_path).with("state", "all")) {
                    (thousands(fetch.quarantined_records)) " in quarantine, of any company"
                }
            }
        }
    }
}

/// A line of the landed file: where it stands, what became of it, what it says.
fn said(line: &LandedLine) -> String {
    let mut said = format!("line {}", line.line);
    if let Some(page) = line.page {
        said.push_str(&format!(" of page {page}"));
    }
    said.push_str(&format!(": {}", landed_line_use(line.r#use).to_lowercase()));
    if let Some(numbers) = line.numbers {
        said.push_str(&format!(
            ", {} users and {} events",
            thousands(numbers.active_users),
            thousands(numbers.events)
        ));
    }
    if !line.reason.is_empty() {
        said.push_str(&format!(", {}", line.reason));
    }
    said
}
