//! Bars made of block characters.

/// A column filled by this many eighths.
const EIGHTHS: [&str; 8] = ["", "▏", "▎", "▍", "▌", "▋", "▊", "▉"];

/// A bar over a share of `width` columns, to an eighth of a column. Anything above zero is visible.
#[must_use]
#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_precision_loss,
    clippy::cast_sign_loss,
    reason = "a terminal has few columns, and shares are clamped"
)]
pub fn bar(share: f64, width: usize) -> String {
    let eighths = (share.clamp(0.0, 1.0) * width as f64 * 8.0).round() as usize;
    let eighths = if share > 0.0 { eighths.max(1) } else { eighths };
    "█".repeat(eighths / 8) + EIGHTHS[eighths % 8]
}

/// An interval on a chart, each point as a share of the chart's length.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Interval {
    /// Where the wait for it begins.
    pub waited_from: f64,
    /// Where it starts.
    pub from: f64,
    /// Where it ends.
    pub to: f64,
}

/// A line of a chart, `width` columns wide: dots while waiting, then a bar of at least one column.
#[must_use]
#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_precision_loss,
    clippy::cast_sign_loss,
    reason = "a terminal has few columns, and shares are clamped"
)]
pub fn interval(interval: Interval, width: usize) -> String {
    let Some(last) = width.checked_sub(1) else { return String::new() };
    let column = |share: f64| (share.clamp(0.0, 1.0) * width as f64).round() as usize;
    let from = column(interval.from).min(last);
    let waited_from = column(interval.waited_from).min(from);
    let to = column(interval.to).max(from + 1);
    " ".repeat(waited_from) + &"·".repeat(from - waited_from) + &"█".repeat(to - from)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bar_is_as_long_as_its_share() {
        for (share, text) in
            [(0.0, ""), (0.0001, "▏"), (0.3, "█▎"), (0.5, "██"), (1.0, "████"), (9.0, "████"), (f64::NAN, "")]
        {
            assert_eq!(bar(share, 4), text, "{share}");
        }
    }

    #[test]
    fn a_line_has_its_waiting_and_its_bar_where_they_were() {
        for (waited_from, from, to, text) in [
            (0.0, 0.0, 1.0, "██████████"),
            (0.0, 0.2, 0.5, "··███"),
            (0.3, 0.3, 0.3, "   █"),
            (0.1, 0.4, 0.9, " ···█████"),
            (1.0, 1.0, 1.0, "         █"),
            (-1.0, -1.0, 2.0, "██████████"),
        ] {
            assert_eq!(interval(Interval { waited_from, from, to }, 10), text);
        }
    }
}
