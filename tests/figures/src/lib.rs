//! How benchmarks sum up, print and hand on what they measured.
//!
//! A benchmark prints lines for people. If `BENCHMARK_ROWS` names a file, it also appends its
//! [`Row`]s to it, from which `make bench` makes its tables, pictures and JSON.

use std::{env, fs::OpenOptions, io::Write as _};

use anyhow::{Context as _, Result};
use serde::{Deserialize, Serialize};

/// Names the file that takes the rows.
pub const ROWS_VARIABLE: &str = "BENCHMARK_ROWS";

/// Set if the benchmark only has to show that it works.
pub const SMOKE_VARIABLE: &str = "BENCHMARK_SMOKE";

/// One line of a table: figures of one unit side by side.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Row {
    /// What was measured.
    pub what: String,
    /// The unit of the values.
    pub unit: String,
    /// The values and whose they are, ours first.
    pub values: Vec<(String, f64)>,
    /// How they compare, in words, such as `6.9 times`.
    #[serde(default)]
    pub ratio: String,
    /// What was hoped for.
    #[serde(default)]
    pub aim: String,
    /// Whether it was reached, if there is an aim.
    #[serde(default)]
    pub is_met: Option<bool>,
    /// What else has to be known.
    #[serde(default)]
    pub remark: String,
    /// Every measurement behind the values, by the name of its side.
    #[serde(default)]
    pub measured: Vec<(String, Vec<f64>)>,
}

impl Row {
    /// A row without a comparison.
    #[must_use]
    pub fn new(what: impl Into<String>, unit: &str) -> Self {
        Self { what: what.into(), unit: unit.to_owned(), ..Self::default() }
    }

    /// Adds a value.
    #[must_use]
    pub fn value(mut self, side: &str, value: f64) -> Self {
        self.values.push((side.to_owned(), value));
        self
    }

    /// Adds the median of measurements, and keeps them.
    ///
    /// # Panics
    /// If there are none.
    #[must_use]
    pub fn median(mut self, side: &str, measured: &[f64]) -> Self {
        self.measured.push((side.to_owned(), measured.to_vec()));
        self.value(side, median(measured.to_vec()))
    }

    /// Adds how the sides compare.
    #[must_use]
    pub fn ratio(mut self, ratio: String) -> Self {
        self.ratio = ratio;
        self
    }

    /// Adds an aim and whether it was reached.
    #[must_use]
    pub fn aim(mut self, aim: String, is_met: bool) -> Self {
        (self.aim, self.is_met) = (aim, Some(is_met));
        self
    }

    /// Adds a remark.
    #[must_use]
    pub fn remark(mut self, remark: impl Into<String>) -> Self {
        self.remark = remark.into();
        self
    }

    /// The aim and what became of it.
    #[must_use]
    pub fn verdict(&self) -> String {
        match self.is_met {
            Some(true) => format!("{}: met", self.aim),
            Some(false) => format!("{}: MISSED", self.aim),
            None => self.aim.clone(),
        }
    }
}

/// The value in the middle; with an even number of values, the upper one of two.
///
/// # Panics
/// If there are no values.
#[must_use]
pub fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    values[values.len() / 2]
}

/// The median of the ratios of each round, whose halves met the same machine.
///
/// # Panics
/// If there are no rounds.
#[must_use]
pub fn paired_ratio(ours: &[f64], others: &[f64]) -> f64 {
    median(ours.iter().zip(others).map(|(ours, other)| other / ours).collect())
}

/// Prints a line of the result.
#[expect(clippy::print_stdout, reason = "a benchmark's result")]
pub fn say(line: &str) {
    println!("{line}");
}

/// Hands a row to whoever asked for rows.
///
/// # Errors
/// If it cannot be written.
pub fn record(row: &Row) -> Result<()> {
    let Some(path) = env::var_os(ROWS_VARIABLE) else { return Ok(()) };
    let mut file = OpenOptions::new().create(true).append(true).open(path).context("cannot open the rows")?;
    Ok(writeln!(file, "{}", serde_json::to_string(row)?)?)
}

/// `full`, or `smoke` if the benchmark only has to show that it works.
#[must_use]
pub fn sized<T>(full: T, smoke: T) -> T {
    if env::var_os(SMOKE_VARIABLE).is_some() { smoke } else { full }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_disturbed_measurement_does_not_count() {
        assert!((median(vec![3.0, 90.0, 2.0]) - 3.0).abs() < f64::EPSILON);
    }

    #[test]
    fn sides_of_a_round_are_compared_with_each_other() {
        assert!((paired_ratio(&[1.0, 10.0, 2.0], &[4.0, 40.0, 20.0]) - 4.0).abs() < f64::EPSILON);
    }

    #[test]
    fn rows_survive_their_file() {
        let row = Row::new("a day", "s")
            .median("ours", &[1.0, 2.0, 3.0])
            .ratio("2".into())
            .aim("≥ 8".into(), false);
        let text = serde_json::to_string(&row).unwrap();
        assert_eq!(serde_json::from_str::<Row>(&text).unwrap(), row);
        assert_eq!(row.verdict(), "≥ 8: MISSED");
    }
}
