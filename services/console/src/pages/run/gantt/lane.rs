//! What a stage did when: its attempts, and what it waited for between them.

use chrono::{DateTime, Utc};
use presentation::value::{human_duration, instant, to_the_second};
use proto::pipeline::v1::{Run, RunStage, StageState};

use crate::{
    html::state::stage_word,
    pages::run::attempts::{self, Attempt, Outcome},
};

/// A stage on the timeline.
#[derive(Debug)]
pub(super) struct Lane {
    pub(super) stage: String,
    /// Its state, with the attempt if there was more than one.
    pub(super) word: String,
    pub(super) marks: Vec<Mark>,
    /// When its first attempt on record began.
    pub(super) start: Option<DateTime<Utc>>,
    /// When it ended.
    pub(super) end: Option<DateTime<Utc>>,
}

/// A stretch of time.
#[derive(Debug)]
pub(super) struct Mark {
    pub(super) from: DateTime<Utc>,
    pub(super) to: DateTime<Utc>,
    pub(super) class: &'static str,
    pub(super) is_wait: bool,
    pub(super) title: String,
}

/// An attempt with its bar.
struct Bar {
    number: u32,
    from: DateTime<Utc>,
    to: DateTime<Utc>,
    class: &'static str,
    title: String,
}

impl Lane {
    pub(super) fn of(stage: &RunStage, run: &Run, started: DateTime<Utc>, now: DateTime<Utc>) -> Self {
        let attempts: Vec<Bar> = attempts::of(stage).iter().filter_map(|one| bar(one, now)).collect();
        let mut marks = Vec::new();
        let mut free = ready(stage, run, started);
        for attempt in &attempts {
            if let Some(since) = free.filter(|since| *since < attempt.from) {
                let what = if attempt.number > 1 { "for the next attempt" } else { "for its turn" };
                marks.push(wait(since, attempt.from, what));
            }
            marks.push(Mark {
                from: attempt.from,
                to: attempt.to,
                class: attempt.class,
                is_wait: false,
                title: attempt.title.clone(),
            });
            free = Some(attempt.to);
        }
        marks.extend(open_wait(stage, free, now));
        Self {
            stage: stage.stage.clone(),
            word: word(stage),
            start: attempts.first().map(|attempt| attempt.from),
            end: instant(stage.end_time.as_ref()).filter(|_| stage.state() == StageState::Succeeded),
            marks,
        }
    }
}

/// When the stages it waits for had ended; `None` while one of them has not.
fn ready(stage: &RunStage, run: &Run, started: DateTime<Utc>) -> Option<DateTime<Utc>> {
    let before = run.stages.iter().filter(|before| stage.depends_on.contains(&before.stage));
    before
        .map(|before| instant(before.end_time.as_ref()))
        .try_fold(started, |latest, end| Some(latest.max(end?)))
}

fn bar(attempt: &Attempt<'_>, now: DateTime<Utc>) -> Option<Bar> {
    let from = instant(attempt.start)?;
    let end = if attempt.outcome == Outcome::Running { Some(now) } else { instant(attempt.end) };
    let to = end.unwrap_or(from).max(from);
    let took = human_duration(length(from, to));
    let Attempt { number, error_code, error_message, outcome, .. } = *attempt;
    let class = match outcome {
        Outcome::Running => "running",
        Outcome::Succeeded => "succeeded",
        Outcome::Failed => "failed",
        Outcome::Interrupted | Outcome::Unknown => "interrupted",
    };
    let why = if error_code.is_empty() { String::new() } else { format!(" ({error_code}: {error_message})") };
    let title = match outcome {
        Outcome::Running => format!("Attempt {number}: running for {took}"),
        Outcome::Unknown => format!("Attempt {number}: how it ended is not on record"),
        _ => format!("Attempt {number}: {}{why} after {took}", outcome.word()),
    };
    Some(Bar { number, from, to, class, title })
}

/// What a stage waits for now.
fn open_wait(stage: &RunStage, free: Option<DateTime<Utc>>, now: DateTime<Utc>) -> Option<Mark> {
    if stage.state() != StageState::Pending {
        return None;
    }
    if let Some(since) = instant(stage.waiting_for_service_since.as_ref()) {
        return Some(wait(since, now, &format!("for a connection to {}", stage.service)));
    }
    if let Some(due) = instant(stage.next_attempt_time.as_ref()) {
        let what =
            format!("for the next attempt, due at {}", to_the_second(stage.next_attempt_time.as_ref()));
        return Some(wait(free.unwrap_or(now), due.max(now), &what));
    }
    free.filter(|since| *since < now).map(|since| wait(since, now, "for its turn"))
}

fn wait(from: DateTime<Utc>, to: DateTime<Utc>, what: &str) -> Mark {
    let to = to.max(from);
    let title = format!("Waited {} {what}", human_duration(length(from, to)));
    Mark { from, to, class: "waiting", is_wait: true, title }
}

fn word(stage: &RunStage) -> String {
    let state = stage_word(stage.state());
    if stage.attempt > 1 { format!("{state}, attempt {}", stage.attempt) } else { state }
}

fn length(from: DateTime<Utc>, to: DateTime<Utc>) -> std::time::Duration {
    (to - from).to_std().unwrap_or_default()
}
