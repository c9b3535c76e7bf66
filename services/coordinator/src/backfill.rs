//! Runs the pipeline over past days, chunk after chunk.

use std::{collections::VecDeque, sync::Arc};

use chrono::Days;
use domain::{DateWindow, RunState, RunTrigger, StageState};
use warehouse::{Freshness, Run, WindowChoice};

use crate::{Error, progress::RunView, runs::Runs, watch::RunWatch};

/// A backfill after a change of one of its runs.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct BackfillUpdate {
    /// The run that changed; `None` if there is nothing to run.
    pub(crate) view: Option<RunView>,
    /// Days that are done.
    pub(crate) days_done: u64,
    /// Days in total.
    pub(crate) days_total: u64,
}

/// A backfill that goes on as it is asked for its next update. Whoever stops
/// asking stops it after the run that is under way.
pub(crate) struct Backfill {
    runs: Arc<Runs>,
    force: bool,
    chunks: VecDeque<DateWindow>,
    current: Option<(DateWindow, RunWatch)>,
    days_done: u64,
    days_total: u64,
    has_told: bool,
}

impl Backfill {
    /// A backfill of `window` in chunks of at most `chunk_days`; days in
    /// `published` are done already.
    pub(crate) fn new(
        runs: Arc<Runs>,
        window: DateWindow,
        published: Option<DateWindow>,
        chunk_days: u64,
        force: bool,
    ) -> Self {
        let missing = match published {
            Some(published) if !force => without(window, published),
            _ => vec![window],
        };
        let chunks: VecDeque<DateWindow> =
            missing.into_iter().flat_map(|window| chunks(window, chunk_days)).collect();
        let days_total = window.len_days();
        let days_open: u64 = chunks.iter().map(DateWindow::len_days).sum();
        Self {
            runs,
            force,
            chunks,
            current: None,
            days_done: days_total - days_open,
            days_total,
            has_told: false,
        }
    }

    /// The next change, or `None` once every chunk has succeeded.
    ///
    /// # Errors
    /// [`Error::BackfillStopped`] after a run ended otherwise.
    pub(crate) async fn next(&mut self) -> Result<Option<BackfillUpdate>, Error> {
        loop {
            let Some((window, watch)) = &mut self.current else {
                let Some(window) = self.chunks.pop_front() else {
                    return Ok((!self.has_told).then(|| self.update(None)));
                };
                self.current = Some((window, self.start(window).await?));
                continue;
            };
            let window = *window;
            if let Some(view) = watch.next().await? {
                if view.run.state == RunState::Succeeded {
                    self.days_done += window.len_days();
                }
                return Ok(Some(self.update(Some(view))));
            }
            let ended = watch.last().cloned();
            self.current = None;
            match ended {
                Some(run) if run.state != RunState::Succeeded => return Err(stopped(&run)),
                _ => {}
            }
        }
    }

    async fn start(&self, window: DateWindow) -> Result<RunWatch, Error> {
        let window = WindowChoice::Days(window);
        let created = self.runs.create(window, RunTrigger::Backfill, self.force).await?;
        Ok(self.runs.watch(created.run.run_id))
    }

    fn update(&mut self, view: Option<RunView>) -> BackfillUpdate {
        self.has_told = true;
        BackfillUpdate { view, days_done: self.days_done, days_total: self.days_total }
    }
}

fn stopped(run: &Run) -> Error {
    let failed = run.stages.iter().find(|stage| stage.state == StageState::Failed);
    let reason = failed.map(|stage| {
        format!(": {} failed: {}", stage.stage, stage.error_message.as_deref().unwrap_or("without a message"))
    });
    Error::BackfillStopped {
        run_id: run.run_id,
        window: run.window,
        state: run.state,
        reason: reason.unwrap_or_default(),
    }
}

/// The days that are published for certain. The store tells the ends and the
/// count: only without gaps between them does that name every day.
pub(crate) fn published_without_gaps(freshness: &Freshness) -> Option<DateWindow> {
    let span = DateWindow::new(freshness.oldest, freshness.newest.activity_date).ok()?;
    (u64::try_from(freshness.published_days) == Ok(span.len_days())).then_some(span)
}

/// The days of `window` before and after `done`.
fn without(window: DateWindow, done: DateWindow) -> Vec<DateWindow> {
    let before =
        done.start().pred_opt().and_then(|end| DateWindow::new(window.start(), end.min(window.end())).ok());
    let after =
        done.end().succ_opt().and_then(|start| DateWindow::new(start.max(window.start()), window.end()).ok());
    before.into_iter().chain(after).collect()
}

/// A window in pieces of at most `days` days, the oldest first.
fn chunks(window: DateWindow, days: u64) -> impl Iterator<Item = DateWindow> {
    let mut next = Some(window.start());
    std::iter::from_fn(move || {
        let start = next.filter(|start| *start <= window.end())?;
        let end = start.checked_add_days(Days::new(days.saturating_sub(1))).unwrap_or(window.end());
        let chunk = DateWindow::new(start, end.min(window.end())).ok()?;
        next = chunk.end().succ_opt();
        Some(chunk)
    })
}

#[cfg(test)]
mod tests {
    use domain::{Publication, date_window::parse_day};
    use proptest::prelude::*;
    use uuid::Uuid;

    use super::*;

    fn window(start: &str, end: &str) -> DateWindow {
        DateWindow::parse(start, end).unwrap()
    }

    fn told(windows: impl IntoIterator<Item = DateWindow>) -> Vec<String> {
        windows.into_iter().map(|window| window.to_string()).collect()
    }

    #[test]
    fn a_window_is_cut_into_chunks_from_its_oldest_day() {
        let february = window("2026-02-01", "2026-02-28");
        assert_eq!(
            told(chunks(february, 10)),
            ["2026-02-01..2026-02-10", "2026-02-11..2026-02-20", "2026-02-21..2026-02-28"]
        );
        assert_eq!(told(chunks(february, u64::MAX)), ["2026-02-01..2026-02-28"]);
    }

    #[test]
    fn what_is_published_is_left_out() {
        let february = window("2026-02-01", "2026-02-28");
        for (start, end, left) in [
            ("2026-02-10", "2026-02-20", vec!["2026-02-01..2026-02-09", "2026-02-21..2026-02-28"]),
            ("2026-01-10", "2026-02-20", vec!["2026-02-21..2026-02-28"]),
            ("2026-02-10", "2026-03-20", vec!["2026-02-01..2026-02-09"]),
            ("2026-01-01", "2026-03-20", vec![]),
            ("2026-03-01", "2026-03-20", vec!["2026-02-01..2026-02-28"]),
        ] {
            assert_eq!(told(without(february, window(start, end))), left, "{start}..{end}");
        }
    }

    #[test]
    fn published_days_with_a_gap_name_no_day_for_certain() {
        let mut freshness = Freshness {
            newest: Publication {
                activity_date: parse_day("2026-02-10").unwrap(),
                run_id: Uuid::nil().to_string(),
                published_at: chrono::DateTime::UNIX_EPOCH,
                row_count: 1,
                checksum: domain::Checksum::default(),
            },
            oldest: parse_day("2026-02-01").unwrap(),
            published_days: 10,
        };
        assert_eq!(published_without_gaps(&freshness), Some(window("2026-02-01", "2026-02-10")));
        freshness.published_days = 9;
        assert_eq!(published_without_gaps(&freshness), None);
    }

    proptest! {
        #[test]
        fn chunks_cover_every_day_once(length in 0_u64..400, days in 1_u64..60) {
            let start = parse_day("2026-01-01").unwrap();
            let window = DateWindow::new(start, start + Days::new(length)).unwrap();
            let cut: Vec<DateWindow> = chunks(window, days).collect();
            prop_assert!(cut.iter().all(|chunk| chunk.len_days() <= days));
            let covered: Vec<_> = cut.iter().flat_map(DateWindow::days).collect();
            prop_assert_eq!(covered, window.days().collect::<Vec<_>>());
        }
    }
}
