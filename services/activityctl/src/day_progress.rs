//! Progress of a command that goes from day to day: a bar on a terminal, a line
//! per month elsewhere. All of it goes to standard error.

use chrono::{Datelike, NaiveDate};
use domain::DateWindow;
use indicatif::{ProgressBar, ProgressStyle};

use crate::output::{has_interactive_stderr, notice};

const DAYS: &str = "  {bar:24.cyan} {pos:>5}/{len:<5} {elapsed:>5}  {wide_msg}";

/// Shows progress over the days of a window.
#[derive(Debug)]
pub struct DayProgress {
    window: DateWindow,
    /// `None` unless standard error is a terminal.
    bar: Option<ProgressBar>,
}

impl DayProgress {
    /// Starts with none of `window` done.
    #[must_use]
    pub fn for_stderr(window: DateWindow) -> Self {
        let bar = has_interactive_stderr().then(|| {
            let style = ProgressStyle::with_template(DAYS).unwrap_or_else(|_| ProgressStyle::default_bar());
            ProgressBar::new(window.len_days()).with_style(style.progress_chars("━╸─"))
        });
        Self { window, bar }
    }

    /// Records that `day` is done; `outcome` is the result so far.
    pub fn show(&self, day: NaiveDate, outcome: &str) {
        match &self.bar {
            Some(bar) => {
                bar.set_message(format!("{day}  {outcome}"));
                bar.inc(1);
            }
            None if self.is_worth_a_line(day) => notice(format_args!("through {day}: {outcome}")),
            None => {}
        }
    }

    /// Removes the bar.
    pub fn end(&self) {
        if let Some(bar) = &self.bar {
            bar.finish_and_clear();
        }
    }

    fn is_worth_a_line(&self, day: NaiveDate) -> bool {
        day == self.window.end() || day.succ_opt().is_none_or(|next| next.day() == 1)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_month_and_the_end_are_worth_a_line() {
        let progress =
            DayProgress { window: DateWindow::parse("2026-01-20", "2026-03-02").unwrap(), bar: None };
        let reported: Vec<String> = progress
            .window
            .days()
            .filter(|day| progress.is_worth_a_line(*day))
            .map(|day| day.to_string())
            .collect();
        assert_eq!(reported, ["2026-01-31", "2026-02-28", "2026-03-02"]);
    }

    #[test]
    fn the_template_parses() {
        ProgressStyle::with_template(DAYS).unwrap();
    }
}
