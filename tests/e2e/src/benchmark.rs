//! How benchmarks sum up and print what they measured.

/// The value in the middle; with an even number of values, the upper one of two.
///
/// # Panics
/// If there are no values.
#[must_use]
pub fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    values[values.len() / 2]
}

/// Prints a line of the result.
#[expect(clippy::print_stdout, reason = "a benchmark's result")]
pub fn say(line: &str) {
    println!("{line}");
}
