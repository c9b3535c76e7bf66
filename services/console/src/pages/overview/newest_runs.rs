//! The newest run over each day of a window.

use std::collections::BTreeMap;

use chrono::NaiveDate;
use domain::DateWindow;
use proto::pipeline::v1::Run;

/// Runs that came newest first, by the days that nothing newer covers.
#[derive(Debug)]
pub(super) struct NewestRuns {
    window: DateWindow,
    runs: Vec<Run>,
    by_day: BTreeMap<NaiveDate, usize>,
    has_all: bool,
}

impl NewestRuns {
    /// None yet.
    pub(super) const fn over(window: DateWindow) -> Self {
        Self { window, runs: Vec::new(), by_day: BTreeMap::new(), has_all: false }
    }

    /// Adds the next page of runs, which are older than all before.
    pub(super) fn add(&mut self, page: Vec<Run>) {
        for run in page {
            let days =
                run.window.as_ref().and_then(|it| DateWindow::parse(&it.start_date, &it.end_date).ok());
            let Some(days) = days else { continue };
            let position = self.runs.len();
            // A run may cover years; those of the window are few.
            let mut is_newest = false;
            for day in self.window.days().filter(|day| days.contains(*day)) {
                if let std::collections::btree_map::Entry::Vacant(free) = self.by_day.entry(day) {
                    free.insert(position);
                    is_newest = true;
                }
            }
            if is_newest {
                self.runs.push(run);
            }
        }
    }

    /// Says that there are no more: a day without a run has none on record.
    pub(super) const fn end(&mut self) {
        self.has_all = true;
    }

    /// Whether it is sure that no run over the days is on record but these.
    pub(super) const fn has_all(&self) -> bool {
        self.has_all
    }

    /// Whether each day has its run, so that older ones say nothing.
    pub(super) fn is_complete(&self) -> bool {
        u64::try_from(self.by_day.len()).is_ok_and(|days| days >= self.window.len_days())
    }

    /// The newest run over a day.
    pub(super) fn of(&self, day: NaiveDate) -> Option<&Run> {
        self.runs.get(*self.by_day.get(&day)?)
    }

    /// The names of `known` stages, then those that only runs have, as they come.
    pub(super) fn stages(&self, known: impl IntoIterator<Item = String>) -> Vec<String> {
        let mut stages: Vec<String> = known.into_iter().collect();
        for stage in self.runs.iter().flat_map(|run| &run.stages) {
            if !stages.contains(&stage.stage) {
                stages.push(stage.stage.clone());
            }
        }
        stages
    }
}

#[cfg(test)]
mod tests {
    use proto::{pipeline::v1::RunStage, stage::v1::DateWindow as DateWindowProto};

    use super::*;

    fn day(number: u32) -> NaiveDate {
        NaiveDate::from_ymd_opt(2026, 2, number).unwrap()
    }

    fn run(run_id: &str, first: u32, last: u32) -> Run {
        Run {
            run_id: run_id.into(),
            window: Some(DateWindowProto {
                start_date: day(first).to_string(),
                end_date: day(last).to_string(),
            }),
            stages: vec![RunStage { stage: format!("stage-of-{run_id}"), ..RunStage::default() }],
            ..Run::default()
        }
    }

    /// The run of each day from the 1st to the 5th.
    fn found(newest: &NewestRuns) -> Vec<&str> {
        (1..=5).map(|number| newest.of(day(number)).map_or("", |run| run.run_id.as_str())).collect()
    }

    #[test]
    fn the_newest_run_over_a_day_counts_however_the_pages_are_cut() {
        let runs = [run("daily", 5, 5), run("backfill", 2, 4), run("old", 1, 5), run("older", 1, 1)];
        for size in 1..=runs.len() {
            let mut newest = NewestRuns::over(DateWindow::new(day(1), day(5)).unwrap());
            for page in runs.chunks(size) {
                newest.add(page.to_vec());
            }
            assert_eq!(found(&newest), ["old", "backfill", "backfill", "backfill", "daily"]);
            assert!(newest.is_complete());
            let stages = newest.stages(["known".to_owned()]);
            assert_eq!(stages, ["known", "stage-of-daily", "stage-of-backfill", "stage-of-old"]);
        }
    }

    #[test]
    fn days_without_a_run_and_runs_without_days_are_left_out() {
        let mut newest = NewestRuns::over(DateWindow::new(day(1), day(5)).unwrap());
        newest.add(vec![Run::default(), run("later", 9, 9), run("some", 2, 3)]);
        assert_eq!(found(&newest), ["", "some", "some", "", ""]);
        assert!(!newest.is_complete());
    }
}
