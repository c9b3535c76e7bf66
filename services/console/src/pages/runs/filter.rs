//! Which runs to list, as the address says it.

use contract::message::window_to_proto;
use domain::DateWindow;
use proto::pipeline::v1::{ListRunsRequest, RunState, RunTrigger};

use crate::{failure::Failure, fields::Fields, html::state};

/// Runs on a page.
const PAGE_SIZE: i32 = 50;

/// The states to choose from.
pub(crate) const STATES: [RunState; 5] =
    [RunState::Queued, RunState::Running, RunState::Succeeded, RunState::Failed, RunState::Cancelled];

/// The triggers to choose from.
pub(crate) const TRIGGERS: [RunTrigger; 4] =
    [RunTrigger::Manual, RunTrigger::Scheduled, RunTrigger::Backfill, RunTrigger::Unpublish];

/// Which runs to list.
#[derive(Debug, Clone, Default, PartialEq)]
pub(crate) struct Filter {
    pub(crate) states: Vec<RunState>,
    pub(crate) triggers: Vec<RunTrigger>,
    pub(crate) days: Option<DateWindow>,
    page_token: String,
}

impl Filter {
    /// The filter of an address.
    ///
    /// # Errors
    /// If there is no such state or trigger, or the days are none.
    pub(crate) fn parse(fields: &Fields) -> Result<Self, Failure> {
        let states = fields.all("state").map(|text| one_of(&STATES, state::run_word, "state", text));
        let triggers =
            fields.all("trigger").map(|text| one_of(&TRIGGERS, state::trigger_word, "trigger", text));
        Ok(Self {
            states: states.collect::<Result<_, _>>()?,
            triggers: triggers.collect::<Result<_, _>>()?,
            days: fields.window()?,
            page_token: fields.text("page").to_owned(),
        })
    }

    /// What to ask the coordinator.
    pub(crate) fn request(&self) -> ListRunsRequest {
        ListRunsRequest {
            page_size: PAGE_SIZE,
            page_token: self.page_token.clone(),
            states: self.states.iter().copied().map(Into::into).collect(),
            triggers: self.triggers.iter().copied().map(Into::into).collect(),
            days: self.days.map(window_to_proto),
        }
    }

    /// Whether it leaves anything out.
    pub(crate) fn is_narrow(&self) -> bool {
        !self.states.is_empty() || !self.triggers.is_empty() || self.days.is_some()
    }
}

fn one_of<T: Copy>(known: &[T], word: fn(T) -> String, name: &str, text: &str) -> Result<T, Failure> {
    let found = known.iter().copied().find(|one| word(*one).eq_ignore_ascii_case(text));
    found.ok_or_else(|| {
        let words: Vec<String> = known.iter().copied().map(word).collect();
        Failure::Invalid(format!("there is no {name} {text:?}; there are {}", words.join(", ")))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_says_the_filter_and_the_page() {
        let asked = b"state=failed&state=running&trigger=backfill&from=2026-02-01&to=2026-02-12&page=a%2Bb";
        let request = Filter::parse(&Fields::parse(asked)).unwrap().request();
        assert_eq!(request.states, [RunState::Failed as i32, RunState::Running as i32]);
        assert_eq!(request.triggers, [RunTrigger::Backfill as i32]);
        assert_eq!(request.days.unwrap().end_date, "2026-02-12");
        assert_eq!(request.page_token, "a+b");
    }

    #[test]
    fn an_unknown_state_is_refused_with_those_there_are() {
        let refused = Filter::parse(&Fields::parse(b"state=lost")).unwrap_err().to_string();
        assert!(refused.contains("\"lost\"") && refused.contains("queued, running"), "{refused}");
    }
}
