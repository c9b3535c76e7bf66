//! Which time is where.

use chrono::{DateTime, Utc};
use presentation::value::instant;
use proto::pipeline::v1::Run;

use super::lane::Lane;

/// Distances between ticks to choose from, in seconds.
const STEPS: [i64; 18] =
    [1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1_800, 3_600, 7_200, 14_400, 43_200, 86_400, 604_800];
/// The most ticks.
const TICKS: i64 = 9;

/// The time that is drawn, and where the run began in it.
#[derive(Debug, Clone, Copy)]
pub(super) struct Scale {
    start: DateTime<Utc>,
    end: DateTime<Utc>,
}

impl Scale {
    /// From the first thing that happened to the last one, or to what is due. The clocks of
    /// several machines may disagree.
    pub(super) fn over(run: &Run, lanes: &[Lane], started: DateTime<Utc>, now: DateTime<Utc>) -> Self {
        let marks = || lanes.iter().flat_map(|lane| &lane.marks);
        let start = marks().map(|mark| mark.from).fold(started, Ord::min);
        let end = instant(run.end_time.as_ref()).unwrap_or(now);
        Self { start, end: marks().map(|mark| mark.to).fold(end, Ord::max) }
    }

    /// Where a time is, from 0 to 1.
    pub(super) fn share(&self, at: DateTime<Utc>) -> f64 {
        (milliseconds(at - self.start) / self.length()).clamp(0.0, 1.0)
    }

    /// Where round times since the start are, with their labels.
    pub(super) fn ticks(&self) -> Vec<(f64, String)> {
        let seconds = (self.end - self.start).num_seconds().max(1);
        let step = STEPS.into_iter().find(|step| seconds / step < TICKS).unwrap_or(seconds / TICKS);
        let ticks = (0..=seconds / step).map(|number| number * step);
        ticks
            .map(|second| (milliseconds(chrono::TimeDelta::seconds(second)) / self.length(), clock(second)))
            .collect()
    }

    /// In milliseconds, and never so short that nothing could be seen.
    fn length(&self) -> f64 {
        milliseconds(self.end - self.start).max(1_000.0)
    }
}

fn milliseconds(length: chrono::TimeDelta) -> f64 {
    #[expect(clippy::cast_precision_loss, reason = "a run is not as long as that")]
    let milliseconds = length.num_milliseconds() as f64;
    milliseconds
}

/// `0:05`, `12:00`, `3:00:00`.
fn clock(seconds: i64) -> String {
    let (hours, minutes, seconds) = (seconds / 3_600, seconds / 60 % 60, seconds % 60);
    if hours > 0 { format!("{hours}:{minutes:02}:{seconds:02}") } else { format!("{minutes}:{seconds:02}") }
}
