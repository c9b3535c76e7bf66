//! How long a stage took from day to day.

use std::time::Duration;

use comfy_table::{Cell, Color, Table};
use indicatif::HumanCount;
use presentation::trend::{Execution, Judgement, StageTrend};

use super::cells::{bytes, columns, number, unbroken, with_header};
use crate::format::{bar::bar, value::human_duration};

/// The minimum and maximum width of a bar.
const BAR: std::ops::RangeInclusive<usize> = 12..=40;

/// The days of a stage with bars, `width` columns wide if they fit. The longest
/// day gets the longest bar.
#[must_use]
pub fn trend(trend: &StageTrend, width: usize) -> Table {
    let rest = columns(days(trend, 0));
    days(trend, width.saturating_sub(rest).clamp(*BAR.start(), *BAR.end()))
}

fn days(trend: &StageTrend, width: usize) -> Table {
    let judged = trend.executions.iter().filter(|execution| execution.is_judged);
    let longest = judged.map(|execution| execution.took).max().unwrap_or_default();
    let mut table = with_header(["DAY", "DAYS", "DURATION", "", "ROWS READ", "BYTES READ"]);
    for execution in &trend.executions {
        let took = Cell::new(drawn(execution, longest, width));
        table.add_row([
            Cell::new(execution.business_date),
            number(execution.days),
            number(human_duration(execution.took)),
            if has_grown(trend, execution) { took.fg(Color::Yellow) } else { took },
            number(HumanCount(execution.rows_read)),
            number(bytes(execution.bytes_read)),
        ]);
    }
    unbroken(table)
}

fn drawn(execution: &Execution, longest: Duration, width: usize) -> String {
    if width == 0 {
        return String::new();
    }
    if !execution.is_judged {
        return "(not judged)".to_owned();
    }
    let share = execution.took.as_secs_f64() / longest.as_secs_f64().max(f64::MIN_POSITIVE);
    // Padded to full width, so that the columns after it stay aligned.
    format!("{:width$}", bar(share, width))
}

fn has_grown(trend: &StageTrend, execution: &Execution) -> bool {
    matches!(trend.judgement, Judgement::Grows(growth) if execution.business_date >= growth.since)
}

#[cfg(test)]
mod tests {
    use presentation::trend::trends;

    use super::*;
    use crate::test_runs::run;

    fn drawn(width: usize) -> Vec<String> {
        let runs = [run(1, 2, 80, 2_000), run(3, 3, 8, 1_000), run(4, 4, 4, 500), run(5, 5, 1, 0)];
        let found = trends(&runs, chrono::NaiveDate::MIN);
        let mut table = trend(&found[0], width);
        table.force_no_tty();
        table.trim_fmt().lines().map(ToOwned::to_owned).collect()
    }

    #[test]
    fn bars_are_as_long_as_days_took_and_a_catch_up_has_none() {
        assert_eq!(
            drawn(70),
            [
                "DAY         DAYS  DURATION                     ROWS READ  BYTES READ",
                "─────────────────────────────────────────────────────────────────────",
                "2026-02-02     2  1 min 20 s  (not judged)         2,000  195.31 KiB",
                "2026-02-03     1       8.0 s  ███████████████      1,000   97.66 KiB",
                "2026-02-04     1       4.0 s  ███████▌               500   48.83 KiB",
                "2026-02-05     1       1.0 s  █▉                       0           -",
            ]
        );
    }

    #[test]
    fn a_narrow_terminal_gets_short_bars_rather_than_none() {
        assert_eq!(
            drawn(20)[3..],
            [
                "2026-02-03     1       8.0 s  ████████████      1,000   97.66 KiB",
                "2026-02-04     1       4.0 s  ██████              500   48.83 KiB",
                "2026-02-05     1       1.0 s  █▌                    0           -",
            ]
        );
    }
}
