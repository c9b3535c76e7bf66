//! Which rows of the quarantine are shown, and the commands that are about the same.

use contract::message::window_to_proto;
use domain::{DateWindow, RejectionKind};
use maud::{Markup, html};
use presentation::command::CommandLine;
use proto::quarantine::v1::{QuarantineFilter, QuarantineState};
use serde::Deserialize;

use crate::{
    failure::Failure,
    fields::optional_day,
    html::{address::Address, choice::ANY, command::command, form},
};

/// What the address says.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(crate) struct Asked {
    pub(super) kind: String,
    pub(super) origin: String,
    pub(super) below: String,
    pub(super) stage: String,
    pub(super) date: String,
    pub(super) state: String,
    pub(super) page: String,
    /// The page of the comparisons.
    pub(super) comparisons: String,
}

/// The fields of a filter.
const FIELDS: [&str; 6] = ["kind", "origin", "below", "stage", "date", "state"];
const STATES: [(&str, &str); 3] = [("", "open"), ("accepted", "accepted"), ("all", "open and accepted")];

impl Asked {
    /// The filter in the contract's words.
    ///
    /// # Errors
    /// If the day is none.
    pub(super) fn filter(&self) -> Result<QuarantineFilter, Failure> {
        let days = optional_day(&self.date)?.map(|day| window_to_proto(DateWindow::day(day)));
        let state = match self.state.as_str() {
            "accepted" => QuarantineState::Accepted,
            "all" => QuarantineState::Unspecified,
            _ => QuarantineState::Open,
        };
        Ok(QuarantineFilter {
            origin: self.origin.clone(),
            // The contract takes one of the two, and the file says more.
            origin_prefix: if self.origin.is_empty() { self.below.clone() } else { String::new() },
            line: 0,
            kind: self.kind.clone(),
            stage: self.stage.clone(),
            days,
            state: state.into(),
        })
    }
}

pub(super) fn form(asked: &Asked, address: &Address) -> Markup {
    html! {
        form.row method="get" action="/quality" role="search" aria-label="Rows in quarantine" {
            label {
                "Reason"
                select name="kind" {
                    option value="" { (ANY) }
                    @for kind in RejectionKind::ALL.map(RejectionKind::as_str) {
                        option value=(kind) selected[asked.kind == kind] { (kind) }
                    }
                }
            }
            label { "File" input name="origin" value=(asked.origin) maxlength="1024"; }
            label { "Files below" input name="below" value=(asked.below) maxlength="1024"; }
            label { "Stage" input name="stage" value=(asked.stage) maxlength="256"; }
            label { "Day" input type="date" name="date" value=(asked.date); }
            label {
                "State"
                select name="state" {
                    @for (value, name) in STATES { option value=(value) selected[asked.state == value] { (name) } }
                }
            }
            (form::kept(address, &FIELDS))
            button type="submit" { "Show" }
            a.button.plain href="/quality" { "Clear" }
        }
    }
}

/// What can be done with these rows.
pub(super) fn commands(filter: &QuarantineFilter) -> Markup {
    html! {
        details {
            summary { "What can be done with these rows" }
            @if let Some(accept) = CommandLine::accept_quarantined(filter, "what is known of them") {
                p { "Accept them as they are, so that they no longer count as open:" }
                (command(&accept))
            } @else if filter.state() == QuarantineState::Accepted {
                p.note { "They are accepted already." }
            } @else {
                p.note { "Rows are accepted by a condition: choose a file, reason, stage or day first." }
            }
            p { "Load them once more, after a mend at the source or of a rule:" }
            (command(&CommandLine::replay_quarantined(filter)))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_address_is_the_filter_and_the_commands_are_about_the_same() {
        let asked = Asked {
            kind: "FIELD".into(),
            origin: "crm/it's.csv".into(),
            below: "crm/".into(),
            date: "2026-02-12".into(),
            ..Asked::default()
        };
        let filter = asked.filter().unwrap();
        assert_eq!((filter.origin.as_str(), filter.origin_prefix.as_str()), ("crm/it's.csv", ""));
        assert_eq!(filter.days.as_ref().map(|days| days.end_date.as_str()), Some("2026-02-12"));
        assert_eq!(filter.state(), QuarantineState::Open);
        let shown = commands(&filter).into_string();
        assert!(
            shown.contains(r"accept --origin 'crm/it'\''s.csv' --reason FIELD --date 2026-02-12"),
            "{shown}"
        );
        assert!(!commands(&QuarantineFilter::default()).into_string().contains("quarantine accept"));
        Asked { date: "2026-02-30".into(), ..Asked::default() }.filter().unwrap_err();
    }
}
