use std::collections::BTreeSet;

use chrono::DateTime;
use domain::{RunState, run::STAGE_CALL_PRODUCT_API};
use futures::executor::block_on;
use uuid::Uuid;

use super::*;
use crate::runs::NewStage;

fn day(number: u32) -> NaiveDate {
    NaiveDate::from_ymd_opt(2026, 1, number).unwrap()
}

fn run(number: u128) -> Run {
    Run {
        run_id: Uuid::from_u128(number),
        pipeline: "daily".into(),
        window: DateWindow::day(day(10)),
        trigger: RunTrigger::Manual,
        accept_empty_days: BTreeSet::new(),
        rebuild_days: BTreeSet::new(),
        requested_by: None,
        state: RunState::Running,
        lease_epoch: 1,
        created_at: DateTime::UNIX_EPOCH,
        started_at: None,
        ended_at: None,
        traceparent: None,
        stages: vec![],
    }
}

/// Returns what it was set up with.
#[derive(Default)]
struct Known {
    active_through: Option<Run>,
    active_over: Option<Run>,
    succeeded_over: Option<Run>,
    publisher: Option<Run>,
    facts: PublishedFacts,
    first_unpublished: Option<NaiveDate>,
}

#[async_trait]
impl RunLookup for Known {
    type Error = Error;

    async fn active_through(&mut self, _: &str, _: NaiveDate) -> Result<Option<Run>, Error> {
        Ok(self.active_through.clone())
    }

    async fn active_over(&mut self, _: &str, _: DateWindow, _: RunTrigger) -> Result<Option<Run>, Error> {
        Ok(self.active_over.clone())
    }

    async fn succeeded_over(&mut self, _: &str, _: DateWindow) -> Result<Option<Run>, Error> {
        Ok(self.succeeded_over.clone())
    }

    async fn publisher_of(&mut self, _: NaiveDate) -> Result<Option<Run>, Error> {
        Ok(self.publisher.clone())
    }

    async fn published_facts(&mut self, _: &str, _: NaiveDate) -> Result<PublishedFacts, Error> {
        Ok(self.facts)
    }

    async fn first_unpublished(&mut self, _: NaiveDate) -> Result<Option<NaiveDate>, Error> {
        Ok(self.first_unpublished)
    }
}

fn asked(window: WindowChoice) -> NewRun {
    NewRun {
        run_id: Uuid::nil(),
        pipeline: "daily".into(),
        window,
        trigger: RunTrigger::Manual,
        force: false,
        accept_empty_days: BTreeSet::new(),
        rebuild_days: BTreeSet::new(),
        stages: vec![],
        requested_by: String::new(),
        traceparent: None,
        created_at: DateTime::UNIX_EPOCH,
    }
}

fn unpublished() -> WindowChoice {
    let horizon = Horizon { history_start: None, max_reach_days: 400 };
    WindowChoice::Unpublished { through: day(10), horizon }
}

fn choose(mut known: Known, new: &NewRun) -> RunChoice {
    block_on(choose_run(&mut known, new)).unwrap()
}

#[test]
fn a_gap_is_healed_from_its_first_day_on() {
    let newest = PublishedFacts { newest: Some(day(9)), oldest_backfilled: None };
    for (first, window) in [
        (Some(day(7)), DateWindow::new(day(7), day(10)).unwrap()),
        (Some(day(11)), DateWindow::day(day(10))),
        (None, DateWindow::day(day(10))),
    ] {
        let known = Known { facts: newest, first_unpublished: first, ..Known::default() };
        assert_eq!(choose(known, &asked(unpublished())), RunChoice::Create(window));
    }
}

#[test]
fn a_day_that_is_published_leads_to_the_run_that_published_it_unless_forced() {
    let known = || Known {
        publisher: Some(run(7)),
        facts: PublishedFacts { newest: Some(day(10)), oldest_backfilled: None },
        first_unpublished: Some(day(11)),
        ..Known::default()
    };
    assert_eq!(choose(known(), &asked(unpublished())), RunChoice::Found(run(7).into()));
    let forced = NewRun { force: true, ..asked(unpublished()) };
    assert_eq!(choose(known(), &forced), RunChoice::Create(DateWindow::day(day(10))));
}

#[test]
fn an_active_run_comes_before_one_that_succeeded() {
    let days = asked(WindowChoice::Days(DateWindow::day(day(10))));
    let known = Known { active_over: Some(run(1)), succeeded_over: Some(run(2)), ..Known::default() };
    assert_eq!(choose(known, &days), RunChoice::Found(run(1).into()));
    let succeeded = || Known { succeeded_over: Some(run(2)), ..Known::default() };
    assert_eq!(choose(succeeded(), &days), RunChoice::Found(run(2).into()));
    let created = RunChoice::Create(DateWindow::day(day(10)));
    for new in [
        NewRun { force: true, ..days.clone() },
        NewRun { trigger: RunTrigger::Unpublish, ..days.clone() },
        NewRun { accept_empty_days: [day(10)].into(), ..days },
    ] {
        assert_eq!(choose(succeeded(), &new), created);
    }
    let known = Known { active_through: Some(run(3)), ..Known::default() };
    assert_eq!(choose(known, &asked(unpublished())), RunChoice::Found(run(3).into()));
}

#[test]
fn the_schedule_waits_behind_a_rebuild_that_asks_no_source_and_others_are_told() {
    let rebuild = || Run { rebuild_days: [day(10)].into(), ..run(4) };
    let stages = vec![NewStage {
        stage: STAGE_CALL_PRODUCT_API.to_owned(),
        service: String::new(),
        depends_on: vec![],
    }];
    let mut known =
        Known { active_through: Some(rebuild()), active_over: Some(rebuild()), ..Known::default() };
    let scheduled = NewRun { stages: stages.clone(), ..asked(unpublished()) };
    let choice = block_on(choose_run(&mut known, &scheduled)).unwrap();
    assert_eq!(choice, RunChoice::Create(DateWindow::day(day(10))));
    let days = NewRun { stages, ..asked(WindowChoice::Days(DateWindow::day(day(10)))) };
    let refused = block_on(choose_run(&mut known, &days)).unwrap_err();
    assert!(refused.to_string().contains("rebuild what is staged"), "{refused}");
}

#[test]
fn an_active_run_that_believes_less_is_no_substitute() {
    let accepting =
        NewRun { accept_empty_days: [day(10)].into(), ..asked(WindowChoice::Days(DateWindow::day(day(10)))) };
    let mut known = Known { active_over: Some(run(1)), ..Known::default() };
    let refused = block_on(choose_run(&mut known, &accepting)).unwrap_err();
    assert!(matches!(refused, Error::Precondition(_)), "{refused}");
}
