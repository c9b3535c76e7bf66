//! Where marks are, and what they say.

use prost_types::Timestamp;
use proto::pipeline::v1::{RunStage, RunState, StageAttempt, StageState};

use super::*;
use crate::scripted::{HOSTILE, assert_harmless};

fn at(seconds: i64) -> Option<Timestamp> {
    Some(Timestamp { seconds, nanos: 0 })
}

fn time(seconds: i64) -> DateTime<Utc> {
    DateTime::from_timestamp(seconds, 0).unwrap()
}

fn stage(name: &str, after: &[&str], state: StageState, start: i64, end: Option<i64>) -> RunStage {
    RunStage {
        stage: name.into(),
        service: format!("{name}-service"),
        depends_on: after.iter().map(|name| (*name).to_owned()).collect(),
        state: state.into(),
        attempt: 1,
        start_time: at(start),
        end_time: end.and_then(at),
        ..RunStage::default()
    }
}

fn pending(name: &str, after: &[&str]) -> RunStage {
    RunStage { attempt: 0, start_time: None, ..stage(name, after, StageState::Pending, 0, None) }
}

fn failed(attempt: u32, start: i64, end: i64, is_interruption: bool) -> StageAttempt {
    StageAttempt {
        attempt,
        start_time: at(start),
        end_time: at(end),
        error_code: "UNAVAILABLE".into(),
        error_message: "503".into(),
        is_interruption,
    }
}

fn run(stages: Vec<RunStage>) -> Run {
    Run { state: RunState::Running.into(), start_time: at(100), stages, ..Run::default() }
}

/// The marks of the last stage: class, seconds since the run's start, title.
fn marks(run: &Run, now: i64) -> Vec<(&'static str, i64, i64, String)> {
    let lane = Lane::of(run.stages.last().unwrap(), run, time(100), time(now));
    let seconds = |at: DateTime<Utc>| at.timestamp() - 100;
    lane.marks
        .into_iter()
        .map(|mark| (mark.class, seconds(mark.from), seconds(mark.to), mark.title))
        .collect()
}

#[test]
fn every_attempt_has_a_bar_and_what_it_waited_for_a_thinner_one() {
    let mut retried = stage("api", &["crm"], StageState::Running, 150, None);
    retried.attempt = 3;
    retried.earlier_attempts = vec![failed(1, 110, 120, false), failed(2, 130, 140, true)];
    let run = run(vec![stage("crm", &[], StageState::Succeeded, 100, Some(105)), retried]);
    let expected = [
        ("waiting", 5, 10, "Waited 5.0 s for its turn"),
        ("failed", 10, 20, "Attempt 1: failed (UNAVAILABLE: 503) after 10.0 s"),
        ("waiting", 20, 30, "Waited 10.0 s for the next attempt"),
        ("interrupted", 30, 40, "Attempt 2: interrupted (UNAVAILABLE: 503) after 10.0 s"),
        ("waiting", 40, 50, "Waited 10.0 s for the next attempt"),
        ("running", 50, 70, "Attempt 3: running for 20.0 s"),
    ];
    assert_eq!(
        marks(&run, 170),
        expected.map(|(class, from, to, title)| (class, from, to, title.to_owned()))
    );
}

#[test]
fn a_stage_that_waits_says_for_what() {
    let mut waiting = RunStage { attempt: 1, ..pending("api", &[]) };
    waiting.earlier_attempts = vec![failed(1, 110, 120, false)];
    waiting.next_attempt_time = at(150);
    let title = "Waited 30.0 s for the next attempt, due at 1970-01-01T00:02:30Z";
    assert_eq!(
        marks(&run(vec![waiting.clone()]), 125).last().unwrap(),
        &("waiting", 20, 50, title.to_owned())
    );
    waiting.waiting_for_service_since = at(121);
    let title = "Waited 4.0 s for a connection to api-service";
    assert_eq!(marks(&run(vec![waiting]), 125).last().unwrap(), &("waiting", 21, 25, title.to_owned()));
    // What waits for another stage that is not done has nothing to show yet.
    let crm = stage("crm", &[], StageState::Running, 100, None);
    assert_eq!(marks(&run(vec![crm, pending("build", &["crm"])]), 125), []);
}

#[test]
fn an_attempt_ends_where_it_did_whatever_has_become_of_its_stage() {
    for (state, end) in [
        (StageState::Pending, None),
        (StageState::Failed, Some(120)),
        (StageState::Cancelled, Some(190)),
        (StageState::Skipped, Some(190)),
    ] {
        let mut ended = stage("api", &[], state, 110, end);
        ended.earlier_attempts = vec![failed(1, 110, 120, false)];
        let marks = marks(&run(vec![ended]), 200);
        let title = "Attempt 1: failed (UNAVAILABLE: 503) after 10.0 s".to_owned();
        assert_eq!(marks[1], ("failed", 10, 20, title), "{state:?}");
        assert_eq!(marks.len(), if state == StageState::Pending { 3 } else { 2 }, "{state:?}");
    }
}

#[test]
fn a_stage_that_had_succeeded_and_starts_over_has_not_failed() {
    for state in [StageState::Pending, StageState::Cancelled] {
        let mut reopened = stage("api", &[], state, 130, None);
        reopened.attempt = 2;
        reopened.error_code = "UNAVAILABLE".into();
        reopened.earlier_attempts = vec![failed(1, 110, 120, false)];
        let marks = marks(&run(vec![reopened]), 140);
        let title = "Attempt 2: how it ended is not on record".to_owned();
        assert_eq!(marks[3], ("interrupted", 30, 30, title), "{state:?}");
    }
}

#[test]
fn the_drawing_has_a_lane_per_stage_an_axis_and_lines_between_stages() {
    let stages = vec![
        stage("crm", &[], StageState::Succeeded, 100, Some(120)),
        stage("build", &["crm"], StageState::Failed, 120, Some(200)),
        RunStage { state: StageState::Skipped.into(), ..pending("publish", &["build"]) },
    ];
    let run = Run { state: RunState::Failed.into(), end_time: at(200), ..run(stages) };
    let html = view(&run, time(999)).0;
    assert_eq!(html.matches("<g class=\"lane\">").count(), 3);
    assert_eq!(html.matches("class=\"edge\"").count(), 1, "{html}");
    assert!(html.contains("<rect class=\"span succeeded\" x=\"250.0\""), "{html}");
    assert!(html.contains("<title>Attempt 1: failed"), "{html}");
    assert!(html.contains(">0:00</text>") && html.contains(">1:15</text>"), "{html}");
    assert!(html.contains("crm succeeded, build failed, publish skipped."), "{html}");
    assert_harmless(&html);
}

#[test]
fn ticks_are_few_and_round() {
    for (length, step) in [(1, 1), (8, 1), (9, 2), (95, 15), (3_600, 600), (400_000, 86_400)] {
        let run = Run { end_time: at(100 + length), ..run(vec![]) };
        let ticks = Scale::over(&run, &[], time(100), time(0)).ticks();
        assert!(ticks.len() <= 10, "{ticks:?}");
        let expected = if step < 3_600 {
            format!("{}:{:02}", step / 60, step % 60)
        } else {
            format!("{}:00:00", step / 3_600)
        };
        assert_eq!(ticks[1].1, expected, "{length}");
        assert!(ticks.iter().all(|(at, _)| (0.0..=1.0).contains(at)), "{ticks:?}");
    }
}

#[test]
fn clocks_that_disagree_and_hostile_names_break_nothing() {
    let mut odd = stage(HOSTILE, &[], StageState::Failed, 90, Some(80));
    odd.error_message = HOSTILE.to_owned();
    let html = view(&run(vec![odd]), time(95)).0;
    assert_harmless(&html);
    assert!(!html.contains("width=\"-") && !html.contains("NaN"), "{html}");
}

#[test]
fn before_the_run_has_begun_there_is_no_timeline() {
    let html = view(&Run { state: RunState::Queued.into(), ..Run::default() }, time(0)).0;
    assert!(html.contains("begins when the run does") && !html.contains("<svg"), "{html}");
}
