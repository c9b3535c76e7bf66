//! Commands of `activityctl` that do what somebody is about to do elsewhere, as a shell takes them.

use std::fmt;

use proto::{
    pipeline::v1::{BackfillRequest, TriggerRunRequest},
    quarantine::v1::{QuarantineFilter, QuarantineState},
    stage::v1::DateWindow,
};

/// The days per run of a backfill that does not say.
const DEFAULT_CHUNK_DAYS: u32 = 31;

/// A command line of `activityctl`. Displayed with its words quoted, so that a shell hands over
/// exactly these words, whatever they hold.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CommandLine(Vec<String>);

impl CommandLine {
    /// Starts a run. A request that means far days is a forced one: the command has no other way
    /// to mean them.
    #[must_use]
    pub fn trigger(request: &TriggerRunRequest) -> Self {
        let accepted = request.accept_empty_days.iter().flat_map(|day| ["--accept-empty", day]);
        Self::new("trigger")
            .with(days(request.window.as_ref()))
            .with((request.force || request.beyond_reach).then_some("--force"))
            .with(request.beyond_reach.then_some("--yes"))
            .with(accepted)
            .with((!request.rebuild_days.is_empty()).then_some("--rebuild"))
            .with(request.from_staging.then_some("--from-staging"))
    }

    /// Continues a run and waits for it.
    #[must_use]
    pub fn retry(run_id: &str) -> Self {
        Self::new("retry").with([run_id, "--wait"])
    }

    /// Cancels a run.
    #[must_use]
    pub fn cancel(run_id: &str) -> Self {
        Self::new("cancel").with([run_id])
    }

    /// Shows a run until it has ended.
    #[must_use]
    pub fn watch(run_id: &str) -> Self {
        Self::new("watch").with([run_id])
    }

    /// Runs a backfill.
    #[must_use]
    pub fn backfill(request: &BackfillRequest) -> Self {
        let BackfillRequest { window, force, chunk_days, beyond_reach, .. } = request;
        let chunk = (!matches!(*chunk_days, 0 | DEFAULT_CHUNK_DAYS)).then(|| chunk_days.to_string());
        Self::new("backfill")
            .with(range(window.as_ref()))
            .with((*force || *beyond_reach).then_some("--force"))
            .with(beyond_reach.then_some("--yes"))
            .with(chunk.iter().flat_map(|days| ["--chunk-days", days]))
    }

    /// The same command, as it only shows what would change.
    #[must_use]
    pub fn dry_run(self) -> Self {
        self.with(["--dry-run"])
    }

    /// Compares a day with the product API: this many companies of it, or all of them.
    #[must_use]
    pub fn reconcile(day: &str, sample: Option<u32>) -> Self {
        let command = Self::new("reconcile");
        let command = match sample {
            Some(companies) => command.with(["--sample", &companies.to_string()]),
            None => command.with(["--all"]),
        };
        command.with(["--date", day])
    }

    /// Compares a whole day with the product API, and runs it again if it differs.
    #[must_use]
    pub fn heal(day: &str) -> Self {
        Self::reconcile(day, None).with(["--heal"])
    }

    /// Accepts the open ones of rows in quarantine; `None` if the filter has no condition, because
    /// all rows are not accepted at once, or is about accepted rows alone.
    #[must_use]
    pub fn accept_quarantined(filter: &QuarantineFilter, why: &str) -> Option<Self> {
        let conditions = conditions(filter);
        let command = Self::new("quarantine").with(["accept"]);
        let is_accepted = filter.state() == QuarantineState::Accepted;
        (!conditions.is_empty() && !is_accepted).then(|| command.with(conditions).with(["--why", why]))
    }

    /// Loads rows in quarantine once more and waits for it.
    #[must_use]
    pub fn replay_quarantined(filter: &QuarantineFilter) -> Self {
        // Without it the command takes those that nobody has accepted.
        let state = match filter.state() {
            QuarantineState::Open => &[][..],
            QuarantineState::Accepted => &["--state", "accepted"],
            QuarantineState::Unspecified => &["--state", "all"],
        };
        Self::new("quarantine")
            .with(["replay"])
            .with(conditions(filter))
            .with(state.iter().copied())
            .with(["--wait"])
    }

    /// The words, the program's name first.
    #[must_use]
    pub fn words(&self) -> &[String] {
        &self.0
    }

    fn new(command: &str) -> Self {
        Self(vec!["activityctl".to_owned(), command.to_owned()])
    }

    fn with<'a>(mut self, words: impl IntoIterator<Item = &'a str>) -> Self {
        self.0.extend(words.into_iter().map(ToOwned::to_owned));
        self
    }
}

fn days(window: Option<&DateWindow>) -> Vec<&str> {
    match window {
        Some(DateWindow { start_date, end_date }) if start_date == end_date => vec!["--date", start_date],
        other => range(other),
    }
}

fn range(window: Option<&DateWindow>) -> Vec<&str> {
    window.map_or_else(Vec::new, |DateWindow { start_date, end_date }| {
        vec!["--from", start_date, "--to", end_date]
    })
}

fn conditions(filter: &QuarantineFilter) -> Vec<&str> {
    [
        ("--origin", &filter.origin),
        ("--below", &filter.origin_prefix),
        ("--reason", &filter.kind),
        ("--stage", &filter.stage),
    ]
    .into_iter()
    .filter(|(_, value)| !value.is_empty())
    .flat_map(|(flag, value)| [flag, value])
    .chain(days(filter.days.as_ref()))
    .collect()
}

impl fmt::Display for CommandLine {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (position, word) in self.0.iter().enumerate() {
            if position > 0 {
                f.write_str(" ")?;
            }
            f.write_str(&quoted(word))?;
        }
        Ok(())
    }
}

/// A word as POSIX shells read it.
fn quoted(word: &str) -> String {
    let is_plain = |letter: char| letter.is_ascii_alphanumeric() || "-_./:=,+@%".contains(letter);
    if !word.is_empty() && word.chars().all(is_plain) {
        return word.to_owned();
    }
    format!("'{}'", word.replace('\'', r"'\''"))
}

#[cfg(test)]
mod tests {
    use std::process::Command;

    use super::*;

    fn window(from: &str, to: &str) -> Option<DateWindow> {
        Some(DateWindow { start_date: from.to_owned(), end_date: to.to_owned() })
    }

    #[test]
    fn a_shell_hands_over_exactly_the_words() {
        for hostile in
            ["", "a b", "it's", "$(reboot)", "`id`", "; rm -rf ~", "line\nfeed", "\"", "\\", "*", "~", "🦀"]
        {
            let command = CommandLine::cancel(hostile);
            let script = format!("activityctl() {{ printf '%s|' \"$@\"; }}\n{command}");
            let printed = Command::new("sh").arg("-c").arg(script).output().unwrap();
            assert_eq!(String::from_utf8(printed.stdout).unwrap(), format!("cancel|{hostile}|"), "{command}");
        }
    }

    #[test]
    fn a_command_says_no_more_than_it_has_to() {
        let trigger = TriggerRunRequest::default();
        assert_eq!(CommandLine::trigger(&trigger).to_string(), "activityctl trigger");
        let trigger = TriggerRunRequest {
            window: window("2026-01-01", "2026-01-01"),
            beyond_reach: true,
            accept_empty_days: vec!["2026-01-01".to_owned()],
            ..trigger
        };
        assert_eq!(
            CommandLine::trigger(&trigger).to_string(),
            "activityctl trigger --date 2026-01-01 --force --yes --accept-empty 2026-01-01"
        );
        let backfill = BackfillRequest {
            window: window("2026-01-01", "2026-01-01"),
            chunk_days: 31,
            ..BackfillRequest::default()
        };
        assert_eq!(
            CommandLine::backfill(&backfill).to_string(),
            "activityctl backfill --from 2026-01-01 --to 2026-01-01"
        );
        let backfill = BackfillRequest { force: true, chunk_days: 7, ..backfill };
        assert_eq!(
            CommandLine::backfill(&backfill).dry_run().to_string(),
            "activityctl backfill --from 2026-01-01 --to 2026-01-01 --force --chunk-days 7 --dry-run"
        );
    }

    #[test]
    fn rows_in_quarantine_are_named_by_their_conditions() {
        let none = QuarantineFilter { state: QuarantineState::Open.into(), ..Default::default() };
        assert_eq!(CommandLine::accept_quarantined(&none, "known"), None);
        assert_eq!(
            CommandLine::replay_quarantined(&none).to_string(),
            "activityctl quarantine replay --wait"
        );
        for (state, expected) in [
            (QuarantineState::Accepted, "activityctl quarantine replay --state accepted --wait"),
            (QuarantineState::Unspecified, "activityctl quarantine replay --state all --wait"),
        ] {
            let filter = QuarantineFilter { state: state.into(), ..none.clone() };
            assert_eq!(CommandLine::replay_quarantined(&filter).to_string(), expected);
        }
        let filter = QuarantineFilter {
            origin: "crm/it's.csv".to_owned(),
            kind: "FIELD".to_owned(),
            days: window("2026-01-01", "2026-01-01"),
            ..none
        };
        assert_eq!(
            CommandLine::accept_quarantined(&filter, "a test").unwrap().to_string(),
            r"activityctl quarantine accept --origin 'crm/it'\''s.csv' --reason FIELD --date 2026-01-01 --why 'a test'"
        );
    }

    #[test]
    fn a_day_is_compared_by_a_sample_or_as_a_whole() {
        assert_eq!(
            CommandLine::reconcile("2026-01-01", Some(200)).to_string(),
            "activityctl reconcile --sample 200 --date 2026-01-01"
        );
        assert_eq!(
            CommandLine::heal("2026-01-01").to_string(),
            "activityctl reconcile --all --date 2026-01-01 --heal"
        );
    }
}
