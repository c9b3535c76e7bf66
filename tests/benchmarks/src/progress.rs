//! Reports progress on stderr, since a run takes its time.

use std::time::{Duration, Instant};

use indicatif::{ProgressBar, ProgressStyle};

/// How often a bar moves even if nothing happened.
const TICK: Duration = Duration::from_millis(200);

pub(crate) struct Narrator {
    began: Instant,
}

impl Narrator {
    pub(crate) fn new() -> Self {
        Self { began: Instant::now() }
    }

    /// Reports what begins now.
    #[expect(clippy::print_stderr, reason = "progress of a benchmark")]
    pub(crate) fn say(&self, what: &str) {
        eprintln!("{:>7.1} s  {what}", self.began.elapsed().as_secs_f64());
    }

    /// Reports what begins now, and how many of its `units` are done. The bar
    /// shows only on a terminal, and disappears with its last handle.
    pub(crate) fn steps(&self, what: &str, units: u32) -> ProgressBar {
        self.say(what);
        let bar = ProgressBar::new(u64::from(units));
        if let Ok(style) = ProgressStyle::with_template("{elapsed:>9}  [{bar:40}] {pos}/{len}  {eta} left") {
            bar.set_style(style);
        }
        bar.enable_steady_tick(TICK);
        bar
    }
}
