//! Progress of a run while somebody waits: bars on a terminal, plain lines
//! elsewhere. All of it goes to standard error.

use std::{
    collections::HashMap,
    fmt,
    io::{self, Write},
};

use indicatif::{HumanBytes, HumanCount, MultiProgress, ProgressBar, ProgressFinish, ProgressStyle};
use presentation::run_end::has_ended;
use proto::{
    pipeline::v1::{Run, RunStage, StageState},
    stage::v1::{StageCounters, StageProgress},
};

use crate::{
    format::value::{elapsed, human_duration, stage_state, to_the_second},
    output::{has_interactive_stderr, notice, printable},
};

const UNITS: &str = "  {prefix:<32} {bar:24.cyan} {pos:>5}/{len:<5} {elapsed:>5}  {wide_msg}";
const SPINNER: &str = "  {prefix:<32} {spinner:<24.cyan} {elapsed:>17}  {wide_msg}";
const PENDING: &str = "  {prefix:<32.dim} {wide_msg:.dim}";
const SUCCEEDED: &str = "  {prefix:<32} {wide_msg:.green}";
const UNSUCCESSFUL: &str = "  {prefix:<32} {wide_msg:.red}";

/// Shows runs as they change.
#[derive(Debug)]
pub enum RunProgress {
    /// A bar per stage.
    Bars(StageBars),
    /// A line per change of a stage.
    Lines(StageLines),
}

impl RunProgress {
    /// Bars on a terminal, lines elsewhere.
    #[must_use]
    pub fn for_stderr() -> Self {
        if has_interactive_stderr() {
            Self::Bars(StageBars::default())
        } else {
            Self::Lines(StageLines::default())
        }
    }

    /// Where log lines go, so that they do not break the bars.
    #[must_use]
    pub fn log_writer(&self) -> LogWriter {
        match self {
            Self::Bars(bars) => LogWriter { area: Some(bars.area.clone()) },
            Self::Lines(_) => LogWriter { area: None },
        }
    }

    /// Prints something other than the stages.
    pub fn note(&self, text: impl fmt::Display) {
        // A failure to print it is ignored.
        let _ = writeln!(self.log_writer(), "{text}");
    }

    /// Shows a run's current state. A new run starts afresh below the others.
    pub fn show(&mut self, run: &Run) {
        match self {
            Self::Bars(bars) => bars.show(run),
            Self::Lines(lines) => lines.changes(run).into_iter().for_each(notice),
        }
    }
}

/// Standard error, above the bars if there are any.
#[derive(Debug, Clone)]
pub struct LogWriter {
    area: Option<MultiProgress>,
}

impl Write for LogWriter {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        match &self.area {
            Some(area) => area.suspend(|| io::stderr().write(bytes)),
            None => io::stderr().write(bytes),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        io::stderr().flush()
    }
}

/// A bar per stage of the newest run.
#[derive(Debug, Default)]
pub struct StageBars {
    area: MultiProgress,
    run_id: String,
    bars: Vec<StageBar>,
}

impl StageBars {
    fn show(&mut self, run: &Run) {
        if self.run_id != run.run_id {
            self.run_id.clone_from(&run.run_id);
            self.bars = run.stages.iter().map(|stage| StageBar::below(&self.area, stage)).collect();
        }
        for (bar, stage) in self.bars.iter_mut().zip(&run.stages) {
            bar.show(stage);
        }
        if has_ended(run) {
            // The area leaves the cursor at the end of its last line.
            self.bars.clear();
            notice("");
        }
    }
}

/// The bar of one stage.
#[derive(Debug)]
struct StageBar {
    bar: ProgressBar,
    /// The state and attempt it shows.
    shown: Option<(i32, u32, bool)>,
}

impl StageBar {
    /// Adds the bar of a stage below all others.
    fn below(area: &MultiProgress, stage: &RunStage) -> Self {
        // A bar draws itself as soon as it is added, so it is styled first.
        let bar = ProgressBar::no_length()
            .with_finish(ProgressFinish::Abandon)
            .with_style(style(PENDING))
            .with_prefix(printable(&stage.stage));
        Self { bar: area.add(bar), shown: None }
    }

    fn show(&mut self, stage: &RunStage) {
        let now = Some((stage.state, stage.attempt, stage.waiting_for_service_since.is_some()));
        let has_changed = self.shown != now;
        self.shown = now;
        match stage_state_of(stage) {
            StageState::Running => {
                if has_changed {
                    self.bar.reset();
                }
                self.show_running(&stage.progress.clone().unwrap_or_default());
            }
            // An ended stage keeps its line.
            _ if !has_changed => {}
            StageState::Succeeded => self.end(SUCCEEDED, format!("✔ {}", outcome(stage))),
            StageState::Failed => self.end(UNSUCCESSFUL, format!("✘ {}", outcome(stage))),
            StageState::Skipped | StageState::Cancelled => self.end(PENDING, outcome(stage)),
            StageState::Pending | StageState::Unspecified => {
                self.bar.set_style(style(PENDING));
                self.bar.set_message(outcome(stage));
            }
        }
    }

    fn show_running(&self, progress: &StageProgress) {
        let rows = progress.counters.unwrap_or_default().rows_read;
        self.bar.set_message(format!("{} rows  {}", HumanCount(rows), printable(&progress.activity)));
        if progress.units_total > 0 {
            self.bar.set_style(style(UNITS));
            self.bar.set_length(progress.units_total);
            self.bar.set_position(progress.units_done);
        } else {
            self.bar.set_style(style(SPINNER));
        }
    }

    fn end(&self, template: &str, message: String) {
        self.bar.set_style(style(template));
        self.bar.abandon_with_message(message);
    }
}

/// The style of one of the templates above; a test parses them all.
fn style(template: &str) -> ProgressStyle {
    ProgressStyle::with_template(template)
        .unwrap_or_else(|_| ProgressStyle::default_bar())
        .progress_chars("━╸─")
}

/// A line per change of a stage's state or attempt.
#[derive(Debug, Default)]
pub struct StageLines {
    reported: HashMap<(String, String), (i32, u32, bool)>,
}

impl StageLines {
    /// The new lines since the last call.
    fn changes(&mut self, run: &Run) -> Vec<String> {
        let mut lines = Vec::new();
        for stage in &run.stages {
            let key = (run.run_id.clone(), stage.stage.clone());
            let is_waiting = stage.waiting_for_service_since.is_some();
            let now = (stage.state, stage.attempt, is_waiting);
            let before = self.reported.insert(key, now);
            let is_pending = stage_state_of(stage) == StageState::Pending;
            let waits_for_its_turn = is_pending && stage.attempt == 0 && !is_waiting;
            if before != Some(now) && !waits_for_its_turn {
                lines.push(format!("{}: {}", printable(&stage.stage), outcome(stage)));
            }
        }
        lines
    }
}

/// A stage's outcome in one line.
fn outcome(stage: &RunStage) -> String {
    let word = stage_state(stage.state).to_lowercase();
    let problem = || format!("{} ({})", printable(&stage.error_message), stage.error_code);
    match stage_state_of(stage) {
        StageState::Succeeded => {
            let counters = stage.progress.as_ref().and_then(|progress| progress.counters).unwrap_or_default();
            let took = elapsed(stage.start_time.as_ref(), stage.end_time.as_ref()).unwrap_or_default();
            format!("{word} in {}: {}", human_duration(took), counted(&counters))
        }
        StageState::Failed => format!("{word}: {}", problem()),
        StageState::Pending if stage.waiting_for_service_since.is_some() => format!(
            "waiting for {} since {}",
            printable(&stage.service),
            to_the_second(stage.waiting_for_service_since.as_ref())
        ),
        StageState::Pending if !stage.error_code.is_empty() => {
            format!("attempt {} failed, will try again: {}", stage.attempt, problem())
        }
        StageState::Running if stage.attempt > 1 => format!("{word}, attempt {}", stage.attempt),
        _ => word,
    }
}

fn counted(counters: &StageCounters) -> String {
    let mut text = format!(
        "{} rows read, {} written",
        HumanCount(counters.rows_read),
        HumanCount(counters.rows_written)
    );
    for (count, what) in [
        (counters.rows_unchanged, "unchanged"),
        (counters.rows_duplicate, "duplicate"),
        (counters.rows_rejected, "rejected"),
        (counters.rows_removed, "removed"),
    ] {
        if count > 0 {
            text.push_str(&format!(", {} {what}", HumanCount(count)));
        }
    }
    if counters.bytes_read > 0 {
        text.push_str(&format!(", {}", HumanBytes(counters.bytes_read)));
    }
    text
}

fn stage_state_of(stage: &RunStage) -> StageState {
    StageState::try_from(stage.state).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn run(state: StageState, attempt: u32) -> Run {
        let stage = RunStage { stage: "act".into(), state: state.into(), attempt, ..RunStage::default() };
        Run { run_id: "r".into(), stages: vec![stage], ..Run::default() }
    }

    #[test]
    fn lines_report_each_change_once() {
        let mut lines = StageLines::default();
        assert!(lines.changes(&run(StageState::Pending, 0)).is_empty());
        assert_eq!(lines.changes(&run(StageState::Running, 1)), ["act: running"]);
        assert!(lines.changes(&run(StageState::Running, 1)).is_empty());
        assert_eq!(lines.changes(&run(StageState::Running, 2)), ["act: running, attempt 2"]);
    }

    #[test]
    fn a_retry_and_a_failure_say_why() {
        let mut lines = StageLines::default();
        for (state, line) in [
            (StageState::Pending, "act: attempt 1 failed, will try again: no answer (UNAVAILABLE)"),
            (StageState::Failed, "act: failed: no answer (UNAVAILABLE)"),
        ] {
            let mut run = run(state, 1);
            run.stages[0].error_code = "UNAVAILABLE".into();
            run.stages[0].error_message = "no answer".into();
            assert_eq!(lines.changes(&run), [line]);
        }
    }

    #[test]
    fn a_wait_for_a_service_is_reported_with_its_name_and_since_when() {
        let mut lines = StageLines::default();
        let mut waiting = run(StageState::Pending, 0);
        waiting.stages[0].service = "ingest-api".into();
        waiting.stages[0].waiting_for_service_since =
            Some(prost_types::Timestamp { seconds: 1_771_048_987, nanos: 0 });
        let reported = lines.changes(&waiting);
        assert_eq!(reported.len(), 1, "{reported:?}");
        assert!(reported[0].starts_with("act: waiting for ingest-api since 2026-02-14"), "{reported:?}");
        assert!(lines.changes(&waiting).is_empty());
    }

    #[test]
    fn only_counts_that_happened_are_reported() {
        let counters =
            StageCounters { rows_read: 1200, rows_written: 1199, rows_rejected: 1, ..Default::default() };
        assert_eq!(counted(&counters), "1,200 rows read, 1,199 written, 1 rejected");
    }

    #[test]
    fn every_template_parses() {
        for template in [UNITS, SPINNER, PENDING, SUCCEEDED, UNSUCCESSFUL] {
            ProgressStyle::with_template(template).unwrap();
        }
    }

    #[test]
    fn bars_follow_a_stage_from_start_to_end() {
        let mut bars = StageBars {
            area: MultiProgress::with_draw_target(indicatif::ProgressDrawTarget::hidden()),
            ..Default::default()
        };
        let mut running = run(StageState::Running, 1);
        running.stages[0].progress =
            Some(StageProgress { units_done: 3, units_total: 9, ..Default::default() });
        bars.show(&running);
        assert_eq!((bars.bars[0].bar.position(), bars.bars[0].bar.length()), (3, Some(9)));
        bars.show(&run(StageState::Succeeded, 1));
        assert!(bars.bars[0].bar.is_finished());
    }
}
