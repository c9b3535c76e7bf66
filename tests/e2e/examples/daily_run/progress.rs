//! Progress, on stderr.

use std::{
    sync::LazyLock,
    time::{Duration, Instant},
};

static BEGAN: LazyLock<Instant> = LazyLock::new(Instant::now);

/// How long the benchmark has been running.
pub(crate) fn elapsed() -> Duration {
    BEGAN.elapsed()
}

/// Says what begins now.
#[expect(clippy::print_stderr, reason = "progress of a benchmark")]
pub(crate) fn tell(what: &str) {
    eprintln!("{:>7.1} s  {what}", elapsed().as_secs_f64());
}
