//! Progress of work that is counted in units.

use indicatif::{ProgressBar, ProgressStyle};
use proto::stage::v1::StageProgress;

use crate::output::{has_interactive_stderr, notice, printable};

const UNITS: &str = "  {bar:24.cyan} {pos:>5}/{len:<5} {elapsed:>5}  {wide_msg}";

/// A bar on a terminal, elsewhere a line at the start and end of each phase.
#[derive(Debug)]
pub struct UnitProgress {
    bar: Option<ProgressBar>,
    reported: Option<(u64, bool)>,
}

impl UnitProgress {
    /// A bar if standard error is a terminal.
    #[must_use]
    pub fn for_stderr() -> Self {
        let bar = has_interactive_stderr().then(|| {
            let style = ProgressStyle::with_template(UNITS).unwrap_or_else(|_| ProgressStyle::default_bar());
            ProgressBar::no_length().with_style(style.progress_chars("━╸─"))
        });
        Self { bar, reported: None }
    }

    /// Shows a step.
    pub fn show(&mut self, step: &StageProgress) {
        if let Some(bar) = &self.bar {
            bar.set_length(step.units_total);
            bar.set_position(step.units_done);
            bar.set_message(printable(&step.activity));
        } else {
            self.changes(step).into_iter().for_each(notice);
        }
    }

    /// The new line since the last step, if any.
    fn changes(&mut self, step: &StageProgress) -> Option<String> {
        let now = Some((step.units_total, step.units_done == step.units_total));
        let is_new = self.reported != now;
        self.reported = now;
        let line = || format!("{}/{} {}", step.units_done, step.units_total, printable(&step.activity));
        is_new.then(line)
    }

    /// Clears the bar.
    pub fn end(&self) {
        self.bar.iter().for_each(ProgressBar::finish_and_clear);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_phase_is_reported_at_its_beginning_and_its_end() {
        let mut progress = UnitProgress { bar: None, reported: None };
        let step = |units_done, units_total, activity: &str| StageProgress {
            units_done,
            units_total,
            activity: activity.to_owned(),
            ..StageProgress::default()
        };
        let lines: Vec<String> = [
            step(0, 3, "2026-01-01 page 1"),
            step(2, 3, "2026-01-02 compared"),
            step(3, 3, "2026-01-03 compared"),
            step(1, 2, "computing days"),
        ]
        .iter()
        .filter_map(|step| progress.changes(step))
        .collect();
        assert_eq!(lines, ["0/3 2026-01-01 page 1", "3/3 2026-01-03 compared", "1/2 computing days"]);
        ProgressStyle::with_template(UNITS).unwrap();
    }
}
