//! Which runs to list, as the address says it.

use contract::message::window_to_proto;
use domain::DateWindow;
use presentation::value::{run_state, run_trigger};
use proto::pipeline::v1::{ListRunsRequest, RunState, RunTrigger};

use crate::{
    failure::Failure,
    fields::{Fields, address},
};

/// Runs on a page.
const PAGE_SIZE: i32 = 50;

/// The states to choose from.
pub(crate) const STATES: [RunState; 5] =
    [RunState::Queued, RunState::Running, RunState::Succeeded, RunState::Failed, RunState::Cancelled];

/// The causes to choose from.
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
    /// If there is no such state or cause, or the days are none.
    pub(crate) fn parse(fields: &Fields) -> Result<Self, Failure> {
        let states = fields.all("state").map(|text| one_of(&STATES, state_word, "state", text));
        let triggers = fields.all("trigger").map(|text| one_of(&TRIGGERS, trigger_word, "trigger", text));
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

    /// The address of a page of the same runs; of the first one without a token.
    pub(crate) fn address(&self, page_token: &str) -> String {
        let days = self.days.map(|days| [("from", days.start().to_string()), ("to", days.end().to_string())]);
        let states = self.states.iter().map(|state| ("state", state_word(*state)));
        let triggers = self.triggers.iter().map(|trigger| ("trigger", trigger_word(*trigger)));
        let page = (!page_token.is_empty()).then(|| ("page", page_token.to_owned()));
        let fields: Vec<_> = states.chain(triggers).chain(days.into_iter().flatten()).chain(page).collect();
        address("/runs", fields.iter().map(|(name, value)| (*name, value.as_str())))
    }

    /// Whether it leaves anything out.
    pub(crate) fn is_narrow(&self) -> bool {
        !self.states.is_empty() || !self.triggers.is_empty() || self.days.is_some()
    }

    pub(crate) fn is_first_page(&self) -> bool {
        self.page_token.is_empty()
    }
}

/// A state as addresses spell it.
pub(crate) fn state_word(state: RunState) -> String {
    run_state(state.into()).to_lowercase()
}

/// A cause as addresses spell it.
pub(crate) fn trigger_word(trigger: RunTrigger) -> String {
    run_trigger(trigger.into()).to_lowercase()
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
        let asked =
            "/runs?state=failed&state=running&trigger=backfill&from=2026-02-01&to=2026-02-12&page=a%2Bb";
        let filter = Filter::parse(&Fields::parse(asked.split_once('?').unwrap().1.as_bytes())).unwrap();
        let request = filter.request();
        assert_eq!(request.states, [RunState::Failed as i32, RunState::Running as i32]);
        assert_eq!(request.triggers, [RunTrigger::Backfill as i32]);
        assert_eq!(request.days.unwrap().end_date, "2026-02-12");
        assert_eq!(request.page_token, "a+b");
        assert_eq!(filter.address("a+b"), asked);
        assert_eq!(filter.address(""), asked.trim_end_matches("&page=a%2Bb"));
        assert_eq!(Filter::default().address(""), "/runs");
    }

    #[test]
    fn an_unknown_state_is_refused_with_those_there_are() {
        let refused = Filter::parse(&Fields::parse(b"state=lost")).unwrap_err().to_string();
        assert!(refused.contains("\"lost\"") && refused.contains("queued, running"), "{refused}");
    }
}
